import { css, html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import { CellCursor, type Cell } from './cell-cursor.js';
import { emit, shared } from './element.js';
import { inSlices, pixelRatio, pointIn, sizeCanvas } from './heat-canvas.js';
import { patternOf } from './label.js';
import { rampFor, type Scale } from './ramp.js';
import { paintPattern } from './raster.js';
import type { AttentionData, HeadIndex } from './types.js';

const GAP = 2;
const GUTTER = { left: 26, top: 18 };
const LARGEST = 76;
const SMALLEST = 3;
/** Below this a thumbnail shows no pattern, so tall models scroll rather than shrink further. */
const LEGIBLE = 20;
/** Share of the window's height the grid tries to fit in. */
const SHARE = 0.66;

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
export class AttentionGrid extends LitElement {
  @property({ attribute: false }) data: AttentionData | null = null;
  @property({ attribute: false }) selected: HeadIndex | null = null;
  @property({ type: Boolean }) dark = false;
  @property() scale: Scale = 'sqrt';
  @state() private layout: Layout = { side: SMALLEST, width: 0, height: 0 };
  @query('canvas') private readonly canvas!: HTMLCanvasElement | null;
  #stop: (() => void) | undefined;
  readonly #resize = new ResizeObserver(() => {
    this.#measure();
  });
  readonly #cursor = new CellCursor(
    this,
    () => ({ rows: this.data?.layers.length ?? 0, width: () => this.data?.heads ?? 0 }),
    (cursor) => {
      emit(this, 'gb-head-preview', toHead(cursor.cell));
      if (!sameHead(toHead(cursor.locked), this.selected)) emit(this, 'gb-head-pick', toHead(cursor.locked));
    },
  );

  static override readonly styles = [
    shared,
    css`
      :host {
        color: var(--ink-2);
      }
      .grid {
        position: relative;
        width: max-content;
        max-width: 100%;
        cursor: pointer;
        touch-action: manipulation;
      }
      canvas {
        display: block;
      }
      .ring {
        position: absolute;
        top: 0;
        left: 0;
        width: var(--w);
        height: var(--w);
        transform: translate(var(--x), var(--y));
        border-radius: 3px;
        pointer-events: none;
        outline: 2px solid var(--ink);
        outline-offset: 0;
      }
      .ring.selected {
        outline: 3px solid var(--accent);
        box-shadow: 0 0 0 4px var(--surface);
      }
    `,
  ];

  override connectedCallback(): void {
    super.connectedCallback();
    this.#resize.observe(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#resize.disconnect();
    this.#stop?.();
  }

  override render(): TemplateResult | typeof nothing {
    const { data } = this;
    if (!data) return nothing;
    const active = toHead(this.#cursor.cell);
    return html`<div
      class="grid"
      role="grid"
      tabindex="0"
      aria-label="Attention of ${data.layers.length} layers with ${data.heads} heads each. Arrow keys move, Enter selects, Escape releases."
      aria-rowcount=${data.layers.length}
      aria-colcount=${data.heads}
      aria-activedescendant=${active ? 'active' : nothing}
      @pointermove=${this.#onPointer}
      @pointerleave=${this.#onLeave}
      @click=${this.#onClick}
      @keydown=${this.#onKey}
      @blur=${this.#onBlur}
    >
      <canvas aria-hidden="true"></canvas>
      ${this.selected ? this.#ring(this.selected, 'selected') : nothing}
      ${active && !sameHead(active, this.selected) ? this.#ring(active, 'active') : nothing}
      <div role="row" aria-rowindex=${(active?.layer ?? 0) + 1} class="sr-only">
        <span
          id="active"
          role="gridcell"
          aria-colindex=${(active?.head ?? 0) + 1}
          aria-selected=${active !== null && sameHead(active, this.selected) ? 'true' : 'false'}
          >${active ? describe(active, data) : 'No head'}</span
        >
      </div>
    </div>`;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('selected')) this.#cursor.lock(toCell(this.selected));
    if (changed.has('data')) {
      const previous = changed.get('data');
      const shape = (data: AttentionData | null | undefined): string => `${data?.layers.length}×${data?.heads}`;
      if (shape(previous) !== shape(this.data)) this.#measure();
    }
  }

  protected override updated(changed: PropertyValues): void {
    if (['data', 'dark', 'scale', 'layout'].some((name) => changed.has(name))) this.#paint();
  }

  #measure(): void {
    const { data } = this;
    if (!data) return;
    const byWidth = Math.floor((this.clientWidth - GUTTER.left) / data.heads) - GAP;
    const byHeight = Math.floor((globalThis.innerHeight * SHARE) / data.layers.length) - GAP;
    const side = Math.max(SMALLEST, Math.min(LARGEST, byWidth, Math.max(LEGIBLE, byHeight)));
    const pitch = side + GAP;
    this.layout = {
      side,
      width: GUTTER.left + data.heads * pitch,
      height: GUTTER.top + data.layers.length * pitch,
    };
  }

  #paint(): void {
    const { data, canvas } = this;
    this.#stop?.();
    if (!data || !canvas || this.layout.width <= GUTTER.left) return;
    const context = sizeCanvas(canvas, this.layout.width, this.layout.height);
    if (!context) return;
    this.#paintAxes(context, data);
    const ratio = pixelRatio();
    const side = Math.max(1, Math.round(this.layout.side * ratio));
    const ramp = rampFor(this.dark);
    const image = new ImageData(side, side);
    const pixels = new Uint32Array(image.data.buffer);
    this.#stop = inSlices(
      data.layers.length * data.heads,
      (item) => {
        const head = { layer: Math.floor(item / data.heads), head: item % data.heads };
        const pattern = patternOf(data, head);
        if (!pattern) {
          pixels.fill(ramp.absent);
        } else {
          const whole = { top: 0, left: 0, bottom: data.size, right: data.size };
          paintPattern(pattern, whole, side, ramp, this.scale, pixels);
        }
        const { x, y } = this.#origin(head);
        context.putImageData(image, Math.round(x * ratio), Math.round(y * ratio));
      },
      () => {
        this.toggleAttribute('painted', true);
      },
    );
    this.toggleAttribute('painted', false);
  }

  #paintAxes(context: CanvasRenderingContext2D, { layers, heads }: AttentionData): void {
    const style = getComputedStyle(this);
    const pitch = this.layout.side + GAP;
    const every = Math.max(1, Math.ceil(15 / pitch));
    context.save();
    context.scale(pixelRatio(), pixelRatio());
    context.fillStyle = style.color;
    context.font = `11px ${style.fontFamily}`;
    context.textBaseline = 'middle';
    context.textAlign = 'right';
    for (let layer = 0; layer < layers.length; layer += every) {
      const { y } = this.#origin({ layer, head: 0 });
      context.fillText(String(layer), GUTTER.left - 6, y + this.layout.side / 2);
    }
    context.textAlign = 'center';
    const across = Math.max(1, Math.ceil(20 / pitch));
    for (let head = 0; head < heads; head += across) {
      const { x } = this.#origin({ layer: 0, head });
      context.fillText(String(head), x + this.layout.side / 2, GUTTER.top / 2);
    }
    context.restore();
  }

  #origin({ layer, head }: HeadIndex): { x: number; y: number } {
    const pitch = this.layout.side + GAP;
    return { x: GUTTER.left + head * pitch, y: GUTTER.top + layer * pitch };
  }

  #ring(head: HeadIndex, kind: string): TemplateResult {
    const { x, y } = this.#origin(head);
    return html`<div class="ring ${kind}" .style=${`--x:${x}px;--y:${y}px;--w:${this.layout.side}px`}></div>`;
  }

  #cellAt(event: MouseEvent): Cell | null {
    if (!this.canvas) return null;
    const { x, y } = pointIn(this.canvas, event);
    const pitch = this.layout.side + GAP;
    const cell = { row: Math.floor((y - GUTTER.top) / pitch), column: Math.floor((x - GUTTER.left) / pitch) };
    return cell.row < 0 || cell.column < 0 ? null : cell;
  }

  readonly #onPointer = (event: PointerEvent): void => {
    if (event.pointerType !== 'touch') this.#cursor.hover(this.#cellAt(event));
  };

  readonly #onLeave = (): void => {
    this.#cursor.hover(null);
  };

  readonly #onClick = (event: PointerEvent): void => {
    const cell = this.#cellAt(event);
    if (event.pointerType === 'touch') this.#cursor.tap(cell);
    else this.#cursor.click(cell);
  };

  readonly #onKey = (event: KeyboardEvent): void => {
    if (this.#cursor.key(event)) event.preventDefault();
  };

  readonly #onBlur = (): void => {
    this.#cursor.blur();
  };
}

function describe(head: HeadIndex, data: AttentionData): string {
  const missing = data.layers[head.layer] ? '' : ', not captured';
  return `Layer ${head.layer}, head ${head.head}${missing}`;
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
