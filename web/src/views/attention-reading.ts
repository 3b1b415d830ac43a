import { css, html, nothing, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { AttentionCell } from './attention-matrix.js';
import { shared, View } from './element.js';
import { weight } from './format.js';
import { tokenText } from './label.js';
import { rowSum, topKeys, topQueries, weightAt, type Pattern } from './raster.js';
import { rich, t } from './text.js';
import type { TokenLabel } from './types.js';

const KEYS_SHOWN = 3;

/** One cell of an attention matrix in numbers: its exact weight, the sum of its row, where else the query looks, and who else looks at the key. */
@customElement('gb-attention-reading')
export class AttentionReading extends View {
  @property({ attribute: false }) pattern: Pattern | null = null;
  @property({ attribute: false }) tokens: readonly TokenLabel[] = [];
  @property({ attribute: false }) cell: AttentionCell | null = null;

  static override readonly styles = [
    shared,
    css`
      /* Room for what a cell says, so that nothing jumps while one points about. */
      @media (min-width: 721px) {
        :host {
          min-height: 14.5rem;
        }
      }
      :host {
        font-size: var(--small);
        color: var(--ink-2);
      }
      .pair {
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        gap: 0.35em;
        margin: 0;
      }
      .value {
        margin: 0.1rem 0 0.35rem;
        font-size: 1.5rem;
        line-height: 1.2;
        color: var(--ink);
      }
      .sum {
        font-size: var(--small);
        color: var(--ink-2);
      }
      bdi {
        font-family: var(--mono);
        color: var(--ink);
        background: var(--sunk);
        border-radius: 3px;
        padding: 0 0.3em;
        overflow-wrap: anywhere;
      }
      ol {
        list-style: none;
        margin: 0.25rem 0 0;
        padding: 0;
        display: grid;
        grid-template-columns: max-content minmax(0, 7rem) minmax(2rem, 1fr) max-content;
        gap: 0.2rem 0.5rem;
        align-items: center;
      }
      li {
        display: contents;
      }
      li bdi {
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
        justify-self: start;
        max-width: 100%;
      }
      .bar {
        height: 6px;
        border-radius: 3px;
        background: var(--sunk);
      }
      .bar::before {
        content: '';
        display: block;
        height: 100%;
        width: var(--p);
        min-width: 1px;
        border-radius: 3px;
        background: var(--data);
      }
      p {
        margin: 0;
      }
    `,
  ];

  override render(): TemplateResult | typeof nothing {
    const { pattern, cell } = this;
    if (!pattern) return nothing;
    if (!cell || cell.query >= pattern.size) return this.#rest(pattern);
    const { query, key } = cell;
    const sum = rowSum(pattern, query).toFixed(6);
    return html`<p class="pair">
        ${rich('reading.pair', { query, from: this.#token(query), key, to: this.#token(key) })}
      </p>
      <p class="value">
        ${weight(weightAt(pattern, query, key))} <span class="sum">${pattern.signed ? '' : t('reading.sum', { sum })}</span>
      </p>
      <p>${t('reading.looks', { query })}</p>
      ${this.#most(topKeys(pattern, query, KEYS_SHOWN).map(({ key: at, weight: share }) => ({ at, share })))}
      <p>${t('reading.looked', { key })}</p>
      ${this.#most(topQueries(pattern, key, KEYS_SHOWN).map(({ query: at, weight: share }) => ({ at, share })))}`;
  }

  #most(rows: readonly { at: number; share: number }[]): TemplateResult {
    return html`<ol>
      ${rows.map(
        ({ at, share }) =>
          html`<li>
            <span>${at}</span>${this.#token(at)}<span class="bar" .style=${`--p:${Math.min(1, Math.abs(share)) * 100}%`}></span
            ><span>${weight(share)}</span>
          </li>`,
      )}
    </ol>`;
  }

  #rest(pattern: Pattern): TemplateResult {
    if (pattern.signed) return html`<p>${t('reading.restSigned')}</p>`;
    const sums = Array.from({ length: pattern.size }, (_, query) => rowSum(pattern, query));
    const ends = [Math.min(...sums), Math.max(...sums)].map((sum) => sum.toFixed(6));
    return html`<p>${t('reading.rest', { range: [...new Set(ends)].join(' – ') })}</p>`;
  }

  #token(position: number): TemplateResult {
    const token = this.tokens[position];
    return html`<bdi>${token ? tokenText(token) : position}</bdi>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-attention-reading': AttentionReading;
  }
}
