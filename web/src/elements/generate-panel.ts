import { css, html, LitElement, nothing, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { controls, shared } from '../views/element.js';
import '../views/token-run.js';
import { drawnStep, drawnStyles } from './drawn-step.js';
import type { Generation } from './generation.js';
import type { Inspection } from './inspection.js';
import './sampler-form.js';
import { Watch } from './store.js';

/** How many candidates are shown beneath the text where the next-token panel is out of sight. */
const HERE = 8;

/** Lets the model go on: start and stop, how tokens are drawn, and the text as it comes. */
@customElement('gb-generate-panel')
export class GeneratePanel extends LitElement {
  @property({ attribute: false }) generation!: Generation;
  @property({ attribute: false }) inspection!: Inspection;
  protected readonly watch = new Watch(this, () => [this.generation, this.inspection]);

  static override readonly styles = [
    shared,
    controls,
    drawnStyles,
    css`
      :host {
        margin-top: 1.25rem;
        padding-top: 1rem;
        border-top: 1px solid var(--rule);
      }
      h3 {
        margin: 0 0 0.6rem;
        font-size: 0.9375rem;
        font-weight: 600;
      }
      .row {
        display: flex;
        flex-wrap: wrap;
        gap: 0.5rem;
      }
      details {
        margin: 0.7rem 0;
      }
      summary {
        min-height: 24px;
        cursor: pointer;
        font-size: var(--small);
        color: var(--ink-2);
      }
      gb-token-run {
        max-height: 18rem;
        overflow: auto;
        margin: 0.5rem 0 0.4rem;
        padding: 0.5rem 0.7rem;
        border-radius: 8px;
        border: 1px solid var(--rule);
        background: var(--surface);
      }
      /* Where panels are stacked, what was tapped is explained here; in wide windows the panel to the right does. */
      .here {
        margin: 0 0 0.8rem;
      }
      @media (min-width: 1181px) {
        .here {
          display: none;
        }
      }
      .note {
        margin: 0 0 0.5rem;
        font-size: var(--small);
        color: var(--ink-2);
      }
    `,
  ];

  override render(): TemplateResult {
    const { generation } = this;
    const { running, steps, ending, locked } = generation;
    const step = locked === null ? undefined : steps[locked];
    const ready = this.inspection.tokens.length > 0 && this.inspection.problem === '';
    return html`<h3>Let it go on</h3>
      <div class="row">
        ${running
          ? html`<button type="button" class="primary" @click=${this.#stop}>Stop generating</button>`
          : html`<button type="button" class="primary" ?disabled=${!ready} @click=${this.#run}>Generate</button>`}
      </div>
      <details>
        <summary>${this.#summary()}</summary>
        <gb-sampler-form .generation=${generation}></gb-sampler-form>
      </details>
      ${steps.length > 0
        ? html`<gb-token-run
            .tokens=${steps}
            .selected=${locked}
            @gb-token-preview=${this.#onPreview}
            @gb-token-pick=${this.#onPick}
          ></gb-token-run>`
        : nothing}
      ${step ? html`<div class="here">${drawnStep(step, HERE)}</div>` : nothing}
      <p class="note" role="status">${this.#status(running, steps.length, ending)}</p>
      ${!running && steps.length > 0
        ? html`<div class="row">
            <button type="button" @click=${this.#keep}>Add to prompt</button>
            <button type="button" class="quiet" @click=${this.#discard}>Discard</button>
          </div>`
        : nothing}`;
  }

  #status(running: boolean, count: number, ending: string): string {
    if (running) return count === 0 ? 'Reading the prompt…' : '';
    return ending === '' ? '' : `${count} ${count === 1 ? 'token' : 'tokens'}. ${ending} Point at a token to see how it was drawn.`;
  }

  #summary(): string {
    const { sampler, maxNewTokens } = this.generation;
    if (sampler.greedy) return `Up to ${maxNewTokens} tokens, always the most probable`;
    const parts = [`temperature ${sampler.temperature}`];
    if (sampler.topK > 0) parts.push(`top-k ${sampler.topK}`);
    if (sampler.topP < 1) parts.push(`top-p ${sampler.topP}`);
    if (sampler.minP > 0) parts.push(`min-p ${sampler.minP}`);
    if (sampler.repetitionPenalty !== 1) parts.push(`repetition penalty ${sampler.repetitionPenalty}`);
    return `Up to ${maxNewTokens} tokens, ${parts.join(', ')}, seed ${sampler.seed}`;
  }

  readonly #run = (): void => {
    void this.generation.run();
  };
  readonly #stop = (): void => {
    this.generation.stop();
  };
  readonly #keep = (): void => {
    this.generation.keep();
  };
  readonly #discard = (): void => {
    this.generation.discard();
  };
  readonly #onPreview = (event: CustomEvent<number | null>): void => {
    this.generation.preview(event.detail);
  };
  readonly #onPick = (event: CustomEvent<number | null>): void => {
    this.generation.lock(event.detail);
  };
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-generate-panel': GeneratePanel;
  }
}
