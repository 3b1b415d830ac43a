import { css, html, nothing, type TemplateResult } from 'lit';
import { customElement } from 'lit/decorators.js';
import type { Bench, Sweep, SweepRow, Token } from '../client/index.js';
import type { Cell } from '../views/cell-cursor.js';
import '../views/candidate-table.js';
import { logit, percent, significant } from '../views/format.js';
import '../views/heat-map.js';
import { tokenText } from '../views/label.js';
import '../views/patch-grid.js';
import type { PatchDrop } from '../views/patch-grid.js';
import { t } from '../views/text.js';
import '../views/token-strip.js';
import { Analysis } from './analysis.js';
import { DeepPanel, deepStyles } from './deep-panel.js';
import { Watch } from './store.js';
import type { Workspace } from './workspace.js';

const SITES = ['resid_pre', 'resid_mid', 'resid_post', 'attn_out', 'mlp_out'] as const;
const SHOWN = 10;

/** The second prompt: its tokens and what comes after it. */
interface Second {
  readonly tokens: readonly Token[];
  readonly bench: Bench;
}

interface SweepWish {
  readonly source: readonly number[];
  readonly kind: string;
  readonly token: number;
  readonly against: number;
}

/** Two prompts side by side; values of the one are put into the other, cell by cell or all in turn. */
@customElement('gb-patch-panel')
export class PatchPanel extends DeepPanel {
  #second!: Analysis<{ text: string }, Second>;
  #sweep!: Analysis<SweepWish, Sweep>;
  protected readonly watch = new Watch(this, () => [this.ws.inspection, this.ws.view, this.ws.edits, this.#second, this.#sweep]);

  static override readonly styles = [
    ...deepStyles,
    css`
      textarea {
        display: block;
        width: 100%;
        min-height: 3.4rem;
        resize: vertical;
        line-height: 1.5;
      }
      gb-token-strip {
        margin: 0.5rem 0 0.8rem;
      }
      p.differs {
        color: var(--error);
      }
    `,
  ];

  override connectedCallback(): void {
    this.#second = new Analysis(this.ws.session, ({ text }, signal) => readSecond(this.ws, text, signal));
    this.#sweep = new Analysis(this.ws.session, (wish, signal, show) => this.#runSweep(wish, signal, show));
    super.connectedCallback();
  }

  protected override willUpdate(): void {
    const { ws } = this;
    const text = ws.view.values.second;
    if (ws.ready && text.trim() !== '') this.#second.want(0, { text });
    const wish = this.#wish();
    if (ws.ready && ws.view.values.sweep && wish) this.#sweep.want(ws.inspection.version, wish);
  }

  override render(): TemplateResult {
    const { second } = this.ws.view.values;
    const other = second.trim() === '' ? undefined : this.#second.result;
    return html`<p class="note">${t('patch.note')}</p>
      <div class="two even">
        <div>
          <h3>${t('patch.source')}</h3>
          <textarea aria-label=${t('patch.source')} rows="2" dir="auto" spellcheck="false" .value=${second} @change=${this.#onText}></textarea>
          ${other ? this.#prompt(other.tokens, other.bench) : nothing}
        </div>
        <div>
          <h3>${t('patch.target')}</h3>
          <textarea aria-label=${t('patch.target')} rows="2" dir="auto" readonly .value=${this.ws.inspection.text}></textarea>
          ${this.#prompt(this.ws.inspection.picture?.tokens ?? [], null)}
        </div>
      </div>
      ${this.state(this.#second)} ${other ? this.#patching(other) : nothing}`;
  }

  #prompt(tokens: readonly Token[], bench: Bench | null): TemplateResult {
    const others = bench ? (this.ws.inspection.picture?.tokens ?? []) : (this.#second.result?.tokens ?? []);
    const differing = Float64Array.from(tokens, ({ id }, i) => (others.length > 0 && others[i]?.id !== id ? 0.35 : Number.NaN));
    const rows = bench
      ? bench.rows.map((row) => ({ ...row, probability: row.probabilities[0] ?? 0 }))
      : (this.ws.inspection.picture?.next ?? []).slice(0, SHOWN);
    return html`<gb-token-strip label=${t('patch.tokens')} .tokens=${tokens} .shades=${differing} .ids=${false}></gb-token-strip>
      <gb-candidate-table .candidates=${rows.slice(0, SHOWN)}></gb-candidate-table>`;
  }

  #patching(other: Second): TemplateResult {
    const { ws } = this;
    const target = ws.inspection.picture?.tokens ?? [];
    const { site } = ws.view.values;
    const layers = ws.session.model?.info.layers ?? 0;
    const equal = other.tokens.length === target.length;
    return html`<h3>${t('patch.drag')}</h3>
      <div class="row">
        <label
          >${t('patch.what')}
          <select @change=${(event: Event) => {
            ws.view.set({ site: (event.target as HTMLSelectElement).value });
          }}>
            ${SITES.map((name) => html`<option value=${name} .selected=${name === site}>${t(`patch.site.${name}`)}</option>`)}
          </select></label
        >
      </div>
      <p class="note">${t('patch.dragNote')}</p>
      <gb-patch-grid
        .source=${this.labels(other.tokens)}
        .target=${this.labels(target)}
        .layers=${layers}
        .patched=${ws.edits.list.flatMap((change) => (change.kind === 'patch' ? [{ layer: change.layer, from: change.from, to: change.position }] : []))}
        @gb-patch=${(event: CustomEvent<PatchDrop>) => {
          const { layer, from, to } = event.detail;
          ws.edits.toggle({ kind: 'patch', site, layer, position: to, from, source: other.tokens.map(({ id }) => id) });
        }}
      ></gb-patch-grid>
      <h3>${t('sweep.title')}</h3>
      ${equal ? this.#sweepPart(other) : html`<p class="note differs">${t('sweep.unequal', { source: other.tokens.length, target: target.length })}</p>`}`;
  }

  #wish(): SweepWish | null {
    const { ws } = this;
    const other = this.#second.result;
    const own = ws.inspection.before ?? ws.inspection.picture;
    const token = other?.bench.rows[0]?.token.id;
    if (!other || !own || token === undefined || other.tokens.length !== own.tokens.length) return null;
    // What the source says, less what the target says instead.
    const against = own.next.find((candidate) => candidate.token.id !== token)?.token.id;
    if (against === undefined) return null;
    return { source: other.tokens.map(({ id }) => id), kind: ws.view.values.site, token, against };
  }

