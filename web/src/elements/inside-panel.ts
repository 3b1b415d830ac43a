import { html, nothing, type TemplateResult } from 'lit';
import { customElement } from 'lit/decorators.js';
import type { Floats, HeadDetail, Norms } from '../client/index.js';
import { bytes, significant } from '../views/format.js';
import '../views/heat-map.js';
import '../views/line-chart.js';
import { t } from '../views/text.js';
import { Analysis } from './analysis.js';
import { DeepPanel } from './deep-panel.js';
import { Watch } from './store.js';

/** Positions for which rotations are drawn. */
const TURNS = 64;

interface Inside {
  readonly norms: Norms;
  /** Null where the layer has no heads. */
  readonly head: HeadDetail | null;
}

/** The stream's length, the rotation of positions, and what the cache keeps. */
@customElement('gb-inside-panel')
export class InsidePanel extends DeepPanel {
  #inside!: Analysis<{ layer: number; head: number; query: number }, Inside>;
  protected readonly watch = new Watch(this, () => [this.ws.inspection, this.ws.view, this.#inside]);

  override connectedCallback(): void {
    this.#inside = new Analysis(this.ws.session, async (wish, signal) => {
      const { analysis } = this.ws.model;
      const norms = await analysis.norms({ ...this.ws.run, signal });
      const head = this.ws.inspection.attends(wish.layer) ? await analysis.head({ ...this.ws.run, ...wish, signal }) : null;
      return { norms, head };
    });
    super.connectedCallback();
  }

  protected override willUpdate(): void {
    const { ws } = this;
    if (!ws.ready) return;
    const query = (ws.inspection.picture?.tokens.length ?? 1) - 1;
    this.#inside.want(ws.inspection.version, { ...ws.inspection.chosen, query });
  }

  override render(): TemplateResult {
    const inside = this.#inside.result;
    return html`<p class="note">${t('inside.note')}</p>
      ${this.state(this.#inside)} ${inside ? this.#drawn(inside) : nothing}`;
  }

  #drawn({ norms, head }: Inside): TemplateResult {
    return html`<div class="two even">
        <div>
          <h3>${t('inside.norms')}</h3>
          <p class="note">${t('inside.normsNote')}</p>
          <div class="row">${this.positionPicker()}</div>
          ${this.#lengths(norms)}
        </div>
        <div>
          <h3>${t('inside.everywhere')}</h3>
          <p class="note">${t('inside.everywhereNote')}</p>
          ${this.#everywhere(norms)}
        </div>
      </div>
      ${head ? this.#ofHead(head) : html`<p>${t('head.convolution', { layer: this.ws.inspection.chosen.layer })}</p>`}`;
  }

  #ofHead(head: HeadDetail): TemplateResult {
    return html`<div class="two even">
        <div>
          <h3>${t('inside.rope')}</h3>
          ${head.rotaryAngles ? this.#rotation(head.rotaryAngles) : html`<p class="note">${t('inside.noRope')}</p>`}
        </div>
        <div>
          <h3>${t('inside.cache')}</h3>
          ${this.#cache(head)}
        </div>
      </div>`;
  }

  #lengths({ residPost, attnOut, mlpOut }: Norms): TemplateResult {
    const [layers = 0, width = 0] = residPost.shape;
    const { position } = this.ws;
    const at = ({ data }: Floats): number[] => Array.from({ length: layers }, (_, layer) => data[layer * width + position] ?? Number.NaN);
    const name = t('inside.normsName', { position });
    const data = {
      places: Array.from({ length: layers }, (_, layer) => String(layer)),
      series: [
        { name: t('inside.stream'), values: at(residPost) },
        { name: t('inside.attention'), values: at(attnOut) },
        { name: 'MLP', values: at(mlpOut) },
      ],
    };
    return this.figure(name, html`<gb-line-chart name=${name} .data=${data} axisTitle=${t('lens.layer')}></gb-line-chart>`, this.#inside);
  }

  #everywhere({ residPost }: Norms): TemplateResult {
    const [layers = 0] = residPost.shape;
    const name = t('inside.everywhere');
    const data = {
      rows: Array.from({ length: layers }, (_, layer) => String(layer)),
      columns: this.labels().map((word, i) => `${i} ${word}`),
      // Lengths differ by orders of magnitude (first tokens are often huge), so colours go by their logarithm.
      values: Float32Array.from(residPost.data, (value) => Math.log10(1 + value)),
    };
    return this.figure(
      name,
      html`<gb-heat-map
        name=${name}
        rowTitle=${t('lens.layer')}
        columnTitle=${t('lens.token')}
        valueTitle=${t('inside.length')}
        .data=${data}
        .show=${fromLog}
      ></gb-heat-map>`,
      this.#inside,
    );
  }

  /** How far each pair of components has turned at each position. */
  #rotation(angles: Floats): TemplateResult {
    const pairs = angles.data.length;
    const values = new Float32Array(pairs * TURNS);
    for (let pair = 0; pair < pairs; pair++) for (let p = 0; p < TURNS; p++) values[pair * TURNS + p] = Math.cos(p * (angles.data[pair] ?? 0));
    const name = t('inside.ropeName');
    const data = {
      rows: Array.from({ length: pairs }, (_, pair) => String(pair)),
      columns: Array.from({ length: TURNS }, (_, p) => String(p)),
      values,
      signed: true,
      limit: 1,
    };
    const [first = 0] = angles.data;
    const last = angles.data.at(-1) ?? 0;
    return html`<p class="note">
        ${t('inside.ropeNote', { first: significant((2 * Math.PI) / first, 3), last: significant((2 * Math.PI) / last, 3) })}
      </p>
      ${this.figure(
        name,
        html`<gb-heat-map
          name=${name}
          rowTitle=${t('inside.pair')}
          columnTitle=${t('inside.position')}
          valueTitle=${t('inside.cosine')}
          .data=${data}
        ></gb-heat-map>`,
        this.#inside,
      )}`;
  }

  /** Keys and values of the group that the chosen head reads. */
  #cache(head: HeadDetail): TemplateResult {
    const info = this.ws.session.model?.info;
    const { layer, kvHead } = head;
    const keys = head.rotK ?? head.k;
    const [count = 0, size = 0] = keys.shape;
    const grid = (name: string, tensor: Floats, kind: string): TemplateResult => {
      const data = {
        rows: this.labels().slice(0, count).map((word, i) => `${i} ${word}`),
        columns: Array.from({ length: size }, (_, i) => String(i)),
        values: tensor.data,
        signed: true,
      };
      return this.figure(
        name,
        html`<gb-heat-map name=${name} rowTitle=${t('lens.token')} columnTitle=${t('numbers.component')} valueTitle=${kind} .data=${data}></gb-heat-map>`,
        this.#inside,
      );
    };
    const values = info ? 2 * info.layers * info.kvHeads * info.headDim : 0;
    const shared = info ? info.heads / info.kvHeads : 1;
    return html`<p class="note">
        ${t('inside.cacheNote', {
          layer,
          kvHead,
          layers: info?.layers ?? 0,
          heads: info?.kvHeads ?? 0,
          each: values,
          bytes: bytes(values * count * Float32Array.BYTES_PER_ELEMENT),
          count,
        })}
        ${shared > 1 ? t('inside.cacheShared', { shared }) : nothing}
      </p>
      ${grid(t('inside.keys', { layer, kvHead }), keys, 'k')} ${grid(t('inside.values', { layer, kvHead }), head.v, 'v')}`;
  }
}

function fromLog(value: number): string {
  return significant(10 ** value - 1, 4);
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-inside-panel': InsidePanel;
  }
}
