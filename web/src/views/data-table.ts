import { css, html, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { controls, shared, View } from './element.js';
import { whole } from './format.js';
import { shown, type Table } from './table.js';
import { t } from './text.js';

const PAGE = 50;

/** The table behind a picture: its numbers in full, a page at a time. */
@customElement('gb-data-table')
export class DataTable extends View {
  @property({ attribute: false }) table: Table = { columns: [], rows: [] };
  @property() caption = '';
  @state() private page = 0;

  static override readonly styles = [
    shared,
    controls,
    css`
      :host {
        font-size: var(--small);
      }
      .scroll {
        max-height: 24rem;
        overflow: auto;
        border: 1px solid var(--rule);
        border-radius: 6px;
      }
      table {
        width: 100%;
        border-collapse: collapse;
      }
      caption {
        padding: 0.4rem 0.6rem;
        text-align: start;
        color: var(--ink-2);
      }
      th,
      td {
        padding: 0.2rem 0.6rem;
        text-align: start;
        font-weight: 400;
        border-top: 1px solid var(--rule);
        white-space: nowrap;
      }
      thead th {
        position: sticky;
        top: 0;
        background: var(--surface);
        color: var(--ink-2);
      }
      .number {
        text-align: end;
      }
      .word {
        font-family: var(--mono);
      }
      nav {
        display: flex;
        align-items: center;
        gap: 0.5rem;
        margin-top: 0.4rem;
        color: var(--ink-2);
      }
    `,
  ];

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('table')) this.page = Math.min(this.page, Math.max(0, this.#pages() - 1));
  }

  override render(): TemplateResult {
    const { columns, rows } = this.table;
    const from = this.page * PAGE;
    const some = rows.slice(from, from + PAGE);
    return html`<div class="scroll" tabindex="0" role="region" aria-label=${this.caption}>
        <table>
          <caption>
            ${this.caption}
          </caption>
          <thead>
            <tr>
              ${columns.map(
                ({ name }, i) => html`<th scope="col" class=${typeof rows[0]?.[i] === 'number' ? 'number' : ''}>${name}</th>`,
              )}
            </tr>
          </thead>
          <tbody>
            ${some.map(
              (row) =>
                html`<tr>
                  ${row.map((value, i) => {
                    const numeric = typeof value === 'number';
                    return html`<td class=${numeric ? 'number' : 'word'}><bdi>${shown(value, columns[i])}</bdi></td>`;
                  })}
                </tr>`,
            )}
          </tbody>
        </table>
      </div>
      ${rows.length > PAGE ? this.#pager(from, some.length) : nothing}`;
  }

  #pages(): number {
    return Math.ceil(this.table.rows.length / PAGE);
  }

  #pager(from: number, count: number): TemplateResult {
    const to = (page: number) => () => {
      this.page = page;
    };
    return html`<nav aria-label=${t('table.pages')}>
      <button type="button" class="quiet" ?disabled=${this.page === 0} @click=${to(this.page - 1)}>
        ${t('table.before')}
      </button>
      <span>${t('table.range', { from: whole(from + 1), to: whole(from + count), all: whole(this.table.rows.length) })}</span>
      <button type="button" class="quiet" ?disabled=${this.page >= this.#pages() - 1} @click=${to(this.page + 1)}>
        ${t('table.after')}
      </button>
    </nav>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-data-table': DataTable;
  }
}
