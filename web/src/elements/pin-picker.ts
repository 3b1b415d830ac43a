import { html, nothing, type ReactiveController, type ReactiveControllerHost, type TemplateResult } from 'lit';
import type { Token } from '../client/index.js';
import { tokenText } from '../views/label.js';
import { t } from '../views/text.js';
import { isAbort } from './session.js';
import type { Workspace } from './workspace.js';

const OFFERED = 6;

/** Pinned tokens as chips, the most probable next ones to pin, and any other by its text. */
export class PinPicker implements ReactiveController {
  readonly #names = new Map<number, string>();
  #typed = '';

  constructor(
    private readonly host: ReactiveControllerHost,
    private readonly ws: () => Workspace,
  ) {
    host.addController(this);
  }

  hostConnected(): void {
    // Pins without a name (from a link) get theirs when their tokens are seen.
  }

  /** How a token is called; by its id until it has been seen. */
  name(id: number): string {
    const seen = this.ws().inspection.picture;
    const token = seen?.next.find((candidate) => candidate.token.id === id)?.token ?? seen?.tokens.find((other) => other.id === id);
    return token ? tokenText(token) : (this.#names.get(id) ?? `id ${id}`);
  }

  toggle(id: number, token: Token | undefined): void {
    if (token) this.#names.set(id, tokenText(token));
    this.ws().view.togglePin(id);
  }

  render(): TemplateResult {
    const ws = this.ws();
    const { pins } = ws.view.values;
    const offered = (ws.inspection.picture?.next ?? []).slice(0, OFFERED).filter(({ token }) => !pins.includes(token.id));
    return html`<div class="row">
      <span id="pins">${t('pin.title')}</span>
      <ul class="chips" aria-labelledby="pins">
        ${pins.map((id) => this.#chip(id, this.name(id), true))}
        ${offered.map(({ token }) => this.#chip(token.id, tokenText(token), false))}
      </ul>
      ${ws.session.model?.info.tokenizer === null
        ? nothing
        : html`<label
            >${t('pin.other')}
            <input type="text" size="10" spellcheck="false" .value=${this.#typed} @input=${this.#onInput} @keydown=${this.#onKey}
          /></label>`}
    </div>`;
  }

  #chip(id: number, name: string, on: boolean): TemplateResult {
    return html`<li>
      <button type="button" aria-pressed=${on ? 'true' : 'false'} @click=${() => {
        this.#names.set(id, name);
        this.ws().view.togglePin(id);
      }}>
        <bdi>${name}</bdi>
      </button>
    </li>`;
  }

  readonly #onInput = (event: InputEvent): void => {
    this.#typed = (event.target as HTMLInputElement).value;
  };

  readonly #onKey = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter') return;
    event.preventDefault();
    void this.#pinTyped();
  };

  /** Pins the first token of what was typed, as it stands within a text. */
  async #pinTyped(): Promise<void> {
    try {
      const [token] = await this.ws().model.tokenize(this.#typed);
      if (!token) return;
      this.#names.set(token.id, tokenText(token));
      this.#typed = '';
      this.ws().view.togglePin(token.id);
      this.host.requestUpdate();
    } catch (error) {
      if (!isAbort(error)) this.ws().session.report(error);
    }
  }
}
