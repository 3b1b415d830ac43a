import { css, html, type TemplateResult } from 'lit';
import { customElement, property, query } from 'lit/decorators.js';
import { controls, emit, shared, View } from '../views/element.js';
import { t } from '../views/text.js';
import { EXAMPLES, showExample } from './examples.js';
import type { Workspace } from './workspace.js';

/** Prompts that show something, and the tour. */
@customElement('gb-example-menu')
export class ExampleMenu extends View {
  @property({ attribute: false }) ws!: Workspace;
  @query('details') private readonly details!: HTMLDetailsElement;

  static override readonly styles = [
    shared,
    controls,
    css`
      details {
        position: relative;
      }
      summary {
        display: inline-flex;
        align-items: center;
        min-height: 32px;
        padding: 0.3em 0.85em;
        border-radius: 6px;
        font-weight: 500;
        color: var(--ink-2);
        cursor: pointer;
        list-style: none;
      }
      summary::-webkit-details-marker {
        display: none;
      }
      summary:hover {
        background: var(--sunk);
      }
      ul {
        position: absolute;
        right: 0;
        z-index: 6;
        width: min(22rem, 84vw);
        margin: 0.3rem 0 0;
        padding: 0.4rem;
        border: 1px solid var(--rule);
        border-radius: 10px;
        background: var(--surface);
        box-shadow: 0 12px 40px rgb(0 0 0 / 0.18);
        list-style: none;
      }
      @container (max-width: 43rem) {
        summary {
          padding-inline: 0.45em;
        }
        ul {
          right: auto;
          left: 0;
        }
      }
      li button {
        display: block;
        width: 100%;
        padding: 0.5rem 0.7rem;
        border-color: transparent;
        background: none;
        text-align: start;
      }
      li small {
        display: block;
        font-weight: 400;
        color: var(--ink-2);
      }
    `,
  ];

  /** Where the focus goes when the tour or the introduction, which can be found here again, has gone. */
  override focus(): void {
    this.details.querySelector('summary')?.focus();
  }

  override render(): TemplateResult {
    return html`<details @focusout=${this.#onLeave} @keydown=${this.#onKey}>
      <summary>${t('example.title')}</summary>
      <ul>
        <li>
          <button type="button" @click=${this.#tour}>${t('tour.start')}<small>${t('tour.about')}</small></button>
        </li>
        ${EXAMPLES.map(
          (example) =>
            html`<li>
              <button type="button" @click=${() => {
                this.details.open = false;
                showExample(this.ws, example);
              }}>
                ${t(example.name)}<small>${t(example.about)}</small>
              </button>
            </li>`,
        )}
      </ul>
    </details>`;
  }

  readonly #tour = (): void => {
    this.details.open = false;
    emit(this, 'gb-tour', null);
  };

  readonly #onLeave = (event: FocusEvent): void => {
    if (event.relatedTarget instanceof Node && !this.details.contains(event.relatedTarget)) this.details.open = false;
  };

  readonly #onKey = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape' || !this.details.open) return;
    event.preventDefault();
    this.details.open = false;
    this.focus();
  };
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-example-menu': ExampleMenu;
  }
  interface HTMLElementEventMap {
    'gb-tour': CustomEvent<null>;
  }
}
