import { css, html, nothing, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { controls, emit, shared, View } from './element.js';
import { logit, percent } from './format.js';
import { clip } from './glyphs.js';
import { resolved, type Keepable } from './keep.js';
import { tokenText } from './label.js';
import { rect, text, type SvgPicture } from './svg.js';
import { tableStyles } from './table-styles.js';
import type { Table } from './table.js';
import { t } from './text.js';
import type { CandidateRow } from './types.js';

/** Sizes of the picture as a file. */
const ROW = 20;
const NAME = 120;
const BAR = 240;

/**
 * The most probable next tokens with rank, raw probability and logit; beside it, where given, the probability the
 * sampler drew from.
 *
 * @fires gb-candidate - `CandidateRow`: the candidate that was clicked
 */
@customElement('gb-candidate-table')
export class CandidateTable extends View implements Keepable {
  /** By the model's own distribution, best first. */
  @property({ attribute: false }) candidates: readonly CandidateRow[] = [];
  /** After the sampler's last stage, where a token was drawn. */
  @property({ attribute: false }) sampled: readonly CandidateRow[] | null = null;
  /** What each of them was before a change, by token id; drawn as ghosts. */
  @property({ attribute: false }) ghosts: ReadonlyMap<number, number> | null = null;
  /** Whether `sampled` is every token the sampler left. */
  @property({ type: Boolean }) complete = false;
  /** Id of the token that was drawn, or -1. */
  @property({ type: Number }) drawn = -1;
  /** What a click on a candidate does, for its label; without it candidates are not clickable. */
  @property() action = '';

  static override readonly styles = [
    shared,
    controls,
    tableStyles,
    css`
      th,
      td {
        padding: 0 0 0 0.6rem;
        height: 28px;
      }
      th:first-child,
      td:first-child {
        padding-left: 0;
        width: 1.6rem;
        color: var(--ink-2);
      }
      .token {
        width: 42%;
        max-width: 0;
        padding-left: 0.35rem;
        text-align: start;
      }
      .token button,
      .token bdi {
        display: block;
        max-width: 100%;
        min-height: 24px;
        padding: 0 0.4em;
        overflow: hidden;
        text-overflow: ellipsis;
        font-family: var(--mono);
        font-weight: 400;
        line-height: 24px;
        text-align: start;
      }
      .token button {
        border: 0;
        border-radius: 4px;
        background: var(--sunk);
      }
      .token button bdi {
        padding: 0;
      }
      .token button:hover {
        background: var(--accent-soft);
        box-shadow: inset 0 0 0 1px var(--accent);
      }
      .bars {
        width: 34%;
        padding-left: 0.5rem;
      }
      .bars span {
        display: block;
        height: 6px;
        width: var(--p);
        min-width: 1px;
        border-radius: 1px 3px 3px 1px;
        background: var(--data);
      }
      .bars.two span {
        height: 5px;
        margin-block: 2px;
      }
      .bars .after,
      .key.after::before {
        background: var(--accent);
      }
      .bars .before,
      .key.ghost::before {
        background: var(--ghost);
      }
      .was {
        color: var(--ink-2);
      }
      .key::before {
        content: '';
        display: inline-block;
        width: 7px;
        height: 7px;
        margin-inline-end: 0.35em;
        border-radius: 2px;
        background: var(--data);
      }
      tr.drawn .token > bdi {
        border-radius: 4px;
        box-shadow: inset 0 0 0 2px var(--accent);
      }
      .cut {
        color: var(--ink-3);
      }
    `,
  ];

  override render(): TemplateResult {
    const after = this.sampled ? new Map(this.sampled.map((row) => [row.token.id, row])) : null;
    return html`<table>
      <caption class="sr-only">
        ${t(after ? 'candidates.drawn' : this.ghosts ? 'candidates.changed' : 'candidates.next')}
      </caption>
      <thead>
        <tr>
          <th scope="col"><span class="sr-only">${t('candidates.rank')}</span><span aria-hidden="true">#</span></th>
          <th scope="col" class="token">${t('candidates.token')}</th>
          <td class="bars"></td>
          ${after
            ? html`<th scope="col"><span class="key">${t('candidates.raw')}</span></th>
                <th scope="col"><span class="key after">${t('candidates.sampled')}</span></th>`
            : this.ghosts
              ? html`<th scope="col"><span class="key ghost">${t('candidates.before')}</span></th>
                  <th scope="col"><span class="key">${t('candidates.after')}</span></th>`
              : html`<th scope="col">${t('candidates.short')}</th>
                  <th scope="col">${t('candidates.logit')}</th>`}
        </tr>
      </thead>
      <tbody>
        ${this.#rows().map((row) => this.#row(row, after))}
      </tbody>
    </table>`;
  }

  toTable(): Table {
    const { sampled, ghosts } = this;
    const after = sampled && new Map(sampled.map((row) => [row.token.id, row.probability]));
    const others = after ? [t('candidates.sampled')] : ghosts ? [t('candidates.before')] : [];
    const names = [t('candidates.rank'), t('candidates.token'), 'id', t(after ? 'candidates.raw' : ghosts ? 'candidates.after' : 'candidates.probability')];
    return {
      columns: [
        ...names.slice(0, 3).map((name) => ({ name })),
        { name: names[3] ?? '', show: percent },
        { name: t('candidates.logit'), show: logit },
        ...others.map((name) => ({ name, show: percent })),
      ],
      rows: this.#rows().map((row) => {
        const own = this.candidates.includes(row) ? [row.probability, row.logit] : ['', ''];
        const other = after ? [after.get(row.token.id) ?? (this.complete ? 0 : '')] : ghosts ? [ghosts.get(row.token.id) ?? ''] : [];
        return [row.rank, tokenText(row.token), row.token.id, ...own, ...other];
      }),
    };
  }

  toSvg(): SvgPicture {
    const style = getComputedStyle(this);
    const fill = style.color;
    const body = this.#rows().map((row, i) => {
      const y = i * ROW + ROW / 2;
      const before = this.ghosts?.get(row.token.id);
      const ghost = before === undefined ? '' : rect(NAME, y - 7, Math.max(1, before * BAR), 5, resolved(style, '--ghost'));
      return (
        text(NAME - 8, y, clip(tokenText(row.token), 14), { anchor: 'end', mono: true, fill }) +
        ghost +
        rect(NAME, y - 1, Math.max(1, row.probability * BAR), 6, resolved(style, '--data')) +
        text(NAME + BAR + 60, y, percent(row.probability), { anchor: 'end', fill })
      );
    });
    return { width: NAME + BAR + 64, height: body.length * ROW, body: body.join('') };
  }

  /** The candidates, and the drawn token where it is not among them. */
  #rows(): readonly CandidateRow[] {
    const drawn = this.sampled?.find((row) => row.token.id === this.drawn);
    if (!drawn || this.candidates.some((row) => row.token.id === this.drawn)) return this.candidates;
    return [...this.candidates, drawn];
  }

  #row(row: CandidateRow, after: Map<number, CandidateRow> | null): TemplateResult {
    const known = this.candidates.includes(row);
    const final = after?.get(row.token.id);
    return html`<tr class=${row.token.id === this.drawn ? 'drawn' : ''}>
      <td>${row.rank}</td>
      <th scope="row" class="token">${this.#token(row)}</th>
      <td class="bars ${after || this.ghosts ? 'two' : ''}" aria-hidden="true">
        ${this.ghosts ? bar(this.ghosts.get(row.token.id) ?? 0, 'before') : nothing}
        ${known ? bar(row.probability, '') : nothing}${final ? bar(final.probability, 'after') : nothing}
      </td>
      ${this.ghosts && !after ? html`<td class="was">${percent(this.ghosts.get(row.token.id) ?? Number.NaN)}</td>` : nothing}
      <td>${known ? percent(row.probability) : '–'}</td>
      ${after ? this.#final(final) : this.ghosts ? nothing : html`<td>${logit(row.logit)}</td>`}
    </tr>`;
  }

  /** Not being among the sampler's candidates means cut off only where those are all there are. */
  #final(row: CandidateRow | undefined): TemplateResult {
    if (row) return html`<td>${percent(row.probability)}</td>`;
    return html`<td class="cut">${this.complete ? t('candidates.cut') : '–'}</td>`;
  }

  #token(row: CandidateRow): TemplateResult {
    const text = tokenText(row.token);
    if (this.action === '') {
      const drawn = row.token.id === this.drawn ? html`<span class="sr-only">${t('candidates.isDrawn')} </span>` : nothing;
      return html`${drawn}<bdi title="id ${row.token.id}">${text}</bdi>`;
    }
    const pick = (): void => {
      emit(this, 'gb-candidate', row);
    };
    return html`<button type="button" title="${this.action} (id ${row.token.id})" @click=${pick}>
      <span class="sr-only">${this.action}: </span><bdi>${text}</bdi>
    </button>`;
  }
}

function bar(probability: number, kind: string): TemplateResult {
  return html`<span class=${kind} .style=${`--p:${probability * 100}%`}></span>`;
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-candidate-table': CandidateTable;
  }
  interface HTMLElementEventMap {
    'gb-candidate': CustomEvent<CandidateRow>;
  }
}
