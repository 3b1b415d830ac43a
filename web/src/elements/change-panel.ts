import { css, html, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import type { Comparison } from '../client/index.js';
import '../views/bar-list.js';
import { percent, significant } from '../views/format.js';
import { tokenText } from '../views/label.js';
import '../views/line-chart.js';
import { t } from '../views/text.js';
import { Analysis } from './analysis.js';
import { DeepPanel, deepStyles } from './deep-panel.js';
import type { Change } from './edits.js';
import { Watch } from './store.js';

const CHANGED = 12;

/** Switches for every part of the model, steering, and what they change at every token. */
@customElement('gb-change-panel')
export class ChangePanel extends DeepPanel {
  @state() private towards = '';
  @state() private away = '';
  @state() private strength = 4;
  @state() private layer: number | null = null;
  #compared!: Analysis<object, Comparison>;
  protected readonly watch = new Watch(this, () => [this.ws.inspection, this.ws.edits, this.#compared]);

  static override readonly styles = [
    ...deepStyles,
    css`
      table {
        border-collapse: collapse;
        font-size: var(--small);
      }
      th,
      td {
        padding: 2px 3px;
        font-weight: 400;
      }
      th {
        color: var(--ink-2);
      }
      /* Which layer a switch is of stays to be seen, however many heads there are. */
      tr > :first-child,
      thead th {
        position: sticky;
        background: var(--paper);
      }
      tr > :first-child {
        left: 0;
      }
      thead th {
        top: 0;
      }
      thead :first-child {
        z-index: 1;
      }
      td button {
        min-width: 30px;
        min-height: 26px;
        padding: 0 0.4em;
        font-size: 0.75rem;
        font-weight: 400;
      }
      td button[aria-pressed='true'],
      td button[aria-pressed='true']:hover:not(:disabled) {
        border-color: var(--up);
        background: var(--up);
        color: var(--paper);
        text-decoration: line-through;
      }
      .scroll {
        overflow: auto;
        max-height: 26rem;
      }
      .steer {
        display: grid;
        gap: 0.5rem;
        max-width: 34rem;
      }
      .steer label {
        display: grid;
        gap: 0.15rem;
        font-size: var(--small);
        color: var(--ink-2);
      }
    `,
  ];

  override connectedCallback(): void {
    this.#compared = new Analysis(this.ws.session, (_, signal) =>
      this.ws.model.analysis.compare({ ...this.ws.run, everyPosition: true, top: CHANGED, signal }),
    );
    super.connectedCallback();
  }

  protected override willUpdate(): void {
    const { ws } = this;
    if (ws.ready && ws.inspection.before) this.#compared.want(ws.inspection.version, {});
  }

  override render(): TemplateResult {
    const compared = this.ws.inspection.before ? this.#compared.result : undefined;
    return html`<p class="note">${t('edit.note')}</p>
      <div class="two even">
        <div>
          <h3>${t('edit.switches')}</h3>
          ${this.#switches()}
          <h3>${t('steer.title')}</h3>
          ${this.#steering()}
        </div>
        <div>
          <h3>${t('edit.effect')}</h3>
          ${this.state(this.#compared)} ${compared ? this.#effect(compared) : html`<p class="note">${t('edit.none')}</p>`}
        </div>
      </div>`;
  }

  #switches(): TemplateResult {
    const info = this.ws.session.model?.info;
    if (!info) return html``;
    const { layers, heads, convolutions } = info;
    const heading = (text: string): TemplateResult => html`<th scope="col">${text}</th>`;
    return html`<div class="scroll" tabindex="0" role="region" aria-label=${t('edit.switches')}>
      <table>
        <thead>
          <tr>
            ${heading(t('head.layer'))} ${Array.from({ length: heads }, (_, head) => heading(String(head)))} ${heading(t('edit.attention'))}
            ${heading('MLP')} ${heading(t('edit.layer'))}
          </tr>
        </thead>
        <tbody>
          ${Array.from(
            { length: layers },
            (_, layer) =>
              html`<tr>
                <th scope="row">${layer}</th>
                ${convolutions.includes(layer)
                  ? html`<td colspan=${heads} class="note">${t('grid.convolution')}</td>`
                  : Array.from({ length: heads }, (__, head) => this.#switch({ kind: 'head', layer, head }, `${layer}.${head}`))}
                ${this.#switch({ kind: 'attention', layer }, t(convolutions.includes(layer) ? 'edit.convolution' : 'edit.attention'))}
                ${this.#switch({ kind: 'mlp', layer }, 'MLP')}
                ${this.#switch({ kind: 'layer', layer }, t('edit.layer'))}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
  }

  #switch(change: Change, name: string): TemplateResult {
    const on = this.ws.edits.has(change);
    const what = change.kind === 'head' ? t('head.title', { layer: change.layer, head: change.head }) : `${name} ${change.layer}`;
    return html`<td>
      <button type="button" aria-pressed=${on ? 'true' : 'false'} aria-label=${t('edit.switch', { what })} @click=${() => {
        this.ws.edits.toggle(change);
      }}>
        ${change.kind === 'head' ? change.head : name}
      </button>
    </td>`;
  }

  #effect({ divergences, changes, divergence, entropy }: Comparison): TemplateResult {
    const [first, second] = [t('edit.everywhere'), t('edit.changed')];
    const places = this.labels().map((word, i) => `${i} ${word.slice(0, 6)}`);
    const line = { places, series: [{ name: 'KL', values: divergences.data }] };
    const bars = changes.map(({ token, before, after }) => ({ name: tokenText(token), value: after.probability, before: before.probability }));
    return html`<p class="note">
        ${t('next.changed', { bits: significant(divergence, 4), before: significant(entropy.before, 4), after: significant(entropy.after, 4) })}
      </p>
      ${this.figure(
        second,
        html`<gb-bar-list name=${second} nameTitle=${t('candidates.token')} valueTitle=${t('candidates.after')} .bars=${bars} .limit=${1} .show=${percent}></gb-bar-list>`,
        this.#compared,
      )}
      <h3>${first}</h3>
      <p class="note">${t('edit.everywhereNote')}</p>
      ${this.figure(
        first,
        html`<gb-line-chart name=${first} .data=${line} .height=${160} axisTitle=${t('lens.token')} .show=${bits}></gb-line-chart>`,
        this.#compared,
      )}`;
  }

  #steering(): TemplateResult {
    const layers = this.ws.session.model?.info.layers ?? 1;
    const layer = this.layer ?? Math.floor(layers / 2);
    const text = (name: 'towards' | 'away'): TemplateResult =>
      html`<label
        >${t(`steer.${name}`)}
        <input type="text" .value=${this[name]} @input=${(event: InputEvent) => {
          this[name] = (event.target as HTMLInputElement).value;
        }}
      /></label>`;
    const number = (name: string, value: number, set: (value: number) => void, least: number, most: number, step: number): TemplateResult =>
      html`<label
        >${name}
        <input type="number" min=${least} max=${most} step=${step} .value=${String(value)} @change=${(event: Event) => {
          const typed = Number((event.target as HTMLInputElement).value);
          set(Math.min(most, Math.max(least, Number.isFinite(typed) ? typed : value)));
        }}
      /></label>`;
    return html`<p class="note">${t('steer.note')}</p>
      <div class="steer">
        ${text('towards')} ${text('away')}
        <div class="row">
          ${number(t('head.layer'), layer, (value) => (this.layer = Math.round(value)), 0, layers - 1, 1)}
          ${number(t('steer.strength'), this.strength, (value) => (this.strength = value), -100, 100, 0.5)}
          <button type="button" class="primary" ?disabled=${this.towards === '' || !this.ws.ready} @click=${() => {
            const { towards, away, strength } = this;
            this.ws.edits.set([...this.ws.edits.list.filter(({ kind }) => kind !== 'steer'), { kind: 'steer', layer, towards, away, strength }]);
          }}>
            ${t('steer.apply')}
          </button>
        </div>
      </div>`;
  }
}

function bits(value: number): string {
  return `${significant(value, 3)} bit`;
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-change-panel': ChangePanel;
  }
}
