import { css, html, LitElement, nothing, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { shared } from './element.js';
import { tokenText } from './label.js';
import type { TokenLabel } from './types.js';

const SHOWN = 2048;

/** A text as the tokens a model sees: each with its id, whitespace and split bytes visible. */
@customElement('gb-token-strip')
export class TokenStrip extends LitElement {
  @property({ attribute: false }) tokens: readonly TokenLabel[] = [];
  /** What the list is, for screen readers. */
  @property() label = 'Tokens';
  /** Position of a token to mark, or -1. */
  @property({ type: Number }) marked = -1;
  /** A second position to mark, or -1. */
  @property({ type: Number }) looked = -1;

  static override readonly styles = [
    shared,
    css`
      ol {
        display: flex;
        flex-wrap: wrap;
        gap: 3px;
        margin: 0;
        padding: 0;
        list-style: none;
      }
      li {
        display: grid;
        max-width: 100%;
        padding: 1px 5px 2px;
        border-radius: 4px;
        background: var(--sunk);
        box-shadow: inset 0 0 0 1px var(--rule);
      }
      bdi {
        font-family: var(--mono);
        font-size: 0.875rem;
        overflow-wrap: anywhere;
        color: var(--ink);
      }
      small {
        font-size: 0.6875rem;
        line-height: 1.1;
        color: var(--ink-3);
      }
      .special {
        background: none;
      }
      .special bdi {
        color: var(--ink-2);
        font-style: italic;
      }
      .marked {
        background: var(--accent-soft);
        box-shadow: inset 0 0 0 2px var(--accent);
      }
      .looked {
        box-shadow: inset 0 0 0 2px var(--data);
      }
      p {
        margin: 0.4rem 0 0;
        font-size: var(--small);
        color: var(--ink-2);
      }
    `,
  ];

  override render(): TemplateResult {
    const more = this.tokens.length - SHOWN;
    return html`<ol aria-label=${this.label}>
        ${this.tokens.slice(0, SHOWN).map((token, position) => this.#token(token, position))}
      </ol>
      ${more > 0 ? html`<p>and ${more} more</p>` : nothing}`;
  }

  #token(token: TokenLabel, position: number): TemplateResult {
    const mark = position === this.marked ? 'marked' : position === this.looked ? 'looked' : '';
    const text = tokenText(token);
    // Without a tokenizer a token is its id, which need not be said twice.
    const id = text === String(token.id) ? nothing : html`<small><span class="sr-only">id </span>${token.id}</small>`;
    return html`<li class="${mark} ${token.special ? 'special' : ''}" title=${describe(token, position)}>
      <bdi>${text}</bdi>${id}
    </li>`;
  }
}

function describe(token: TokenLabel, position: number): string {
  const bytes = (token.bytes ?? []).map((byte) => byte.toString(16).toUpperCase().padStart(2, '0')).join(' ');
  const parts = [`position ${position}`, `id ${token.id}`];
  if (bytes !== '') parts.push(`bytes ${bytes}`);
  if (token.special) parts.push('special');
  return parts.join(' · ');
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-token-strip': TokenStrip;
  }
}
