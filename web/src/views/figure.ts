import { css, html, nothing, type TemplateResult } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import './data-table.js';
import { controls, emit, shared, View } from './element.js';
import { download, fileName, keep, KEEP_FORMATS, type Keepable, type KeepFormat, type Provenance } from './keep.js';
import { t } from './text.js';

/**
 * A picture with what belongs to every picture: a table of its numbers, and files of it. The slotted view is the
 * picture; what else is slotted (legends, notes) stands beneath it.
 *
 * @fires gb-keep-failed - `Error`: a file could not be made
 */
@customElement('gb-figure')
export class Figure extends View {
  @property() name = '';
  @property({ attribute: false }) lines: readonly string[] = [];
  @property({ attribute: false }) data: Readonly<Record<string, unknown>> = {};
  @state() private open = false;
  @query('slot:not([name])') private readonly main!: HTMLSlotElement;

  static override readonly styles = [
    shared,
    controls,
    css`
      :host {
        container-type: inline-size;
        min-width: 0;
      }
      .foot {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0 0.25rem;
        margin-top: 0.35rem;
        font-size: 0.75rem;
        color: var(--ink-2);
      }
      .foot button {
        min-height: 24px;
        padding: 0.1em 0.5em;
        font-weight: 400;
      }
      .foot span {
        margin-inline-start: auto;
      }
      @container (max-width: 18rem) {
        #keep {
          display: none;
        }
        .foot button {
          padding-inline: 0.3em;
        }
        .foot button:first-of-type {
          margin-inline-end: auto;
        }
      }
      gb-data-table {
        margin-top: 0.4rem;
      }
    `,
  ];

  override render(): TemplateResult {
    return html`<slot @gb-drawn=${this.#onDrawn}></slot>
      <div class="foot">
        <button type="button" class="quiet" aria-expanded=${this.open ? 'true' : 'false'} @click=${this.#toggle}>
          ${t('figure.table')}
        </button>
        <span id="keep">${t('figure.keep')}</span>
        ${KEEP_FORMATS.map(
          (format) =>
            html`<button
              type="button"
              class="quiet"
              aria-label=${t('figure.keepAs', { name: this.name, format: format.toUpperCase() })}
              @click=${() => void this.#keep(format)}
            >
              ${format.toUpperCase()}
            </button>`,
        )}
      </div>
      ${this.open ? this.#table() : nothing}`;
  }

  /** The picture has changed under its table. */
  readonly #onDrawn = (): void => {
    if (this.open) this.requestUpdate();
  };

  #table(): TemplateResult | typeof nothing {
    const view = this.#view();
    return view ? html`<gb-data-table .table=${view.toTable()} .caption=${this.name}></gb-data-table>` : nothing;
  }

  #view(): (Keepable & Element) | undefined {
    return this.main.assignedElements().find((element): element is Keepable & Element => 'toTable' in element);
  }

  readonly #toggle = (): void => {
    this.open = !this.open;
  };

  async #keep(format: KeepFormat): Promise<void> {
    const view = this.#view();
    if (!view) return;
    const about: Provenance = { title: this.name, lines: this.lines, data: this.data };
    try {
      download(await keep(view, format, about, getComputedStyle(this)), fileName(this.name, format));
    } catch (error) {
      emit(this, 'gb-keep-failed', error);
    }
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-figure': Figure;
  }
  interface HTMLElementEventMap {
    'gb-keep-failed': CustomEvent<unknown>;
  }
}
