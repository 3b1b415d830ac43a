import { css, html, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { guard } from 'lit/directives/guard.js';
import { ref } from 'lit/directives/ref.js';
import { CellCursor, optionAt } from './cell-cursor.js';
import { emit, shared, View } from './element.js';
import { visible } from './glyphs.js';
import { tokenText } from './label.js';
import type { TokenLabel } from './types.js';

/** Tokens that are rendered together. */
const PART = 32;

/** A generated token: what it is and the text that became complete with it. */
export interface RunToken {
  readonly token: TokenLabel;
  readonly text: string;
}

/**
 * Running text in which every token can be pointed at.
 *
 * @fires gb-token-preview - `number | null`: the token under the pointer or the keyboard
 * @fires gb-token-pick - `number | null`: the token that was locked or released
 */
@customElement('gb-token-run')
export class TokenRun extends View {
  @property({ attribute: false }) tokens: readonly RunToken[] = [];
  @property({ attribute: false }) selected: number | null = null;
  @property() label = '';
  readonly #cursor = new CellCursor(
    this,
    () => ({ rows: this.tokens.length > 0 ? 1 : 0, width: () => this.tokens.length }),
    ({ cell, locked }) => {
      emit(this, 'gb-token-preview', cell?.column ?? null);
      const picked = locked?.column ?? null;
      if (picked !== this.selected) emit(this, 'gb-token-pick', picked);
    },
    (event) => optionAt(event),
  );

  static override readonly styles = [
    shared,
    css`
      div {
        white-space: pre-wrap;
        overflow-wrap: anywhere;
        line-height: 1.7;
      }
      [role='option'] {
        border-radius: 3px;
        cursor: pointer;
      }
      [role='option']:hover,
      .active {
        background: var(--accent-soft);
        box-shadow: 0 0 0 1px var(--accent);
      }
      [aria-selected='true'] {
        background: var(--accent);
        color: var(--on-accent);
      }
      .glyph {
        display: inline-block;
        max-width: 100%;
        line-height: 1.4;
        margin-inline: 0.15em;
        padding: 0 0.25em;
        font-family: var(--mono);
        font-size: 0.875em;
        color: var(--ink-2);
        background: var(--sunk);
      }
    `,
  ];

  override render(): TemplateResult {
    const active = this.#cursor.cell?.column ?? -1;
    return html`<div
      role="listbox"
      tabindex="0"
      dir="auto"
      aria-label=${this.label}
      aria-activedescendant=${active < 0 ? '' : `t${active}`}
      ${ref(this.#cursor.surface)}
      >${this.#parts(active)}</div
    >`;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('selected')) this.#cursor.lock(this.selected === null ? null : { row: 0, column: this.selected });
  }

  /** Some tokens at a time, so that a text that grows is rendered again at its end alone. */
  #parts(active: number): unknown[] {
    const within = (at: number | null, from: number): number | null => (at !== null && at >= from && at < from + PART ? at : null);
    return Array.from({ length: Math.ceil(this.tokens.length / PART) }, (_, part) => {
      const from = part * PART;
      const tokens = this.tokens.slice(from, from + PART);
      const on = [this.tokens[0], tokens.at(-1), within(active, from), within(this.selected, from)];
      return guard(on, () => tokens.map((token, i) => this.#token(token, from + i, active)));
    });
  }

  #token({ token, text }: RunToken, index: number, active: number): TemplateResult {
    // Without complete text (ids, split characters, special tokens) the token itself is shown.
    const glyph = text === '';
    const shown = glyph ? tokenText(token) : readable(text);
    return html`<span
      id="t${index}"
      role="option"
      class="${glyph ? 'glyph' : ''} ${index === active ? 'active' : ''}"
      aria-selected=${index === this.selected ? 'true' : 'false'}
      data-at=${index}
      >${shown}</span
    >`;
  }
}

/** Running text with its ordinary whitespace; anything else that cannot be seen is named. */
function readable(text: string): string {
  return text
    .split(/([ \n\t])/)
    .map((part) => (part === '' || part === ' ' || part === '\n' || part === '\t' ? part : visible(part)))
    .join('');
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-token-run': TokenRun;
  }
  interface HTMLElementEventMap {
    'gb-token-preview': CustomEvent<number | null>;
    'gb-token-pick': CustomEvent<number | null>;
  }
}
