import { html, nothing, type TemplateResult } from 'lit';
import { customElement } from 'lit/decorators.js';
import type { Bench, BenchRow, Sampler } from '../client/index.js';
import { percent, whole } from '../views/format.js';
import '../views/line-chart.js';
import '../views/sampler-table.js';
import { t } from '../views/text.js';
import { Analysis } from './analysis.js';
import { DeepPanel } from './deep-panel.js';
import './sampler-form.js';
import { Watch } from './store.js';

const PAGE = 20;
const DRAWS = 1000;
/** Vocabularies up to this size are asked for in one go. */
const WHOLE = 2048;
const CURVE_POINTS = 32;
/** How long nothing moves before the curve follows. */
const RESTS_AFTER_MS = 150;

interface TableWish {
  readonly sampler: Sampler;
  readonly position: number;
  readonly from: number;
  readonly search: string;
  readonly draws: number;
}

interface CurveWish {
  readonly sampler: Sampler;
  readonly position: number;
}

interface Curve {
  readonly ranks: readonly number[];
  readonly raw: readonly number[];
  readonly final: readonly number[];
}

/** The whole distribution of the next token, and what each stage of the sampler makes of it. */
@customElement('gb-sampler-panel')
export class SamplerPanel extends DeepPanel {
  #bench!: Analysis<TableWish, Bench>;
  #curve!: Analysis<CurveWish, Curve>;
  #curved = '';
  #rest: ReturnType<typeof setTimeout> | undefined;
  protected readonly watch = new Watch(this, () => [this.ws.inspection, this.ws.generation, this.ws.view, this.#bench, this.#curve]);

  override connectedCallback(): void {
    const { session } = this.ws;
    this.#bench = new Analysis(session, ({ draws, ...wish }, signal) =>
      this.ws.model.analysis.bench({ ...this.ws.run, ...wish, draws, count: PAGE, signal }),
    );
    this.#curve = new Analysis(session, (wish, signal) => this.#readCurve(wish, signal));
    super.connectedCallback();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#rest);
  }

  protected override willUpdate(): void {
    const { ws } = this;
    if (!ws.ready) return;
    const { sampler } = ws.generation;
    const { position } = ws;
    const { from, search, draws } = ws.view.values;
    this.#bench.want(ws.inspection.version, { sampler, position, from, search, draws: draws ? DRAWS : 0 });
    this.#wantCurve({ sampler, position });
  }

  /** The curve is of the whole vocabulary, and waits until the hand rests: the table is not to wait for it. */
  #wantCurve(wish: CurveWish): void {
    const { version } = this.ws.inspection;
    const next = `${version} ${JSON.stringify(wish)}`;
    if (next === this.#curved) return;
    const first = this.#curved === '';
    this.#curved = next;
    clearTimeout(this.#rest);
    this.#rest = setTimeout(
      () => {
        this.#curve.want(version, wish);
      },
      first ? 0 : RESTS_AFTER_MS,
    );
  }

  override render(): TemplateResult {
    const bench = this.#bench.result;
    return html`<p class="note">${t('bench.note')}</p>
      <div class="row">${this.positionPicker()}</div>
      ${this.state(this.#bench)}
      <div class="two">
        <div>
          <gb-sampler-form .generation=${this.ws.generation} .length=${false}></gb-sampler-form>
          ${bench ? this.#table(bench) : nothing}
        </div>
        <div>${this.#curve.result ? this.#drawCurve(this.#curve.result) : nothing}</div>
      </div>`;
  }

  #table(bench: Bench): TemplateResult {
    const { stages, total, drawn } = bench;
    const { from, search, draws } = this.ws.view.values;
    const rows: readonly BenchRow[] = draws ? drawn.slice(from, from + PAGE) : bench.rows;
    const all = draws ? drawn.length : total;
    const name = t('bench.table');
    return html`<div class="row">
        <label
          >${t('bench.search')}
          <input type="text" .value=${search} @input=${this.#onSearch} ?disabled=${draws} spellcheck="false"
        /></label>
        <button type="button" aria-pressed=${draws ? 'true' : 'false'} @click=${this.#onDraw}>
          ${t('bench.draw', { draws: whole(DRAWS) })}
        </button>
      </div>
      ${draws ? html`<p class="note">${t('bench.drew', { draws: whole(DRAWS), kinds: drawn.length, seed: this.ws.generation.sampler.seed })}</p>` : nothing}
      ${this.figure(
        name,
        html`<gb-sampler-table name=${name} .stages=${stages} .rows=${rows} .draws=${draws ? DRAWS : 0}></gb-sampler-table>`,
        this.#bench,
      )}
      <div class="row">
        <button type="button" class="quiet" ?disabled=${from === 0} @click=${this.#page(-PAGE)}>${t('table.before')}</button>
        <span class="note">${t('table.range', { from: whole(Math.min(all, from + 1)), to: whole(Math.min(all, from + PAGE)), all: whole(all) })}</span>
        <button type="button" class="quiet" ?disabled=${from + PAGE >= all} @click=${this.#page(PAGE)}>${t('table.after')}</button>
      </div>`;
  }

