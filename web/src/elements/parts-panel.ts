import { html, nothing, type TemplateResult } from 'lit';
import { customElement } from 'lit/decorators.js';
import type { Attribution, ModelInfo, Part, PartKind, PartName, Promotion, TokenEffect } from '../client/index.js';
import '../views/bar-list.js';
import type { Bar } from '../views/bar-list.js';
import type { Cell } from '../views/cell-cursor.js';
import { shownSentence } from '../views/error-words.js';
import { logit, significant } from '../views/format.js';
import '../views/heat-map.js';
import { tokenText } from '../views/label.js';
import { t } from '../views/text.js';
import { Analysis } from './analysis.js';
import { DeepPanel } from './deep-panel.js';
import { partName } from './part-name.js';
import { PinPicker } from './pin-picker.js';
import { Watch } from './store.js';

const STRONGEST = 14;
const LISTED = 8;

interface Wish {
  readonly token: number;
  readonly against: number | null;
  readonly position: number;
}

/** What each head, MLP and the embedding add to the logit of a token, or to the difference of two. */
@customElement('gb-parts-panel')
export class PartsPanel extends DeepPanel {
  readonly #pins = new PinPicker(this, () => this.ws);
  #attribution!: Analysis<Wish, Attribution>;
  #promoted!: Analysis<{ part: PartName; position: number }, readonly Promotion[]>;
  protected readonly watch = new Watch(this, () => [this.ws.inspection, this.ws.view, this.ws.expected, this.#attribution, this.#promoted]);

  override connectedCallback(): void {
    this.#attribution = new Analysis(this.ws.session, ({ against, ...wish }, signal) =>
      this.ws.model.analysis.attribute({ ...this.ws.run, ...wish, ...(against === null ? {} : { against }), signal }),
    );
    this.#promoted = new Analysis(this.ws.session, ({ part, position }, signal) =>
      this.ws.model.analysis.promoted({ ...this.ws.run, parts: [part], position, top: LISTED, signal }),
    );
    super.connectedCallback();
  }

  protected override willUpdate(): void {
    const { ws } = this;
    const token = this.#token();
    if (!ws.ready || token === undefined) return;
    const { position } = ws;
    const { part, against: other } = ws.view.values;
    const against = other === token ? null : other;
    this.#attribution.want(ws.inspection.version, { token, against, position });
    if (part) this.#promoted.want(ws.inspection.version, { part, position });
  }

  override render(): TemplateResult {
    const attribution = this.#attribution.result;
    return html`<p class="note">${t('parts.note')}</p>
      <div class="row">${this.positionPicker()} ${this.#againstPicker()}</div>
      ${this.#pins.render()} ${this.state(this.#attribution)} ${attribution ? this.#drawn(attribution) : nothing}`;
  }

