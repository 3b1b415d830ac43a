import { css, html, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import { ref } from 'lit/directives/ref.js';
import { canvasStyles, ringAt } from './canvas-styles.js';
import { CellCursor, type Cell } from './cell-cursor.js';
import { controls, differ, emit, shared, View } from './element.js';
import { weight } from './format.js';
import { clip } from './glyphs.js';
import { pixelRatio, pointIn, sizeCanvas } from './heat-canvas.js';
import type { Keepable } from './keep.js';
import { tokenText } from './label.js';
import { divergingFor, place, placeSigned, rampFor, type Ramp, type Scale } from './ramp.js';
import { rect, text, type SvgPicture } from './svg.js';
import type { Table } from './table.js';
import { t } from './text.js';
import { paintPattern, weightAt, type Pattern } from './raster.js';
import { Resized } from './resized.js';
import type { TokenLabel } from './types.js';
import { fitWindow, showCell, zoom, type SquareWindow } from './zoom.js';

const LABEL_CHARACTERS = 10;
const LABEL_SPACE = 12;
const LARGEST = 640;

interface Layout {
  readonly gutter: number;
  readonly side: number;
}

/**
 * One head's attention, large: rows are queries (the token that looks), columns keys (the token looked at).
 *
 * @fires gb-cell - `{ query, key } | null`: the cell to read, hovered or locked
 * @fires gb-cell-pick - `{ query, key } | null`: the cell that was locked or released
 */
@customElement('gb-attention-matrix')
export class AttentionMatrix extends View implements Keepable {
  @property({ attribute: false }) pattern: Pattern | null = null;
  @property({ attribute: false }) tokens: readonly TokenLabel[] = [];
  @property() scale: Scale = 'sqrt';
  /** The cell that is locked. */
  @property({ attribute: false, hasChanged: differ }) selected: AttentionCell | null = null;
  @state() private layout: Layout = { gutter: 60, side: 0 };
  @state() private window: SquareWindow = { top: 0, left: 0, count: 0 };
  @query('canvas') private readonly canvas!: HTMLCanvasElement | null;
  protected readonly resized = new Resized(this, () => {
    this.#measure();
  });
  readonly #cursor = new CellCursor(
    this,
    () => ({ rows: this.pattern?.size ?? 0, width: (row) => row + 1 }),
    ({ cell, locked }) => {
      if (cell) this.window = showCell(this.window, cell);
      emit(this, 'gb-cell', toAttention(cell));
      if (differ(toAttention(locked), this.selected)) emit(this, 'gb-cell-pick', toAttention(locked));
    },
    (event) => this.#cellAt(event),
  );

  static override readonly styles = [
    shared,
    controls,
    canvasStyles,
    css`
      :host {
        color: var(--ink-2);
      }
      .matrix {
        position: relative;
        width: max-content;
        overflow: hidden;
        cursor: crosshair;
        touch-action: manipulation;
      }
      .band,
      .cell,
      .label {
        position: absolute;
        top: 0;
        left: 0;
        width: var(--w);
        height: var(--h);
        transform: translate(var(--x), var(--y));
        pointer-events: none;
      }
      .band.query {
        box-shadow: 0 0 0 1px var(--query);
        opacity: 0.7;
      }
      .band.key {
        box-shadow: 0 0 0 1px var(--key);
        opacity: 0.7;
      }
      .cell {
        outline: 2px solid var(--accent);
        box-shadow: 0 0 0 3px var(--surface);
        border-radius: 1px;
      }
      .locked {
        outline-width: 3px;
      }
      .zoom {
        display: flex;
        gap: 0.25rem;
        margin-top: 0.5rem;
      }
      .zoom button {
        min-width: 32px;
        padding-inline: 0.5em;
        font-size: var(--small);
      }
    `,
  ];

  toTable(): Table {
    const { pattern } = this;
    const columns = [{ name: t('attention.query') }, { name: t('attention.key') }, { name: t('attention.weight'), show: weight }];
    if (!pattern) return { columns, rows: [] };
    const name = (at: number): string => `${at} ${this.#label(at)}`;
    const row = (query: number): (string | number)[][] =>
      Array.from({ length: query + 1 }, (_, key) => [name(query), name(key), weightAt(pattern, query, key)]);
    return { columns, rows: Array.from({ length: pattern.size }, (_, query) => row(query)).flat() };
  }

  /** The part of the matrix that is in sight, cell by cell. */
  toSvg(): SvgPicture {
    const { pattern, window } = this;
    const { gutter, side } = this.layout;
    if (!pattern) return { width: 1, height: 1, body: '' };
    const size = side / window.count;
    const ramp = this.#ramp(pattern);
    const fill = getComputedStyle(this).color;
    const parts: string[] = [];
    for (let i = 0; i < window.count; i++) {
      const query = window.top + i;
      for (let j = 0; j < window.count && window.left + j <= query; j++) {
        const value = weightAt(pattern, query, window.left + j);
        const at = pattern.signed ? placeSigned(value, this.scale) : place(value, this.scale);
        parts.push(rect(gutter + j * size, gutter + i * size, size * 0.96, size * 0.96, ramp.css(at)));
      }
      if (i % Math.max(1, Math.ceil((LABEL_SPACE * this.ground.type) / size)) !== 0) continue;
      const middle = gutter + (i + 0.5) * size;
      const words = { size: 11 * this.ground.type, mono: true, fill };
      parts.push(text(gutter - 5, middle, this.#label(query), { ...words, anchor: 'end' }));
      parts.push(text(middle, gutter - 5, this.#label(window.left + i), { ...words, turn: -90 }));
    }
    return { width: gutter + side, height: gutter + side, body: parts.join('') };
  }

  #ramp({ signed }: Pattern): Ramp {
    return signed ? divergingFor(this.ground) : rampFor(this.ground);
  }

  override render(): TemplateResult | typeof nothing {
    const { pattern } = this;
    if (!pattern) return nothing;
    const { cell } = this.#cursor;
    return html`<div
        class="matrix"
        role="grid"
        tabindex="0"
        aria-label=${t('matrix.name', { size: pattern.size })}
        aria-rowcount=${pattern.size}
        aria-colcount=${pattern.size}
        aria-activedescendant=${cell ? 'active' : nothing}
        ${ref(this.#cursor.surface)}
      >
        <canvas aria-hidden="true"></canvas>
        ${cell ? this.#crosshair(cell) : nothing}
        <div role="row" aria-rowindex=${(cell?.row ?? 0) + 1} class="sr-only">
          <span
            id="active"
            role="gridcell"
            aria-colindex=${(cell?.column ?? 0) + 1}
            aria-selected=${this.#cursor.locked ? 'true' : 'false'}
            >${cell ? this.#describe(pattern, cell) : t('cell.none')}</span
          >
        </div>
      </div>
      ${this.#zoomControls(pattern)}`;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('selected')) this.#cursor.lock(this.#locked());
    if ((changed as PropertyValues).has('ground')) this.#measure();
    if (!changed.has('pattern') && !changed.has('tokens')) return;
    const size = this.pattern?.size ?? 0;
    if ((changed.get('pattern')?.size ?? -1) !== size || changed.has('tokens')) {
      // Other tokens: what was locked means something else now.
      if (changed.get('tokens') !== undefined || size === 0) this.#cursor.reset();
      this.#cursor.lock(this.#locked());
      this.window = fitWindow(size);
    }
    this.#measure();
  }

  protected override updated(changed: PropertyValues): void {
    const painted = ['pattern', 'tokens', 'ground', 'scale', 'layout', 'window'];
    if (painted.some((name) => changed.has(name))) this.#paint();
  }

  /** The locked cell, where these tokens have it. */
  #locked(): Cell | null {
    const { selected, pattern } = this;
    const there = selected && selected.key >= 0 && selected.key <= selected.query && selected.query < (pattern?.size ?? 0);
    return there ? { row: selected.query, column: selected.key } : null;
  }

  #measure(): void {
    const longest = this.tokens.reduce((n, token) => Math.max(n, label(token).length), 1);
    const { type } = this.ground;
    const gutter = Math.min(84, 12 + longest * 7.4) * type;
    const room = Math.min(LARGEST * type, this.clientWidth - 2, globalThis.innerHeight * 0.68);
    const layout = { gutter, side: Math.max(0, Math.floor(room - gutter)) };
    if (layout.gutter !== this.layout.gutter || layout.side !== this.layout.side) this.layout = layout;
  }

  #paint(): void {
    const { canvas, pattern, window } = this;
    const { gutter, side } = this.layout;
    if (!canvas || !pattern || side <= 0 || window.count === 0) return;
    const context = sizeCanvas(canvas, gutter + side, gutter + side);
    if (!context) return;
    const ratio = pixelRatio();
    const pixels = Math.round(side * ratio);
    const image = new ImageData(pixels, pixels);
    const { top, left, count } = window;
    const part = { top, left, bottom: top + count, right: left + count };
    paintPattern(pattern, part, pixels, this.#ramp(pattern), this.scale, new Uint32Array(image.data.buffer));
    context.putImageData(image, Math.round(gutter * ratio), Math.round(gutter * ratio));
    context.scale(ratio, ratio);
    this.#paintLines(context);
    this.#paintLabels(context);
  }

  /** Thin lines between cells that are large enough to carry them. */
  #paintLines(context: CanvasRenderingContext2D): void {
    const { gutter, side } = this.layout;
    const cell = side / this.window.count;
    if (cell < 9) return;
    for (let i = 1; i < this.window.count; i++) {
      const at = Math.round(gutter + i * cell);
      context.clearRect(gutter, at, side, 1);
      context.clearRect(at, gutter, 1, side);
    }
  }

  #paintLabels(context: CanvasRenderingContext2D): void {
    const { gutter, side } = this.layout;
    const { top, left, count } = this.window;
    const cell = side / count;
    const every = Math.max(1, Math.ceil((LABEL_SPACE * this.ground.type) / cell));
    const style = getComputedStyle(this);
    context.fillStyle = style.color;
    context.font = `${11 * this.ground.type}px ${style.getPropertyValue('--mono') || 'monospace'}`;
    context.direction = 'ltr';
    context.textBaseline = 'middle';
    for (let i = 0; i < count; i += every) {
      const middle = gutter + (i + 0.5) * cell;
      context.textAlign = 'right';
      context.fillText(this.#label(top + i), gutter - 5, middle, gutter - 8);
      context.save();
      context.translate(middle, gutter - 5);
      context.rotate(-Math.PI / 2);
      context.textAlign = 'left';
      context.fillText(this.#label(left + i), 0, 0, gutter - 8);
      context.restore();
    }
  }

  #crosshair({ row, column }: Cell): TemplateResult {
    const { gutter, side } = this.layout;
    const { top, left, count } = this.window;
    const size = side / count;
    const x = gutter + (column - left) * size;
    const y = gutter + (row - top) * size;
    const across = Math.min(side, (row + 1 - left) * size);
    const locked = this.#cursor.locked ? 'locked' : '';
    const down = Math.min(side, (top + count - row) * size + (row - column) * size);
    return html`<div class="band query" .style=${ringAt(gutter, y, across, size)}></div>
      <div class="band key" .style=${ringAt(x, gutter + (Math.max(column, top) - top) * size, size, down)}></div>
      <div class="cell ${locked}" .style=${ringAt(x, y, size, size)}></div>`;
  }

  #zoomControls({ size }: Pattern): TemplateResult | typeof nothing {
    if (size <= 16) return nothing;
    const centre = this.#cursor.cell;
    const by = (factor: number) => () => {
      this.window = zoom(this.window, factor, size, centre);
    };
    const whole = this.window.count === size;
    return html`<div class="zoom" role="group" aria-label=${t('matrix.zoom')}>
      <button type="button" class="quiet" aria-label=${t('matrix.in')} ?disabled=${this.window.count <= 8} @click=${by(0.5)}>+</button>
      <button type="button" class="quiet" aria-label=${t('matrix.out')} ?disabled=${whole} @click=${by(2)}>−</button>
      <button type="button" class="quiet" ?disabled=${whole} @click=${by(Infinity)}>${t('matrix.all', { size })}</button>
    </div>`;
  }

  #describe(pattern: Pattern, { row, column }: Cell): string {
    const value = weight(weightAt(pattern, row, column));
    return t('matrix.cell', { query: row, from: this.#label(row), key: column, to: this.#label(column), value });
  }

  #label(position: number): string {
    const token = this.tokens[position];
    return token ? label(token) : String(position);
  }

  #cellAt(event: MouseEvent): Cell | null {
    if (!this.canvas) return null;
    const { gutter, side } = this.layout;
    const { x, y } = pointIn(this.canvas, event);
    if (x < gutter || y < gutter || x >= gutter + side || y >= gutter + side) return null;
    const size = side / this.window.count;
    return {
      row: this.window.top + Math.floor((y - gutter) / size),
      column: this.window.left + Math.floor((x - gutter) / size),
    };
  }
}

function toAttention(cell: Cell | null): AttentionCell | null {
  return cell && { query: cell.row, key: cell.column };
}

function label(token: TokenLabel): string {
  return clip(tokenText(token), LABEL_CHARACTERS);
}

/** A cell of an attention matrix. */
export interface AttentionCell {
  readonly query: number;
  readonly key: number;
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-attention-matrix': AttentionMatrix;
  }
  interface HTMLElementEventMap {
    'gb-cell': CustomEvent<AttentionCell | null>;
    'gb-cell-pick': CustomEvent<AttentionCell | null>;
  }
}
