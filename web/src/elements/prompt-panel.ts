import { css, html, LitElement, nothing, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { controls, shared } from '../views/element.js';
import type { AttentionCell } from '../views/attention-matrix.js';
import '../views/token-strip.js';
import type { Generation } from './generation.js';
import type { Inspection } from './inspection.js';
import { panel } from './panel.js';
import { Watch } from './store.js';
import './generate-panel.js';

/** The prompt as text and as tokens, and what the model makes of it. */
@customElement('gb-prompt-panel')
export class PromptPanel extends LitElement {
  @property({ attribute: false }) inspection!: Inspection;
  @property({ attribute: false }) generation!: Generation;
  @property({ type: Boolean }) tokenizer = true;
  /** The attention cell being read, marked among the tokens. */
  @property({ attribute: false }) cell: AttentionCell | null = null;
  protected readonly watch = new Watch(this, () => [this.inspection, this.generation]);

  static override readonly styles = [
    shared,
    controls,
    panel,
    css`
      textarea {
        display: block;
        width: 100%;
        min-height: 6.2rem;
        resize: vertical;
        line-height: 1.5;
        field-sizing: content;
        max-height: 40vh;
      }
      .ids textarea {
        font-family: var(--mono);
      }
      .row {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.5rem 0.75rem;
        margin: 0.6rem 0 1rem;
      }
      .row label {
        display: inline-flex;
        align-items: center;
        gap: 0.4em;
        min-height: 24px;
        font-size: var(--small);
        color: var(--ink-2);
      }
      .count {
        display: flex;
        justify-content: space-between;
        margin: 0 0 0.35rem;
        font-size: var(--small);
        color: var(--ink-2);
      }
      .strip {
        max-height: 15rem;
        overflow: auto;
        padding: 2px;
        margin: -2px;
      }
      .problem {
        color: var(--error);
      }
    `,
  ];

  override render(): TemplateResult {
    const { inspection } = this;
    const { text, tokens, problem, running, auto } = inspection;
    return html`<section aria-labelledby="title">
      <h2 id="title">Prompt</h2>
      <div class=${this.tokenizer ? '' : 'ids'}>
        <label class="sr-only" for="prompt">${this.tokenizer ? 'Prompt' : 'Prompt as token ids'}</label>
        <textarea
          id="prompt"
          rows="4"
          dir="auto"
          spellcheck="false"
          aria-describedby="about"
          .value=${text}
          @input=${this.#onInput}
          @keydown=${this.#onKey}
        ></textarea>
      </div>
      <div class="row">
        ${running
          ? html`<button type="button" @click=${this.#onStop}>Stop</button>`
          : html`<button type="button" ?disabled=${tokens.length === 0 || problem !== ''} @click=${this.#onRun}>
              Run
            </button>`}
        <label><input type="checkbox" .checked=${auto} @change=${this.#onAuto} /> run as I type</label>
      </div>
      <p class="note" id="about">
        ${problem === ''
          ? this.tokenizer
            ? nothing
            : html`This model came without a tokenizer, so the prompt is token ids, separated by commas.`
          : html`<span class="problem" role="alert">${problem}</span>`}
      </p>
      <p class="count">
        <span>${tokens.length} ${tokens.length === 1 ? 'token' : 'tokens'}</span>
        ${running ? html`<span>${this.#reading()}</span>` : nothing}
      </p>
      <div class="strip" tabindex="0" role="region" aria-label="Prompt as tokens">
        <gb-token-strip
          label="Tokens of the prompt"
          .tokens=${tokens}
          .marked=${this.cell?.query ?? -1}
          .looked=${this.cell?.key ?? -1}
        ></gb-token-strip>
      </div>
      <gb-generate-panel .generation=${this.generation} .inspection=${inspection}></gb-generate-panel>
    </section>`;
  }

  #reading(): string {
    const { progress } = this.inspection;
    return progress?.stage === 'prefill' ? `read ${progress.done} of ${progress.total}…` : 'running…';
  }

  readonly #onInput = (event: InputEvent): void => {
    this.generation.discard();
    this.inspection.type((event.target as HTMLTextAreaElement).value);
  };

  readonly #onKey = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    void this.inspection.run();
  };

  readonly #onRun = (): void => {
    void this.inspection.run();
  };

  readonly #onStop = (): void => {
    this.inspection.stop();
  };

  readonly #onAuto = (event: Event): void => {
    this.inspection.setAuto((event.target as HTMLInputElement).checked);
  };
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-prompt-panel': PromptPanel;
  }
}
