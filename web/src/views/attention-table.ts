import { css, html, LitElement, nothing, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { controls, shared } from './element.js';
import { weight } from './format.js';
import { clip } from './glyphs.js';
import { tokenText } from './label.js';
import { rowSum, weightAt, type Pattern } from './raster.js';
import type { TokenLabel } from './types.js';

/** The table behind an attention matrix: all weights of one query. */
@customElement('gb-attention-table')
export class AttentionTable extends LitElement {
  @property({ attribute: false }) pattern: Pattern | null = null;
  @property({ attribute: false }) tokens: readonly TokenLabel[] = [];
  /** The query whose row is shown. */
  @property({ type: Number }) row = 0;

  static override readonly styles = [
    shared,
    controls,
    css`
      :host {
        font-size: var(--small);
      }
      label {
        display: flex;
        align-items: center;
        gap: 0.5em;
        margin-bottom: 0.5rem;
        color: var(--ink-2);
      }
      select {
        min-width: 0;
        flex: 1;
        font-family: var(--mono);
      }
      .scroll {
        max-height: 20rem;
        overflow: auto;
        border: 1px solid var(--rule);
        border-radius: 6px;
      }
      table {
        width: 100%;
        border-collapse: collapse;
      }
      caption {
        padding: 0.4rem 0.6rem;
        text-align: start;
        color: var(--ink-2);
      }
      th,
      td {
        padding: 0.2rem 0.6rem;
        text-align: end;
        font-weight: 400;
        border-top: 1px solid var(--rule);
      }
      thead th {
        position: sticky;
        top: 0;
        background: var(--surface);
        color: var(--ink-2);
      }
      .token {
        text-align: start;
        font-family: var(--mono);
        overflow-wrap: anywhere;
      }
    `,
  ];

  override render(): TemplateResult | typeof nothing {
    const { pattern } = this;
    if (!pattern) return nothing;
    const query = Math.min(this.row, pattern.size - 1);
    return html`<label
        >Query
        <select @change=${this.#onChange} .value=${String(query)}>
          ${Array.from(
            { length: pattern.size },
            (_, i) => html`<option value=${i} ?selected=${i === query}>${i} ${clip(this.#token(i), 24)}</option>`,
          )}
        </select></label
      >
      <div class="scroll" tabindex="0" role="region" aria-label="Weights of query ${query}">
        <table>
          <caption>
            Weights from query ${query} <bdi>${this.#token(query)}</bdi>, sum ${rowSum(pattern, query).toFixed(6)}
          </caption>
          <thead>
            <tr>
              <th scope="col">Key</th>
              <th scope="col" class="token">Token</th>
              <th scope="col">Weight</th>
            </tr>
          </thead>
          <tbody>
            ${Array.from(
              { length: query + 1 },
              (_, key) =>
                html`<tr>
                  <th scope="row">${key}</th>
                  <td class="token"><bdi>${this.#token(key)}</bdi></td>
                  <td>${weight(weightAt(pattern, query, key))}</td>
                </tr>`,
            )}
          </tbody>
        </table>
      </div>`;
  }

  #token(position: number): string {
    const token = this.tokens[position];
    return token ? tokenText(token) : String(position);
  }

  readonly #onChange = (event: Event): void => {
    this.row = Number((event.target as HTMLSelectElement).value);
  };
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-attention-table': AttentionTable;
  }
}