  async #runSweep({ source, kind, token, against }: SweepWish, signal: AbortSignal, show: (sweep: Sweep) => void): Promise<Sweep> {
    const { analysis, info } = this.ws.model;
    const target = { tokens: this.ws.run.tokens };
    const size = source.length;
    const recovered = new Float32Array(info.layers * size).fill(Number.NaN);
    const onRow = ({ layer, metric }: SweepRow): void => {
      recovered.set(metric.data, layer * size);
      const shape = [info.layers, size];
      show({ origin: { layer: 0, position: 0 }, source: Number.NaN, target: Number.NaN, metric: { shape, data: recovered.slice() }, recovered: { shape, data: new Float32Array(recovered.length).fill(Number.NaN) } });
    };
    return analysis.sweep({ source: { tokens: source }, target, kind, token, against, onRow, signal });
  }

  #sweepPart(other: Second): TemplateResult {
    const wish = this.#wish();
    const sweeping = this.ws.view.values.sweep;
    const sweep = sweeping ? this.#sweep.result : undefined;
    if (!wish) return html`<p class="note">${t('sweep.same')}</p>`;
    const name = t('sweep.name');
    const picture = this.ws.inspection.before ?? this.ws.inspection.picture;
    const word = (id: number): string => {
      const token = [...other.bench.rows, ...(picture?.next ?? [])].find((row) => row.token.id === id)?.token;
      return token ? tokenText(token) : String(id);
    };
    return html`<p class="note">${t('sweep.note', { token: word(wish.token), against: word(wish.against) })}</p>
      <div class="row">
        ${this.#sweep.running && sweeping
          ? html`<button type="button" @click=${() => {
              this.#sweep.stop();
              this.ws.view.set({ sweep: false });
            }}>
              ${t('prompt.stop')}
            </button>`
          : html`<button type="button" class="primary" ?disabled=${sweeping} @click=${() => {
              this.ws.view.set({ sweep: true });
            }}>
              ${t('sweep.run')}
            </button>`}
      </div>
      ${this.state(this.#sweep)} ${sweep ? this.#sweepMap(sweep, name, other) : nothing}`;
  }

  #sweepMap(sweep: Sweep, name: string, other: Second): TemplateResult {
    const [layers = 0] = sweep.recovered.shape;
    const whole = Number.isFinite(sweep.source);
    const data = {
      rows: Array.from({ length: layers }, (_, i) => String(sweep.origin.layer + i)),
      columns: this.labels().map((label, i) => `${i} ${label}`),
      values: whole ? sweep.recovered.data : sweep.metric.data,
      signed: true,
      ...(whole ? { limit: 1 } : {}),
    };
    return html`${whole ? html`<p class="note">${t('sweep.ends', { source: logit(sweep.source), target: logit(sweep.target) })}</p>` : nothing}
    ${this.figure(
      name,
      html`<gb-heat-map
        name=${name}
        rowTitle=${t('lens.layer')}
        columnTitle=${t('lens.token')}
        valueTitle=${t(whole ? 'sweep.recovered' : 'sweep.metric')}
        .data=${data}
        .show=${whole ? share : logit}
        @gb-heat-pick=${(event: CustomEvent<Cell | null>) => {
          if (!event.detail) return;
          const { row: layer, column: position } = event.detail;
          const source = other.tokens.map(({ id }) => id);
          this.ws.edits.toggle({ kind: 'patch', site: this.ws.view.values.site, layer, position, from: position, source });
        }}
      ></gb-heat-map>`,
      this.#sweep,
    )}`;
  }

  readonly #onText = (event: Event): void => {
    this.ws.view.set({ second: (event.target as HTMLTextAreaElement).value, sweep: false });
  };
}

async function readSecond(ws: Workspace, text: string, signal: AbortSignal): Promise<Second> {
  const tokens = await ws.inspection.split(text, signal);
  const bench = await ws.model.analysis.bench({ tokens: tokens.map(({ id }) => id), count: SHOWN, signal });
  return { tokens, bench };
}

function share(value: number): string {
  return value >= 0 && value <= 1 ? percent(value) : `${significant(100 * value, 4)} %`.replace('-', '−');
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-patch-panel': PatchPanel;
  }
}
