import { css, html, nothing, type TemplateResult } from 'lit';
import { customElement } from 'lit/decorators.js';
import type { ChatMessage, Token } from '../client/index.js';
import { t } from '../views/text.js';
import '../views/token-strip.js';
import { Analysis } from './analysis.js';
import { DeepPanel, deepStyles } from './deep-panel.js';
import { Watch } from './store.js';

const ROLES = ['system', 'user', 'assistant'] as const;

/** A chat as the model's own template writes it; it becomes the prompt, so that everything above looks into it. */
@customElement('gb-chat-panel')
export class ChatPanel extends DeepPanel {
  #written!: Analysis<{ messages: readonly ChatMessage[] }, { readonly text: string; readonly tokens: readonly Token[] }>;
  protected readonly watch = new Watch(this, () => [this.ws.generation, this.ws.view, this.#written]);

  static override readonly styles = [
    ...deepStyles,
    css`
      .message {
        display: grid;
        grid-template-columns: 8rem minmax(0, 1fr) max-content;
        gap: 0.5rem;
        margin-bottom: 0.5rem;
      }
      textarea {
        min-height: 3rem;
        resize: vertical;
      }
      pre {
        max-height: 18rem;
        margin: 0 0 0.8rem;
        padding: 0.6rem 0.8rem;
        overflow: auto;
        border-radius: 6px;
        background: var(--sunk);
        font: 0.8125rem/1.5 var(--mono);
        white-space: pre-wrap;
        overflow-wrap: anywhere;
      }
      @container (max-width: 43rem) {
        .message {
          grid-template-columns: minmax(0, 1fr) max-content;
        }
        .message textarea {
          grid-column: 1 / -1;
        }
      }
    `,
  ];

  override connectedCallback(): void {
    this.#written = new Analysis(this.ws.session, ({ messages }, signal) => this.ws.model.chat(messages, { signal }));
    super.connectedCallback();
  }

  protected override willUpdate(): void {
    const messages = this.#messages.filter(({ content }) => content.trim() !== '');
    if (this.ws.session.model && messages.length > 0) this.#written.want(0, { messages });
  }

  override render(): TemplateResult {
    const written = this.#written.result;
    return html`<p class="note">${t('chat.note')}</p>
      <div class="two even">
        <div>
          ${this.#messages.map((message, index) => this.#message(message, index))}
          <div class="row">
            <button type="button" @click=${this.#add}>${t('chat.add')}</button>
            <button type="button" class="primary" ?disabled=${!written || this.#written.stale} @click=${this.#use}>${t('chat.use')}</button>
            <button type="button" ?disabled=${this.ws.generation.steps.length === 0} @click=${this.#answer}>${t('chat.answer')}</button>
          </div>
        </div>
        <div>
          <h3>${t('chat.written')}</h3>
          ${this.state(this.#written)}
          ${written
            ? html`<pre tabindex="0" aria-label=${t('chat.written')}><bdi>${written.text}</bdi></pre>
                <gb-token-strip label=${t('chat.tokens')} .tokens=${written.tokens}></gb-token-strip>`
            : nothing}
        </div>
      </div>`;
  }

  get #messages(): readonly ChatMessage[] {
    return this.ws.view.values.chat;
  }

  #set(chat: readonly ChatMessage[]): void {
    this.ws.view.set({ chat });
  }

  #message({ role, content }: ChatMessage, index: number): TemplateResult {
    const change = (next: Partial<ChatMessage>): void => {
      this.#set(this.#messages.map((message, i) => (i === index ? { ...message, ...next } : message)));
    };
    return html`<div class="message">
      <select aria-label=${t('chat.role')} @change=${(event: Event) => {
        change({ role: (event.target as HTMLSelectElement).value });
      }}>
        ${ROLES.map((name) => html`<option value=${name} .selected=${name === role}>${t(`chat.role.${name}`)}</option>`)}
      </select>
      <textarea aria-label=${t('chat.message')} dir="auto" rows="2" .value=${content} @input=${(event: InputEvent) => {
        change({ content: (event.target as HTMLTextAreaElement).value });
      }}></textarea>
      <button type="button" class="quiet" aria-label=${t('chat.remove')} ?disabled=${this.#messages.length === 1} @click=${() => {
        this.#set(this.#messages.filter((_, i) => i !== index));
      }}>
        ×
      </button>
    </div>`;
  }

  readonly #add = (): void => {
    const last = this.#messages.at(-1)?.role;
    this.#set([...this.#messages, { role: last === 'user' ? 'assistant' : 'user', content: '' }]);
  };

  /** Makes the chat the prompt, by its tokens: the text alone would lose what is special in them. */
  readonly #use = (): void => {
    const written = this.#written.result;
    if (!written) return;
    this.ws.generation.discard();
    this.ws.inspection.replace(written.text, written.tokens);
  };

  /** Takes what was generated above as the assistant's answer. */
  readonly #answer = (): void => {
    const content = this.ws.generation.steps.map(({ text }) => text).join('');
    this.#set([...this.#messages, { role: 'assistant', content: content.trim() }, { role: 'user', content: '' }]);
  };
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-chat-panel': ChatPanel;
  }
}
