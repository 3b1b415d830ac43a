import { css, html, nothing, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { controls, shared, View } from '../views/element.js';
import { t } from '../views/text.js';
import './branches-panel.js';
import './change-panel.js';
import './chat-panel.js';
import './inside-panel.js';
import './lens-panel.js';
import './numbers-panel.js';
import './parts-panel.js';
import './patch-panel.js';
import './sampler-panel.js';
import { Watch } from './store.js';
import { TABS, type Tab } from './view-state.js';
import type { Workspace } from './workspace.js';

/** The analyses beneath the bench: one at a time, and none until it is asked for. */
@customElement('gb-deeper')
export class Deeper extends View {
  @property({ attribute: false }) ws!: Workspace;
  protected readonly watch = new Watch(this, () => [this.ws.view, this.ws.session]);

  static override readonly styles = [
    shared,
    controls,
    css`
      /* No box of its own: the dock stays in sight over the whole of the page's main part. */
      :host {
        display: contents;
      }
      .dock {
        position: sticky;
        bottom: 0;
        z-index: 4;
        display: flex;
        align-items: center;
        gap: 0.4rem 1rem;
        max-width: 1920px;
        margin: 1.5rem auto 0;
        padding: 0.55rem 0;
        border-top: 1px solid var(--rule);
        background: var(--paper);
      }
      h2 {
        flex: none;
        margin: 0;
        font-size: 0.9375rem;
        font-weight: 600;
      }
      [role='tablist'] {
        display: flex;
        flex-wrap: wrap;
        gap: 0.35rem;
        min-width: 0;
      }
      @container (max-width: 57.5rem) {
        .dock {
          flex-direction: column;
          align-items: stretch;
        }
        [role='tablist'] {
          flex-wrap: nowrap;
          overflow-x: auto;
          padding: 3px;
          margin: -3px;
        }
        [role='tab'] {
          flex: none;
        }
      }
      [role='tab'] {
        font-size: var(--small);
      }
      /* A pointer that rests on it does not take its ground away. */
      [role='tab'][aria-selected='true'],
      [role='tab'][aria-selected='true']:hover:not(:disabled) {
        border-color: var(--accent);
        background: var(--accent);
        color: var(--on-accent);
      }
      /* What the tour speaks of. */
      [data-toured] {
        outline: 3px solid var(--accent);
        outline-offset: 0.3rem;
        border-radius: 4px;
      }
      [role='tabpanel'] {
        max-width: 1920px;
        /* So tall that it can be brought to the top of the window, with its tabs. */
        min-height: calc(100dvh - 7.5rem);
        margin: 0.6rem auto 0;
        scroll-margin-top: var(--dock, 4rem);
      }
    `,
  ];

  override render(): TemplateResult {
    const { tab } = this.ws.view.values;
    const chat = this.ws.session.model?.info.chatTemplate ?? false;
    const tabs = TABS.filter((name) => name !== 'chat' || chat);
    return html`<div class="dock">
        <h2 id="title">${t('deep.title')}</h2>
        <div role="tablist" aria-labelledby="title" @keydown=${this.#onKey}>
        ${tabs.map((name, index) => {
          const on = name === tab;
          return html`<button
            type="button"
            role="tab"
            id="tab-${name}"
            aria-selected=${on ? 'true' : 'false'}
            aria-controls=${on ? 'panel' : nothing}
            tabindex=${on || (tab === null && index === 0) ? 0 : -1}
            @click=${() => {
              this.#open(on ? null : name);
            }}
          >
            ${t(`deep.${name}`)}
          </button>`;
        })}
        </div>
      </div>
      ${tab === null ? nothing : html`<div role="tabpanel" id="panel" aria-labelledby="tab-${tab}">${this.#panel(tab)}</div>`}`;
  }

  #panel(tab: Tab): TemplateResult {
    const { ws } = this;
    switch (tab) {
      case 'sampler':
        return html`<gb-sampler-panel .ws=${ws}></gb-sampler-panel>`;
      case 'lens':
        return html`<gb-lens-panel .ws=${ws}></gb-lens-panel>`;
      case 'parts':
        return html`<gb-parts-panel .ws=${ws}></gb-parts-panel>`;
      case 'numbers':
        return html`<gb-numbers-panel .ws=${ws}></gb-numbers-panel>`;
      case 'change':
        return html`<gb-change-panel .ws=${ws}></gb-change-panel>`;
      case 'patch':
        return html`<gb-patch-panel .ws=${ws}></gb-patch-panel>`;
      case 'branches':
        return html`<gb-branches-panel .ws=${ws}></gb-branches-panel>`;
      case 'inside':
        return html`<gb-inside-panel .ws=${ws}></gb-inside-panel>`;
      case 'chat':
        return html`<gb-chat-panel .ws=${ws}></gb-chat-panel>`;
    }
  }

  #open(tab: Tab | null): void {
    this.ws.view.set({ tab });
    if (tab === null) return;
    void this.updateComplete.then(() => {
      // The analysis comes into sight beneath its tab.
      const dock = this.shadowRoot?.querySelector<HTMLElement>('.dock');
      const panel = this.shadowRoot?.querySelector<HTMLElement>('[role="tabpanel"]');
      panel?.style.setProperty('--dock', `${dock?.offsetHeight ?? 0}px`);
      panel?.scrollIntoView({ block: 'start' });
    });
  }

  /** Arrow keys move among the tabs, as the pattern of tabs has it. */
  readonly #onKey = (event: KeyboardEvent): void => {
    const tabs = [...(this.shadowRoot?.querySelectorAll<HTMLElement>('[role="tab"]') ?? [])];
    const at = tabs.indexOf(this.shadowRoot?.activeElement as HTMLElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    tabs[(to + tabs.length) % tabs.length]?.focus();
  };
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-deeper': Deeper;
  }
}
