import { css, html, LitElement, type TemplateResult } from 'lit';
import { customElement, query } from 'lit/decorators.js';
import type { ModelSource } from '../client/index.js';
import { controls, emit, shared } from '../views/element.js';
import { fromPicker, modelFiles } from './files.js';

/** What to open, and how to call it meanwhile. */
export interface OpenRequest {
  readonly source: ModelSource;
  readonly name: string;
}

/**
 * The ways to open a model: files, a folder, or addresses.
 *
 * @fires gb-open - `OpenRequest`
 */
@customElement('gb-open-source')
export class OpenSource extends LitElement {
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
        <button type="button" class="primary" @click=${this.#pickFiles}>Choose files…</button>
        <button type="button" @click=${this.#pickFolder}>Choose a folder…</button>
        <span>or drop them anywhere on this page</span>
        <input id="files" type="file" multiple aria-label="Model files" @change=${this.#onPicked} />
        <input id="folder" type="file" webkitdirectory aria-label="Model folder" @change=${this.#onPicked} />
      </div>
      <form @submit=${this.#onAddress}>
        <label for="address">Or give the address of a .gguf, of a folder that is laid out as on a hub, or of each file of a model</label>
        <input
          id="address"
          type="text"
          inputmode="url"
          autocomplete="url"
          spellcheck="false"
          placeholder="https://…/model.gguf"
        />
        <button>Open</button>
        <p>The page then asks that server for the model’s files, and for nothing else.</p>
      </form>`;
  }

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
    'gb-open': CustomEvent<OpenRequest>;
  }
}