  #drawCurve({ ranks, raw, final }: Curve): TemplateResult {
    const name = t('bench.curve');
    const series = [
      { name: t('candidates.raw'), values: raw },
      // A probability of 0 has no place on a logarithmic axis: there the line ends.
      { name: t('candidates.sampled'), values: final.map((p) => (p > 0 ? p : Number.NaN)) },
    ];
    const data = { places: ranks.map((rank) => whole(rank)), at: ranks, series };
    return html`<h3>${name}</h3>
      <p class="note">${t('bench.curveNote')}</p>
      ${this.figure(
        name,
        html`<gb-line-chart
          name=${name}
          .data=${data}
          logX
          logY
          .height=${300}
          axisTitle=${t('candidates.rank')}
          valueTitle=${t('candidates.probability')}
          .show=${percent}
        ></gb-line-chart>`,
        this.#curve,
      )}`;
  }

  /** Probabilities over the whole vocabulary: all of them where they are few, else at places along a logarithmic axis. */
  async #readCurve({ sampler, position }: CurveWish, signal: AbortSignal): Promise<Curve> {
    const { analysis, info } = this.ws.model;
    const ask = async (from: number, count: number): Promise<readonly BenchRow[]> =>
      (await analysis.bench({ ...this.ws.run, sampler, position, from, count, signal })).rows;
    const rows = [...(await ask(0, Math.min(info.vocab, WHOLE)))];
    for (const rank of logRanks(WHOLE, info.vocab, CURVE_POINTS)) rows.push(...(await ask(rank - 1, 1)));
    return {
      ranks: rows.map(({ rank }) => rank),
      raw: rows.map(({ probabilities }) => probabilities[0] ?? Number.NaN),
      final: rows.map(({ probabilities }) => probabilities.at(-1) ?? Number.NaN),
    };
  }

  readonly #page = (by: number) => () => {
    const { view } = this.ws;
    view.set({ from: Math.max(0, view.values.from + by) });
  };

  readonly #onSearch = (event: InputEvent): void => {
    this.ws.view.set({ search: (event.target as HTMLInputElement).value, from: 0 });
  };

  readonly #onDraw = (): void => {
    this.ws.view.set({ draws: !this.ws.view.values.draws, from: 0 });
  };
}

/** Ranks beyond `from` up to `to`, evenly spread on a logarithmic axis; the last is `to`. */
function logRanks(from: number, to: number, count: number): number[] {
  if (to <= from) return [];
  const ranks = Array.from({ length: count }, (_, i) => Math.round(from * (to / from) ** ((i + 1) / count)));
  return [...new Set(ranks)];
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-sampler-panel': SamplerPanel;
  }
}
