import { css, html, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import { ref } from 'lit/directives/ref.js';
import { CellCursor, type Cell } from './cell-cursor.js';
import { differ, emit, shared, View } from './element.js';
import { weight } from './format.js';
import { clip } from './glyphs.js';
import { pixelRatio, pointIn, sizeCanvas } from './heat-canvas.js';
import { tokenText } from './label.js';
import type { Keepable } from './keep.js';
import { weightAt, type Pattern } from './raster.js';
import { Resized } from './resized.js';
import { text, type SvgPicture } from './svg.js';
import type { Table } from './table.js';
import { t } from './text.js';
import type { TokenLabel } from './types.js';

/** Sizes at the type of 16 pixels. */
const SIZES = {
  row: 22,
  word: 104,
  /** Most of the picture that is in sight at once; the rest scrolls. */
  tallest: 470,
  type: 12,
} as const;
type Sizes = { readonly [Name in keyof typeof SIZES]: number };
/** Weights below this are drawn only where their word is pointed at. */
export const FAINT = 0.02;
const CHARACTERS = 13;

/** What is pointed at: a token as one that looks, or as one that is looked at. */
export interface ArcFocus {
  readonly side: 'query' | 'key';
  readonly position: number;
}

interface Line {
  readonly query: number;
  readonly key: number;
  readonly weight: number;
}

/**
 * One head's attention as lines between the words: on the right the tokens that look, on the left what they look at.
 * Only what is in sight is drawn, so that any length can be scrolled through.
 *
 * @fires gb-arc-focus - `ArcFocus | null`: the word to read, hovered or locked
 * @fires gb-arc-pick - `ArcFocus | null`: the word that was locked or released
 */
@customElement('gb-attention-arcs')
export class AttentionArcs extends View implements Keepable {
  @property({ attribute: false }) pattern: Pattern | null = null;
  @property({ attribute: false }) tokens: readonly TokenLabel[] = [];
  /** The word that is locked. */
  @property({ attribute: false, hasChanged: differ }) selected: ArcFocus | null = null;
  @state() private width = 360;
  @state() private scrolled = 0;
  @query('canvas') private readonly canvas!: HTMLCanvasElement | null;
  @query('.scroll') private readonly box!: HTMLElement | null;
  protected readonly resized = new Resized(this, () => {
    this.width = Math.max(240, this.clientWidth - 14);
  });
  /** Columns: 0 is the key side, 1 the query side. */
  readonly #cursor = new CellCursor(
    this,
    () => ({ rows: this.pattern?.size ?? 0, width: () => 2 }),
    ({ cell, locked }) => {
      if (cell) this.#show(cell.row);
      emit(this, 'gb-arc-focus', toFocus(cell));
      if (differ(toFocus(locked), this.selected)) emit(this, 'gb-arc-pick', toFocus(locked));
    },
    (event) => this.#cellAt(event),
  );

  static override readonly styles = [
    shared,
    css`
      :host {
        color: var(--ink);
      }
      .ends {
        display: flex;
        justify-content: space-between;
        margin-bottom: 0.2rem;
        font-size: 0.75rem;
        color: var(--ink-2);
      }
      .scroll {
        max-height: var(--tallest);
        overflow-y: auto;
        overflow-x: hidden;
      }
      .tall {
        height: var(--tall);
        cursor: pointer;
        touch-action: pan-y;
      }
      canvas {
        position: sticky;
        top: 0;
        display: block;
        color: var(--data);
        border-top-color: var(--down);
        outline-color: var(--query);
        text-decoration-color: var(--key);
      }
      p {
        min-height: 2.9em;
        margin: 0.4rem 0 0;
        font-size: var(--small);
        color: var(--ink-2);
      }
    `,
  ];

  toTable(): Table {
    const { pattern } = this;
    const columns = [{ name: t('attention.query') }, { name: t('attention.key') }, { name: t('attention.weight'), show: weight }];
    if (!pattern) return { columns, rows: [] };
    const rows = Array.from({ length: pattern.size }, (_, query) =>
      Array.from({ length: query + 1 }, (__, key) => [
        `${query} ${this.#word(query)}`,
        `${key} ${this.#word(key)}`,
        weightAt(pattern, query, key),
      ]),
    ).flat();
    return { columns, rows };
  }

  toSvg(): SvgPicture {
    const { pattern, width } = this;
    const sizes = this.#sizes();
    if (!pattern) return { width: 1, height: 1, body: '' };
    const style = getComputedStyle(this);
    const colours = getComputedStyle(this.canvas ?? this);
    const focus = toFocus(this.#cursor.cell);
    const lines = this.#lines(pattern, 0, pattern.size - 1);
    const paths = lines.map(
      (line) =>
        `<path d="${path(line, width, 0, sizes)}" fill="none" stroke="${colourOf(line, focus, colours)}" stroke-width="${thickness(line.weight)}" opacity="${opacity(line.weight)}"/>`,
    );
    const words = Array.from({ length: pattern.size }, (_, i) => {
      const y = (i + 0.5) * sizes.row;
      const word = clip(this.#word(i), CHARACTERS);
      const words = { mono: true, fill: style.color, size: sizes.type };
      return text(sizes.word - 8, y, word, { ...words, anchor: 'end' }) + text(width - sizes.word + 8, y, word, words);
    });
    return { width, height: pattern.size * sizes.row, body: paths.join('') + words.join('') };
  }

  override render(): TemplateResult | typeof nothing {
    const { pattern } = this;
    if (!pattern) return nothing;
    const { cell } = this.#cursor;
    const { row, tallest } = this.#sizes();
    return html`<div class="ends" aria-hidden="true"><span>${t('arcs.keys')}</span><span>${t('arcs.queries')}</span></div>
      <div
        class="scroll"
        .style=${`--tallest:${tallest}px`}
        role="grid"
        tabindex="0"
        aria-label=${t('arcs.name', { tokens: pattern.size })}
        aria-rowcount=${pattern.size}
        aria-colcount="2"
        aria-activedescendant=${cell ? 'active' : nothing}
        @scroll=${this.#onScroll}
        ${ref(this.#cursor.surface)}
      >
        <div class="tall" .style=${`--tall:${pattern.size * row}px`}><canvas aria-hidden="true"></canvas></div>
        <div role="row" aria-rowindex=${(cell?.row ?? 0) + 1} class="sr-only">
          <span id="active" role="gridcell" aria-colindex=${(cell?.column ?? 0) + 1}>${this.#describe(pattern, cell)}</span>
        </div>
      </div>
      <p>${this.#describe(pattern, cell)}</p>`;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('tokens') && changed.get('tokens') !== undefined) this.#cursor.reset();
    if (changed.has('tokens') || changed.has('selected')) this.#cursor.lock(this.#locked());
  }

  protected override updated(): void {
    this.#paint();
  }

  /** The locked word, where these tokens have it. */
  #locked(): Cell | null {
    const { selected, pattern } = this;
    if (!selected || selected.position >= (pattern?.size ?? 0)) return null;
    return { row: selected.position, column: selected.side === 'key' ? 0 : 1 };
  }

  /** The lines to draw: of what is pointed at all, else those that are not faint. */
  #lines(pattern: Pattern, first: number, last: number): Line[] {
    const focus = toFocus(this.#cursor.cell);
    const lines: Line[] = [];
    const { size } = pattern;
    for (let query = first; query < size; query++) {
      if (focus?.side === 'query' && query !== focus.position) continue;
      for (let key = 0; key <= Math.min(query, last); key++) {
        if (focus?.side === 'key' && key !== focus.position) continue;
        const value = weightAt(pattern, query, key);
        if (Math.abs(value) >= FAINT || (focus && value !== 0)) lines.push({ query, key, weight: value });
      }
    }
    return lines;
  }

  #paint(): void {
    const { canvas, pattern, width } = this;
    if (!canvas || !pattern) return;
    const sizes = this.#sizes();
    const height = Math.min(sizes.tallest, pattern.size * sizes.row);
    const context = sizeCanvas(canvas, width, height);
    if (!context) return;
    context.scale(pixelRatio(), pixelRatio());
    const style = getComputedStyle(canvas);
    const first = Math.floor(this.scrolled / sizes.row);
    const last = Math.min(pattern.size - 1, Math.ceil((this.scrolled + height) / sizes.row));
    const focus = toFocus(this.#cursor.cell);
    for (const line of this.#lines(pattern, first, last)) {
      context.globalAlpha = opacity(line.weight);
      context.strokeStyle = colourOf(line, focus, style);
      context.lineWidth = thickness(line.weight);
      context.stroke(new Path2D(path(line, width, this.scrolled, sizes)));
    }
    context.globalAlpha = 1;
    this.#paintWords(context, getComputedStyle(this), first, last);
  }

  #paintWords(context: CanvasRenderingContext2D, style: CSSStyleDeclaration, first: number, last: number): void {
    const { cell } = this.#cursor;
    const { row, word: room, type } = this.#sizes();
    context.textBaseline = 'middle';
    context.direction = 'ltr';
    context.fillStyle = style.color;
    for (let i = first; i <= last; i++) {
      const y = (i + 0.5) * row - this.scrolled;
      const word = clip(this.#word(i), CHARACTERS);
      for (const column of [0, 1]) {
        const on = cell?.row === i && cell.column === column;
        context.font = `${on ? 'bold ' : ''}${type}px ${style.getPropertyValue('--mono') || 'monospace'}`;
        context.textAlign = column === 0 ? 'right' : 'left';
        context.fillText(word, column === 0 ? room - 8 : this.width - room + 8, y, room - 10);
      }
    }
  }

  #describe(pattern: Pattern, cell: Cell | null): string {
    const focus = toFocus(cell);
    if (!focus) return t('arcs.note', { faint: FAINT });
    const { side, position } = focus;
    const of = Array.from({ length: pattern.size }, (_, other) => ({
      other,
      value: side === 'query' ? weightAt(pattern, position, other) : weightAt(pattern, other, position),
    }));
    const most = of
      .filter(({ other }) => (side === 'query' ? other <= position : other >= position))
      .sort((a, b) => b.value - a.value)
      .slice(0, 3)
      .map(({ other, value }) => `${other} ${this.#word(other)} (${weight(value)})`)
      .join(', ');
    return t(side === 'query' ? 'arcs.looks' : 'arcs.looked', { position, word: this.#word(position), most });
  }

  #sizes(): Sizes {
    const { type } = this.ground;
    return { row: SIZES.row * type, word: SIZES.word * type, tallest: SIZES.tallest * type, type: SIZES.type * type };
  }

  #word(position: number): string {
    const token = this.tokens[position];
    return token ? tokenText(token) : String(position);
  }

  #show(row: number): void {
    const { box } = this;
    if (!box) return;
    const size = this.#sizes().row;
    const top = row * size;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + size > box.scrollTop + box.clientHeight) box.scrollTop = top + size - box.clientHeight;
  }

  #cellAt(event: MouseEvent): Cell | null {
    if (!this.canvas) return null;
    const { x, y } = pointIn(this.canvas, event);
    const sizes = this.#sizes();
    const row = Math.floor((y + this.scrolled) / sizes.row);
    if (x < sizes.word) return { row, column: 0 };
    return x > this.width - sizes.word ? { row, column: 1 } : null;
  }

  readonly #onScroll = (): void => {
    this.scrolled = this.box?.scrollTop ?? 0;
  };
}

