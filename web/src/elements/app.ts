import { html, nothing, svg, type TemplateResult } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import type { DevicePreference, ModelInfo } from '../client/index.js';
import type { AttentionCell } from '../views/attention-matrix.js';
import { controls, shared, View } from '../views/element.js';
import { shownSentence } from '../views/error-words.js';
import { bytes, count, duration, rate, whole } from '../views/format.js';
import '../views/progress-bar.js';
import { type StatusItem } from '../views/status-line.js';
import '../views/status-line.js';
import { t } from '../views/text.js';
import './adapter-list.js';
import { appStyles } from './app-styles.js';
import './attention-panel.js';
import './change-list.js';
import './deeper.js';
import { DropZone } from './drop-zone.js';
import './example-menu.js';
import './intro.js';
import './kept-note.js';
import { nameOf, type OpenRequest } from './open-source.js';
import './next-panel.js';
import './notices.js';
import './open-source.js';
import './prompt-panel.js';
import { summary, type Task } from './session.js';
import './settings-menu.js';
import './share-menu.js';
import { Watch } from './store.js';
import './tour.js';
import './welcome.js';
import { Workspace } from './workspace.js';

/** The whole page: opens models, and joins the panels to the workspace. */
@customElement('gb-app')
export class App extends View {
  /** `auto`, `gpu` or `cpu`. */
  @property() device: DevicePreference = 'auto';
  @property({ type: Boolean, attribute: 'allow-software' }) allowSoftware = false;
  /** Begins without a model, even where one comes with the site. */
  @property({ type: Boolean }) empty = false;
  @state() private cell: AttentionCell | null = null;
  @state() private dialogShown: 'open' | 'settings' | 'share' = 'open';
  @query('dialog') private readonly dialog!: HTMLDialogElement;
  #ws!: Workspace;
  readonly #drop = new DropZone(
    this,
    (files) => void this.#ws.open(files, nameOf(files), { kind: 'files' }),
    (error) => {
      this.#ws.session.report(error);
    },
  );
  protected readonly watch = new Watch(this, () => {
    const { session, inspection, generation, settings, history } = this.#ws;
    return [this.#ws, this.#ws.files, session, inspection, generation, settings, history];
  });

  static override readonly styles = [shared, controls, appStyles];

  override connectedCallback(): void {
    this.#ws = new Workspace(this.device, this.allowSoftware);
    super.connectedCallback();
    document.addEventListener('keydown', this.#onKey);
    window.addEventListener('hashchange', this.#onLink);
    void this.#ws.begin(this.empty);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.removeEventListener('keydown', this.#onKey);
    window.removeEventListener('hashchange', this.#onLink);
  }

  override render(): TemplateResult {
    const { task, notices, model } = this.#ws.session;
    const pictured = this.#ws.inspection.picture !== undefined;
    return html`<header>
        ${mark()} ${model ? this.#identity(model.info) : html`<p class="identity"></p>`}
        <div class="tools">${this.#tools(model !== undefined)}</div>
      </header>
      <div class="messages">
        <gb-notices .notices=${notices} @gb-dismiss=${this.#onDismiss}></gb-notices>
        ${this.#ws.asks.length > 0 ? this.#ask(this.#ws.asks) : nothing} ${task ? progress(task) : nothing}
      </div>
      <main @gb-open=${this.#onOpen} @gb-reading=${this.#onReading} @gb-keep-failed=${this.#onFailed}>
        ${model || pictured ? this.#workbench(model?.info) : this.#welcome()}
      </main>
      <footer><gb-status-line .items=${this.#status()}></gb-status-line></footer>
      <dialog aria-labelledby="dialog-title" @gb-open=${this.#onOpen}>${this.#dialog()}</dialog>
      <gb-tour .ws=${this.#ws}></gb-tour>
      ${this.#drop.over ? html`<div class="drop" aria-hidden="true"><p>${t('app.drop')}</p></div>` : nothing}`;
  }

  #tools(model: boolean): TemplateResult {
    const { history } = this.#ws;
    return html`${model
        ? html`<button type="button" class="quiet icon" ?disabled=${!history.canUndo} @click=${this.#undo} title=${t('app.undoKey')}>
              ${icon('undo')}<span class="sr-only">${t('app.undo')}</span>
            </button>
            <button type="button" class="quiet icon" ?disabled=${!history.canRedo} @click=${this.#redo} title=${t('app.redoKey')}>
              ${icon('redo')}<span class="sr-only">${t('app.redo')}</span>
            </button>
            <gb-example-menu .ws=${this.#ws}></gb-example-menu>
            <button type="button" class="quiet" @click=${this.#show('share')}>${t('share.open')}</button>
            <button type="button" @click=${this.#show('open')}>${t('app.openModel')}</button>`
        : nothing}
      <button type="button" class="quiet" @click=${this.#show('settings')}>${t('settings.open')}</button>`;
  }

  /** A link that wants files from other machines waits for the reader's word. */
  #ask(hosts: readonly string[]): TemplateResult {
    const answer = (agreed: boolean) => () => void this.#ws.answer(agreed);
    return html`<section class="ask" aria-labelledby="ask">
      <p id="ask">${t('ask.text', { hosts: hosts.join(', ') })}</p>
      <button type="button" class="primary" @click=${answer(true)}>${t('ask.yes')}</button>
      <button type="button" @click=${answer(false)}>${t('ask.no')}</button>
    </section>`;
  }

  /** Nothing while the site's own model is on its way: it is there in a moment. */
  #welcome(): TemplateResult | typeof nothing {
    if (this.#ws.opensHouse) return nothing;
    return html`<gb-welcome .house=${this.#ws.house?.name ?? ''}></gb-welcome>`;
  }

  #identity({ name, licence, ...info }: ModelInfo): TemplateResult {
    return html`<p class="identity">
      <strong><bdi>${name}</bdi></strong>
      <span>${t('app.about', { count: count(info.parameters), summary: summary({ name, licence, ...info }) })}</span>
      <span>
        ${t('app.shape', {
          layers: info.layers,
          heads: info.heads,
          hidden: whole(info.hidden),
          vocab: whole(info.vocab),
          context: whole(info.context),
        })}
      </span>
    </p>`;
  }

  #workbench(info: ModelInfo | undefined): TemplateResult {
    const tokenizer = info ? info.tokenizer !== null : true;
    return html`<h1 class="sr-only">${info ? `Glassbox: ${info.name}` : 'Glassbox'}</h1>
      ${this.#ws.introduces ? html`<gb-intro .ws=${this.#ws}></gb-intro>` : nothing}
      <gb-adapter-list .ws=${this.#ws}></gb-adapter-list>
      <gb-change-list .ws=${this.#ws}></gb-change-list>
      <div class="bench">
        <gb-prompt-panel .ws=${this.#ws} .tokenizer=${tokenizer} .cell=${this.cell}></gb-prompt-panel>
        <gb-attention-panel .ws=${this.#ws}></gb-attention-panel>
        <gb-next-panel .ws=${this.#ws}></gb-next-panel>
      </div>
      ${info ? html`<gb-deeper .ws=${this.#ws}></gb-deeper>` : nothing}`;
  }

  #dialog(): TemplateResult {
    const close = html`<form method="dialog"><button class="quiet">${t('settings.close')}</button></form>`;
    switch (this.dialogShown) {
      case 'open':
        return html`<h2 id="dialog-title">${t('open.title')}</h2>
          <gb-open-source .house=${this.#ws.house?.name ?? ''}></gb-open-source>
          ${close}`;
      case 'settings':
        return html`<h2 id="dialog-title">${t('settings.open')}</h2>
          <gb-settings-menu .settings=${this.#ws.settings} @gb-check-device=${this.#onCheckDevice}></gb-settings-menu>
          <gb-kept-note .ws=${this.#ws}></gb-kept-note>
          ${close}`;
      case 'share':
        return html`<h2 id="dialog-title">${t('share.title')}</h2>
          <gb-share-menu .ws=${this.#ws}></gb-share-menu>
          ${close}`;
    }
  }

  #status(): StatusItem[] {
    const { deviceInfo, model, memory } = this.#ws.session;
    const items: StatusItem[] = [];
    if (deviceInfo) {
      const kind = deviceInfo.kind.toUpperCase();
      const value = deviceInfo.name.includes(kind) ? deviceInfo.name : `${kind}, ${deviceInfo.name}`;
      items.push({ term: t('status.device'), value, detail: shownSentence(deviceInfo.reason) });
    }
    if (model) {
      const { name, licence } = model.info;
      const terms = licence === null ? t('status.noLicence') : t('status.licence', { licence });
      const { kept, problem } = this.#ws.files;
      const files = this.#ws.local ? (kept ? t('kept.short') : problem ? t('kept.not') : '') : '';
      items.push({ term: t('status.model'), value: name, detail: [terms, files].filter((part) => part !== '').join(', ') });
      items.push({ term: t('status.speed'), value: this.#speed() });
      const { precision, threads } = model.info;
      const detail = threads > 1 ? { detail: t('status.threads', { count: String(threads) }) } : {};
      items.push({ term: t('status.precision'), value: t(`precision.${precision}`), ...detail });
    } else if (this.#ws.inspection.recorded) {
      items.push({ term: t('status.model'), value: t('status.recorded') });
    }
    if (memory) {
      const { wasmBytes, weightBytes, helperBytes, deviceBytes } = memory;
      const helpers = helperBytes === 0 ? '' : `, ${t('status.helpers', { bytes: bytes(helperBytes) })}`;
      const gpu = deviceBytes === null ? '' : `, ${t('status.gpu', { bytes: bytes(deviceBytes) })}`;
      items.push({ term: t('status.memory'), value: `${bytes(wasmBytes)}${gpu}`, detail: `${t('status.weights', { bytes: bytes(weightBytes) })}${helpers}` });
    }
    return items;
  }

  #speed(): string {
    const { generation, inspection } = this.#ws;
    const prefill = generation.timing ?? inspection.picture?.timing;
    const decode = generation.timing;
    const parts: string[] = [];
    if (prefill) parts.push(t('status.prefill', { rate: rate(prefill.promptTokens, prefill.prefillMs) }));
    if (decode && decode.decodedTokens > 0) parts.push(t('status.decode', { time: duration(decode.decodeMs / decode.decodedTokens) }));
    return parts.length === 0 ? t('status.unmeasured') : parts.join(', ');
  }

  readonly #onOpen = (event: CustomEvent<OpenRequest | null>): void => {
    this.dialog.close();
    if (!event.detail) {
      void this.#ws.openHouse();
      return;
    }
    const { source, name } = event.detail;
    const origin = 'urls' in source ? { kind: 'urls' as const, urls: source.urls.map(String) } : { kind: 'files' as const };
    void this.#ws.open(source, name, origin);
  };
  /** Another link was opened in this tab. */
  readonly #onLink = (): void => {
    void this.#ws.begin(true);
  };
  readonly #onDismiss = (event: CustomEvent<number>): void => {
    this.#ws.session.dismiss(event.detail);
  };
  readonly #onReading = (event: CustomEvent<AttentionCell | null>): void => {
    this.cell = event.detail;
  };
  readonly #onFailed = (event: CustomEvent<unknown>): void => {
    this.#ws.session.report(event.detail);
  };
  readonly #show = (which: 'open' | 'settings' | 'share') => () => {
    this.dialogShown = which;
    this.dialog.showModal();
  };
  readonly #onCheckDevice = (): void => {
    this.dialog.close();
    void this.#ws.checkDevice();
  };
  readonly #undo = (): void => {
    this.#ws.undo();
  };
  readonly #redo = (): void => {
    this.#ws.redo();
  };

  /**
   * Escape releases what is locked, wherever the focus is; a view that released something of its own has said so.
   * Undo and redo work where no text is written.
   */
  readonly #onKey = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || this.dialog.open) return;
    if (event.key === 'Escape') {
      this.#ws.inspection.lock(null);
      this.#ws.generation.lock(null);
    }
    const [target] = event.composedPath();
    const writing = target instanceof HTMLElement && target.matches('input, textarea, select');
    if (writing || !(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== 'z') return;
    event.preventDefault();
    if (event.shiftKey) this.#ws.redo();
    else this.#ws.undo();
  };
}

function progress({ label, progress: at, cancel }: Task): TemplateResult {
  const unit = at?.stage === 'prefill' ? 'tokens' : at?.stage === 'analysis' ? 'pieces' : 'bytes';
  return html`<gb-progress-bar
    class="task"
    label=${label}
    .done=${at?.done ?? 0}
    .total=${at?.total ?? 0}
    unit=${unit}
    ?cancellable=${cancel !== null}
    @gb-cancel=${() => cancel?.()}
  ></gb-progress-bar>`;
}

/** The word mark: a box one can look into. */
function mark(): TemplateResult {
  const boxes = svg`<rect x="1" y="1" width="20" height="20" rx="5" /><rect x="6" y="6" width="10" height="10" rx="2.5" />`;
  return html`<div class="mark"><svg viewBox="0 0 22 22" aria-hidden="true">${boxes}</svg> Glassbox</div>`;
}

const ICONS = {
  undo: svg`<path d="M7 4 3 8l4 4M3 8h7a5 5 0 0 1 0 10H8" />`,
  redo: svg`<path d="m13 4 4 4-4 4m4-4h-7a5 5 0 0 0 0 10h2" />`,
} as const;

function icon(name: keyof typeof ICONS): TemplateResult {
  return html`<svg viewBox="0 0 20 22" aria-hidden="true">${ICONS[name]}</svg>`;
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-app': App;
  }
}
