import { css, html, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import { ref } from 'lit/directives/ref.js';
import { canvasStyles, ringAt } from './canvas-styles.js';
import { CellCursor, type Cell } from './cell-cursor.js';
import { emit, shared, View } from './element.js';
import { significant } from './format.js';
import { clip } from './glyphs.js';
import { pixelRatio, pointIn, sizeCanvas } from './heat-canvas.js';
import { cellAtPoint, columnAt, layOut, rowAt, sizeOf, type HeatLayout } from './heat-layout.js';
import { paintHeat, svgOfHeat, type HeatPaint } from './heat-paint.js';
import type { Keepable } from './keep.js';
import { divergingFor, rampFor, type Ramp } from './ramp.js';
import { Resized } from './resized.js';
import type { SvgPicture } from './svg.js';
import type { Table } from './table.js';
import { t } from './text.js';

const LABEL = 14;

/** A heat map's numbers and what they are of. Values are row-major; NaN is a cell without a value. */
export interface HeatData {
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  readonly values: ArrayLike<number>;
  /** What stands in each cell, where words do. */
  readonly words?: readonly string[];
  /** Whether values have a sign: then the colours diverge from 0. */
  readonly signed?: boolean;
  /** Value of the last colour; the largest there is where left out. */
  readonly limit?: number;
  /** Columns that belong together, so many at a time. */
  readonly group?: number;
  /** Cells that are switched off, by row × columns + column. */
  readonly crossed?: ReadonlySet<number>;
}

/**
 * Numbers as colours, with labels, a cursor and, where wanted, words.
 *
 * @fires gb-heat-preview - `Cell | null`: the cell under the pointer or the keyboard, else the locked one
 * @fires gb-heat-pick - `Cell | null`: the cell that was locked or released
 */
@customElement('gb-heat-map')
export class HeatMap extends View implements Keepable {
  @property({ attribute: false }) data: HeatData | null = null;
  /** What the picture shows, for those who do not see it. */
  @property() name = '';
  @property() rowTitle = '';
  @property() columnTitle = '';
  @property() valueTitle = '';
  @property({ attribute: false }) selected: Cell | null = null;
  /** Whether colours only mark cells and stand for no number. */
  @property({ type: Boolean }) marks = false;
  @property({ attribute: false }) show: (value: number) => string = (value) => significant(value, 4);
  @state() private layout: HeatLayout | null = null;
  @query('canvas') private readonly canvas!: HTMLCanvasElement | null;
  protected readonly resized = new Resized(this, () => {
    this.#measure();
  });
  readonly #cursor = new CellCursor(
    this,
    () => ({ rows: this.data?.rows.length ?? 0, width: () => this.data?.columns.length ?? 0 }),
    ({ cell, locked }) => {
      emit(this, 'gb-heat-preview', cell);
      const before = this.selected;
      if (locked?.row !== before?.row || locked?.column !== before?.column) emit(this, 'gb-heat-pick', locked);
    },
    (event) => this.cellAt(event),
  );

  static override readonly styles = [
    shared,
    canvasStyles,
    css`
      :host {
        min-width: 0;
        color: var(--ink-2);
      }
      .scroll {
        overflow-x: auto;
        overflow-y: hidden;
        padding: 2px;
        margin: -2px;
      }
      .map {
        position: relative;
        width: max-content;
        cursor: crosshair;
        touch-action: manipulation;
      }
      .legend {
        display: flex;
        align-items: center;
        gap: 0.5rem;
        margin-top: 0.4rem;
        font-size: 0.75rem;
      }
      .bar {
        width: 8rem;
        height: 8px;
        border-radius: 2px;
        box-shadow: 0 0 0 1px var(--rule);
        background: var(--ramp);
      }
      .reading {
        min-height: 1.4em;
        margin: 0.25rem 0 0;
        font-size: var(--small);
        color: var(--ink);
        overflow-wrap: anywhere;
      }
    `,
  ];

  /** The cell under a pointer. */
  cellAt(event: MouseEvent): Cell | null {
    if (!this.canvas || !this.layout) return null;
    const { x, y } = pointIn(this.canvas, event);
    return cellAtPoint(this.layout, x, y);
  }

  toTable(): Table {
    const { data } = this;
    const columns = [{ name: this.rowTitle }, { name: this.columnTitle }, { name: this.valueTitle, show: this.show }];
    if (!data) return { columns, rows: [] };
    if (data.words) columns.push({ name: t('heat.word') });
    const rows = data.rows.flatMap((row, r) =>
      data.columns.flatMap((column, c) => {
        const at = r * data.columns.length + c;
        const value = data.values[at] ?? Number.NaN;
        if (Number.isNaN(value)) return [];
        return [[row, column, value, ...(data.words ? [data.words[at] ?? ''] : [])]];
      }),
    );
    return { columns, rows };
  }

  toSvg(): SvgPicture {
    const { data, layout } = this;
    return data && layout ? svgOfHeat(this.#toPaint(data, layout)) : { width: 1, height: 1, body: '' };
  }

  override render(): TemplateResult | typeof nothing {
    const { data } = this;
    if (!data) return nothing;
    const { cell, locked } = this.#cursor;
    return html`<div class="scroll">
        <div
          class="map"
          role="grid"
          tabindex="0"
          aria-label=${t('heat.name', { name: this.name, rows: data.rows.length, columns: data.columns.length })}
          aria-rowcount=${data.rows.length}
          aria-colcount=${data.columns.length}
          aria-activedescendant=${cell ? 'active' : nothing}
          ${ref(this.#cursor.surface)}
        >
          <canvas aria-hidden="true"></canvas>
          ${locked ? this.#ring(locked, 'locked') : nothing}
          ${cell && cell !== locked ? this.#ring(cell, '') : nothing}
          <div role="row" aria-rowindex=${(cell?.row ?? 0) + 1} class="sr-only">
            <span
              id="active"
              role="gridcell"
              aria-colindex=${(cell?.column ?? 0) + 1}
              aria-selected=${locked && cell === locked ? 'true' : 'false'}
              >${cell ? this.#describe(data, cell) : t('cell.none')}</span
            >
          </div>
        </div>
      </div>
      ${this.marks
        ? nothing
        : html`<div class="legend" aria-hidden="true">
        <span>${this.show(data.signed ? -this.#limit(data) : 0)}</span>
        <span class="bar" .style=${`--ramp:${gradient(this.#ramp(data))}`}></span>
        <span>${this.show(this.#limit(data))}</span>
        <span>${this.valueTitle}</span>
      </div>`}
      <p class="reading">${cell ? this.#describe(data, cell) : ''}</p>`;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('selected')) this.#cursor.lock(this.selected);
    if (changed.has('data') || (changed as PropertyValues).has('ground')) this.#measure();
  }

  protected override updated(changed: PropertyValues): void {
    if (['data', 'ground', 'layout'].some((name) => changed.has(name))) this.#paint();
  }

  #measure(): void {
    const { data } = this;
    if (!data) return;
    const longest = (labels: readonly string[]): number => labels.reduce((n, label) => Math.max(n, Math.min(LABEL, label.length)), 1);
    const shape = {
      rows: data.rows.length,
      columns: data.columns.length,
      rowLabel: longest(data.rows),
      columnLabel: longest(data.columns),
      group: data.group ?? 0,
      words: data.words !== undefined,
    };
    this.layout = layOut(shape, this.clientWidth, this.ground.type);
  }

  #paint(): void {
    const { data, layout, canvas } = this;
    if (!data || !layout || !canvas) return;
    const { width, height } = sizeOf(layout);
    const context = sizeCanvas(canvas, width, height);
    if (!context) return;
    context.scale(pixelRatio(), pixelRatio());
    paintHeat(context, this.#toPaint(data, layout));
    this.toggleAttribute('painted', true);
  }

  #toPaint(data: HeatData, layout: HeatLayout): HeatPaint {
    const style = getComputedStyle(this);
    const label = (text: string): string => clip(text, LABEL);
    return {
      ...data,
      rows: data.rows.map(label),
      columns: data.columns.map(label),
      layout,
      ramp: this.#ramp(data),
      limit: this.#limit(data),
      signed: data.signed ?? false,
      ink: style.color,
      mono: style.getPropertyValue('--mono') || 'monospace',
    };
  }

  #ramp(data: HeatData): Ramp {
    return data.signed ? divergingFor(this.ground) : rampFor(this.ground);
  }

  #limit(data: HeatData): number {
    if (data.limit !== undefined) return data.limit;
    let most = 0;
    for (const value of Array.from(data.values)) {
      const size = Math.abs(value);
      if (size > most && Number.isFinite(size)) most = size;
    }
    return most || 1;
  }

  #ring({ row, column }: Cell, kind: string): TemplateResult | typeof nothing {
    const { layout } = this;
    if (!layout || row >= layout.rows || column >= layout.columns) return nothing;
    const x = columnAt(layout, column);
    const y = rowAt(layout, row);
    return html`<div class="ring ${kind}" .style=${ringAt(x, y, layout.cellWidth, layout.cellHeight)}></div>`;
  }

  #describe(data: HeatData, { row, column }: Cell): string {
    const at = row * data.columns.length + column;
    const value = data.values[at] ?? Number.NaN;
    const where = `${this.rowTitle} ${data.rows[row] ?? row}, ${this.columnTitle} ${data.columns[column] ?? column}`;
    const word = data.words?.[at];
    if (this.marks) return `${where}${value >= 0.5 ? `: ${this.valueTitle}` : ''}`;
    const what = Number.isNaN(value) ? t('cell.empty') : `${this.valueTitle} ${this.show(value)}`;
    const off = data.crossed?.has(at) ? `, ${t('cell.off')}` : '';
    return `${where}: ${word === undefined || word === '' ? '' : `${word}, `}${what}${off}`;
  }
}

function gradient(ramp: Ramp): string {
  return `linear-gradient(90deg,${Array.from({ length: 9 }, (_, i) => ramp.css(i / 8)).join(',')})`;
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-heat-map': HeatMap;
  }
  interface HTMLElementEventMap {
    'gb-heat-preview': CustomEvent<Cell | null>;
    'gb-heat-pick': CustomEvent<Cell | null>;
  }
}
