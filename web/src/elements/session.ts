import {
  Glassbox,
  GlassboxError,
  type DeviceInfo,
  type Memory,
  type Model,
  type ModelInfo,
  type ModelSource,
  type OpenOptions,
  type Progress,
} from '../client/index.js';
import { shownError } from '../views/error-words.js';
import { t } from '../views/text.js';
import type { Computing } from './settings.js';
import { Store } from './store.js';

/** Something the reader should know, until it is dismissed. */
export interface Notice {
  readonly id: number;
  readonly kind: 'error' | 'info';
  readonly message: string;
  readonly hint: string;
  /** Of an error of the engine: its kind. */
  readonly code: string;
}

/** Something long that goes on. */
export interface Task {
  readonly label: string;
  readonly progress: Progress | null;
  readonly cancel: (() => void) | null;
}

/** An adapter with what it takes to attach it again. */
export interface LinkedAdapter {
  readonly urls: readonly string[];
  readonly scale: number;
}

/** Ends of the engine that have been told of, or were meant. */
const TOLD: ReadonlySet<string> = new Set(['worker_died', 'stopped']);

/** More threads than this are seldom quicker in a page: they wait for each other at every product. */
const THREADS = 8;

function options({ precision, threads }: Computing): Pick<OpenOptions, 'precision' | 'threads'> {
  return {
    ...(precision === 'exact' ? { precision: 'f32' } : {}),
    // One core is left to the page itself.
    ...(threads === 'several' ? { threads: Math.max(2, Math.min(navigator.hardwareConcurrency - 1, THREADS)) } : {}),
  };
}

/** The engine, the model that is open, and what went wrong. */
export class Session extends Store {
  #gb: Glassbox | undefined;
  #model: Model | undefined;
  #memory: Memory | undefined;
  #task: Task | undefined;
  #notices: readonly Notice[] = [];
  #noticeId = 0;
  #adapted = 0;
  /** Where the open model's adapters came from, by their ids. */
  readonly #adapterUrls = new Map<number, readonly string[]>();
  #starting: Promise<Glassbox | undefined> | undefined;
  #opening: AbortController | undefined;
  #how: Computing;
  /** Where the open model came from. */
  #last: { readonly source: ModelSource; readonly name: string } | undefined;

  constructor(
    how: Computing,
    private readonly allowSoftware: boolean,
  ) {
    super();
    this.#how = how;
  }

  get deviceInfo(): DeviceInfo | undefined {
    return this.#gb?.device;
  }
  get model(): Model | undefined {
    return this.#model;
  }
  /** Grows with every change of the open model's adapters. */
  get adapted(): number {
    return this.#adapted;
  }
  get memory(): Memory | undefined {
    return this.#memory;
  }
  get task(): Task | undefined {
    return this.#task;
  }
  get notices(): readonly Notice[] {
    return this.#notices;
  }

  /** Starts the engine, once; resolves with undefined where that failed, which has been reported. */
  start(): Promise<Glassbox | undefined> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  /** Opens a model; the one there was stays where that fails. Resolves with whether it opened. */
  async open(source: ModelSource, name: string): Promise<boolean> {
    this.#opening?.abort();
    const controller = new AbortController();
    this.#opening = controller;
    const cancel = (): void => {
      controller.abort();
    };
    const report = (progress: Progress | null): void => {
      if (this.#opening !== controller) return;
      const stage = progress ? t(`stage.${progress.stage}`) : t('stage.open');
      this.#setTask({ label: `${stage}: ${name}`, progress, cancel });
    };
    report(null);
    try {
      const gb = await this.start();
      if (!gb || controller.signal.aborted) return false;
      this.#model = await gb.open(source, { onProgress: report, signal: controller.signal, ...options(this.#how) });
      this.#last = { source, name };
      this.#adapterUrls.clear();
      this.#notices = [];
      return true;
    } catch (error) {
      // What changes a model and is none goes to the one that is open.
      if (error instanceof GlassboxError && error.code === 'adapter_alone' && this.#model) return await this.attach(source, 1);
      this.report(error);
      return false;
    } finally {
      if (this.#opening === controller) {
        this.#opening = undefined;
        this.#setTask(undefined);
      }
    }
  }

  /** Attaches an adapter to the open model. Resolves with false: no model was opened. */
  async attach(source: ModelSource, scale: number): Promise<false> {
    await this.#adapt(async (model) => {
      const added = (await model.attach(source, { scale })).at(-1);
      if (added && 'urls' in source) this.#adapterUrls.set(added.id, source.urls.map(String));
    });
    return false;
  }

