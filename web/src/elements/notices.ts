import { css, html, nothing, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { controls, emit, shared, View } from '../views/element.js';
import { shownError } from '../views/error-words.js';
import { t } from '../views/text.js';
import type { Notice } from './session.js';

/**
 * What went wrong and what to do about it.
 *
 * @fires gb-dismiss - `number`: id of the notice the reader has read
 */
@customElement('gb-notices')
export class Notices extends View {
  @property({ attribute: false }) notices: readonly Notice[] = [];

  static override readonly styles = [
    shared,
    controls,
    css`
      ul {
        margin: 0;
        padding: 0;
        list-style: none;
      }
      li {
        display: grid;
        grid-template-columns: 1fr max-content;
        gap: 0.25rem 1rem;
        align-items: start;
        margin-block: 0.75rem;
        padding: 0.6rem 0.6rem 0.6rem 1rem;
        border-radius: 8px;
        border: 1px solid var(--rule);
        border-inline-start: 4px solid var(--accent);
        background: var(--surface);
        overflow-wrap: anywhere;
      }
      li.error {
        border-inline-start-color: var(--error);
      }
      p {
        margin: 0.25rem 0;
      }
      .hint,
      .original {
        color: var(--ink-2);
      }
      .original {
        font-size: var(--small);
      }
    `,
  ];

  override render(): TemplateResult {
    return html`<div aria-live="polite">${this.notices.length > 0 ? this.#list() : nothing}</div>`;
  }

  #list(): TemplateResult {
    return html`<ul role="list" aria-label=${t('notice.messages')}>
      ${this.notices.map((notice) => this.#notice(notice))}
    </ul>`;
  }

  #notice(notice: Notice): TemplateResult {
    const { message, hint, original } = shownError(notice);
    return html`<li class=${notice.kind}>
      <div>
        <p>${notice.kind === 'error' ? html`<span class="sr-only">${t('notice.error')} </span>` : ''}${message}</p>
        ${hint === '' ? '' : html`<p class="hint">${hint}</p>`}
        ${original === '' ? '' : html`<p class="original">${t('error.original')} <q lang="en">${original}</q></p>`}
      </div>
      <button
        type="button"
        class="quiet"
        aria-label=${t('notice.dismissThis')}
        @click=${() => {
          emit(this, 'gb-dismiss', notice.id);
        }}
      >
        ${t('notice.dismiss')}
      </button>
    </li>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-notices': Notices;
  }
  interface HTMLElementEventMap {
    'gb-dismiss': CustomEvent<number>;
  }
}
