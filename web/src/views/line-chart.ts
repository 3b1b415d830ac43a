import { css, html, nothing, svg, type PropertyValues, type SVGTemplateResult, type TemplateResult } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import { ref } from 'lit/directives/ref.js';
import { CellCursor, type Cell } from './cell-cursor.js';
import { shared, View } from './element.js';
import { significant } from './format.js';
import { pointIn } from './heat-canvas.js';
import type { Keepable } from './keep.js';
import { Resized } from './resized.js';
import { fromElement, type SvgPicture } from './svg.js';
import type { Table } from './table.js';
import { t } from './text.js';

/** A line: a value for each place along the axis; NaN leaves a gap. */
export interface Series {
  readonly name: string;
  readonly values: ArrayLike<number>;
  /** A value of before, drawn as a ghost. */
  readonly ghost?: boolean;
}

/** Lines over one axis. */
export interface LineData {
  /** What each place along the axis is called. */
  readonly places: readonly string[];
  readonly series: readonly Series[];
  /** Where each place is along the axis; evenly where left out. */
  readonly at?: ArrayLike<number>;
}

/** Space around the lines, at the type of 16 pixels. */
const EDGE = { left: 52, right: 14, top: 10, bottom: 26 };
/** Width of a character of a label, and the space between two labels. */
const CHARACTER = 6.6;
const APART = 8;
/** Dashes besides colours, so that lines can be told apart without them. */
const DASHES = ['', '7 3', '2 3', '9 3 2 3', '1 4', '12 4'];
const COLOURS = 6;