  /** The first pinned token, else the most probable one at the position that is looked at. */
  #token(): number | undefined {
    const { ws } = this;
    // Within the prompt, what the model itself would have said there.
    const within = ws.expected.stale ? undefined : ws.expected.result?.expectations[ws.position + 1]?.top[0]?.token;
    return ws.view.values.pins[0] ?? (within ?? ws.inspection.picture?.next[0]?.token)?.id;
  }

  #againstPicker(): TemplateResult {
    const { pins, against } = this.ws.view.values;
    const token = this.#token();
    const next = (this.ws.inspection.picture?.next ?? []).slice(0, 8).map((candidate) => candidate.token.id);
    const ids = [...new Set([...pins, ...next, ...(against === null ? [] : [against])])].filter((id) => id !== token);
    const onChange = (event: Event): void => {
      const { value } = event.target as HTMLSelectElement;
      this.ws.view.set({ against: value === '' ? null : Number(value) });
    };
    return html`<label
      >${t('parts.against')}
      <select @change=${onChange}>
        <option value="" .selected=${against === null}>${t('parts.nothing')}</option>
        ${ids.map((id) => html`<option value=${id} .selected=${id === against}>${this.#pins.name(id)}</option>`)}
      </select></label
    >`;
  }

  #drawn(attribution: Attribution): TemplateResult {
    const { token, against, logit: total, parts, scale, note } = attribution;
    const of = against ? t('parts.difference', { token: tokenText(token), against: tokenText(against) }) : t('parts.of', { token: tokenText(token) });
    const sum = parts.reduce((all, { contribution }) => all + contribution, 0);
    return html`<p class="note">
        ${t('parts.sum', { of, sum: logit(sum), total: logit(total), scale: significant(scale, 4) })}
        ${note === null ? nothing : shownSentence(note)}
      </p>
      <div class="two">
        <div>
          <h3>${t('parts.heads')}</h3>
          ${this.#heads(attribution, of)}
        </div>
        <div>
          <h3>${t('parts.strongest')}</h3>
          ${this.#bars(parts, of)} ${this.#promotions()}
        </div>
      </div>`;
  }

  /** Layers by heads, then the convolutions of models that have some, then the MLPs. */
  #heads({ parts }: Attribution, of: string): TemplateResult {
    const info = this.ws.session.model?.info;
    if (!info) return html``;
    const { layers, heads, kvHeads } = info;
    const columns = columnsOf(info);
    const values = new Float32Array(layers * columns.length).fill(Number.NaN);
    for (const { part, contribution } of parts) {
      const column = columns.findIndex(({ kind, head }) => kind === part.kind && head === part.head);
      if (part.layer !== null && column >= 0) values[part.layer * columns.length + column] = contribution;
    }
    const data = {
      rows: Array.from({ length: layers }, (_, layer) => String(layer)),
      columns: columns.map(({ name }) => name),
      values,
      signed: true,
      group: kvHeads < heads ? heads / kvHeads : 0,
    };
    const name = t('parts.name', { of });
    return this.figure(
      name,
      html`<gb-heat-map
        name=${name}
        rowTitle=${t('lens.layer')}
        columnTitle=${t('head.head')}
        valueTitle=${t('parts.value')}
        .data=${data}
        .show=${logit}
        @gb-heat-pick=${(event: CustomEvent<Cell | null>) => {
          this.#choose(event.detail, values, columns);
        }}
      ></gb-heat-map>`,
      this.#attribution,
    );
  }

  #choose(cell: Cell | null, values: Float32Array, columns: readonly Column[]): void {
    const column = cell && columns[cell.column];
    // A layer has either heads or a convolution: the other's cells are empty.
    if (!cell || !column || Number.isNaN(values[cell.row * columns.length + cell.column])) {
      this.ws.view.set({ part: null });
      return;
    }
    const { kind, head } = column;
    this.ws.view.set({ part: { kind, layer: cell.row, head } });
    if (head !== null) this.ws.inspection.lock({ layer: cell.row, head });
  }

  #bars(parts: readonly Part[], of: string): TemplateResult {
    const sorted = [...parts].sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution));
    const rest = sorted.slice(STRONGEST).reduce((sum, { contribution }) => sum + contribution, 0);
    const bars: Bar[] = sorted.slice(0, STRONGEST).map(({ part, contribution }) => ({ name: partName(part), value: contribution, id: parts.findIndex((other) => other.part === part) }));
    if (sorted.length > STRONGEST) bars.push({ name: t('parts.rest', { count: sorted.length - STRONGEST }), value: rest });
    const name = t('parts.strongestOf', { of });
    return this.figure(
      name,
      html`<gb-bar-list
        name=${name}
        nameTitle=${t('parts.part')}
        valueTitle=${t('parts.value')}
        action=${t('parts.look')}
        .bars=${bars}
        .show=${logit}
        @gb-bar=${(event: CustomEvent<Bar>) => {
          const part = parts[event.detail.id ?? -1]?.part;
          if (part) this.ws.view.set({ part });
        }}
      ></gb-bar-list>`,
      this.#attribution,
    );
  }

  #promotions(): TemplateResult {
    const promotion = this.#promoted.result?.[0];
    const { part } = this.ws.view.values;
    if (!part) return html`<p class="note">${t('parts.choose')}</p>`;
    return html`<h3>${t('parts.pushes', { part: partName(part) })}</h3>
      ${this.state(this.#promoted)}
      ${promotion ? html`<div class="two even">${effects(t('parts.up'), promotion.promoted)} ${effects(t('parts.down'), promotion.suppressed)}</div>` : nothing}`;
  }
}

/** A kind of part that every layer has at most one of. */
interface Column {
  readonly kind: PartKind;
  readonly head: number | null;
  readonly name: string;
}

function columnsOf({ heads, convolutions }: Pick<ModelInfo, 'heads' | 'convolutions'>): Column[] {
  return [
    ...Array.from({ length: heads }, (_, head): Column => ({ kind: 'head', head, name: String(head) })),
    ...(convolutions.length > 0 ? [{ kind: 'convolution', head: null, name: t('parts.convolution') } as const] : []),
    { kind: 'mlp', head: null, name: 'MLP' },
  ];
}

/** Tokens with what is added to their logits. */
export function effects(name: string, list: readonly TokenEffect[]): TemplateResult {
  const bars = list.map(({ token, logit: value }) => ({ name: tokenText(token), value }));
  return html`<div>
    <p class="note">${name}</p>
    <gb-bar-list name=${name} .bars=${bars} .show=${logit}></gb-bar-list>
  </div>`;
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-parts-panel': PartsPanel;
  }
}