function toFocus(cell: Cell | null): ArcFocus | null {
  return cell && { side: cell.column === 0 ? 'key' : 'query', position: cell.row };
}

function path({ query, key }: Line, width: number, scrolled: number, { row, word }: Sizes): string {
  const from = (key + 0.5) * row - scrolled;
  const to = (query + 0.5) * row - scrolled;
  const bend = (width - 2 * word) / 2;
  return `M${word} ${from}C${word + bend} ${from} ${width - word - bend} ${to} ${width - word} ${to}`;
}

/** Even the least weight can be seen: tiny is not zero. */
function opacity(value: number): number {
  return 0.16 + 0.84 * Math.sqrt(Math.min(1, Math.abs(value)));
}

function thickness(value: number): number {
  return 0.6 + 3.4 * Math.min(1, Math.abs(value));
}

/** Blue for what looks, orange for what is looked at, as everywhere; the canvas carries these colours as its own. */
function colourOf({ weight: value }: Line, focus: ArcFocus | null, style: CSSStyleDeclaration): string {
  if (value < 0) return style.borderTopColor;
  if (!focus) return style.color;
  return focus.side === 'query' ? style.outlineColor : style.textDecorationColor;
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-attention-arcs': AttentionArcs;
  }
  interface HTMLElementEventMap {
    'gb-arc-focus': CustomEvent<ArcFocus | null>;
    'gb-arc-pick': CustomEvent<ArcFocus | null>;
  }
}
