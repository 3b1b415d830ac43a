import { css, html, LitElement, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { Sampler } from '../client/index.js';
import { controls, shared } from '../views/element.js';
import type { Generation } from './generation.js';
import { Watch } from './store.js';

interface Field {
  readonly name: Exclude<keyof Sampler, 'greedy'> | 'maxNewTokens';
  readonly label: string;
  readonly help: string;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  /** Whether greedy choice leaves it without effect. */
  readonly draws: boolean;
}

const FIELDS: readonly Field[] = [
  { name: 'maxNewTokens', label: 'New tokens', help: 'at most', min: 1, max: 4096, step: 1, draws: false },
  { name: 'temperature', label: 'Temperature', help: '1 leaves the model as it is', min: 0.01, max: 10, step: 0.05, draws: true },
  { name: 'topK', label: 'Top-k', help: '0 keeps all', min: 0, max: 1_000_000, step: 1, draws: true },
  { name: 'topP', label: 'Top-p', help: '1 keeps all', min: 0.01, max: 1, step: 0.01, draws: true },
  { name: 'minP', label: 'Min-p', help: '0 keeps all', min: 0, max: 1, step: 0.01, draws: true },
  { name: 'repetitionPenalty', label: 'Repetition penalty', help: '1 is none', min: 0.1, max: 10, step: 0.05, draws: false },
  { name: 'seed', label: 'Seed', help: 'same seed, same text', min: 0, max: 0xffffffff, step: 1, draws: true },
];

/** How the next token is drawn. */
@customElement('gb-sampler-form')
export class SamplerForm extends LitElement {
  @property({ attribute: false }) generation!: Generation;
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
        ><input type="checkbox" .checked=${sampler.greedy} @change=${this.#onGreedy} /> Greedy: always take the most
        probable token</label
      >
      <div class="fields">
        ${FIELDS.map((field) => {
          const value = field.name === 'maxNewTokens' ? maxNewTokens : sampler[field.name];
          return html`<label
            >${field.label}
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
            <span>${field.help}</span></label
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
