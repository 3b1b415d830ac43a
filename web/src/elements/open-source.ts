import { css, html, nothing, type TemplateResult } from 'lit';
import { customElement, property, query } from 'lit/decorators.js';
import type { ModelSource } from '../client/index.js';
import { controls, emit, shared, View } from '../views/element.js';
import { t } from '../views/text.js';
import { fromPicker, modelFiles } from './files.js';

/** What to open, and how to call it meanwhile. */
export interface OpenRequest {
  readonly source: ModelSource;
  readonly name: string;
}

/**
 * The ways to open a model: files, a folder, or addresses.
 *
 * @fires gb-open - `OpenRequest`, or null for the model that comes with the site
 */
@customElement('gb-open-source')
export class OpenSource extends View {
  /** Name of the model that comes with the site; empty where there is none. */
  @property() house = '';
  @query('#files') private readonly files!: HTMLInputElement;
  @query('#folder') private readonly folder!: HTMLInputElement;
  @query('#address') private readonly address!: HTMLInputElement;

  static override readonly styles = [
    shared,
    controls,
    css`
      .drop {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.6rem;
        padding: 1.1rem;
        border: 1.5px dashed var(--edge);
        border-radius: 10px;
        background: var(--surface);
      }
      .drop span {
        flex: 1 1 9rem;
        color: var(--ink-2);
      }
      .house {
        margin-top: 0.9rem;
      }
      input[type='file'] {
        display: none;
      }
      form {
        display: flex;
        flex-wrap: wrap;
        gap: 0.5rem;
        margin-top: 0.9rem;
      }
      label {
        flex-basis: 100%;
        font-size: var(--small);
        color: var(--ink-2);
      }
      input[type='text'] {
        flex: 1 1 12rem;
        min-width: 0;
      }
      p {
        flex-basis: 100%;
        margin: 0;
        font-size: var(--small);
        color: var(--ink-2);
      }
    `,
  ];

  override render(): TemplateResult {
    return html`<div class="drop">
        <button type="button" class="primary" @click=${this.#pickFiles}>${t('open.files')}</button>
        <button type="button" @click=${this.#pickFolder}>${t('open.folder')}</button>
        <span>${t('open.drop')}</span>
        <input id="files" type="file" multiple aria-label=${t('open.modelFiles')} @change=${this.#onPicked} />
        <input id="folder" type="file" webkitdirectory aria-label=${t('open.modelFolder')} @change=${this.#onPicked} />
      </div>
      <form @submit=${this.#onAddress}>
        <label for="address">${t('open.address')}</label>
        <input
          id="address"
          type="text"
          inputmode="url"
          autocomplete="url"
          spellcheck="false"
          placeholder="https://…/model.gguf"
        />
        <button>${t('open.open')}</button>
        <p>${t('open.asks')} ${t('open.adapter')}</p>
      </form>
      ${this.house === ''
        ? nothing
        : html`<p class="house">
            <button type="button" @click=${this.#openHouse}>${t('open.house', { name: this.house })}</button>
          </p>`}`;
  }

  readonly #openHouse = (): void => {
    emit(this, 'gb-open', null);
  };

  readonly #pickFiles = (): void => {
    this.files.click();
  };

  readonly #pickFolder = (): void => {
    this.folder.click();
  };

  readonly #onPicked = (event: Event): void => {
    const input = event.target as HTMLInputElement;
    const files = input.files ? modelFiles(fromPicker(input.files)) : [];
    // The same files can be chosen again, after a failure.
    input.value = '';
    if (files.length > 0) emit(this, 'gb-open', { source: files, name: nameOf(files) });
  };

  readonly #onAddress = (event: SubmitEvent): void => {
    event.preventDefault();
    const urls = this.address.value.split(/[\s,]+/).filter((url) => url !== '');
    if (urls.length === 0) {
      this.address.focus();
      return;
    }
    const name = urls[0]?.split(/[/?#]/).findLast((part) => part !== '') ?? 'model';
    emit(this, 'gb-open', { source: { urls }, name });
  };
}

/** What to call a set of files while it is being opened. */
export function nameOf(files: readonly File[]): string {
  const weights = files.find(({ name }) => /\.(gguf|safetensors)$/i.test(name)) ?? files[0];
  const folder = weights?.webkitRelativePath.split('/').at(-2);
  return folder ?? weights?.name ?? 'model';
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-open-source': OpenSource;
  }
  interface HTMLElementEventMap {
    'gb-open': CustomEvent<OpenRequest | null>;
  }
}
