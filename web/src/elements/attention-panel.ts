import { css, html, LitElement, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { AttentionCell } from '../views/attention-matrix.js';
import '../views/attention-grid.js';
import '../views/attention-matrix.js';
import '../views/attention-reading.js';
import '../views/attention-table.js';
import { controls, emit, shared } from '../views/element.js';
import { patternOf } from '../views/label.js';
import type { Scale } from '../views/ramp.js';
import '../views/ramp-legend.js';
import type { HeadIndex } from '../views/types.js';
import type { Inspection, Picture } from './inspection.js';
import { panel } from './panel.js';
import { Watch } from './store.js';

/**
 * All heads small, and one large beside them. The host itself has no box: its two sections take part in the page's
 * layout.
 */
@customElement('gb-attention-panel')
export class AttentionPanel extends LitElement {
  @property({ attribute: false }) inspection!: Inspection;
  @property({ type: Boolean }) dark = false;
  @state() private scale: Scale = 'sqrt';
  @state() private cell: AttentionCell | null = null;
  protected readonly watch = new Watch(this, () => [this.inspection]);

  static override readonly styles = [
    shared,
    controls,
    panel,
    css`
      :host {
        display: contents;
      }
      .legend {
        display: flex;
        flex-wrap: wrap;
        align-items: start;
        justify-content: space-between;
        gap: 0.5rem 1rem;
        margin-top: 0.9rem;
      }
      .legend label,
      .heads label {
        display: inline-flex;
        align-items: center;
        gap: 0.4em;
        min-height: 24px;
        font-size: var(--small);
        color: var(--ink-2);
      }
      .heads {
        display: flex;
        flex-wrap: wrap;
        gap: 0.5rem 0.9rem;
        margin-bottom: 0.75rem;
      }
      .heads select {
        min-width: 4.2em;
      }
      .hidden-layer {
        display: grid;
        place-content: center;
        gap: 0.6rem;
        min-height: 14rem;
        padding: 1rem;
        text-align: center;
        color: var(--ink-2);
        border: 1px solid var(--rule);
        border-radius: 8px;
      }
      gb-attention-reading {
        margin-top: 0.9rem;
      }
      details {
        margin-top: 0.5rem;
      }
      summary {
        min-height: 24px;
        cursor: pointer;
        font-size: var(--small);
        color: var(--ink-2);
      }
      gb-attention-table {
        margin-top: 0.5rem;
      }
    `,
  ];

  override render(): TemplateResult {
    const { picture, head, locked } = this.inspection;
    return html`<section aria-labelledby="grid-title" class="grid-section">
        <h2 id="grid-title">Layers × heads ${picture ? html`<small>${shapeOf(picture)}</small>` : nothing}</h2>
        ${picture ? this.#grid(picture, locked) : html`<p class="note">${this.#waiting()}</p>`}
      </section>
      <section aria-labelledby="head-title" class="head-section">
        <h2 id="head-title">
          Layer ${head.layer}, head ${head.head} ${locked ? html`<small>locked · Esc releases</small>` : nothing}
        </h2>
        ${picture ? this.#head(picture, head) : nothing}
      </section>`;
  }

  #waiting(): string {
    if (this.inspection.running) return 'The model is reading the prompt…';
    return 'Every head’s attention appears here once the model has read a prompt.';
  }

  #grid(picture: Picture, locked: HeadIndex | null): TemplateResult {
    return html`<p class="note">Layers downwards, heads across. Point to preview, click to lock.</p>
      <gb-attention-grid
        .data=${picture.attention}
        .selected=${locked}
        .dark=${this.dark}
        .scale=${this.scale}
        @gb-head-preview=${this.#onPreview}
        @gb-head-pick=${this.#onPick}
      ></gb-attention-grid>
      <div class="legend">
        <gb-ramp-legend .dark=${this.dark} .scale=${this.scale}></gb-ramp-legend>
        <label
          ><input type="checkbox" .checked=${this.scale === 'linear'} @change=${this.#onScale} /> linear colours</label
        >
      </div>
      <p class="note">Where several weights share a pixel, the largest is shown. The empty half is the future, which is masked.</p>`;
  }

  #head(picture: Picture, head: HeadIndex): TemplateResult {
    const pattern = patternOf(picture.attention, head);
    return html`<div class="heads">
        ${this.#picker('Layer', head.layer, picture.attention.layers.length, (layer) => ({ ...head, layer }))}
        ${this.#picker('Head', head.head, picture.attention.heads, (index) => ({ ...head, head: index }))}
      </div>
      ${pattern
        ? html`<gb-attention-matrix
              .pattern=${pattern}
              .tokens=${picture.tokens}
              .dark=${this.dark}
              .scale=${this.scale}
              @gb-cell=${this.#onCell}
            ></gb-attention-matrix>
            <gb-attention-reading .pattern=${pattern} .tokens=${picture.tokens} .cell=${this.cell}></gb-attention-reading>
            <details>
              <summary>As a table</summary>
              <gb-attention-table
                .pattern=${pattern}
                .tokens=${picture.tokens}
                .row=${this.cell?.query ?? picture.tokens.length - 1}
              ></gb-attention-table>
            </details>`
        : html`<div class="hidden-layer">
            <p>With so many tokens not all layers fit in memory at once; this one was not brought back.</p>
            <button
              type="button"
              @click=${() => {
                this.inspection.lock(head);
              }}
            >
              Bring it back
            </button>
          </div>`}`;
  }

  #picker(name: string, value: number, count: number, at: (index: number) => HeadIndex): TemplateResult {
    const onChange = (event: Event): void => {
      this.inspection.lock(at(Number((event.target as HTMLSelectElement).value)));
    };
    return html`<label
      >${name}
      <select @change=${onChange}>
        ${Array.from(
          { length: count },
          (_, i) => html`<option value=${i} .selected=${i === value}>${i}</option>`,
        )}
      </select></label
    >`;
  }

  readonly #onPreview = (event: CustomEvent<HeadIndex | null>): void => {
    this.inspection.preview(event.detail);
  };
  readonly #onPick = (event: CustomEvent<HeadIndex | null>): void => {
    this.inspection.lock(event.detail);
  };
  readonly #onScale = (event: Event): void => {
    this.scale = (event.target as HTMLInputElement).checked ? 'linear' : 'sqrt';
  };
  readonly #onCell = (event: CustomEvent<AttentionCell | null>): void => {
    this.cell = event.detail;
    emit(this, 'gb-reading', event.detail);
  };
}

function shapeOf({ attention }: Picture): string {
  return `${attention.layers.length} × ${attention.heads}, ${attention.size} tokens`;
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-attention-panel': AttentionPanel;
  }
  interface HTMLElementEventMap {
    'gb-reading': CustomEvent<AttentionCell | null>;
  }
}
