import { html, nothing, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import type { Lens, LensRow, Token } from '../client/index.js';
import type { Cell } from '../views/cell-cursor.js';
import { percent, significant } from '../views/format.js';
import '../views/heat-map.js';
import { tokenText } from '../views/label.js';
import '../views/line-chart.js';
import { t } from '../views/text.js';
import { Analysis } from './analysis.js';
import { DeepPanel } from './deep-panel.js';
import { PinPicker } from './pin-picker.js';
import { Watch } from './store.js';
import { LENS_SHADES, type LensShade } from './view-state.js';

/** Positions whose columns are shown at once: unembedding costs as much for each. */
const SHOWN = 24;
const SITES = { layers: ['resid_post'], halves: ['resid_mid', 'resid_post'] } as const;

interface Wish {
  readonly sites: readonly string[];
  readonly positions: readonly [number, number];
  readonly pinned: readonly number[];
}

/** What the model would say if it ended after each layer. */
@customElement('gb-lens-panel')
export class LensPanel extends DeepPanel {
  @state() private cell: Cell | null = null;
  readonly #pins = new PinPicker(this, () => this.ws);
  #lens!: Analysis<Wish, Lens>;
  protected readonly watch = new Watch(this, () => [this.ws.inspection, this.ws.view, this.#lens]);

  override connectedCallback(): void {
    this.#lens = new Analysis(this.ws.session, async (wish, signal, show) => {
      const rows: LensRow[] = [];
      const { tokens } = this.ws.inspection.picture ?? { tokens: [] };
      const onRow = (row: LensRow): void => {
        rows.push(row);
        show({ tokens, pinned: [], rows: [...rows] });
      };
      return this.ws.model.analysis.lens({ ...this.ws.run, ...wish, onRow, signal });
    });
    super.connectedCallback();
  }

  protected override willUpdate(): void {
    const { ws } = this;
    if (!ws.ready) return;
    const end = ws.position + 1;
    const positions = [Math.max(0, end - SHOWN), end] as const;
    this.#lens.want(ws.inspection.version, { sites: SITES[ws.view.values.halves ? 'halves' : 'layers'], positions, pinned: ws.view.values.pins });
  }

  override render(): TemplateResult {
    const lens = this.#lens.result;
    const { halves, shade } = this.ws.view.values;
    return html`<p class="note">${t('lens.note')}</p>
      <div class="row">
        ${this.positionPicker()}
        <label><input type="checkbox" .checked=${halves} @change=${this.#onHalves} /> ${t('lens.halves')}</label>
        <label
          >${t('lens.shade')}
          <select @change=${this.#onShade}>
            ${LENS_SHADES.map(
              (name) => html`<option value=${name} .selected=${name === shade}>${t(`lens.shade.${name}`)}</option>`,
            )}
          </select></label
        >
      </div>
      ${this.#pins.render()} ${this.state(this.#lens)} ${lens && lens.rows.length > 0 ? this.#drawn(lens) : nothing}`;
  }

  #drawn(lens: Lens): TemplateResult {
    const { pins, shade } = this.ws.view.values;
    // The last layer on top, as the stream rises.
    const rows = [...lens.rows].sort((a, b) => order(b) - order(a));
    const [from, to] = rows[0]?.positions ?? [0, 0];
    const columns = this.labels(lens.tokens).slice(from, to).map((word, i) => `${from + i} ${word}`);
    const width = to - from;
    const words = rows.flatMap((row) => Array.from({ length: width }, (_, p) => topWord(row, p)));
    const pinned = shade === 'pinned' && pins.length > 0;
    const values = rows.flatMap((row) => Array.from({ length: width }, (_, p) => this.#value(row, p, pinned, pins.length)));
    const entropy = shade === 'entropy';
    const name = t('lens.name');
    return html`${this.figure(
        name,
        html`<gb-heat-map
          name=${name}
          rowTitle=${t('lens.layer')}
          columnTitle=${t('lens.token')}
          valueTitle=${t(entropy ? 'measure.entropy' : pinned ? 'lens.pinned' : 'lens.top')}
          .data=${{ rows: rows.map(nameOf), columns, words, values, ...(entropy ? {} : { limit: 1 }) }}
          .show=${entropy ? bits : percent}
          @gb-heat-preview=${this.#onCell}
        ></gb-heat-map>`,
        this.#lens,
      )}
      ${this.#reading(rows)} ${pins.length > 0 ? this.#trajectories(lens) : nothing}`;
  }

  #value(row: LensRow, position: number, pinned: boolean, pins: number): number {
    if (this.ws.view.values.shade === 'entropy') return row.entropy.data[position] ?? Number.NaN;
    if (pinned) return row.pinnedProbabilities.data[position * pins] ?? Number.NaN;
    return row.probabilities.data[position * top(row)] ?? Number.NaN;
  }

  /** The most probable tokens of the cell that is pointed at; each can be pinned. */
  #reading(rows: readonly LensRow[]): TemplateResult | typeof nothing {
    const row = this.cell && rows[this.cell.row];
    if (!row || !this.cell) return nothing;
    const { column } = this.cell;
    const count = top(row);
    const ids = Array.from(row.ids.data.subarray(column * count, (column + 1) * count));
    return html`<ul class="chips">
      ${ids.map((id, k) => {
        const token = row.tokens.get(id);
        return html`<li>
          <button type="button" title=${t('lens.pin')} @click=${() => {
            this.#pins.toggle(id, token);
          }}>
            <bdi>${token ? tokenText(token) : id}</bdi> ${percent(row.probabilities.data[column * count + k] ?? 0)}
          </button>
        </li>`;
      })}
    </ul>`;
  }

  /** How the pinned tokens rise and fall with the layers, after the token that is looked at. */
  #trajectories(lens: Lens): TemplateResult {
    const { pins } = this.ws.view.values;
    const rows = [...lens.rows].sort((a, b) => order(a) - order(b)).filter((row) => row.pinnedProbabilities.shape[1] === pins.length);
    const last = (row: LensRow): number => row.positions[1] - row.positions[0] - 1;
    const at = (row: LensRow, n: number): number => last(row) * pins.length + n;
    const names = pins.map((id) => this.#pins.name(id));
    const line = (read: (row: LensRow, n: number) => number) => ({
      places: rows.map(nameOf),
      series: pins.map((_, n) => ({ name: names[n] ?? '', values: rows.map((row) => read(row, n)) })),
    });
    const probabilities = line((row, n) => row.pinnedProbabilities.data[at(row, n)] ?? Number.NaN);
    const ranks = line((row, n) => row.pinnedRanks.data[at(row, n)] ?? Number.NaN);
    const [first, second] = [t('lens.probabilities'), t('lens.ranks')];
    return html`<div class="two even">
      <div>
        <h3>${first}</h3>
        ${this.figure(first, html`<gb-line-chart name=${first} .data=${probabilities} .show=${percent} axisTitle=${t('lens.layer')}></gb-line-chart>`)}
      </div>
      <div>
        <h3>${second}</h3>
        ${this.figure(second, html`<gb-line-chart name=${second} .data=${ranks} logY axisTitle=${t('lens.layer')}></gb-line-chart>`)}
      </div>
    </div>`;
  }

  readonly #onHalves = (event: Event): void => {
    this.ws.view.set({ halves: (event.target as HTMLInputElement).checked });
  };
  readonly #onShade = (event: Event): void => {
    this.ws.view.set({ shade: (event.target as HTMLSelectElement).value as LensShade });
  };
  readonly #onCell = (event: CustomEvent<Cell | null>): void => {
    // The last cell stays readable, so that a token in it can be reached and pinned.
    if (event.detail) this.cell = event.detail;
  };
}

function top(row: LensRow): number {
  return row.ids.shape[1] ?? 1;
}

function topWord(row: LensRow, position: number): string {
  const id = row.ids.data[position * top(row)];
  const token: Token | undefined = id === undefined ? undefined : row.tokens.get(id);
  return token ? tokenText(token) : '';
}

function order({ layer, site }: LensRow): number {
  return 2 * layer + (site.endsWith('resid_mid') ? 0 : 1);
}

function nameOf({ layer, site }: LensRow): string {
  return site.endsWith('resid_mid') ? t('lens.mid', { layer }) : String(layer);
}

function bits(value: number): string {
  return `${significant(value, 3)} bit`;
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-lens-panel': LensPanel;
  }
}