  /** The adapters of the open model that have addresses, and so can be attached again elsewhere. */
  get linkedAdapters(): readonly LinkedAdapter[] {
    return (this.#model?.adapters ?? []).flatMap(({ id, scale }) => {
      const urls = this.#adapterUrls.get(id);
      return urls ? [{ urls, scale }] : [];
    });
  }

  /** Scales an adapter of the open model: 1 as trained, 0 off. */
  scaleAdapter(id: number, scale: number): Promise<void> {
    return this.#adapt((model) => model.scaleAdapter(id, scale));
  }

  /** Takes an adapter off the open model. */
  detach(id: number): Promise<void> {
    return this.#adapt((model) => model.detach(id));
  }

  async #adapt(change: (model: Model) => Promise<unknown>): Promise<void> {
    if (!this.#model) return;
    try {
      await change(this.#model);
      this.#adapted += 1;
      this.changed();
    } catch (error) {
      this.report(error);
    }
  }

  /**
   * Computes on another device, or otherwise, from now on: the engine is started again, or the model opened again.
   * Resolves with whether that went well; what was open is gone where it did not.
   */
  async compute(how: Computing): Promise<boolean> {
    const restart = how.device !== this.#how.device;
    this.#how = how;
    if (restart) return this.restart();
    return this.#last && this.#model ? this.open(this.#last.source, this.#last.name) : true;
  }

  /** Starts the engine again, with the model that is open. */
  async restart(): Promise<boolean> {
    if (!this.#starting) return true;
    this.#opening?.abort();
    await this.#starting;
    this.#gb?.stop();
    this.#gb = undefined;
    this.#starting = undefined;
    const last = this.#model ? this.#last : undefined;
    if (await this.start()) return last ? this.open(last.source, last.name) : true;
    this.#model = undefined;
    this.changed();
    return false;
  }

  /** Shows an error. What the reader stopped is no error, and a dead engine has been told of already. */
  report(error: unknown): void {
    if (isAbort(error)) return;
    if (error instanceof GlassboxError) {
      if (!TOLD.has(error.code)) this.#notify('error', error.message, error.hint, error.code);
    } else {
      this.#notify('error', error instanceof Error ? error.message : String(error), t('notice.reloadIf'));
    }
  }

  /** Tells something that is no error. */
  tell(message: string, hint: string): void {
    this.#notify('info', message, hint);
  }

  dismiss(id: number): void {
    this.#notices = this.#notices.filter((notice) => notice.id !== id);
    this.changed();
  }

  async #start(): Promise<Glassbox | undefined> {
    this.#setTask({ label: t('stage.engine'), progress: null, cancel: null });
    try {
      const { allowSoftware } = this;
      const { device } = this.#how;
      const onProgress = (progress: Progress): void => {
        if (!this.#opening) this.#setTask({ label: t(`stage.${progress.stage}`), progress, cancel: null });
      };
      const gb = await Glassbox.start({ device, allowSoftware, onProgress });
      this.#gb = gb;
      this.#listen(gb);
      return gb;
    } catch (error) {
      this.#starting = undefined;
      if (error instanceof GlassboxError) this.#notify('error', error.message, error.hint, error.code);
      else this.#notify('error', error instanceof Error ? error.message : String(error), t('notice.reload'));
      return undefined;
    } finally {
      if (!this.#opening) this.#setTask(undefined);
      this.changed();
    }
  }

  #listen(gb: Glassbox): void {
    gb.on('memory', (memory) => {
      this.#memory = memory;
      this.changed();
    });
    let death = '';
    gb.on('died', ({ message, hint, code }) => {
      death = message;
      this.#notify('error', message, hint, code);
      this.#setTask({ label: t('stage.restart'), progress: null, cancel: null });
    });
    gb.on('restoring', (progress) => {
      this.#setTask({ label: t('stage.again', { stage: t(`stage.${progress.stage}`) }), progress, cancel: null });
    });
    gb.on('restored', ({ model }) => {
      this.#setTask(undefined);
      // What happened and how it ended belong together.
      this.#notices = this.#notices.filter(({ message }) => message !== sentence(death));
      const now = model ? t('notice.againModel', { name: model.name }) : t('notice.again');
      const { message } = shownError({ message: death, hint: '', code: 'worker_died' });
      this.#notify('info', `${sentence(message)} ${now}`, model ? '' : t('notice.openOne'));
    });
    gb.on('lost', ({ message, hint, code }) => {
      this.#model = undefined;
      this.#setTask(undefined);
      this.#notify('error', message, hint, code);
    });
  }

  #notify(kind: Notice['kind'], message: string, hint: string, code = ''): void {
    const id = ++this.#noticeId;
    const others = this.#notices.filter((notice) => notice.message !== sentence(message));
    this.#notices = [...others, { id, kind, message: sentence(message), hint: sentence(hint), code }].slice(-3);
    this.changed();
  }

  #setTask(task: Task | undefined): void {
    this.#task = task;
    this.changed();
  }
}

/** Whether an error only says that something was stopped on purpose. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

/** Errors begin in lower case, to be joined to others; alone they are sentences. A file's name stays as it is. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  if (trimmed === '') return '';
  const capital = /^[a-z]+[ ,]/.test(trimmed) ? trimmed.charAt(0).toUpperCase() + trimmed.slice(1) : trimmed;
  return /[.!?…]$/.test(capital) ? capital : `${capital}.`;
}

/** What a model is, in one line. */
export function summary(info: ModelInfo): string {
  const types = Object.keys(info.dtypes).join(', ');
  return [info.architecture, types, info.format].filter((part) => part !== '').join(' · ');
}
