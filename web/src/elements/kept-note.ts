import { css, html, nothing, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { controls, shared, View } from '../views/element.js';
import { bytes } from '../views/format.js';
import { t } from '../views/text.js';
import { MOST_KEPT } from './kept-files.js';
import { Watch } from './store.js';
import type { Workspace } from './workspace.js';

/** What is kept of the reader's files, and a way to forget it. */
@customElement('gb-kept-note')
export class KeptNote extends View {
  @property({ attribute: false }) ws!: Workspace;
  protected readonly watch = new Watch(this, () => [this.ws.files, this.ws.settings]);

  static override readonly styles = [
    shared,
    controls,
    css`
      :host {
        margin-top: 0.9rem;
        font-size: var(--small);
        color: var(--ink-2);
      }
      p {
        margin: 0 0 0.4rem;
      }
    `,
  ];

  override connectedCallback(): void {
    super.connectedCallback();
    if (!this.ws.files.kept) void this.ws.files.read();
  }

  override render(): TemplateResult {
    const { kept, problem } = this.ws.files;
    return html`<p>${t('kept.about', { most: bytes(MOST_KEPT) })}</p>
      <p role="status">
        ${kept ? t('kept.now', { name: kept.name, bytes: bytes(kept.bytes) }) : problem ? t(`kept.${problem}`) : t('kept.nothing')}
      </p>
      ${kept
        ? html`<button type="button" @click=${() => void this.ws.files.forget()}>${t('kept.forget')}</button>`
        : nothing}`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-kept-note': KeptNote;
  }
}
