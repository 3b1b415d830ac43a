import { css, html, nothing, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { shared, View } from './element.js';
import { logit, percent, significant, whole } from './format.js';
import type { Keepable } from './keep.js';
import { tokenText } from './label.js';
import { rect, text, type SvgPicture } from './svg.js';
import { tableStyles } from './table-styles.js';
import type { Table } from './table.js';
import { t, type TextKey } from './text.js';
import type { TokenLabel } from './types.js';

/** A stage of a sampler over the whole vocabulary. */
export interface SamplerStage {
  readonly name: string;
  readonly kept: number;
  readonly cut: number;
  /** Probability, before this stage, of what it cut off. */
  readonly cutMass: number;
  /** In bits. */
  readonly entropy: number;
}

/** A token in every stage. */
export interface SamplerRow {
  readonly token: TokenLabel;
  readonly rank: number;
  readonly logit: number;
  /** After each stage; 0 once it is cut off. */
  readonly probabilities: readonly number[];
  readonly cutAt: number | null;
  readonly drawn: number | null;
}

/** Tokens in rows, the stages of a sampler in columns: what each stage made of each token, and what it cut off. */
@customElement('gb-sampler-table')
export class SamplerTable extends View implements Keepable {
  @property({ attribute: false }) stages: readonly SamplerStage[] = [];
  @property({ attribute: false }) rows: readonly SamplerRow[] = [];
  /** How often was drawn in all; 0 where nothing was. */
  @property({ type: Number }) draws = 0;
  @property() name = '';

  static override readonly styles = [
    shared,
    tableStyles,
    css`
      .scroll {
        overflow-x: auto;
      }
      th,
      td {
        padding: 0.15rem 0.5rem;
      }
      .token {
        text-align: start;
      }
      bdi {
        display: inline-block;
        max-width: 9rem;
        overflow: hidden;
        text-overflow: ellipsis;
        vertical-align: bottom;
        padding: 0 0.4em;
        border-radius: 4px;
        background: var(--sunk);
        font-family: var(--mono);
      }
      .bar {
        display: block;
        width: var(--p);
        min-width: 1px;
        height: 4px;
        margin-inline-start: auto;
        border-radius: 2px;
        background: var(--data);
      }
      td.last .bar {
        background: var(--accent);
      }
      .cut {
        color: var(--ink-3);
      }
      tr.gone bdi {
        text-decoration: line-through;
      }
      .about th,
      .about td {
        font-size: 0.75rem;
        padding-block: 0;
      }
      .about:last-child > * {
        padding-bottom: 0.4rem;
      }
    `,
  ];

  toTable(): Table {
    const stages = this.stages.map(({ name }) => ({ name: stageName(name), show: percent }));
    const drawn = this.draws > 0 ? [{ name: t('bench.drawn'), show: whole }] : [];
    return {
      columns: [{ name: t('candidates.rank') }, { name: t('candidates.token') }, { name: t('candidates.logit'), show: logit }, ...stages, ...drawn],
      rows: this.rows.map(({ token, rank, logit: own, probabilities, drawn: times }) => [
        rank,
        tokenText(token),
        own,
        ...probabilities,
        ...(this.draws > 0 ? [times ?? 0] : []),
      ]),
    };
  }

  toSvg(): SvgPicture {
    const fill = getComputedStyle(this).color;
    const width = 90;
    const body = this.rows
      .map((row, i) => {
        const y = 26 + i * 20;
        const bars = row.probabilities.map((p, s) => rect(120 + s * width, y + 4, Math.max(p > 0 ? 1 : 0, p * (width - 10)), 12, '#2c7fa8'));
        return text(112, y + 10, tokenText(row.token).slice(0, 16), { anchor: 'end', mono: true, fill }) + bars.join('');
      })
      .join('');
    const heads = this.stages.map(({ name }, s) => text(120 + s * width, 12, stageName(name), { fill })).join('');
    return { width: 120 + this.stages.length * width, height: 30 + this.rows.length * 20, body: heads + body };
  }

  override render(): TemplateResult {
    const { stages } = this;
    return html`<div class="scroll" tabindex="0" role="region" aria-label=${this.name}>
      <table aria-label=${this.name}>
      <thead>
        <tr>
          <th scope="col">#</th>
          <th scope="col" class="token">${t('candidates.token')}</th>
          <th scope="col">${t('candidates.logit')}</th>
          ${stages.map(({ name }) => html`<th scope="col">${stageName(name)}</th>`)}
          ${this.draws > 0 ? html`<th scope="col">${t('bench.drawn')}</th>` : nothing}
        </tr>
        ${this.#about(t('bench.kept'), ({ kept }) => whole(kept))}
        ${this.#about(t('bench.cut'), ({ cut, cutMass }) => (cut === 0 ? '–' : `${whole(cut)} (${percent(cutMass)})`))}
        ${this.#about(t('measure.entropy'), ({ entropy }) => `${significant(entropy, 4)} bit`)}
      </thead>
      <tbody>
        ${this.rows.map((row) => this.#row(row))}
      </tbody>
    </table>
    </div>`;
  }

  #about(name: string, value: (stage: SamplerStage) => string): TemplateResult {
    return html`<tr class="about">
      <th scope="row" colspan="3">${name}</th>
      ${this.stages.map((stage) => html`<td>${value(stage)}</td>`)} ${this.draws > 0 ? html`<td></td>` : nothing}
    </tr>`;
  }

  #row({ token, rank, logit: own, probabilities, cutAt, drawn }: SamplerRow): TemplateResult {
    const last = probabilities.length - 1;
    return html`<tr class=${cutAt === null ? '' : 'gone'}>
      <td>${rank}</td>
      <th scope="row" class="token"><bdi title="id ${token.id}">${tokenText(token)}</bdi></th>
      <td>${logit(own)}</td>
      ${probabilities.map((p, stage) => {
        const gone = cutAt !== null && stage >= cutAt;
        if (gone) return html`<td class="cut">${stage === cutAt ? t('candidates.cut') : '–'}</td>`;
        return html`<td class=${stage === last ? 'last' : ''}>${percent(p)}<span class="bar" .style=${`--p:${p * 100}%`}></span></td>`;
      })}
      ${this.draws > 0 ? this.#drawn(drawn ?? 0, probabilities[last] ?? 0) : nothing}
    </tr>`;
  }

  #drawn(times: number, probability: number): TemplateResult {
    const expected = significant(probability * this.draws, 3);
    return html`<td title=${t('bench.expected', { expected })}>
      ${times}<span class="bar" .style=${`--p:${(times / this.draws) * 100}%`}></span>
    </td>`;
  }
}

function stageName(name: string): string {
  return t(`bench.stage.${name}` as TextKey);
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-sampler-table': SamplerTable;
  }
}
