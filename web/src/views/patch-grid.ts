import { css, html, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { Cell } from './cell-cursor.js';
import { controls, emit, shared, View } from './element.js';
import './heat-map.js';
import type { HeatMap } from './heat-map.js';
import { t } from './text.js';

/** A patch that was asked for: from a position of the source to one of the target, at a layer. */
export interface PatchDrop {
  readonly layer: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Two grids of positions by layers. A cell of the source is dragged onto the target, or chosen in one and then in the
 * other; both work by mouse, finger and keyboard.
 *
 * @fires gb-patch - `PatchDrop`
 */
@customElement('gb-patch-grid')
export class PatchGrid extends View {
  @property({ attribute: false }) source: readonly string[] = [];
  @property({ attribute: false }) target: readonly string[] = [];
  @property({ type: Number }) layers = 0;
  @property({ attribute: false }) patched: readonly PatchDrop[] = [];
  @state() private held: Cell | null = null;
  @state() private over: Cell | null = null;
  #dragging = false;

  static override readonly styles = [
    shared,
    controls,
    css`
      .grids {
        display: grid;
        grid-template-columns: minmax(0, 1fr) minmax(0, 1fr);
        gap: 1.75rem;
      }
      .dragging {
        cursor: grabbing;
        user-select: none;
      }
      .grids gb-heat-map {
        touch-action: none;
      }
      p {
        margin: 0 0 0.3rem;
        min-height: 1.5em;
        font-size: var(--small);
        color: var(--ink-2);
      }
      @media (max-width: 720px) {
        .grids {
          grid-template-columns: minmax(0, 1fr);
        }
      }
    `,
  ];

  override render(): TemplateResult {
    return html`<p role="status">${this.#says()}</p>
      <div class="grids ${this.held ? 'dragging' : ''}" @pointerup=${this.#onDrop} @pointercancel=${this.#onCancel}>
        <gb-heat-map
          id="source"
          name=${t('patch.sourceGrid')}
          rowTitle=${t('lens.layer')}
          columnTitle=${t('lens.token')}
          valueTitle=${t('patch.held')}
          .data=${this.#data(this.source, this.#sourceValues())}
          marks
          @pointerdown=${this.#onGrab}
          @gb-heat-pick=${this.#onSourcePick}
        ></gb-heat-map>
        <gb-heat-map
          id="target"
          name=${t('patch.targetGrid')}
          rowTitle=${t('lens.layer')}
          columnTitle=${t('lens.token')}
          valueTitle=${t('patch.reached')}
          .data=${this.#data(this.target, this.#targetValues())}
          marks
          @pointermove=${this.#onMove}
          @gb-heat-pick=${this.#onTargetPick}
        ></gb-heat-map>
      </div>`;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('source') && changed.get('source') !== undefined && this.held && this.held.column >= this.source.length) this.held = null;
  }

  #says(): string | typeof nothing {
    const { held } = this;
    if (!held) return t('patch.grab');
    return t('patch.holding', { layer: held.row, position: held.column, word: this.source[held.column] ?? '' });
  }

  #data(columns: readonly string[], values: Float32Array) {
    return {
      rows: Array.from({ length: this.layers }, (_, layer) => String(layer)),
      columns: columns.map((word, i) => `${i} ${word}`),
      values,
      limit: 1,
    };
  }

  #sourceValues(): Float32Array {
    const values = new Float32Array(this.layers * this.source.length).fill(0.08);
    for (const { layer, from } of this.patched) values[layer * this.source.length + from] = 0.6;
    if (this.held) values[this.held.row * this.source.length + this.held.column] = 1;
    return values;
  }

  /** What a patch can reach: the same position and later ones, in later layers (the causal cone). */
  #targetValues(): Float32Array {
    const width = this.target.length;
    const values = new Float32Array(this.layers * width).fill(0.04);
    const cones = this.patched.map(({ layer, to }) => ({ layer, to }));
    if (this.held && this.over) cones.push({ layer: this.held.row, to: this.over.column });
    for (const { layer, to } of cones) {
      for (let l = layer + 1; l < this.layers; l++) for (let p = to; p < width; p++) values[l * width + p] = 0.28;
    }
    for (const { layer, to } of cones) values[layer * width + to] = 1;
    return values;
  }

  readonly #onGrab = (event: PointerEvent): void => {
    const cell = (event.currentTarget as HeatMap).cellAt(event);
    if (!cell) return;
    this.held = cell;
    this.#dragging = true;
    // Moves over the other grid must reach it.
    const [target] = event.composedPath();
    if (target instanceof Element && target.hasPointerCapture(event.pointerId)) target.releasePointerCapture(event.pointerId);
  };

  readonly #onMove = (event: PointerEvent): void => {
    if (!this.held) return;
    const cell = this.#targetMap().cellAt(event);
    if (cell?.column !== this.over?.column) this.over = cell;
  };

  readonly #onDrop = (event: PointerEvent): void => {
    if (!this.#dragging) return;
    this.#dragging = false;
    const cell = this.#targetMap().cellAt(event);
    if (cell) this.#drop(cell);
  };

  readonly #onCancel = (): void => {
    this.#dragging = false;
    this.held = null;
    this.over = null;
  };

  readonly #onSourcePick = (event: CustomEvent<Cell | null>): void => {
    this.held = event.detail;
  };

  readonly #onTargetPick = (event: CustomEvent<Cell | null>): void => {
    if (event.detail && this.held) this.#drop(event.detail);
  };

  #drop({ column }: Cell): void {
    const { held } = this;
    if (!held) return;
    this.held = null;
    this.over = null;
    emit(this, 'gb-patch', { layer: held.row, from: held.column, to: column });
  }

  #targetMap(): HeatMap {
    const map = this.shadowRoot?.querySelector<HeatMap>('#target');
    if (!map) throw new Error('the target grid is not there');
    return map;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-patch-grid': PatchGrid;
  }
  interface HTMLElementEventMap {
    'gb-patch': CustomEvent<PatchDrop>;
  }
}
