import { css, html, nothing, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { controls, emit, shared, View } from './element.js';
import { significant } from './format.js';
import { clip } from './glyphs.js';
import { resolved, type Keepable } from './keep.js';
import { rect, text, type SvgPicture } from './svg.js';
import type { Table } from './table.js';
import { t } from './text.js';

/** A named value. */
export interface Bar {
  readonly name: string;
  readonly value: number;
  /** What it was before a change, drawn behind it. */
  readonly before?: number;
  /** Names it in events. */
  readonly id?: number;
}

const ROW = 20;
const NAME = 110;
const WIDTH = 420;

/**
 * Named values as bars; where any is negative they go both ways from a middle.
 *
 * @fires gb-bar - `Bar`: the one that was clicked
 */
@customElement('gb-bar-list')
export class BarList extends View implements Keepable {
  @property({ attribute: false }) bars: readonly Bar[] = [];
  @property() name = '';
  @property() nameTitle = '';
  @property() valueTitle = '';
  /** What a click does, in words; without it bars cannot be clicked. */
  @property() action = '';
  /** Length of a whole bar; the largest value where left out. */
  @property({ type: Number }) limit = 0;
  @property({ attribute: false }) show: (value: number) => string = (value) => significant(value, 4);

  static override readonly styles = [
    shared,
    controls,
    css`
      ol {
        display: grid;
        grid-template-columns: minmax(3rem, max-content) minmax(4rem, 1fr) max-content;
        gap: 0.15rem 0.6rem;
        align-items: center;
        margin: 0;
        padding: 0;
        list-style: none;
        font-size: var(--small);
      }
      li {
        display: grid;
        grid-column: 1 / -1;
        grid-template-columns: subgrid;
        align-items: center;
      }
      .name {
        max-width: 11rem;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
        font-family: var(--mono);
      }
      button.name {
        justify-content: start;
        min-height: 24px;
        padding: 0 0.4em;
        border-color: transparent;
        background: var(--sunk);
        font-weight: 400;
        text-align: start;
      }
      button.name:hover {
        border-color: var(--accent);
      }
      .track {
        position: relative;
        height: 12px;
      }
      .track span {
        position: absolute;
        inset-block: 1px;
        left: var(--from);
        width: var(--size);
        min-width: 1px;
        border-radius: 1px;
        background: var(--data);
      }
      .track .up {
        background: var(--up);
      }
      .track .down {
        background: var(--down);
      }
      .track .before {
        inset-block: -1px;
        background: none;
        box-shadow: inset 0 0 0 1.5px var(--ghost);
      }
      .zero {
        position: absolute;
        inset-block: -2px;
        left: 50%;
        border-left: 1px solid var(--edge);
      }
      .value {
        text-align: end;
      }
      .value small {
        color: var(--ink-2);
      }
    `,
  ];

  toTable(): Table {
    const ghosts = this.bars.some(({ before }) => before !== undefined);
    const show = this.show;
    return {
      columns: [{ name: this.nameTitle }, { name: this.valueTitle, show }, ...(ghosts ? [{ name: t('bars.before'), show }] : [])],
      rows: this.bars.map(({ name, value, before }) => [name, value, ...(ghosts ? [before ?? Number.NaN] : [])]),
    };
  }

  toSvg(): SvgPicture {
    const style = getComputedStyle(this);
    const colour = (name: string): string => resolved(style, name);
    const both = this.#both();
    const limit = this.#limit();
    const room = WIDTH - NAME - 80;
    const parts = this.bars.map(({ name, value }, i) => {
      const size = (Math.abs(value) / limit) * (both ? room / 2 : room);
      const x = NAME + (both ? room / 2 - (value < 0 ? size : 0) : 0);
      const fill = colour(both ? (value < 0 ? '--down' : '--up') : '--data');
      const ink = colour('--ink');
      return (
        text(NAME - 8, i * ROW + ROW / 2, clip(name, 16), { anchor: 'end', mono: true, fill: ink }) +
        rect(x, i * ROW + 4, Math.max(1, size), ROW - 8, fill) +
        text(WIDTH - 4, i * ROW + ROW / 2, this.show(value), { anchor: 'end', fill: ink })
      );
    });
    return { width: WIDTH, height: this.bars.length * ROW, body: parts.join('') };
  }

  override render(): TemplateResult | typeof nothing {
    if (this.bars.length === 0) return nothing;
    const both = this.#both();
    const limit = this.#limit();
    return html`<ol aria-label=${this.name}>
      ${this.bars.map(
        (bar) =>
          html`<li>
            ${this.#name(bar)}
            <span class="track" aria-hidden="true">
              ${bar.before === undefined ? nothing : html`<span class="before" .style=${span(bar.before, limit, both)}></span>`}
              <span class=${both ? (bar.value < 0 ? 'down' : 'up') : ''} .style=${span(bar.value, limit, both)}></span>
              ${both ? html`<i class="zero"></i>` : nothing}
            </span>
            <span class="value"
              >${this.show(bar.value)}${bar.before === undefined
                ? nothing
                : html` <small>${t('bars.was', { value: this.show(bar.before) })}</small>`}</span
            >
          </li>`,
      )}
    </ol>`;
  }

  #name(bar: Bar): TemplateResult {
    if (this.action === '') return html`<bdi class="name" title=${bar.name}>${bar.name}</bdi>`;
    const pick = (): void => {
      emit(this, 'gb-bar', bar);
    };
    return html`<button type="button" class="name" title=${this.action} @click=${pick}>
      <span class="sr-only">${this.action}: </span><bdi>${bar.name}</bdi>
    </button>`;
  }

  #both(): boolean {
    return this.bars.some(({ value, before = 0 }) => value < 0 || before < 0);
  }

  #limit(): number {
    if (this.limit > 0) return this.limit;
    return this.bars.reduce((most, { value, before = 0 }) => Math.max(most, Math.abs(value), Math.abs(before)), 0) || 1;
  }
}

function span(value: number, limit: number, both: boolean): string {
  const size = Math.min(1, Math.abs(value) / limit) * (both ? 50 : 100);
  const from = both ? (value < 0 ? 50 - size : 50) : 0;
  return `--from:${from}%;--size:${size}%`;
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-bar-list': BarList;
  }
  interface HTMLElementEventMap {
    'gb-bar': CustomEvent<Bar>;
  }
}
