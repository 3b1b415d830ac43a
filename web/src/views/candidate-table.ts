import { css, html, LitElement, nothing, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { controls, emit, shared } from './element.js';
import { logit, percent } from './format.js';
import { tokenText } from './label.js';
import type { CandidateRow } from './types.js';

/**
 * The most probable next tokens with rank, raw probability and logit; beside it, where given, the probability the
 * sampler drew from.
 *
 * @fires gb-candidate - `CandidateRow`: the candidate that was clicked
 */
@customElement('gb-candidate-table')
export class CandidateTable extends LitElement {
  /** By the model's own distribution, best first. */
  @property({ attribute: false }) candidates: readonly CandidateRow[] = [];
  /** After the sampler's last stage, where a token was drawn. */
  @property({ attribute: false }) sampled: readonly CandidateRow[] | null = null;
  /** Id of the token that was drawn, or -1. */
  @property({ type: Number }) drawn = -1;
  /** What a click on a candidate does, for its label; without it candidates are not clickable. */
  @property() action = '';
  @property() caption = '';

  static override readonly styles = [
    shared,
    controls,
    css`
      table {
        width: 100%;
        border-collapse: collapse;
        font-size: var(--small);
      }
      caption {
        padding-bottom: 0.5rem;
        text-align: start;
        color: var(--ink-2);
      }
      th,
      td {
        padding: 0 0 0 0.6rem;
        height: 28px;
        text-align: end;
        font-weight: 400;
        white-space: nowrap;
        border-top: 1px solid var(--rule);
      }
      th:first-child,
      td:first-child {
        padding-left: 0;
        width: 1.6rem;
        color: var(--ink-2);
      }
      thead th {
        border-top: 0;
        color: var(--ink-2);
        vertical-align: bottom;
      }
      .token {
        text-align: start;
        max-width: 0;
        width: 38%;
      }
      .token button,
      .token bdi {
        display: inline-block;
        max-width: 100%;
        min-height: 24px;
        padding: 0 0.35em;
        overflow: hidden;
        text-overflow: ellipsis;
        font-family: var(--mono);
        font-weight: 400;
        line-height: 22px;
        border-radius: 4px;
      }
      .token button {
        justify-content: start;
        border-color: transparent;
        background: var(--sunk);
        text-align: start;
      }
      .token button:hover {
        border-color: var(--accent);
        background: var(--accent-soft);
      }
      .bar {
        position: relative;
        min-width: 5.6rem;
      }
      .bar::before {
        content: '';
        position: absolute;
        inset: auto 0 3px auto;
        width: var(--p);
        min-width: 1px;
        height: 3px;
        border-radius: 2px;
        background: var(--data);
      }
      .bar.after::before {
        background: var(--accent);
      }
      tr.drawn .token button,
      tr.drawn .token bdi {
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
      <caption class=${this.caption === '' ? 'sr-only' : ''}>
        ${this.caption === '' ? 'Next-token candidates' : this.caption}
      </caption>
      <thead>
        <tr>
          <th scope="col"><span class="sr-only">Rank</span><span aria-hidden="true">#</span></th>
          <th scope="col" class="token">Token</th>
          <th scope="col">${after ? 'Raw' : 'Probability'}</th>
          ${after ? html`<th scope="col">Sampled</th>` : html`<th scope="col">Logit</th>`}
        </tr>
      </thead>
      <tbody>
        ${this.#rows().map((row) => this.#row(row, after))}
      </tbody>
    </table>`;
  }

  /** The candidates, and the drawn token where it is not among them. */
  #rows(): readonly CandidateRow[] {
    const missing = this.sampled?.find((row) => row.token.id === this.drawn);
    if (!missing || this.candidates.some((row) => row.token.id === this.drawn)) return this.candidates;
    return [...this.candidates, missing];
  }

  #row(row: CandidateRow, after: Map<number, CandidateRow> | null): TemplateResult {
    const final = after?.get(row.token.id);
    const known = this.candidates.includes(row);
    return html`<tr class=${row.token.id === this.drawn ? 'drawn' : ''}>
      <td>${row.rank}</td>
      <th scope="row" class="token">${this.#token(row)}</th>
      ${known ? bar(row.probability, '') : html`<td class="cut">–</td>`}
      ${after ? (final ? bar(final.probability, 'after') : html`<td class="cut">cut off</td>`) : html`<td>${logit(row.logit)}</td>`}
    </tr>`;
  }

  #token(row: CandidateRow): TemplateResult {
    const text = tokenText(row.token);
    const drawn = row.token.id === this.drawn ? html`<span class="sr-only"> (drawn)</span>` : nothing;
    if (this.action === '') return html`<bdi title="id ${row.token.id}">${text}</bdi>${drawn}`;
    const pick = (): void => {
      emit(this, 'gb-candidate', row);
    };
    return html`<button type="button" title="${this.action} (id ${row.token.id})" @click=${pick}>
      <span class="sr-only">${this.action}: </span><bdi>${text}</bdi></button
    >${drawn}`;
  }
}

function bar(probability: number, kind: string): TemplateResult {
  return html`<td class="bar ${kind}" .style=${`--p:calc((100% - 0.6rem) * ${probability})`}>${percent(probability)}</td>`;
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-candidate-table': CandidateTable;
  }
  interface HTMLElementEventMap {
    'gb-candidate': CustomEvent<CandidateRow>;
  }
}
