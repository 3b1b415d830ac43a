import { css, html, nothing, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { shared, View } from './element.js';
import { significant } from './format.js';
import type { Keepable } from './keep.js';
import { placeOf } from './heat-paint.js';
import { divergingFor } from './ramp.js';
import { rect, text, type SvgPicture } from './svg.js';
import type { Table } from './table.js';
import { t } from './text.js';

/** A vector as a row of cells; its kind gives it its colour. */
export interface SumRow {
  readonly name: string;
  readonly kind: 'query' | 'key' | 'value' | 'product';
  readonly values: ArrayLike<number>;
}

const CELL = 14;
const NAME = 96;

/** Vectors of equal length beneath each other, component by component; the last row is what they make, and its sum. */
@customElement('gb-sum-strip')
export class SumStrip extends View implements Keepable {
  @property({ attribute: false }) rows: readonly SumRow[] = [];
  @property() name = '';

  static override readonly styles = [
    shared,
    css`
      .scroll {
        overflow-x: auto;
      }
      table {
        border-collapse: separate;
        border-spacing: 1px;
        font-size: 0.75rem;
      }
      th {
        max-width: 7rem;
        padding-inline-end: 0.5rem;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
        font-weight: 400;
        font-family: var(--mono);
        text-align: start;
      }
      .query {
        color: var(--query);
      }
      .key {
        color: var(--key);
      }
      .value {
        color: var(--value);
      }
      td {
        min-width: 14px;
        height: 18px;
        padding: 0;
        border-radius: 2px;
        background: var(--shade);
      }
      .end {
        padding-inline-start: 0.5rem;
        background: none;
        white-space: nowrap;
        font-size: var(--small);
      }
    `,
  ];

  toTable(): Table {
    const size = this.rows[0]?.values.length ?? 0;
    return {
      columns: [{ name: t('numbers.component') }, ...this.rows.map(({ name }) => ({ name, show: exact }))],
      rows: Array.from({ length: size }, (_, i) => [i, ...this.rows.map(({ values }) => values[i] ?? Number.NaN)]),
    };
  }

  toSvg(): SvgPicture {
    const size = this.rows[0]?.values.length ?? 0;
    const ramp = divergingFor(this.ground);
    const fill = getComputedStyle(this).color;
    const body = this.rows.map(({ name, values }, r) => {
      const limit = largest(values);
      const cells = Array.from(values, (value, i) => rect(NAME + i * CELL, r * 20, CELL - 1, 18, ramp.css(placeOf(value, limit, true))));
      return text(NAME - 6, r * 20 + 9, name.slice(0, 14), { anchor: 'end', mono: true, fill }) + cells.join('');
    });
    return { width: NAME + size * CELL, height: this.rows.length * 20, body: body.join('') };
  }

  override render(): TemplateResult | typeof nothing {
    if (this.rows.length === 0) return nothing;
    const ramp = divergingFor(this.ground);
    return html`<div class="scroll" tabindex="0" role="region" aria-label=${this.name}>
      <table>
        <tbody>
          ${this.rows.map(({ name, kind, values }) => {
            const limit = largest(values);
            const sum = Array.from(values).reduce((all, value) => all + value, 0);
            return html`<tr>
              <th scope="row" class=${kind}><bdi>${name}</bdi></th>
              ${Array.from(
                values,
                (value, i) =>
                  html`<td title="${i}: ${exact(value)}" .style=${`--shade:${ramp.css(placeOf(value, limit, true))}`}>
                    <span class="sr-only">${significant(value, 3)}</span>
                  </td>`,
              )}
              <td class="end">${kind === 'product' ? `Σ = ${significant(sum, 7)}` : `±${significant(limit, 3)}`}</td>
            </tr>`;
          })}
        </tbody>
      </table>
    </div>`;
  }
}

function largest(values: ArrayLike<number>): number {
  return Array.from(values).reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
}

/** All the digits an f32 holds. */
function exact(value: number): string {
  return significant(value, 8);
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-sum-strip': SumStrip;
  }
}
