import { css, html, nothing, type TemplateResult } from 'lit';
import { customElement } from 'lit/decorators.js';
import type { HeadDetail, Neurons } from '../client/index.js';
import type { Cell } from '../views/cell-cursor.js';
import { significant, weight, whole } from '../views/format.js';
import '../views/heat-map.js';
import '../views/step-table.js';
import '../views/sum-strip.js';
import { t } from '../views/text.js';
import { Analysis } from './analysis.js';
import { DeepPanel, deepStyles } from './deep-panel.js';
import { effects } from './parts-panel.js';
import { Watch } from './store.js';

const NEURONS = 8;
/** What the engine writes where a key is masked. */
const MASKED = -1e29;

interface HeadWish {
  readonly layer: number;
  readonly head: number;
  readonly query: number;
}

/** One head at one query, number by number: from q and k to what it writes; and the neurons of its layer. */
@customElement('gb-numbers-panel')
export class NumbersPanel extends DeepPanel {
  static override readonly styles = [
    ...deepStyles,
    css`
      .sum {
        margin: 0.6rem 0 0;
        padding-inline-start: 1.2rem;
        font-size: var(--small);
        line-height: 1.6;
      }
    `,
  ];

  #head!: Analysis<HeadWish, HeadDetail>;
  #neurons!: Analysis<{ layer: number; position: number }, Neurons>;
  protected readonly watch = new Watch(this, () => [this.ws.inspection, this.ws.view, this.#head, this.#neurons]);

  override connectedCallback(): void {
    this.#head = new Analysis(this.ws.session, (wish, signal) => this.ws.model.analysis.head({ ...this.ws.run, ...wish, signal }));
    this.#neurons = new Analysis(this.ws.session, (wish, signal) =>
      this.ws.model.analysis.neurons({ ...this.ws.run, ...wish, top: NEURONS, signal }),
    );
    super.connectedCallback();
  }

  protected override willUpdate(): void {
    const { ws } = this;
    if (!ws.ready) return;
    const { layer, head } = ws.inspection.chosen;
    if (this.ws.inspection.attends(layer)) this.#head.want(ws.inspection.version, { layer, head, query: ws.position });
    this.#neurons.want(ws.inspection.version, { layer, position: ws.position });
  }

  override render(): TemplateResult {
    const { layer, head } = this.ws.inspection.chosen;
    const detail = this.#head.result;
    const neurons = this.#neurons.result;
    const numbers = html`${this.state(this.#head)} ${detail ? this.#detail(detail) : nothing}`;
    return html`<p class="note">${t('numbers.note')}</p>
      <div class="row"><strong>${t('head.title', { layer, head })}</strong> ${this.positionPicker()}</div>
      ${this.ws.inspection.attends(layer) ? numbers : html`<p>${t('head.convolution', { layer })}</p>`}
      <h3>${t('numbers.neurons', { layer })}</h3>
      ${this.state(this.#neurons)} ${neurons ? this.#mlp(neurons) : nothing}`;
  }

  #detail(detail: HeadDetail): TemplateResult {
    const key = Math.min(this.ws.view.values.key ?? strongest(detail), detail.query);
    const rows = this.labels().map((word, i) => `${i} ${word}`);
    return html`<div class="two even">
        <div>
          <h3>${t('numbers.scores')}</h3>
          <p class="note">${t('numbers.scoresNote')}</p>
          ${this.#scores(detail, rows)}
        </div>
        <div>${this.#oneCell(detail, key, rows)}</div>
      </div>
      ${this.#mix(detail, rows)}`;
  }

  /** Each key's way from dot product to weight. */
  #scores(detail: HeadDetail, rows: readonly string[]): TemplateResult {
    const steps = ['dot', 'scaled', 'weight'] as const;
    const count = detail.query + 1;
    const name = t('numbers.scoresName', { query: detail.query });
    const table = html`<gb-step-table
      name=${name}
      .titles=${steps.map((step) => t(`numbers.${step}`))}
      .rows=${Array.from({ length: count }, (_, i) => ({
        name: rows[i] ?? String(i),
        values: [detail.dots.data[i] ?? 0, detail.scores.data[i] ?? 0, detail.pattern.data[i] ?? 0],
      }))}
      .selected=${Math.min(this.ws.view.values.key ?? strongest(detail), detail.query)}
      .masked=${MASKED}
      @gb-step=${(event: CustomEvent<number>) => {
        this.ws.view.set({ key: event.detail });
      }}
    ></gb-step-table>`;
    return this.figure(name, table, this.#head);
  }

