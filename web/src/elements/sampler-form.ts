import { css, html, nothing, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { Sampler } from '../client/index.js';
import { controls, shared, View } from '../views/element.js';
import { t } from '../views/text.js';
import type { Generation } from './generation.js';
import { Watch } from './store.js';

interface Field {
  readonly name: Exclude<keyof Sampler, 'greedy'> | 'maxNewTokens';
  readonly min: number;
  readonly max: number;
  readonly step: number;
  /** Whether greedy choice leaves it without effect. */
  readonly draws: boolean;
  /** Ends of its slider, where it has one. */
  readonly slide?: readonly [least: number, most: number];
}

const FIELDS: readonly Field[] = [
  { name: 'maxNewTokens', min: 1, max: 4096, step: 1, draws: false },
  { name: 'temperature', min: 0.01, max: 10, step: 0.05, draws: true, slide: [0.05, 2] },
  { name: 'topK', min: 0, max: 1_000_000, step: 1, draws: true, slide: [0, 100] },
  { name: 'topP', min: 0.01, max: 1, step: 0.01, draws: true, slide: [0.01, 1] },
  { name: 'minP', min: 0, max: 1, step: 0.01, draws: true, slide: [0, 1] },
  { name: 'repetitionPenalty', min: 0.1, max: 10, step: 0.05, draws: false, slide: [0.5, 2] },
  { name: 'seed', min: 0, max: 0xffffffff, step: 1, draws: true },
];

/** How the next token is drawn. */
@customElement('gb-sampler-form')
export class SamplerForm extends View {
  @property({ attribute: false }) generation!: Generation;
  /** Whether the number of new tokens is among the fields. */
  @property({ type: Boolean }) length = true;
  protected readonly watch = new Watch(this, () => [this.generation]);

  static override readonly styles = [
    shared,
    controls,
    css`
      :host {
        margin-top: 0.6rem;
      }
      .fields {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(7.4rem, 1fr));
        gap: 0.6rem 0.75rem;
        margin-bottom: 0.9rem;
      }
      label {
        display: block;
        font-size: var(--small);
      }
      label input {
        width: 100%;
        margin-top: 0.15rem;
      }
      input[type='range'] {
        display: block;
        width: 100%;
        height: 24px;
        margin: 0.1rem 0 0;
      }
      .field > span {
        display: block;
        color: var(--ink-2);
        font-size: 0.75rem;
      }
      .greedy {
        display: flex;
        align-items: center;
        gap: 0.4em;
        min-height: 24px;
        margin-bottom: 0.6rem;
      }
      .greedy input {
        width: auto;
        margin: 0;
      }
    `,
  ];

  override render(): TemplateResult {
    const { sampler, maxNewTokens } = this.generation;
    return html`<label class="greedy"
        ><input type="checkbox" .checked=${sampler.greedy} @change=${this.#onGreedy} /> ${t('sampler.greedy')}</label
      >
      <div class="fields">
        ${FIELDS.filter(({ name }) => name !== 'maxNewTokens' || this.length).map((field) =>
          this.#field(field, field.name === 'maxNewTokens' ? maxNewTokens : sampler[field.name], sampler.greedy && field.draws),
        )}
      </div>`;
  }

  #field(field: Field, value: number, disabled: boolean): TemplateResult {
    const { name, min, max, step, slide } = field;
    const onChange = (event: Event): void => {
      this.#onNumber(field, event.target as HTMLInputElement);
    };
    return html`<div class="field">
      <label
        >${t(`sampler.${name}`)}
        <input type="number" min=${min} max=${max} step=${step === 1 ? 1 : 'any'} .value=${String(value)} ?disabled=${disabled} @change=${onChange} />
      </label>
      ${slide
        ? html`<input
            type="range"
            aria-label=${t('sampler.slide', { name: t(`sampler.${name}`) })}
            min=${slide[0]}
            max=${slide[1]}
            step=${step}
            .value=${String(Math.min(slide[1], Math.max(slide[0], value)))}
            ?disabled=${disabled}
            @input=${onChange}
          />`
        : nothing}
      <span>${t(`sampler.${name}.help`)}</span>
    </div>`;
  }

  #onNumber(field: Field, input: HTMLInputElement): void {
    const current = field.name === 'maxNewTokens' ? this.generation.maxNewTokens : this.generation.sampler[field.name];
    const typed = input.value.trim() === '' ? Number.NaN : Number(input.value);
    const value = Number.isFinite(typed) ? Math.min(field.max, Math.max(field.min, typed)) : current;
    const whole = field.step === 1 ? Math.round(value) : value;
    input.value = String(whole);
    this.generation.configure({ [field.name]: whole });
  }

  readonly #onGreedy = (event: Event): void => {
    this.generation.configure({ greedy: (event.target as HTMLInputElement).checked });
  };
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-sampler-form': SamplerForm;
  }
}
