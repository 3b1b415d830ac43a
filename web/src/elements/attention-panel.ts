import { html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import '../views/attention-arcs.js';
import type { ArcFocus } from '../views/attention-arcs.js';
import type { AttentionCell } from '../views/attention-matrix.js';
import type { HeadSign } from '../views/attention-grid.js';
import '../views/attention-grid.js';
import '../views/attention-matrix.js';
import '../views/attention-reading.js';
import { controls, emit, shared, View } from '../views/element.js';
import '../views/figure.js';
import { significant } from '../views/format.js';
import { patternOf } from '../views/label.js';
import { windowOf } from '../views/patterns.js';
import type { Pattern } from '../views/raster.js';
import '../views/ramp-legend.js';
import { t, type TextKey } from '../views/text.js';
import type { AttentionData, HeadIndex } from '../views/types.js';
import { attentionStyles } from './attention-styles.js';
import { Mixer } from './mixer.js';
import { panel } from './panel.js';
import type { Picture } from './picture.js';
import { Watch } from './store.js';
import { HEAD_PICTURES, MIXES, type Mix } from './view-state.js';
import type { Workspace } from './workspace.js';

/** Side of a thumbnail in pixels. */
const THUMBNAIL = 96;

/** Stands for a side of a cell that is not looked at. */
const NONE = -1;

/** One letter for what a head does, in its thumbnail. */
const SIGNS = { previous_token: 'p', first_token: 's', induction: 'i', duplicate_token: 'd' } as const;

/**
 * All heads small, and one large beside them. The host itself has no box: its two sections take part in the page's
 * layout.
 */
@customElement('gb-attention-panel')
export class AttentionPanel extends View {
  @property({ attribute: false }) ws!: Workspace;
  @state() private cell: AttentionCell | null = null;
  readonly #mixer = new Mixer();
  #small: { readonly of: unknown; readonly data: AttentionData | null } = { of: null, data: null };
  protected readonly watch = new Watch(this, () => [this.ws.inspection, this.ws.view, this.ws.heads, this.ws.edits]);

  static override readonly styles = [shared, controls, panel, attentionStyles];

  protected override willUpdate(): void {
    const { ws } = this;
    const { picture } = ws.inspection;
    const missing = picture !== undefined && !isWhole(picture);
    if (ws.ready) ws.heads.want(ws.inspection.version, { thumbnails: missing ? THUMBNAIL : 0 });
  }

  override render(): TemplateResult {
    const { picture, head, locked } = this.ws.inspection;
    return html`<section aria-labelledby="grid-title" class="grid-section">
        <h2 id="grid-title">${t('grid.title')} ${picture ? html`<small>${shapeOf(picture)}</small>` : nothing}</h2>
        ${picture ? this.#grid(picture, locked) : html`<p class="note">${this.#waiting()}</p>`}
      </section>
      <section aria-labelledby="head-title" class="head-section">
        <h2 id="head-title">
          ${this.#title(head)} ${locked ? html`<small>${t('head.locked')}</small>` : nothing}
        </h2>
        ${picture ? this.#head(picture, head) : nothing}
      </section>`;
  }

  #waiting(): string {
    return t(this.ws.inspection.running ? 'grid.reading' : 'grid.waiting');
  }

  #title(head: HeadIndex): string {
    const { mix, other } = this.ws.view.values;
    if (mix === 'head' && !this.ws.inspection.attends(head.layer)) return t('head.ofConvolution', { layer: head.layer });
    return t(mix === 'head' ? 'head.title' : `head.of.${mix}`, { ...head, otherLayer: other[0], otherHead: other[1] });
  }

  #grid(picture: Picture, locked: HeadIndex | null): TemplateResult {
    const { ws } = this;
    const info = ws.session.model?.info;
    const group = info ? info.heads / Math.max(1, info.kvHeads) : 1;
    const { scale } = ws.view.values;
    const signs = this.#signs();
    const { lines, data } = ws.provenance();
    return html`<p class="note">${t('grid.note')} ${group > 1 ? t('grid.groups', { group }) : nothing}</p>
      <gb-figure name=${t('grid.figure')} .lines=${lines} .data=${data}>
      <gb-attention-grid
        .data=${picture.attention}
        .selected=${locked}
        .scale=${scale}
        .group=${group}
        .thumbnails=${this.#thumbnails(picture)}
        .off=${ws.edits.off(picture.attention.heads)}
        .signs=${signs}
        @gb-head-preview=${this.#onPreview}
        @gb-head-pick=${this.#onPick}
      ></gb-attention-grid>
      </gb-figure>
      <div class="legend">
        <gb-ramp-legend .scale=${scale} caption=${t('attention.caption')}></gb-ramp-legend>
        <label><input type="checkbox" .checked=${scale === 'linear'} @change=${this.#onScale} /> ${t('grid.linear')}</label>
      </div>
      ${signs.length > 0 ? this.#legendOfSigns(signs) : nothing}
      <p class="note">${t('grid.pixels')}</p>`;
  }

  /** Small patterns of all heads, where the prompt is too long for all the large ones. */
  #thumbnails({ attention }: Picture): AttentionData | null {
    const { heads } = this.ws;
    const small = heads.stale ? null : (heads.result?.thumbnails ?? null);
    if (small === this.#small.of) return this.#small.data;
    const [layers = 0, count = 0, size = 0] = small?.shape ?? [];
    const each = count * size * size;
    const all = Array.from({ length: layers }, (_, layer) => small?.data.subarray(layer * each, (layer + 1) * each) ?? null);
    this.#small = { of: small, data: small && { heads: attention.heads, size, layers: all } };
    return this.#small.data;
  }

  /** What heads were found to do on this prompt; where one does several things, the strongest. */
  #signs(): HeadSign[] {
    const { heads, inspection } = this.ws;
    if (heads.stale || inspection.recorded) return [];
    const seen = new Set<string>();
    return (heads.result?.labels ?? []).flatMap(({ layer, head, role, score }) => {
      if (seen.has(`${layer}.${head}`)) return [];
      seen.add(`${layer}.${head}`);
      return [{ head: { layer, head }, sign: SIGNS[role], name: t(`role.${role}.found`, { score: significant(score, 3) }) }];
    });
  }

  #legendOfSigns(signs: readonly HeadSign[]): TemplateResult {
    const used = Object.entries(SIGNS).filter(([, sign]) => signs.some((other) => other.sign === sign));
    return html`<ul class="signs">
      ${used.map(([role, sign]) => html`<li><kbd aria-hidden="true">${sign}</kbd> ${t(`role.${role}` as TextKey)}</li>`)}
    </ul>`;
  }

  #head(picture: Picture, head: HeadIndex): TemplateResult {
    const { picture: drawn, mix } = this.ws.view.values;
    const pattern = this.#mixer.pattern(picture, this.ws.inspection.before, head, this.ws.view.values);
    const { layers, heads } = { layers: picture.attention.layers.length, heads: picture.attention.heads };
    const attends = this.ws.inspection.attends(head.layer);
    return html`<div class="heads">
        ${this.#picker(t('head.layer'), head.layer, layers, (layer) => ({ ...head, layer }))}
        ${attends ? this.#picker(t('head.head'), head.head, heads, (index) => ({ ...head, head: index })) : nothing}
        ${this.#mixes(picture, mix)} ${this.#switch(head, attends)}
        <span class="group" role="group" aria-label=${t('head.drawn')}>
          ${HEAD_PICTURES.map(
            (name) =>
              html`<button type="button" aria-pressed=${name === drawn ? 'true' : 'false'} @click=${() => {
                this.ws.view.set({ picture: name });
              }}>
                ${t(`head.${name}`)}
              </button>`,
          )}
        </span>
      </div>
      ${mix === 'other' ? this.#other(layers, heads) : nothing}
      ${pattern ? this.#drawn(picture, pattern, head) : this.#absent(mix, head)}`;
  }

  #mixes(picture: Picture, mix: Mix): TemplateResult {
    const onChange = (event: Event): void => {
      const { value } = event.target as HTMLSelectElement;
      this.ws.view.set({ mix: MIXES.find((name) => name === value) ?? 'head' });
    };
    const { convolutions = [] } = picture.attention;
    // Of a rollout every layer is a factor; a mean is of the heads there are.
    const offered: Readonly<Record<Mix, boolean>> = {
      head: true,
      layer: true,
      other: true,
      change: this.ws.inspection.before !== undefined,
      all: isWhole(picture),
      rollout: isWhole(picture) && convolutions.length === 0,
    };
    return html`<label
      >${t('head.show')}
      <select @change=${onChange}>
        ${MIXES.filter((name) => offered[name]).map(
          (name) => html`<option value=${name} .selected=${name === mix}>${t(`head.mix.${name}`)}</option>`,
        )}
      </select></label
    >`;
  }

  #other(layers: number, heads: number): TemplateResult {
    const [layer, head] = this.ws.view.values.other;
    const at = (values: [number, number]) => (index: number, place: 0 | 1) => {
      const next: [number, number] = [...values];
      next[place] = index;
      this.ws.view.set({ other: next });
    };
    const set = at([layer, head]);
    return html`<div class="heads">
      ${select(t('head.lessLayer'), layer, layers, (index) => {
        set(index, 0);
      })}
      ${select(t('head.lessHead'), head, heads, (index) => {
        set(index, 1);
      })}
    </div>`;
  }

  #drawn(picture: Picture, pattern: Pattern, head: HeadIndex): TemplateResult {
    const { ws } = this;
    const { picture: drawn, scale } = ws.view.values;
    const { lines, data } = ws.provenance();
    const arcs = drawn === 'arcs';
    return html`<gb-figure name=${this.#title(head)} .lines=${lines} .data=${data}>
        ${arcs
          ? html`<gb-attention-arcs
              .pattern=${pattern}
              .tokens=${picture.tokens}
              .selected=${this.#lockedWord()}
              @gb-arc-focus=${this.#onFocus}
              @gb-arc-pick=${this.#onWord}
            ></gb-attention-arcs>`
          : html`<gb-attention-matrix
              .pattern=${pattern}
              .tokens=${picture.tokens}
              .scale=${scale}
              .selected=${this.#locked()}
              @gb-cell=${this.#onCell}
              @gb-cell-pick=${this.#onCellPick}
            ></gb-attention-matrix>`}
      </gb-figure>
      ${pattern.signed ? html`<gb-ramp-legend signed .scale=${scale} caption=${t('attention.captionSigned')}></gb-ramp-legend>` : nothing}
      ${arcs ? nothing : html`<gb-attention-reading .pattern=${pattern} .tokens=${picture.tokens} .cell=${this.cell ?? this.#locked()}></gb-attention-reading>`}
      ${this.#about(picture, head)}`;
  }

  /** What this head is known to do, and switching it off. */
  #about(picture: Picture, head: HeadIndex): TemplateResult {
    const { ws } = this;
    const labels = (ws.heads.stale ? [] : (ws.heads.result?.labels ?? [])).filter((label) => label.layer === head.layer && label.head === head.head);
    const pattern = patternOf(picture.attention, head);
    const window = pattern && windowOf(pattern);
    const cell = ws.view.values.mix === 'head' ? (this.cell ?? this.#locked()) : null;
    return html`${labels.map(
        ({ role, score }) =>
          html`<p class="role">
            <kbd aria-hidden="true">${SIGNS[role]}</kbd> <strong>${t(`role.${role}`)}</strong>, ${significant(score, 3)}. ${t(`role.${role}.about`)}
          </p>`,
      )}
      ${window === null || window === undefined ? nothing : html`<p class="note">${t('head.window', { window })}</p>`}
      ${cell
        ? html`<button type="button" ?disabled=${!ws.ready} @click=${() => {
            ws.edits.toggle({ kind: 'edge', ...head, ...cell });
          }}>
            ${t('head.cut', { ...cell })}
          </button>`
        : nothing}`;
  }

  /** Switches the head off, or the convolution that a layer has in the place of heads. */
  #switch(head: HeadIndex, attends: boolean): TemplateResult {
    const { edits, ready } = this.ws;
    const change = attends ? ({ kind: 'head', ...head } as const) : ({ kind: 'attention', layer: head.layer } as const);
    const off = edits.has(change);
    return html`<button type="button" class="switch" aria-pressed=${off ? 'true' : 'false'} ?disabled=${!ready} @click=${() => {
      edits.toggle(change);
    }}>
      ${t(off ? 'head.on' : attends ? 'head.off' : 'head.convolutionOff')}
    </button>`;
  }

  #absent(mix: Mix, head: HeadIndex): TemplateResult {
    if (mix === 'head' && !this.ws.inspection.attends(head.layer)) {
      return html`<div class="hidden-layer"><p>${t('head.convolution', { layer: String(head.layer) })}</p></div>`;
    }
    return html`<div class="hidden-layer">
      <p>${t(mix === 'head' ? 'head.absent' : 'head.unmixed')}</p>
      ${mix === 'head'
        ? html`<button type="button" @click=${() => {
            this.ws.inspection.lock(head);
          }}>
            ${t('head.fetch')}
          </button>`
        : nothing}
    </div>`;
  }

  #picker(name: string, value: number, count: number, at: (index: number) => HeadIndex): TemplateResult {
    return select(name, value, count, (index) => {
      this.ws.inspection.lock(at(index));
    });
  }

  readonly #onPreview = (event: CustomEvent<HeadIndex | null>): void => {
    this.ws.inspection.preview(event.detail);
  };
  readonly #onPick = (event: CustomEvent<HeadIndex | null>): void => {
    this.ws.inspection.lock(event.detail);
  };
  readonly #onScale = (event: Event): void => {
    this.ws.view.set({ scale: (event.target as HTMLInputElement).checked ? 'linear' : 'sqrt' });
  };
  readonly #onCell = (event: CustomEvent<AttentionCell | null>): void => {
    this.#read(event.detail);
  };
  readonly #onFocus = (event: CustomEvent<ArcFocus | null>): void => {
    const focus = event.detail;
    this.#read(focus && (focus.side === 'query' ? { query: focus.position, key: NONE } : { query: NONE, key: focus.position }));
  };

  readonly #onCellPick = (event: CustomEvent<AttentionCell | null>): void => {
    const cell = event.detail;
    this.ws.view.set({ cell: cell && [cell.query, cell.key] });
  };
  readonly #onWord = (event: CustomEvent<ArcFocus | null>): void => {
    const focus = event.detail;
    this.ws.view.set({ cell: focus && (focus.side === 'query' ? [focus.position, NONE] : [NONE, focus.position]) });
  };

  /** The cell that is locked, where both its sides are. */
  #locked(): AttentionCell | null {
    const [query = NONE, key = NONE] = this.ws.view.values.cell ?? [];
    const size = this.ws.inspection.picture?.tokens.length ?? 0;
    return query >= 0 && key >= 0 && key <= query && query < size ? { query, key } : null;
  }

  /** The word that is locked among the arcs: of a cell the one that looks. */
  #lockedWord(): ArcFocus | null {
    const [query = NONE, key = NONE] = this.ws.view.values.cell ?? [];
    if (query >= 0) return { side: 'query', position: query };
    return key >= 0 ? { side: 'key', position: key } : null;
  }

  #read(cell: AttentionCell | null): void {
    this.cell = cell && cell.query >= 0 && cell.key >= 0 ? cell : null;
    emit(this, 'gb-reading', cell);
  }
}

function select(name: string, value: number, count: number, pick: (index: number) => void): TemplateResult {
  const onChange = (event: Event): void => {
    pick(Number((event.target as HTMLSelectElement).value));
  };
  return html`<label
    >${name}
    <select @change=${onChange}>
      ${Array.from({ length: count }, (_, i) => html`<option value=${i} .selected=${i === value}>${i}</option>`)}
    </select></label
  >`;
}

/** Whether the patterns of all layers that attend were brought back. */
function isWhole({ attention: { layers, convolutions = [] } }: Picture): boolean {
  return layers.every((weights, layer) => weights !== null || convolutions.includes(layer));
}

function shapeOf({ attention }: Picture): string {
  return t('grid.shape', { layers: attention.layers.length, heads: attention.heads, tokens: attention.size });
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-attention-panel': AttentionPanel;
  }
  interface HTMLElementEventMap {
    'gb-reading': CustomEvent<AttentionCell | null>;
  }
}
