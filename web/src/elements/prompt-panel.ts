import { css, html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { Expectation } from '../client/index.js';
import { controls, shared, View } from '../views/element.js';
import { currentLanguage } from '../views/environment.js';
import type { AttentionCell } from '../views/attention-matrix.js';
import { t } from '../views/text.js';
import '../views/figure.js';
import '../views/token-card.js';
import '../views/token-strip.js';
import './generate-panel.js';
import { measured, type Measured } from './measure.js';
import { panel } from './panel.js';
import { Watch } from './store.js';
import { MEASURES, NO_PLACE, type Measure } from './view-state.js';
import type { Workspace } from './workspace.js';

/** The same list whenever nothing is known, so that nothing is rendered for it. */
const NOTHING: readonly Expectation[] = [];

/** The prompt as text and as tokens, and how the model expected each of them. */
@customElement('gb-prompt-panel')
export class PromptPanel extends View {
  @property({ attribute: false }) ws!: Workspace;
  @property({ type: Boolean }) tokenizer = true;
  /** The attention cell being read, marked among the tokens. */
  @property({ attribute: false }) cell: AttentionCell | null = null;
  @state() private preview: number | null = null;
  #shading: { readonly of: readonly unknown[]; readonly value: Measured } = { of: [], value: { shades: null, notes: [] } };
  protected readonly watch = new Watch(this, () => [this.ws.inspection, this.ws.generation, this.ws.view, this.ws.expected]);

  static override readonly styles = [
    shared,
    controls,
    panel,
    css`
      textarea {
        display: block;
        width: 100%;
        min-height: 5.4rem;
        resize: vertical;
        line-height: 1.5;
        field-sizing: content;
        max-height: 30vh;
      }
      .ids textarea {
        font-family: var(--mono);
      }
      .row {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.5rem 0.75rem;
        margin: 0.6rem 0 0.9rem;
      }
      .count {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        justify-content: space-between;
        gap: 0 0.75rem;
        margin: 0 0 0.35rem;
        font-size: var(--small);
        color: var(--ink-2);
      }
      .count select {
        min-height: 26px;
        padding: 0 0.3em;
      }
      .strip {
        max-height: 13rem;
        overflow: auto;
        padding: 3px;
        margin: -3px;
      }
      .problem {
        color: var(--error);
      }
      gb-token-card {
        margin-top: 0.6rem;
      }
    `,
  ];

  protected override willUpdate(): void {
    const { ws } = this;
    if (ws.ready) ws.expected.want(ws.inspection.version, {});
  }

  protected override updated(): void {
    // For styles and for tests: what is shown is not yet of the prompt as it is.
    this.toggleAttribute('busy', this.ws.inspection.busy);
  }

  override render(): TemplateResult {
    const { text, tokens, problem, running, auto } = this.ws.inspection;
    return html`<section aria-labelledby="title">
      <h2 id="title">${t('prompt.title')}</h2>
      <div class=${this.tokenizer ? '' : 'ids'}>
        <label class="sr-only" for="prompt">${t(this.tokenizer ? 'prompt.title' : 'prompt.asIds')}</label>
        <textarea
          id="prompt"
          rows="3"
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
          ? html`<button type="button" @click=${this.#onStop}>${t('prompt.stop')}</button>`
          : html`<button type="button" ?disabled=${tokens.length === 0 || problem !== ''} @click=${this.#onRun}>${t('prompt.run')}</button>`}
        <label><input type="checkbox" .checked=${auto} @change=${this.#onAuto} /> ${t('prompt.auto')}</label>
      </div>
      <p class="note" id="about">
        ${problem === '' ? (this.tokenizer ? nothing : t('prompt.noTokenizer')) : html`<span class="problem" role="alert">${problem}</span>`}
      </p>
      <div class="count">
        <span>${t('prompt.count', { count: tokens.length })}</span>
        ${running ? html`<span>${this.#reading()}</span>` : nothing} ${this.#measure()}
      </div>
      ${this.#strip()}
      <gb-generate-panel .ws=${this.ws}></gb-generate-panel>
    </section>`;
  }

  #measure(): TemplateResult {
    const { measure } = this.ws.view.values;
    return html`<label
      >${t('measure.by')}
      <select @change=${this.#onMeasure}>
        ${MEASURES.map((name) => html`<option value=${name} .selected=${name === measure}>${t(`measure.${name}`)}</option>`)}
      </select></label
    >`;
  }

  #strip(): TemplateResult {
    const { inspection, view } = this.ws;
    const { tokens } = inspection;
    const expectations = this.#expectations();
    const { shades, notes } = this.#measured(expectations, view.values.measure);
    const at = this.preview ?? view.values.position;
    const token = at === null ? undefined : tokens[at];
    const [query, key] = this.cell ? [this.cell.query, this.cell.key] : (view.values.cell ?? [-1, -1]);
    const { lines, data } = this.ws.provenance();
    return html`<gb-figure name=${t('prompt.tokens')} .lines=${lines} .data=${data}>
        <gb-token-strip
          class="strip"
          label=${t('prompt.tokens')}
          .tokens=${tokens}
          .marked=${query}
          .looked=${key}
          .shades=${shades}
          .notes=${notes}
          .selected=${view.values.position}
          @gb-token-preview=${this.#onPreview}
          @gb-token-pick=${this.#onPick}
        ></gb-token-strip>
      </gb-figure>
      ${at !== null && token
        ? html`<gb-token-card
            .token=${token}
            .position=${at}
            .expected=${expectations[at] ?? null}
            .locked=${view.values.position === at}
          ></gb-token-card>`
        : nothing}`;
  }

  /** Shades and notes, made once: a list of hundreds of tokens is only rendered again where they change. */
  #measured(expectations: readonly Expectation[], measure: Measure): Measured {
    const of = [expectations, measure, currentLanguage()];
    if (!of.every((part, i) => part === this.#shading.of[i])) {
      this.#shading = { of, value: measured(expectations, measure, this.ws.session.model?.info.vocab ?? 0) };
    }
    return this.#shading.value;
  }

  /** What is known of the tokens that are shown; nothing while they are others than those of the last picture. */
  #expectations(): readonly Expectation[] {
    const { result } = this.ws.expected;
    const { tokens } = this.ws.inspection;
    const fits = result?.tokens.length === tokens.length && result.tokens.every(({ id }, at) => id === tokens[at]?.id);
    return result && fits ? result.expectations : NOTHING;
  }

  #reading(): string {
    const { progress } = this.ws.inspection;
    return progress?.stage === 'prefill' ? t('prompt.read', { done: progress.done, total: progress.total }) : t('prompt.running');
  }

  readonly #onInput = (event: InputEvent): void => {
    this.ws.generation.discard();
    this.ws.view.set(NO_PLACE);
    this.ws.inspection.type((event.target as HTMLTextAreaElement).value);
  };

  readonly #onKey = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    void this.ws.inspection.run();
  };

  readonly #onRun = (): void => {
    void this.ws.inspection.run();
  };

  readonly #onStop = (): void => {
    this.ws.inspection.stop();
  };

  readonly #onAuto = (event: Event): void => {
    this.ws.inspection.setAuto((event.target as HTMLInputElement).checked);
  };

  readonly #onMeasure = (event: Event): void => {
    this.ws.view.set({ measure: (event.target as HTMLSelectElement).value as Measure });
  };

  readonly #onPreview = (event: CustomEvent<number | null>): void => {
    this.preview = event.detail;
  };

  readonly #onPick = (event: CustomEvent<number | null>): void => {
    this.ws.view.set({ position: event.detail });
  };
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-prompt-panel': PromptPanel;
  }
}
