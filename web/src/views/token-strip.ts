import { css, html, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { guard } from 'lit/directives/guard.js';
import { ref } from 'lit/directives/ref.js';
import { CellCursor, optionAt } from './cell-cursor.js';
import { emit, shared, View } from './element.js';
import { currentLanguage } from './environment.js';
import type { Keepable } from './keep.js';
import { tokenText } from './label.js';
import { rampFor } from './ramp.js';
import { rect, text, type SvgPicture } from './svg.js';
import type { Table } from './table.js';
import { t } from './text.js';
import type { TokenLabel } from './types.js';

const SHOWN = 2048;
/** Tokens that are rendered together. */
const PART = 64;
/** Lightest shade of a token whose value is above 0: little is not nothing. */
const FAINT = 0.06;
/** Sizes of the picture as a file. */
const WIDE = 640;
const LINE = 24;
const CHARACTER = 6.8;

/**
 * A text as the tokens a model sees: each with its id, whitespace and split bytes visible, and, where given, shaded by
 * a value of its own.
 *
 * @fires gb-token-preview - `number | null`: the token under the pointer or the keyboard, else the locked one
 * @fires gb-token-pick - `number | null`: the token that was locked or released
 */
@customElement('gb-token-strip')
export class TokenStrip extends View implements Keepable {
  @property({ attribute: false }) tokens: readonly TokenLabel[] = [];
  /** What the list is, for screen readers. */
  @property() label = '';
  /** Position of a token to mark, or -1. */
  @property({ type: Number }) marked = -1;
  /** A second position to mark, or -1. */
  @property({ type: Number }) looked = -1;
  /** A shade from 0 to 1 for each token; NaN for none. */
  @property({ attribute: false }) shades: ArrayLike<number> | null = null;
  /** What each token's value is, in words. */
  @property({ attribute: false }) notes: readonly string[] = [];
  @property({ attribute: false }) selected: number | null = null;
  /** Whether ids stand beneath the tokens. */
  @property({ type: Boolean }) ids = true;
  readonly #cursor = new CellCursor(
    this,
    () => ({ rows: this.tokens.length > 0 ? 1 : 0, width: () => Math.min(SHOWN, this.tokens.length) }),
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
      [role='listbox'] {
        display: flex;
        flex-wrap: wrap;
        gap: 3px;
      }
      [role='option'] {
        display: grid;
        max-width: 100%;
        padding: 1px 5px 2px;
        border-radius: 4px;
        background: var(--shade, var(--sunk));
        box-shadow: inset 0 0 0 1px var(--rule);
        color: var(--on-shade, var(--ink));
        cursor: pointer;
      }
      bdi {
        font-family: var(--mono);
        font-size: 0.875rem;
        overflow-wrap: anywhere;
      }
      small {
        font-size: 0.6875rem;
        line-height: 1.1;
        color: var(--on-shade, var(--ink-3));
      }
      .special {
        background: var(--shade, none);
      }
      .special bdi {
        font-style: italic;
      }
      .marked {
        box-shadow: inset 0 0 0 2px var(--query);
      }
      .looked {
        box-shadow: inset 0 0 0 2px var(--key);
      }
      .active {
        box-shadow: inset 0 0 0 2px var(--ink);
      }
      [aria-selected='true'] {
        box-shadow:
          inset 0 0 0 3px var(--accent),
          inset 0 0 0 4px var(--surface);
      }
      p {
        margin: 0.4rem 0 0;
        font-size: var(--small);
        color: var(--ink-2);
      }
    `,
  ];

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('selected')) this.#cursor.lock(this.selected === null ? null : { row: 0, column: this.selected });
  }

  override render(): TemplateResult {
    const more = this.tokens.length - SHOWN;
    const active = this.#cursor.cell?.column ?? -1;
    return html`<div
        role="listbox"
        tabindex="0"
        aria-label=${this.label}
        aria-activedescendant=${active < 0 ? nothing : `t${active}`}
        ${ref(this.#cursor.surface)}
      >
        ${this.#parts(active)}
      </div>
      ${more > 0 ? html`<p>${t('tokens.more', { more })}</p>` : nothing}`;
  }

  toTable(): Table {
    const columns = [t('lens.token'), t('candidates.token'), 'id', t('token.hex'), ...(this.notes.length > 0 ? [t('token.note')] : [])];
    return {
      columns: columns.map((name) => ({ name })),
      rows: this.tokens.map((token, i) => [i, tokenText(token), token.id, hexBytes(token), ...(this.notes.length > 0 ? [this.notes[i] ?? ''] : [])]),
    };
  }

  /** Line by line, as wide as a column of print. */
  toSvg(): SvgPicture {
    const ramp = rampFor(this.ground);
    const ink = getComputedStyle(this).color;
    const parts: string[] = [];
    let x = 0;
    let y = 0;
    this.tokens.forEach((token, i) => {
      const word = tokenText(token);
      const width = word.length * CHARACTER + 10;
      if (x > 0 && x + width > WIDE) {
        x = 0;
        y += LINE;
      }
      const value = this.shades?.[i] ?? Number.NaN;
      const shaded = !Number.isNaN(value);
      if (shaded) parts.push(rect(x, y, width - 2, LINE - 4, ramp.css(value)));
      parts.push(text(x + 4, y + LINE / 2 - 2, word, { mono: true, fill: shaded ? ramp.ink(value) : ink }));
      x += width;
    });
    return { width: WIDE, height: y + LINE, body: parts.join('') };
  }

  /** Some tokens at a time, so that a cursor that moves has only those about it rendered again. */
  #parts(active: number): unknown[] {
    const tokens = this.tokens.slice(0, SHOWN);
    return Array.from({ length: Math.ceil(tokens.length / PART) }, (_, part) => {
      const from = part * PART;
      const within = (at: number): number => (at >= from && at < from + PART ? at : -1);
      const marks = [active, this.marked, this.looked, this.selected ?? -1].map(within);
      return guard([this.tokens, this.shades, this.notes, this.ids, this.ground, currentLanguage(), ...marks], () =>
        tokens.slice(from, from + PART).map((token, i) => this.#token(token, from + i, active)),
      );
    });
  }

  #token(token: TokenLabel, position: number, active: number): TemplateResult {
    const mark = position === this.marked ? 'marked' : position === this.looked ? 'looked' : position === active ? 'active' : '';
    const text = tokenText(token);
    // Without a tokenizer a token is its id, which need not be said twice.
    const id =
      !this.ids || text === String(token.id) ? nothing : html`<small><span class="sr-only">${t('token.id')} </span>${token.id}</small>`;
    const note = this.notes[position];
    return html`<span
      id="t${position}"
      role="option"
      data-at=${position}
      aria-selected=${position === this.selected ? 'true' : 'false'}
      class="${mark} ${token.special ? 'special' : ''}"
      title=${describe(token, position, note)}
      .style=${this.#shade(position)}
    >
      <bdi>${text}</bdi>${id}${note === undefined ? nothing : html`<span class="sr-only">${note}</span>`}
    </span>`;
  }

  #shade(position: number): string {
    const value = this.shades?.[position] ?? Number.NaN;
    if (Number.isNaN(value)) return '';
    const ramp = rampFor(this.ground);
    const at = value > 0 ? Math.max(FAINT, value) : 0;
    return `--shade:${ramp.css(at)};--on-shade:${ramp.ink(at)}`;
  }
}

function describe(token: TokenLabel, position: number, note: string | undefined): string {
  const bytes = hexBytes(token);
  const parts = [t('token.position', { position }), `id ${token.id}`];
  if (bytes !== '') parts.push(t('token.bytes', { bytes }));
  if (token.special) parts.push(t('token.special'));
  if (note !== undefined) parts.push(note);
  return parts.join(' · ');
}

/** A token's bytes as two hexadecimal digits each. */
export function hexBytes({ bytes = [] }: TokenLabel): string {
  return bytes.map((byte) => byte.toString(16).toUpperCase().padStart(2, '0')).join(' ');
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-token-strip': TokenStrip;
  }
}
