import { css, html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { controls, shared, View } from '../views/element.js';
import { bytes } from '../views/format.js';
import { download, fileName } from '../views/keep.js';
import { t } from '../views/text.js';
import { Watch } from './store.js';
import type { Workspace } from './workspace.js';

const PYTHON = `from safetensors.numpy import load_file

trace = load_file("glassbox-trace.safetensors")
pattern = trace["blocks.0.attn.hook_pattern"]  # [heads, queries, keys]
print(pattern.shape, pattern[0].sum(axis=-1))`;

/** What a trace can hold, and how much of it there is for T tokens. */
const KINDS = ['logits', 'pattern', 'resid_post', 'embed', 'attn_out', 'mlp_out', 'z'] as const;

/** A link to what is on the page, and the whole run as a file. */
@customElement('gb-share-menu')
export class ShareMenu extends View {
  @property({ attribute: false }) ws!: Workspace;
  @state() private copied = false;
  @state() private busy = false;
  @state() private kinds: ReadonlySet<string> = new Set(['logits', 'pattern', 'resid_post']);
  protected readonly watch = new Watch(this, () => [this.ws, this.ws.inspection]);

  static override readonly styles = [
    shared,
    controls,
    css`
      p {
        margin: 0 0 0.6rem;
        font-size: var(--small);
        color: var(--ink-2);
      }
      h3 {
        margin: 1.2rem 0 0.4rem;
        font-size: 0.9375rem;
      }
      .row {
        display: flex;
        flex-wrap: wrap;
        gap: 0.4rem 0.9rem;
        margin-bottom: 0.6rem;
      }
      input[readonly] {
        flex: 1 1 12rem;
        min-width: 0;
        font-family: var(--mono);
        font-size: var(--small);
      }
      label {
        display: inline-flex;
        align-items: center;
        gap: 0.4em;
        min-height: 24px;
        font-size: var(--small);
      }
      pre {
        margin: 0;
        padding: 0.6rem 0.8rem;
        overflow: auto;
        border-radius: 6px;
        background: var(--sunk);
        font: 0.75rem/1.5 var(--mono);
      }
    `,
  ];

  override render(): TemplateResult {
    const link = this.ws.link();
    const local = this.ws.state().model?.origin.kind === 'files';
    return html`<p>${t('share.about')} ${local ? t('share.local') : nothing}</p>
      <div class="row">
        <input type="text" readonly aria-label=${t('share.link')} .value=${link} @focus=${select} />
        <button type="button" class="primary" @click=${() => void this.#copy(link)}>${t('share.copy')}</button>
      </div>
      <p role="status">${this.copied ? t('share.copied') : nothing}</p>
      <h3>${t('share.trace')}</h3>
      <p>${t('share.traceAbout')}</p>
      <div class="row">
        ${KINDS.map(
          (kind) =>
            html`<label
              ><input type="checkbox" .checked=${this.kinds.has(kind)} @change=${() => {
                this.#toggle(kind);
              }} />
              ${kind} ${this.#size(kind)}</label
            >`,
        )}
      </div>
      <div class="row">
        <button type="button" ?disabled=${this.busy || !this.ws.ready || this.kinds.size === 0} @click=${() => void this.#export()}>
          ${t('share.save')}
        </button>
      </div>
      <pre tabindex="0" aria-label="Python">${PYTHON}</pre>`;
  }

  #size(kind: (typeof KINDS)[number]): string {
    const info = this.ws.session.model?.info;
    const length = this.ws.inspection.picture?.tokens.length ?? 0;
    if (!info) return '';
    const { layers, heads, hidden, headDim, vocab } = info;
    const values = {
      logits: length * vocab,
      pattern: layers * heads * length * length,
      resid_post: layers * length * hidden,
      embed: length * hidden,
      attn_out: layers * length * hidden,
      mlp_out: layers * length * hidden,
      z: layers * length * heads * headDim,
    }[kind];
    return `(${bytes(values * Float32Array.BYTES_PER_ELEMENT)})`;
  }

  #toggle(kind: string): void {
    const kinds = new Set(this.kinds);
    if (!kinds.delete(kind)) kinds.add(kind);
    this.kinds = kinds;
  }

  async #copy(link: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(link);
      this.copied = true;
    } catch (error) {
      this.ws.session.report(error);
    }
  }

  async #export(): Promise<void> {
    this.busy = true;
    try {
      const { seed } = this.ws.generation.sampler;
      const metadata = { seed: String(seed), link: this.ws.link() };
      const file = await this.ws.model.analysis.export({ ...this.ws.run, capture: [...this.kinds], metadata });
      download(new Blob([file], { type: 'application/octet-stream' }), fileName('trace', 'safetensors'));
    } catch (error) {
      this.ws.session.report(error);
    } finally {
      this.busy = false;
    }
  }
}

function select(event: Event): void {
  (event.target as HTMLInputElement).select();
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-share-menu': ShareMenu;
  }
}
