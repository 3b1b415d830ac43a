import { css, html, nothing, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { controls, shared, View } from '../views/element.js';
import { t } from '../views/text.js';
import '../views/token-run.js';
import { drawnStep, drawnStyles } from './drawn-step.js';
import './sampler-form.js';
import { Watch } from './store.js';
import type { Workspace } from './workspace.js';

/** How many candidates are shown beneath the text where the next-token panel is out of sight. */
const HERE = 8;

/** Lets the model go on: start and stop, how tokens are drawn, and the text as it comes. */
@customElement('gb-generate-panel')
export class GeneratePanel extends View {
  @property({ attribute: false }) ws!: Workspace;
  protected readonly watch = new Watch(this, () => [this.ws.generation, this.ws.inspection]);

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
      @container (width > 71rem) {
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
    const { generation, inspection } = this.ws;
    const { running, steps, ending, locked } = generation;
    const step = locked === null ? undefined : steps[locked];
    const ready = this.ws.ready && inspection.tokens.length > 0 && inspection.problem === '';
    return html`<h3>${t('generate.title')}</h3>
      <div class="row">
        ${running
          ? html`<button type="button" class="primary" @click=${this.#stop}>${t('generate.stop')}</button>`
          : html`<button type="button" class="primary" ?disabled=${!ready} @click=${this.#run}>${t('generate.run')}</button>`}
      </div>
      <details>
        <summary>${this.#summary()}</summary>
        <gb-sampler-form .generation=${generation}></gb-sampler-form>
      </details>
      ${steps.length > 0
        ? html`<gb-token-run
            label=${t('generate.tokens')}
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
            <button type="button" @click=${this.#keep}>${t('generate.keep')}</button>
            <button type="button" class="quiet" @click=${this.#discard}>${t('generate.discard')}</button>
          </div>`
        : nothing}`;
  }

  #status(running: boolean, count: number, ending: string): string {
    if (running) return count === 0 ? t('generate.reading') : '';
    return ending === '' ? '' : t('generate.ended', { count, ending });
  }

  #summary(): string {
    const { sampler, maxNewTokens } = this.ws.generation;
    if (sampler.greedy) return t('generate.greedy', { count: maxNewTokens });
    const parts = [t('generate.temperature', { value: sampler.temperature })];
    if (sampler.topK > 0) parts.push(`top-k ${sampler.topK}`);
    if (sampler.topP < 1) parts.push(`top-p ${sampler.topP}`);
    if (sampler.minP > 0) parts.push(`min-p ${sampler.minP}`);
    if (sampler.repetitionPenalty !== 1) parts.push(t('generate.penalty', { value: sampler.repetitionPenalty }));
    return t('generate.summary', { count: maxNewTokens, parts: parts.join(', '), seed: sampler.seed });
  }

  readonly #run = (): void => {
    void this.ws.generation.run();
  };
  readonly #stop = (): void => {
    this.ws.generation.stop();
  };
  readonly #keep = (): void => {
    this.ws.generation.keep();
  };
  readonly #discard = (): void => {
    this.ws.generation.discard();
  };
  readonly #onPreview = (event: CustomEvent<number | null>): void => {
    this.ws.generation.preview(event.detail);
  };
  readonly #onPick = (event: CustomEvent<number | null>): void => {
    this.ws.generation.lock(event.detail);
  };
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-generate-panel': GeneratePanel;
  }
}
