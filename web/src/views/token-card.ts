import { css, html, nothing, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { shared, View } from './element.js';
import { percent, significant } from './format.js';
import { tokenText } from './label.js';
import { t } from './text.js';
import { hexBytes } from './token-strip.js';
import type { CandidateRow, TokenLabel } from './types.js';

/** How a model expected a token; null where nothing came before it. */
export interface ExpectedToken {
  readonly probability: number | null;
  readonly surprisal: number | null;
  readonly rank: number | null;
  readonly entropy: number | null;
  /** The model's own choices in its place, best first. */
  readonly top: readonly CandidateRow[];
}

/** All there is to say of a token of the prompt: what it is made of, and how the model expected it. */
@customElement('gb-token-card')
export class TokenCard extends View {
  @property({ attribute: false }) token: TokenLabel | null = null;
  @property({ type: Number }) position = 0;
  @property({ attribute: false }) expected: ExpectedToken | null = null;
  @property({ type: Boolean }) locked = false;

  static override readonly styles = [
    shared,
    css`
      :host {
        padding: 0.55rem 0.75rem 0.65rem;
        border: 1px solid var(--rule);
        border-radius: 8px;
        background: var(--surface);
        font-size: var(--small);
        color: var(--ink-2);
      }
      p {
        margin: 0;
      }
      bdi {
        font-family: var(--mono);
        color: var(--ink);
        overflow-wrap: anywhere;
      }
      dl {
        display: grid;
        grid-template-columns: repeat(2, max-content 1fr);
        gap: 0 0.6rem;
        margin: 0.3rem 0;
      }
      dd {
        margin: 0;
        color: var(--ink);
        text-align: end;
      }
      ol {
        display: flex;
        flex-wrap: wrap;
        gap: 0.1rem 0.8rem;
        margin: 0.2rem 0 0;
        padding: 0;
        list-style: none;
      }
      .own bdi {
        box-shadow: 0 2px 0 var(--accent);
      }
    `,
  ];

  override render(): TemplateResult | typeof nothing {
    const { token, expected } = this;
    if (!token) return nothing;
    const bytes = hexBytes(token);
    return html`<p>
        <bdi>${tokenText(token)}</bdi> · ${t('token.position', { position: this.position })} · id ${token.id}${bytes === ''
          ? nothing
          : html` · ${t('token.bytes', { bytes })}`}${this.locked ? html` · ${t('token.locked')}` : nothing}
      </p>
      ${expected ? this.#expected(expected, token) : nothing}`;
  }

  #expected({ probability, surprisal, rank, entropy, top }: ExpectedToken, token: TokenLabel): TemplateResult {
    if (probability === null || surprisal === null || rank === null || entropy === null) return html`<p>${t('measure.first')}</p>`;
    return html`<dl>
        <dt>${t('measure.probability')}</dt>
        <dd>${percent(probability)}</dd>
        <dt>${t('measure.rank')}</dt>
        <dd>${rank}</dd>
        <dt>${t('measure.surprisal')}</dt>
        <dd>${significant(surprisal, 4)} bit</dd>
        <dt>${t('measure.entropy')}</dt>
        <dd>${significant(entropy, 4)} bit</dd>
      </dl>
      <p>${t('token.instead')}</p>
      <ol>
        ${top.map(
          (row) =>
            html`<li class=${row.token.id === token.id ? 'own' : ''}><bdi>${tokenText(row.token)}</bdi> ${percent(row.probability)}</li>`,
        )}
      </ol>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-token-card': TokenCard;
  }
}
