import { css, html, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import { ref } from 'lit/directives/ref.js';
import { canvasStyles, ringAt } from './canvas-styles.js';
import { CellCursor, type Cell } from './cell-cursor.js';
import { differ, emit, shared, View } from './element.js';
import { inSlices, pixelRatio, pointIn, sizeCanvas } from './heat-canvas.js';
import { weight } from './format.js';
import { GridLayout, LEGIBLE } from './grid-layout.js';
import type { Keepable } from './keep.js';
import { patternOf } from './label.js';
import { rampFor, type Scale } from './ramp.js';
import { paintPattern, weightAt, type Pattern } from './raster.js';
import { Resized } from './resized.js';
import { image, type SvgPicture } from './svg.js';
import type { Table } from './table.js';
import { t } from './text.js';
import type { AttentionData, HeadIndex } from './types.js';

/** Side of a sign, at the type of 16 pixels, as in the styles. */
const SIGN = 13;
/** Height of what is written on the canvas, at the same type. */
const TYPE = 11;

/** What a head is known to do. */
export interface HeadSign {
  readonly head: HeadIndex;
  /** One letter. */
  readonly sign: string;
  /** The same in words. */
  readonly name: string;
}

/**
 * Every head of a model as a thumbnail: layers downwards, heads to the right. A layer with a convolution in the place
 * of attention is one cell that says so.
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
  @state() private layout: GridLayout | null = null;
  @query('canvas') private readonly canvas!: HTMLCanvasElement | null;
  #stop: (() => void) | undefined;
  protected readonly resized = new Resized(this, () => {
    this.#measure();
  });
  readonly #cursor = new CellCursor(
    this,
    () => ({ rows: this.data?.layers.length ?? 0, width: (layer) => (this.#convolves(layer) ? 1 : (this.data?.heads ?? 0)) }),
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
    const rows = (data?.layers ?? []).flatMap((_, layer) => {
      if (this.#convolves(layer)) return [[layer, '', '', '', '', t('grid.convolution')]];
      return Array.from({ length: data?.heads ?? 0 }, (__, head) => {
        const pattern = data ? patternOf(data, { layer, head }) : undefined;
        const role = this.signs.find((sign) => sameHead(sign.head, { layer, head }))?.name ?? '';
        return [layer, head, ...(pattern ? means(pattern) : ['', '', '']), role];
      });
    });
    return { columns, rows };
  }

  toSvg(): SvgPicture {
    const { width, height } = this.layout ?? { width: 1, height: 1 };
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
    const { data, group } = this;
    if (!data) return;
    const shape = { layers: data.layers.length, heads: data.heads, group };
    this.layout = new GridLayout(shape, { width: this.clientWidth, windowHeight: globalThis.innerHeight, type: this.ground.type });
  }

  #paint(): void {
    const { data, canvas, layout } = this;
    this.#stop?.();
    if (!data || !canvas || !layout) return;
    const context = sizeCanvas(canvas, layout.width, layout.height);
    if (!context) return;
    this.#paintAxes(context, data, layout);
    const ratio = pixelRatio();
    const side = Math.max(1, Math.round(layout.side * ratio));
    const ramp = rampFor(this.ground);
    const image = new ImageData(side, side);
    const pixels = new Uint32Array(image.data.buffer);
    this.#stop = inSlices(
      data.layers.length * data.heads,
      (item) => {
        const head = { layer: Math.floor(item / data.heads), head: item % data.heads };
        if (this.#convolves(head.layer)) return;
        const pattern = patternOf(data, head) ?? (this.thumbnails ? patternOf(this.thumbnails, head) : undefined);
        if (!pattern) {
          pixels.fill(ramp.absent);
        } else {
          const whole = { top: 0, left: 0, bottom: pattern.size, right: pattern.size };
          paintPattern(pattern, whole, side, ramp, this.scale, pixels);
        }
        const { x, y } = layout.origin(head);
        context.putImageData(image, Math.round(x * ratio), Math.round(y * ratio));
        if (this.#isOff(head)) this.#paintCross(context, x * ratio, y * ratio, side, side);
      },
      () => {
        this.toggleAttribute('painted', true);
      },
    );
    this.toggleAttribute('painted', false);
  }

  /** Two strokes over what is switched off, readable on any pattern. */
  #paintCross(context: CanvasRenderingContext2D, x: number, y: number, width: number, height: number): void {
    const style = getComputedStyle(this);
    for (const [colour, thick] of [
      [style.backgroundColor, 5],
      [style.color, 2],
    ] as const) {
      context.strokeStyle = colour;
      context.lineWidth = thick;
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(x + width, y + height);
      context.moveTo(x + width, y);
      context.lineTo(x, y + height);
      context.stroke();
    }
  }

  #paintAxes(context: CanvasRenderingContext2D, { layers, heads }: AttentionData, layout: GridLayout): void {
    const style = getComputedStyle(this);
    const { type } = this.ground;
    const every = Math.max(1, Math.ceil((15 * type) / layout.pitch));
    context.save();
    context.scale(pixelRatio(), pixelRatio());
    context.fillStyle = style.color;
    context.font = `${TYPE * type}px ${style.fontFamily}`;
    context.textBaseline = 'middle';
    context.textAlign = 'right';
    for (let layer = 0; layer < layers.length; layer += every) {
      const { y } = layout.origin({ layer, head: 0 });
      context.fillText(String(layer), layout.left - 6, y + layout.side / 2);
    }
    context.textAlign = 'center';
    const across = Math.max(1, Math.ceil((20 * type) / layout.pitch));
    for (let head = 0; head < heads; head += across) {
      const { x } = layout.origin({ layer: 0, head });
      context.fillText(String(head), x + layout.side / 2, layout.top / 2);
    }
    for (const layer of this.data?.convolutions ?? []) this.#paintConvolution(context, layer, layout);
    context.restore();
  }

  /** One outlined cell in the place of a layer's heads, with words where they fit. */
  #paintConvolution(context: CanvasRenderingContext2D, layer: number, layout: GridLayout): void {
    const { x, y } = layout.origin({ layer, head: 0 });
    const { row, side } = layout;
    context.strokeStyle = getComputedStyle(this).color;
    context.lineWidth = 1;
    context.setLineDash([3, 3]);
    context.strokeRect(x + 0.5, y + 0.5, row - 1, side - 1);
    context.setLineDash([]);
    const words = t('grid.convolution');
    if (side >= TYPE * this.ground.type + 2) context.fillText(words, x + row / 2, y + side / 2, row - 8);
    if (this.#isOff({ layer, head: 0 })) this.#paintCross(context, x, y, row, side);
  }

  #convolves(layer: number): boolean {
    return this.data?.convolutions?.includes(layer) ?? false;
  }

  #isOff(head: HeadIndex): boolean {
    return this.off.some((other) => sameHead(other, head));
  }

  #sign({ head, sign }: HeadSign): TemplateResult | typeof nothing {
    const { layout } = this;
    // In a thumbnail too small for a letter the sign would hide the pattern.
    if (!layout || layout.side < LEGIBLE) return nothing;
    const { x, y } = layout.origin(head);
    const left = x + layout.side - SIGN * this.ground.type - 1;
    return html`<span class="sign" aria-hidden="true" .style=${`--x:${left}px;--y:${y + 1}px`}>${sign}</span>`;
  }

  #describe(head: HeadIndex, { layers }: AttentionData): string {
    const parts = this.#convolves(head.layer)
      ? [t('grid.layer', { layer: head.layer }), t('grid.convolution')]
      : [t('head.title', { ...head }), ...(layers[head.layer] ? [] : [t('grid.absent')])];
    if (this.#isOff(head)) parts.push(t('cell.off'));
    const label = this.signs.find((sign) => sameHead(sign.head, head));
    if (label) parts.push(label.name);
    return parts.join(', ');
  }

  #ring(head: HeadIndex, kind: string): TemplateResult | typeof nothing {
    const { layout } = this;
    if (!layout) return nothing;
    const whole = this.#convolves(head.layer);
    const { x, y } = layout.origin(whole ? { ...head, head: 0 } : head);
    return html`<div class="ring ${kind}" .style=${ringAt(x, y, whole ? layout.row : layout.side, layout.side)}></div>`;
  }

  #cellAt(event: MouseEvent): Cell | null {
    const head = this.canvas && this.layout ? this.layout.at(pointIn(this.canvas, event)) : null;
    return head && { row: head.layer, column: this.#convolves(head.layer) ? 0 : head.head };
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