/** Lines over one axis, with a cursor that reads all of them. */
@customElement('gb-line-chart')
export class LineChart extends View implements Keepable {
  @property({ attribute: false }) data: LineData = { places: [], series: [] };
  @property() name = '';
  @property() axisTitle = '';
  @property() valueTitle = '';
  @property({ type: Boolean }) logY = false;
  @property({ type: Boolean }) logX = false;
  @property({ type: Number }) height = 200;
  @property({ attribute: false }) show: (value: number) => string = (value) => significant(value, 3);
  @state() private width = 480;
  @query('svg') private readonly svg!: SVGSVGElement | null;
  /** The least and the largest value shown. */
  #ends: readonly [number, number] = [0, 1];
  #tickLength = 0;
  protected readonly resized = new Resized(this, () => {
    this.width = Math.max(200, this.clientWidth);
  });
  readonly #cursor = new CellCursor(
    this,
    () => ({ rows: this.data.places.length > 0 ? 1 : 0, width: () => this.data.places.length }),
    () => undefined,
    (event) => this.#placeAt(event),
  );

  static override readonly styles = [
    shared,
    css`
      :host {
        min-width: 0;
      }
      .plot {
        position: relative;
        cursor: crosshair;
      }
      svg {
        display: block;
        width: 100%;
        height: auto;
        overflow: visible;
      }
      text {
        font-size: 0.6875rem;
        fill: var(--ink-2);
      }
      .grid {
        stroke: var(--rule);
        stroke-width: 1px;
      }
      .dot {
        stroke: none;
      }
      .c0 { stroke: var(--data); fill: var(--data); }
      .c1 { stroke: var(--up); fill: var(--up); }
      .c2 { stroke: var(--value); fill: var(--value); }
      .c3 { stroke: var(--mlp); fill: var(--mlp); }
      .c4 { stroke: var(--ink); fill: var(--ink); }
      .c5 { stroke: var(--accent); fill: var(--accent); }
      .ghost { stroke: var(--ghost); fill: var(--ghost); }
      .line { fill: none; stroke-width: 2px; }

      .cursor { stroke: var(--accent); stroke-width: 1px; }
      ul {
        display: flex;
        flex-wrap: wrap;
        gap: 0.1rem 1rem;
        min-height: 1.5em;
        margin: 0.2rem 0 0;
        padding: 0;
        list-style: none;
        font-size: var(--small);
        color: var(--ink-2);
      }
      li svg {
        display: inline-block;
        width: 24px;
        height: 8px;
        vertical-align: middle;
      }
      bdi {
        font-family: var(--mono);
        color: var(--ink);
      }
    `,
  ];

  toTable(): Table {
    const { places, series } = this.data;
    return {
      columns: [{ name: this.axisTitle }, ...series.map(({ name }) => ({ name, show: this.show }))],
      rows: places.map((place, i) => [place, ...series.map(({ values }) => values[i] ?? Number.NaN)]),
    };
  }

  toSvg(): SvgPicture {
    return this.svg ? fromElement(this.svg) : { width: 1, height: 1, body: '' };
  }

  override render(): TemplateResult | typeof nothing {
    const { places, series } = this.data;
    if (places.length === 0) return nothing;
    const { cell } = this.#cursor;
    return html`<div
        class="plot"
        role="grid"
        tabindex="0"
        aria-label=${t('line.name', { name: this.name, lines: series.length, places: places.length })}
        aria-rowcount="1"
        aria-colcount=${places.length}
        aria-activedescendant=${cell ? 'active' : nothing}
        ${ref(this.#cursor.surface)}
      >
        <svg viewBox="0 0 ${this.width} ${this.#tall}" aria-hidden="true">${this.#drawing(cell)}</svg>
        <div role="row" class="sr-only">
          <span id="active" role="gridcell">${cell ? this.#describe(cell.column) : t('cell.none')}</span>
        </div>
      </div>
      <ul>
        ${cell ? html`<li>${this.axisTitle} <bdi>${places[cell.column] ?? ''}</bdi></li>` : nothing}
        ${series.map(
          (line, i) =>
            html`<li>
              <svg viewBox="0 0 24 8" aria-hidden="true"><line class="line ${colour(line, i)}" stroke-dasharray=${dash(i)} x1="0" y1="4" x2="24" y2="4" /></svg>
              <bdi>${line.name}</bdi>${cell ? ` ${this.show(line.values[cell.column] ?? Number.NaN)}` : nothing}
            </li>`,
        )}
      </ul>`;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('data')) this.#cursor.reset();
    if (changed.has('data') || changed.has('logY')) this.#ends = this.#range();
    this.#tickLength = this.#ticks().reduce((most, tick) => Math.max(most, this.show(tick).length), 0);
  }

  #ticks(): number[] {
    const [low, high] = this.#ends;
    return this.logY ? logTicks(low, high) : linearTicks(low, high);
  }

  get #tall(): number {
    return this.height * this.ground.type;
  }

  get #edge(): { readonly [Side in keyof typeof EDGE]: number } {
    const { type } = this.ground;
    return { left: Math.max(EDGE.left, this.#tickLength * CHARACTER + 8) * type, right: EDGE.right * type, top: EDGE.top * type, bottom: EDGE.bottom * type };
  }

  #drawing(cell: Cell | null): SVGTemplateResult {
    const { series, places } = this.data;
    const ticks = this.#ticks();
    const edge = this.#edge;
    const bottom = this.#tall - edge.bottom;
    return svg`
      ${ticks.map((tick) => svg`<line class="grid" x1=${edge.left} x2=${this.width - edge.right} y1=${this.#y(tick)} y2=${this.#y(tick)} />
        <text x=${edge.left - 6} y=${this.#y(tick)} text-anchor="end" dominant-baseline="middle">${this.show(tick)}</text>`)}
      ${this.#places().map((i) => svg`<text x=${this.#x(i)} y=${bottom + 15 * this.ground.type} text-anchor="middle">${places[i] ?? ''}</text>`)}
      ${cell ? svg`<line class="cursor" x1=${this.#x(cell.column)} x2=${this.#x(cell.column)} y1=${edge.top} y2=${bottom} />` : nothing}
      ${series.map((line, i) => svg`<path class="line ${colour(line, i)}" stroke-dasharray=${dash(i)} d=${this.#path(line)} />`)}
      ${cell ? series.map((line, i) => this.#dot(line, i, cell.column)) : nothing}`;
  }

  #dot(line: Series, index: number, place: number): SVGTemplateResult | typeof nothing {
    const value = line.values[place] ?? Number.NaN;
    if (!Number.isFinite(this.#y(value))) return nothing;
    return svg`<circle class="dot ${colour(line, index)}" cx=${this.#x(place)} cy=${this.#y(value)} r="3.5" />`;
  }

  #path({ values }: Series): string {
    let path = '';
    let pen = 'M';
    for (let i = 0; i < values.length; i++) {
      const y = this.#y(values[i] ?? Number.NaN);
      if (!Number.isFinite(y)) {
        pen = 'M';
        continue;
      }
      path += `${pen}${this.#x(i).toFixed(1)} ${y.toFixed(1)}`;
      pen = 'L';
    }
    return path;
  }

  #range(): [number, number] {
    let low = Infinity;
    let high = -Infinity;
    for (const { values } of this.data.series) {
      for (const value of Array.from(values)) {
        if (!Number.isFinite(value) || (this.logY && value <= 0)) continue;
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    }
    if (low > high) return this.logY ? [0.1, 1] : [0, 1];
    if (!this.logY) return [Math.min(0, low), high === low ? low + 1 : high];
    return [low, high === low ? low * 10 : high];
  }

  #y(value: number): number {
    const [low, high] = this.#ends;
    const at = this.logY ? (Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low)) : (value - low) / (high - low);
    const { top, bottom } = this.#edge;
    return top + (1 - at) * (this.#tall - top - bottom);
  }

  #x(place: number): number {
    const { places, at } = this.data;
    const value = (i: number): number => {
      const raw = at?.[i] ?? i + 1;
      return this.logX ? Math.log(raw) : raw;
    };
    const span = value(places.length - 1) - value(0) || 1;
    const { left, right } = this.#edge;
    return left + ((value(place) - value(0)) / span) * (this.width - left - right);
  }

  /** The places that are named below the axis, so that names do not touch. */
  #places(): number[] {
    const named: number[] = [];
    let free = -Infinity;
    for (let i = 0; i < this.data.places.length; i++) {
      const x = this.#x(i);
      const half = ((this.data.places[i]?.length ?? 0) / 2) * CHARACTER * this.ground.type;
      if (x - half < free) continue;
      named.push(i);
      free = x + half + APART;
    }
    return named;
  }

  #placeAt(event: MouseEvent): Cell | null {
    if (!this.svg) return null;
    const { x } = pointIn(this.svg, event);
    let best = 0;
    for (let i = 1; i < this.data.places.length; i++) if (Math.abs(this.#x(i) - x) < Math.abs(this.#x(best) - x)) best = i;
    return { row: 0, column: best };
  }

  #describe(place: number): string {
    const { places, series } = this.data;
    const values = series.map(({ name, values: of }) => `${name} ${this.show(of[place] ?? Number.NaN)}`);
    return `${this.axisTitle} ${places[place] ?? ''}: ${values.join(', ')}`;
  }
}

function colour({ ghost }: Series, index: number): string {
  return ghost ? 'ghost' : `c${index % COLOURS}`;
}

function dash(index: number): string {
  return DASHES[index % DASHES.length] ?? '';
}

function linearTicks(low: number, high: number): number[] {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const ticks: number[] = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-9; tick += step) ticks.push(Math.abs(tick) < step * 1e-9 ? 0 : tick);
  return ticks;
}

function logTicks(low: number, high: number): number[] {
  const from = Math.ceil(Math.log10(low) - 1e-9);
  const to = Math.floor(Math.log10(high) + 1e-9);
  const step = Math.max(1, Math.ceil((to - from) / 5));
  const ticks: number[] = [];
  for (let power = from; power <= to; power += step) ticks.push(10 ** power);
  return ticks.length > 1 ? ticks : [low, high];
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-line-chart': LineChart;
  }
}
