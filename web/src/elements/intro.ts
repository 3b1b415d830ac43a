import { css, html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { controls, emit, shared, View } from '../views/element.js';
import { t } from '../views/text.js';
import { EXAMPLES, showExample } from './examples.js';
import { Watch } from './store.js';
import type { Workspace } from './workspace.js';

const KEY = 'glassbox.intro';
const HIDDEN = 'hidden';

/** What a first visit sees above the bench: what this is, the tour, and prompts that show something. */
@customElement('gb-intro')
export class Intro extends View {
  @property({ attribute: false }) ws!: Workspace;
  @state() private away = wasHidden();
  protected readonly watch = new Watch(this, () => [this.ws.inspection]);

  static override readonly styles = [
    shared,
    controls,
    css`
      section {
        position: relative;
        display: grid;
        grid-template-columns: minmax(0, 1fr) max-content;
        align-items: center;
        gap: 0.5rem 1.5rem;
        max-width: 1920px;
        margin: 0 auto 1.1rem;
        padding: 0.65rem 2.6rem 0.65rem 0.9rem;
        border: 1px solid var(--rule);
        border-inline-start: 4px solid var(--accent);
        border-radius: 8px;
        background: var(--surface);
      }
      h2 {
        margin: 0 0 0.1rem;
        font-size: 0.9375rem;
        font-weight: 600;
      }
      p {
        margin: 0;
        max-width: 56rem;
        font-size: var(--small);
        line-height: 1.45;
        color: var(--ink-2);
        text-wrap: pretty;
      }
      .ways {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.35rem;
        font-size: var(--small);
        color: var(--ink-2);
      }
      .ways span {
        margin-inline: 0.3rem;
      }
      .hide {
        position: absolute;
        top: 0.4rem;
        inset-inline-end: 0.4rem;
        min-width: 32px;
        padding: 0;
      }
      @container (max-width: 80rem) {
        section {
          grid-template-columns: minmax(0, 1fr);
        }
      }
    `,
  ];

  override connectedCallback(): void {
    super.connectedCallback();
    this.getRootNode().addEventListener('gb-tour', this.#hide);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.getRootNode().removeEventListener('gb-tour', this.#hide);
  }

  override render(): TemplateResult | typeof nothing {
    if (this.away) return nothing;
    const { ready } = this.ws;
    return html`<section aria-labelledby="title">
      <div>
        <h2 id="title">${t('intro.title')}</h2>
        <p>${t('intro.text')}</p>
      </div>
      <div class="ways">
        <button type="button" class="primary" ?disabled=${!ready} @click=${() => {
          emit(this, 'gb-tour', null);
        }}>
          ${t('intro.tour')}
        </button>
        <span>${t('intro.try')}</span>
        ${EXAMPLES.map(
          (example) =>
            html`<button type="button" ?disabled=${!ready} title=${t(example.about)} @click=${() => {
              showExample(this.ws, example);
            }}>
              ${t(example.name)}
            </button>`,
        )}
      </div>
      <button type="button" class="quiet hide" aria-label=${t('intro.hide')} title=${t('intro.hide')} @click=${this.#hide}>×</button>
    </section>`;
  }

  readonly #hide = (event: Event): void => {
    this.away = true;
    const root = this.getRootNode();
    if (event.type === 'click' && root instanceof ShadowRoot) root.querySelector<HTMLElement>('gb-example-menu')?.focus();
    try {
      localStorage.setItem(KEY, HIDDEN);
    } catch {
      // Without storage it comes back with the next visit.
    }
  };
}

function wasHidden(): boolean {
  try {
    return localStorage.getItem(KEY) === HIDDEN;
  } catch {
    return false;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-intro': Intro;
  }
}