  /** The sum that makes one cell: q times k, component by component. */
  #oneCell(detail: HeadDetail, key: number, rows: readonly string[]): TemplateResult {
    const size = detail.q.shape[0] ?? 0;
    const q = (detail.rotQ ?? detail.q).data;
    const k = (detail.rotK ?? detail.k).data.subarray(key * size, (key + 1) * size);
    const products = Float32Array.from(q, (value, i) => value * (k[i] ?? 0));
    const dot = detail.dots.data[key] ?? 0;
    const score = detail.scores.data[key] ?? 0;
    const name = t('numbers.cellName', { query: detail.query, key });
    return html`<h3>${name}</h3>
      <p class="note">${t(detail.rotQ ? 'numbers.rotated' : 'numbers.unrotated', { size })} ${detail.kvHead === detail.head ? nothing : t('numbers.shared', { kvHead: detail.kvHead })}</p>
      ${this.figure(
        name,
        html`<gb-sum-strip
          name=${name}
          .rows=${[
            { name: `q ${rows[detail.query] ?? ''}`, kind: 'query', values: q },
            { name: `k ${rows[key] ?? ''}`, kind: 'key', values: k },
            { name: 'q × k', kind: 'product', values: products },
          ]}
        ></gb-sum-strip>`,
        this.#head,
      )}
      <ol class="sum">
        <li>${t('numbers.step.dot', { sum: significant(dot, 7) })}</li>
        <li>${t('numbers.step.scale', { dot: significant(dot, 7), scale: significant(detail.scale, 7), score: significant(score, 7) })}</li>
        <li>${t('numbers.step.softmax', { score: significant(score, 7), count: whole(detail.query + 1), weight: weight(detail.pattern.data[key] ?? 0) })}</li>
      </ol>`;
  }

  /** The values, weighted and summed. */
  #mix(detail: HeadDetail, rows: readonly string[]): TemplateResult {
    const size = detail.z.shape[0] ?? 0;
    const count = detail.query + 1;
    const weighted = new Float32Array((count + 1) * size);
    for (let key = 0; key < count; key++) {
      for (let i = 0; i < size; i++) weighted[key * size + i] = (detail.pattern.data[key] ?? 0) * (detail.v.data[key * size + i] ?? 0);
    }
    weighted.set(detail.z.data, count * size);
    const name = t('numbers.mixName', { query: detail.query });
    const data = {
      rows: [...rows.slice(0, count), t('numbers.z')],
      columns: Array.from({ length: size }, (_, i) => String(i)),
      values: weighted,
      signed: true,
    };
    return html`<h3>${t('numbers.mix')}</h3>
      <p class="note">${t('numbers.mixNote', { length: significant(length(detail.out.data), 5), width: detail.out.shape[0] ?? 0 })}</p>
      ${this.figure(
        name,
        html`<gb-heat-map
          name=${name}
          rowTitle=${t('attention.key')}
          columnTitle=${t('numbers.component')}
          valueTitle=${t('numbers.weightTimesV')}
          .data=${data}
          @gb-heat-pick=${(event: CustomEvent<Cell | null>) => {
            if (event.detail && event.detail.row < count) this.ws.view.set({ key: event.detail.row });
          }}
        ></gb-heat-map>`,
        this.#head,
      )}`;
  }

  #mlp({ neurons, width, position }: Neurons): TemplateResult {
    const name = t('numbers.neuronsName', { position });
    const bars = neurons.map(({ index, activation }, id) => ({ name: String(index), value: activation, id }));
    const chosen = neurons[Math.min(this.ws.view.values.neuron, neurons.length - 1)];
    return html`<p class="note">${t('numbers.neuronsNote', { count: neurons.length, width: whole(width) })}</p>
      <div class="two even">
        ${this.figure(
          name,
          html`<gb-bar-list
            name=${name}
            nameTitle=${t('numbers.neuron')}
            valueTitle=${t('numbers.activation')}
            action=${t('parts.look')}
            .bars=${bars}
            @gb-bar=${(event: CustomEvent<{ id?: number }>) => {
              this.ws.view.set({ neuron: event.detail.id ?? 0 });
            }}
          ></gb-bar-list>`,
          this.#neurons,
        )}
        ${chosen
          ? html`<div>
              <p class="note">
                ${t('numbers.chosen', {
                  index: chosen.index,
                  pre: significant(chosen.pre, 5),
                  linear: chosen.linear === null ? '' : ` × ${significant(chosen.linear, 5)}`,
                  activation: significant(chosen.activation, 5),
                  norm: significant(chosen.norm, 5),
                })}
              </p>
              <div class="two even">${effects(t('parts.up'), chosen.promoted)} ${effects(t('parts.down'), chosen.suppressed)}</div>
            </div>`
          : nothing}
      </div>`;
  }
}

function strongest({ pattern }: HeadDetail): number {
  return pattern.data.reduce((best, value, i) => (value > (pattern.data[best] ?? 0) ? i : best), 0);
}

function length(values: Float32Array): number {
  return Math.hypot(...values);
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-numbers-panel': NumbersPanel;
  }
}
