import { css, html, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { controls, emit, shared, View } from './element.js';
import { significant } from './format.js';
import type { Keepable } from './keep.js';
import { rampFor } from './ramp.js';
import { rect, text, type SvgPicture } from './svg.js';
import { tableStyles } from './table-styles.js';
import type { Table } from './table.js';
import { t } from './text.js';

export interface StepRow {
  readonly name: string;
  readonly values: readonly number[];
}

/**
 * Rows that go through steps from left to right: the last step is a share of 1, drawn as a bar.
 *
 * @fires gb-step - `number`: the row that was clicked
 */
@customElement('gb-step-table')
export class StepTable extends View implements Keepable {
  @property({ attribute: false }) rows: readonly StepRow[] = [];
  @property({ attribute: false }) titles: readonly string[] = [];
  @property() name = '';
  @property({ type: Number }) selected = -1;
  /** Values below this stand for a masked place. */
  @property({ type: Number }) masked = -Infinity;

  static override readonly styles = [
    shared,
    controls,
    tableStyles,
    css`
      .scroll {
        max-height: 22rem;
        overflow: auto;
      }
      th,
      td {
        padding: 0.05rem 0.5rem;
      }
      thead > tr > * {
        position: sticky;
        top: 0;
        background: var(--paper);
      }
      tr > :first-child {
        position: sticky;
        left: 0;
        background: var(--paper);
        text-align: start;
      }
      thead :first-child {
        z-index: 1;
      }
      button {
        min-height: 24px;
        padding: 0 0.4em;
        border-color: transparent;
        background: none;
        font: 400 0.8125rem var(--mono);
      }
      .bar {
        width: 30%;
      }
      .bar span {
        display: block;
        width: var(--p);
        min-width: 1px;
        height: 6px;
        border-radius: 3px;
        background: var(--data);
      }
    `,
  ];

  toTable(): Table {
    return {
      columns: [{ name: t('attention.key') }, ...this.titles.map((name) => ({ name, show: this.#show }))],
      rows: this.rows.map(({ name, values }) => [name, ...values]),
    };
  }

  toSvg(): SvgPicture {
    const fill = getComputedStyle(this).color;
    const ramp = rampFor(this.ground);
    const body = this.rows.map(({ name, values }, i) => {
      const y = i * 20 + 10;
      const numbers = values.map((value, c) => text(220 + c * 90, y, this.#show(value), { anchor: 'end', fill }));
      const share = values.at(-1) ?? 0;
      return text(4, y, name.slice(0, 20), { mono: true, fill }) + numbers.join('') + rect(420, y - 5, Math.max(1, share * 120), 10, ramp.css(0.6));
    });
    return { width: 550, height: this.rows.length * 20, body: body.join('') };
  }

  override render(): TemplateResult {
    return html`<div class="scroll" tabindex="0" role="region" aria-label=${this.name}>
      <table>
        <thead>
          <tr>
            <th scope="col">${t('attention.key')}</th>
            ${this.titles.map((title) => html`<th scope="col">${title}</th>`)}
            <td class="bar"></td>
          </tr>
        </thead>
        <tbody>
          ${this.rows.map(
            ({ name, values }, i) =>
              html`<tr>
                <th scope="row">
                  <button type="button" aria-pressed=${i === this.selected ? 'true' : 'false'} @click=${() => {
                    emit(this, 'gb-step', i);
                  }}>
                    <bdi>${name}</bdi>
                  </button>
                </th>
                ${values.map((value) => html`<td>${this.#show(value)}</td>`)}
                <td class="bar" aria-hidden="true"><span .style=${`--p:${(values.at(-1) ?? 0) * 100}%`}></span></td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
  }

  readonly #show = (value: number): string => (value <= this.masked ? t('numbers.masked') : significant(value, 6));
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-step-table': StepTable;
  }
  interface HTMLElementEventMap {
    'gb-step': CustomEvent<number>;
  }
}
