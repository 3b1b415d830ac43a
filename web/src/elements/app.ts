import { html, LitElement, nothing, svg, type TemplateResult } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import type { DevicePreference, ModelInfo } from '../client/index.js';
import type { AttentionCell } from '../views/attention-matrix.js';
import { controls, shared } from '../views/element.js';
import { bytes, count, duration, rate, whole } from '../views/format.js';
import '../views/progress-bar.js';
import { type StatusItem } from '../views/status-line.js';
import '../views/status-line.js';
import { appStyles } from './app-styles.js';
import './attention-panel.js';
import { fromDrop, modelFiles } from './files.js';
import { Generation } from './generation.js';
import { Inspection } from './inspection.js';
import './next-panel.js';
import './notices.js';
import { nameOf, type OpenRequest } from './open-source.js';
import './open-source.js';
import './prompt-panel.js';
import { Session, summary, type Task } from './session.js';
import { Watch } from './store.js';
import { Theme } from './theme.js';
import './welcome.js';

/** The whole page: opens models, and joins the panels to the session. */
@customElement('gb-app')
export class App extends LitElement {
  /** `auto`, `gpu` or `cpu`. */
  @property() device: DevicePreference = 'auto';
  @property({ type: Boolean, attribute: 'allow-software' }) allowSoftware = false;
  @state() private dragging = false;
  @state() private cell: AttentionCell | null = null;
  @query('dialog') private readonly dialog!: HTMLDialogElement;
  #session!: Session;
  #inspection!: Inspection;
  #generation!: Generation;
  readonly #theme = new Theme();
  protected readonly watch = new Watch(this, () => [this.#session, this.#inspection, this.#generation, this.#theme]);
  /** Leaving one child of the page enters another, so entries are counted. */
  #dragDepth = 0;

  static override readonly styles = [shared, controls, appStyles];

  override connectedCallback(): void {
    this.#session = new Session(this.device, this.allowSoftware);
    this.#inspection = new Inspection(this.#session);
    this.#generation = new Generation(this.#session, this.#inspection);
    super.connectedCallback();
    document.addEventListener('dragenter', this.#onDragEnter);
    document.addEventListener('dragover', this.#onDragOver);
    document.addEventListener('dragleave', this.#onDragLeave);
    document.addEventListener('drop', this.#onDrop);
    document.addEventListener('keydown', this.#onKey);
    void this.#session.start();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.removeEventListener('dragenter', this.#onDragEnter);
    document.removeEventListener('dragover', this.#onDragOver);
    document.removeEventListener('dragleave', this.#onDragLeave);
    document.removeEventListener('drop', this.#onDrop);
    document.removeEventListener('keydown', this.#onKey);
  }

  override render(): TemplateResult {
    const { model, task, notices } = this.#session;
    return html`<header>
        ${mark()}
        ${model ? this.#identity(model.info) : nothing}
        <div class="tools">
          ${model ? html`<button type="button" @click=${this.#openDialog}>Open a model…</button>` : nothing}
          <button type="button" class="quiet" @click=${this.#cycleTheme}>
            Theme: ${this.#theme.choice}
          </button>
        </div>
      </header>
      <div class="messages">
        <gb-notices .notices=${notices} @gb-dismiss=${this.#onDismiss}></gb-notices>
        ${task ? progress(task) : nothing}
      </div>
      <main @gb-open=${this.#onOpen} @gb-reading=${this.#onReading}>
        ${model ? this.#workbench(model.info) : html`<gb-welcome></gb-welcome>`}
      </main>
      <footer><gb-status-line .items=${this.#status()}></gb-status-line></footer>
      <dialog aria-labelledby="open-title" @gb-open=${this.#onOpen}>
        <h2 id="open-title">Open a model</h2>
        <gb-open-source></gb-open-source>
        <form method="dialog"><button class="quiet">Close</button></form>
      </dialog>
      ${this.dragging ? html`<div class="drop" aria-hidden="true"><p>Drop to open</p></div>` : nothing}`;
  }

  #identity({ name, licence, ...info }: ModelInfo): TemplateResult {
    return html`<p class="identity">
      <strong><bdi>${name}</bdi></strong>
      <span>${count(info.parameters)} parameters · ${summary({ name, licence, ...info })}</span>
      <span>
        ${info.layers} layers × ${info.heads} heads · ${whole(info.hidden)} wide · vocabulary ${whole(info.vocab)} · context
        ${whole(info.context)}
      </span>
    </p>`;
  }

  #workbench(info: ModelInfo): TemplateResult {
    const tokenizer = info.tokenizer !== null;
    return html`<h1 class="sr-only">Glassbox: ${info.name}</h1>
      <div class="bench">
        <gb-prompt-panel
          .inspection=${this.#inspection}
          .generation=${this.#generation}
          .tokenizer=${tokenizer}
          .cell=${this.cell}
        ></gb-prompt-panel>
        <gb-attention-panel .inspection=${this.#inspection} .dark=${this.#theme.dark}></gb-attention-panel>
        <gb-next-panel .inspection=${this.#inspection} .generation=${this.#generation}></gb-next-panel>
      </div>`;
  }

  #status(): StatusItem[] {
    const { deviceInfo, model, memory } = this.#session;
    const items: StatusItem[] = [];
    if (deviceInfo) {
      const kind = deviceInfo.kind.toUpperCase();
      const value = deviceInfo.name.includes(kind) ? deviceInfo.name : `${kind}, ${deviceInfo.name}`;
      items.push({ term: 'Device', value, detail: deviceInfo.reason });
    }
    if (model) {
      const { name, licence } = model.info;
      items.push({ term: 'Model', value: name, detail: licence === null ? 'states no licence' : `licence ${licence}` });
      items.push({ term: 'Speed', value: this.#speed() });
    }
    if (memory) {
      const { wasmBytes, weightBytes, deviceBytes } = memory;
      const gpu = deviceBytes === null ? '' : `, ${bytes(deviceBytes)} on the GPU`;
      items.push({ term: 'Memory', value: `${bytes(wasmBytes)}${gpu}`, detail: `of it weights ${bytes(weightBytes)}` });
    }
    return items;
  }

  #speed(): string {
    const prefill = this.#generation.timing ?? this.#inspection.picture?.timing;
    const decode = this.#generation.timing;
    const parts: string[] = [];
    if (prefill) parts.push(`prefill ${rate(prefill.promptTokens, prefill.prefillMs)}`);
    if (decode && decode.decodedTokens > 0) parts.push(`decode ${duration(decode.decodeMs / decode.decodedTokens)} a token`);
    return parts.length === 0 ? 'not measured yet' : parts.join(', ');
  }

  #open({ source, name }: OpenRequest): void {
    this.dialog.close();
    void this.#session.open(source, name);
  }

  readonly #onOpen = (event: CustomEvent<OpenRequest>): void => {
    this.#open(event.detail);
  };
  readonly #onDismiss = (event: CustomEvent<number>): void => {
    this.#session.dismiss(event.detail);
  };
  readonly #onReading = (event: CustomEvent<AttentionCell | null>): void => {
    this.cell = event.detail;
  };
  readonly #openDialog = (): void => {
    this.dialog.showModal();
  };
  /** Escape releases what is locked, wherever the focus is; a view that released something of its own has said so. */
  readonly #onKey = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape' || event.defaultPrevented || this.dialog.open) return;
    this.#inspection.lock(null);
    this.#generation.lock(null);
  };
  readonly #cycleTheme = (): void => {
    this.#theme.cycle();
  };

  readonly #onDragEnter = (event: DragEvent): void => {
    if (!holdsFiles(event)) return;
    this.#dragDepth += 1;
    this.dragging = true;
  };
  readonly #onDragOver = (event: DragEvent): void => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = 'copy';
  };
  readonly #onDragLeave = (event: DragEvent): void => {
    if (!holdsFiles(event)) return;
    this.#dragDepth -= 1;
    if (this.#dragDepth <= 0) this.#endDrag();
  };
  readonly #onDrop = (event: DragEvent): void => {
    if (!holdsFiles(event) || !event.dataTransfer) return;
    event.preventDefault();
    this.#endDrag();
    void this.#openDropped(event.dataTransfer);
  };

  #endDrag(): void {
    this.#dragDepth = 0;
    this.dragging = false;
  }

  async #openDropped(transfer: DataTransfer): Promise<void> {
    try {
      const files = modelFiles(await fromDrop(transfer));
      this.#open({ source: files, name: nameOf(files) });
    } catch (error) {
      this.#session.report(error);
    }
  }
}

function holdsFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes('Files') ?? false;
}

function progress({ label, progress: at, cancel }: Task): TemplateResult {
  return html`<gb-progress-bar
    class="task"
    label=${label}
    .done=${at?.done ?? 0}
    .total=${at?.total ?? 0}
    unit=${at?.stage === 'prefill' ? 'tokens' : 'bytes'}
    ?cancellable=${cancel !== null}
    @gb-cancel=${() => cancel?.()}
  ></gb-progress-bar>`;
}

/** The word mark: a box one can look into. */
function mark(): TemplateResult {
  const boxes = svg`<rect x="1" y="1" width="20" height="20" rx="5" /><rect x="6" y="6" width="10" height="10" rx="2.5" />`;
  return html`<div class="mark"><svg viewBox="0 0 22 22" aria-hidden="true">${boxes}</svg> Glassbox</div>`;
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-app': App;
  }
}
