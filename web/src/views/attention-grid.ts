import { css, html, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import { ref } from 'lit/directives/ref.js';
import { canvasStyles, ringAt } from './canvas-styles.js';
import { CellCursor, type Cell } from './cell-cursor.js';
import { differ, emit, shared, View } from './element.js';
import { inSlices, pixelRatio, pointIn, sizeCanvas } from './heat-canvas.js';
import { weight } from './format.js';
import type { Keepable } from './keep.js';
import { patternOf } from './label.js';
import { rampFor, type Scale } from './ramp.js';
import { paintPattern, weightAt, type Pattern } from './raster.js';
import { Resized } from './resized.js';
import { image, type SvgPicture } from './svg.js';
import type { Table } from './table.js';
import { t } from './text.js';
import type { AttentionData, HeadIndex } from './types.js';

const GAP = 2;
const GROUP_GAP = 7;
/** Side of a sign, at the type of 16 pixels, as in the styles. */
const SIGN = 13;
const GUTTER = { left: 26, top: 18 };
const LARGEST = 76;
const SMALLEST = 3;
/** Below this a thumbnail shows no pattern, so tall models scroll rather than shrink further. */
const LEGIBLE = 20;
/** Share of the window's height the grid tries to fit in. */
const SHARE = 0.66;

/** What a head is known to do. */
export interface HeadSign {
  readonly head: HeadIndex;
  /** One letter. */
  readonly sign: string;
  /** The same in words. */
  readonly name: string;
}

interface Layout {
  readonly side: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Every head of a model as a thumbnail: layers downwards, heads to the right.
 *
 * @fires gb-head-preview - `HeadIndex | null`: the head under the pointer or the keyboard
 * @fires gb-head-pick - `HeadIndex | null`: the head that was locked or released
 */
@customElement('gb-attention-grid')
export class AttentionGrid extends View implements Keepable {
  @property({ attribute: false }) data: AttentionData | null = null;
  @property({ attribute: false }) selected: HeadIndex | null = null;
  @property() scale: Scale = 'sqrt';
  /** How many heads share their keys and values, side by side; 1 where each has its own. */
  @property({ type: Number }) group = 1;
  /** Heads that are switched off. */
  @property({ attribute: false, hasChanged: differ }) off: readonly HeadIndex[] = [];
  /** What heads are known to do on this prompt: a short sign for each. */
  @property({ attribute: false, hasChanged: differ }) signs: readonly HeadSign[] = [];
  /** Smaller patterns of every head, where not all of the data is there. */
  @property({ attribute: false }) thumbnails: AttentionData | null = null;
  @state() private layout: Layout = { side: SMALLEST, width: 0, height: 0 };
  @query('canvas') private readonly canvas!: HTMLCanvasElement | null;
  #stop: (() => void) | undefined;
  protected readonly resized = new Resized(this, () => {
    this.#measure();
  });
  readonly #cursor = new CellCursor(
    this,
    () => ({ rows: this.data?.layers.length ?? 0, width: () => this.data?.heads ?? 0 }),
    (cursor) => {
      emit(this, 'gb-head-preview', toHead(cursor.cell));
      if (!sameHead(toHead(cursor.locked), this.selected)) emit(this, 'gb-head-pick', toHead(cursor.locked));
    },
    (event) => this.#cellAt(event),
  );

  static override readonly styles = [
    shared,
    canvasStyles,
    css`
      :host {
        color: var(--ink-2);
        background: var(--paper);
      }
      .grid {
        position: relative;
        width: max-content;
        max-width: 100%;
        cursor: pointer;
        touch-action: manipulation;
      }
      .sign {
        position: absolute;
        top: 0;
        left: 0;
        transform: translate(var(--x), var(--y));
        width: 0.8125rem;
        height: 0.8125rem;
        border-radius: 3px;
        background: var(--ink);
        color: var(--paper);
        font: 600 0.5625rem / 0.8125rem var(--mono);
        text-align: center;
        pointer-events: none;
      }
    `,
  ];

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stop?.();
  }

  /** Every head in numbers: where its queries look on average, and what it is known to do. */
  toTable(): Table {
    const names = ['grid.onFirst', 'grid.onPrevious', 'grid.onItself'] as const;
    const columns = [{ name: t('head.layer') }, { name: t('head.head') }, ...names.map((name) => ({ name: t(name), show: weight })), { name: t('grid.role') }];
    const { data } = this;
    const rows = (data?.layers ?? []).flatMap((_, layer) =>
      Array.from({ length: data?.heads ?? 0 }, (__, head) => {
        const pattern = data ? patternOf(data, { layer, head }) : undefined;
        const role = this.signs.find((sign) => sameHead(sign.head, { layer, head }))?.name ?? '';
        return [layer, head, ...(pattern ? means(pattern) : ['', '', '']), role];
      }),
    );
    return { columns, rows };
  }

  toSvg(): SvgPicture {
    const { width, height } = this.layout;
    return { width, height, body: this.canvas ? image(0, 0, width, height, this.canvas.toDataURL()) : '' };
  }

  override render(): TemplateResult | typeof nothing {
    const { data } = this;
    if (!data) return nothing;
    const active = toHead(this.#cursor.cell);
    return html`<div
      class="grid"
      role="grid"
      tabindex="0"
      aria-label=${t('grid.name', { layers: data.layers.length, heads: data.heads })}
      aria-rowcount=${data.layers.length}
      aria-colcount=${data.heads}
      aria-activedescendant=${active ? 'active' : nothing}
      ${ref(this.#cursor.surface)}
    >
      <canvas aria-hidden="true"></canvas>
      ${this.signs.map((sign) => this.#sign(sign))}
      ${this.selected ? this.#ring(this.selected, 'locked') : nothing}
      ${active && !sameHead(active, this.selected) ? this.#ring(active, '') : nothing}
      <div role="row" aria-rowindex=${(active?.layer ?? 0) + 1} class="sr-only">
        <span
          id="active"
          role="gridcell"
          aria-colindex=${(active?.head ?? 0) + 1}
          aria-selected=${active !== null && sameHead(active, this.selected) ? 'true' : 'false'}
          >${active ? this.#describe(active, data) : t('grid.none')}</span
        >
      </div>
    </div>`;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('selected')) this.#cursor.lock(toCell(this.selected));
    const shape = (data: AttentionData | null | undefined): string => `${data?.layers.length}×${data?.heads}`;
    const reshaped = changed.has('data') && shape(changed.get('data')) !== shape(this.data);
    if (reshaped || changed.has('group') || (changed as PropertyValues).has('ground')) this.#measure();
  }

  protected override updated(changed: PropertyValues): void {
    if (['data', 'thumbnails', 'ground', 'scale', 'layout', 'off'].some((name) => changed.has(name))) this.#paint();
  }

  #measure(): void {
    const { data } = this;
    if (!data) return;
    const gaps = this.#groupGaps(data.heads);
    const { left, top } = this.#gutter();
    const byWidth = Math.floor((this.clientWidth - left - gaps) / data.heads) - GAP;
    const byHeight = Math.floor((globalThis.innerHeight * SHARE) / data.layers.length) - GAP;
    const side = Math.max(SMALLEST, Math.min(LARGEST, byWidth, Math.max(LEGIBLE, byHeight)));
    const pitch = side + GAP;
    this.layout = {
      side,
      width: left + data.heads * pitch + gaps,
      height: top + data.layers.length * pitch,
    };
  }

  #paint(): void {
    const { data, canvas } = this;
    this.#stop?.();
    if (!data || !canvas || this.layout.width <= this.#gutter().left) return;
    const context = sizeCanvas(canvas, this.layout.width, this.layout.height);
    if (!context) return;
    this.#paintAxes(context, data);
    const ratio = pixelRatio();
    const side = Math.max(1, Math.round(this.layout.side * ratio));
    const ramp = rampFor(this.ground);
    const image = new ImageData(side, side);
    const pixels = new Uint32Array(image.data.buffer);
    this.#stop = inSlices(
      data.layers.length * data.heads,
      (item) => {
        const head = { layer: Math.floor(item / data.heads), head: item % data.heads };
        const pattern = patternOf(data, head) ?? (this.thumbnails ? patternOf(this.thumbnails, head) : undefined);
        if (!pattern) {
          pixels.fill(ramp.absent);
        } else {
          const whole = { top: 0, left: 0, bottom: pattern.size, right: pattern.size };
          paintPattern(pattern, whole, side, ramp, this.scale, pixels);
        }
        const { x, y } = this.#origin(head);
        context.putImageData(image, Math.round(x * ratio), Math.round(y * ratio));
        if (this.off.some((other) => sameHead(other, head))) this.#paintCross(context, x * ratio, y * ratio, side);
      },
      () => {
        this.toggleAttribute('painted', true);
      },
    );
    this.toggleAttribute('painted', false);
  }

  /** Two strokes over a head that is switched off, readable on any pattern. */
  #paintCross(context: CanvasRenderingContext2D, x: number, y: number, side: number): void {
    const style = getComputedStyle(this);
    for (const [colour, width] of [
      [style.backgroundColor, 5],
      [style.color, 2],
    ] as const) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(x + side, y + side);
      context.moveTo(x + side, y);
      context.lineTo(x, y + side);
      context.stroke();
    }
  }

  #paintAxes(context: CanvasRenderingContext2D, { layers, heads }: AttentionData): void {
    const style = getComputedStyle(this);
    const pitch = this.layout.side + GAP;
    const { type } = this.ground;
    const gutter = this.#gutter();
    const every = Math.max(1, Math.ceil((15 * type) / pitch));
    context.save();
    context.scale(pixelRatio(), pixelRatio());
    context.fillStyle = style.color;
    context.font = `${11 * type}px ${style.fontFamily}`;
    context.textBaseline = 'middle';
    context.textAlign = 'right';
    for (let layer = 0; layer < layers.length; layer += every) {
      const { y } = this.#origin({ layer, head: 0 });
      context.fillText(String(layer), gutter.left - 6, y + this.layout.side / 2);
    }
    context.textAlign = 'center';
    const across = Math.max(1, Math.ceil((20 * type) / pitch));
    for (let head = 0; head < heads; head += across) {
      const { x } = this.#origin({ layer: 0, head });
      context.fillText(String(head), x + this.layout.side / 2, gutter.top / 2);
    }
    context.restore();
  }

  #origin({ layer, head }: HeadIndex): { x: number; y: number } {
    const pitch = this.layout.side + GAP;
    const gap = this.group > 1 ? Math.floor(head / this.group) * GROUP_GAP : 0;
    const { left, top } = this.#gutter();
    return { x: left + head * pitch + gap, y: top + layer * pitch };
  }

  /** Space for the numbers of layers and heads. */
  #gutter(): { left: number; top: number } {
    const { type } = this.ground;
    return { left: GUTTER.left * type, top: GUTTER.top * type };
  }

  /** Space between the groups of heads that share keys and values. */
  #groupGaps(heads: number): number {
    return this.group > 1 ? (Math.ceil(heads / this.group) - 1) * GROUP_GAP : 0;
  }

  #sign({ head, sign }: HeadSign): TemplateResult | typeof nothing {
    const { x, y } = this.#origin(head);
    // In a thumbnail too small for a letter the sign would hide the pattern.
    if (this.layout.side < LEGIBLE) return nothing;
    const left = x + this.layout.side - SIGN * this.ground.type - 1;
    return html`<span class="sign" aria-hidden="true" .style=${`--x:${left}px;--y:${y + 1}px`}>${sign}</span>`;
  }

  #describe(head: HeadIndex, { layers }: AttentionData): string {
    const parts = [t('head.title', { ...head })];
    if (!layers[head.layer]) parts.push(t('grid.absent'));
    if (this.off.some((other) => sameHead(other, head))) parts.push(t('cell.off'));
    const label = this.signs.find((sign) => sameHead(sign.head, head));
    if (label) parts.push(label.name);
    return parts.join(', ');
  }

  #ring(head: HeadIndex, kind: string): TemplateResult {
    const { x, y } = this.#origin(head);
    return html`<div class="ring ${kind}" .style=${ringAt(x, y, this.layout.side, this.layout.side)}></div>`;
  }

  #cellAt(event: MouseEvent): Cell | null {
    if (!this.canvas) return null;
    const { x, y } = pointIn(this.canvas, event);
    const pitch = this.layout.side + GAP;
    const row = Math.floor((y - this.#gutter().top) / pitch);
    for (let column = 0; column < (this.data?.heads ?? 0); column++) {
      const start = this.#origin({ layer: 0, head: column }).x;
      if (x >= start && x < start + pitch) return row < 0 ? null : { row, column };
    }
    return null;
  }
}

/** Mean weight of the queries on the first token, on the one before and on themselves; the first query has no choice. */
function means(pattern: Pattern): number[] {
  const sums = [0, 0, 0];
  for (let query = 1; query < pattern.size; query++) {
    [0, query - 1, query].forEach((key, i) => (sums[i] = (sums[i] ?? 0) + weightAt(pattern, query, key)));
  }
  return sums.map((sum) => (pattern.size > 1 ? sum / (pattern.size - 1) : 1));
}

function toHead(cell: Cell | null): HeadIndex | null {
  return cell && { layer: cell.row, head: cell.column };
}

function toCell(head: HeadIndex | null): Cell | null {
  return head && { row: head.layer, column: head.head };
}

function sameHead(a: HeadIndex | null, b: HeadIndex | null): boolean {
  return a === b || (a !== null && b !== null && a.layer === b.layer && a.head === b.head);
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-attention-grid': AttentionGrid;
  }
  interface HTMLElementEventMap {
    'gb-head-preview': CustomEvent<HeadIndex | null>;
    'gb-head-pick': CustomEvent<HeadIndex | null>;
  }
}
