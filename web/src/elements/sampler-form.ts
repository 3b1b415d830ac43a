import { css, html, type TemplateResult } from 'lit';
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
}

const FIELDS: readonly Field[] = [
  { name: 'maxNewTokens', min: 1, max: 4096, step: 1, draws: false },
  { name: 'temperature', min: 0.01, max: 10, step: 0.05, draws: true },
  { name: 'topK', min: 0, max: 1_000_000, step: 1, draws: true },
  { name: 'topP', min: 0.01, max: 1, step: 0.01, draws: true },
  { name: 'minP', min: 0, max: 1, step: 0.01, draws: true },
  { name: 'repetitionPenalty', min: 0.1, max: 10, step: 0.05, draws: false },
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
        grid-template-columns: repeat(auto-fill, minmax(118px, 1fr));
        gap: 0.6rem 0.75rem;
      }
      label {
        display: block;
        font-size: var(--small);
      }
      label input {
        width: 100%;
        margin-top: 0.15rem;
      }
      label span {
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
        ${FIELDS.filter(({ name }) => name !== 'maxNewTokens' || this.length).map((field) => {
          const value = field.name === 'maxNewTokens' ? maxNewTokens : sampler[field.name];
          return html`<label
            >${t(`sampler.${field.name}`)}
            <input
              type="number"
              min=${field.min}
              max=${field.max}
              step=${field.step === 1 ? 1 : 'any'}
              .value=${String(value)}
              ?disabled=${sampler.greedy && field.draws}
              @change=${(event: Event) => {
                this.#onNumber(field, event.target as HTMLInputElement);
              }}
            />
            <span>${t(`sampler.${field.name}.help`)}</span></label
          >`;
        })}
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
