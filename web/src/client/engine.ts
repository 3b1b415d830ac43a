import { abortReason, Connection, type CallOptions, type Patience, type Reply, type WorkerLike } from './connection.js';
import { checkDevice } from './device-check.js';
import { Emitter } from './emitter.js';
import { failures, GlassboxError } from './errors.js';
import {
  PROTOCOL_VERSION,
  type AdapterInfo,
  type ChosenDevice,
  type DeviceInfo,
  type DeviceKind,
  type DevicePreference,
  type Event,
  type Failure,
  type LoadStage,
  type ModelInfo,
  type Precision,
  type Request,
  type Source,
} from './protocol.gen.js';

/** How far something long has come. For `prefill` the figures count tokens, for `analysis` and `check` pieces of work, else bytes; a total of 0 is unknown. */
export interface Progress {
  readonly stage: LoadStage;
  readonly done: number;
  readonly total: number;
}

/** Memory in use, told by the worker from time to time, in bytes. */
export interface Memory {
  readonly wasmBytes: number;
  readonly weightBytes: number;
  /** Bytes of weights that other threads hold once more, in memories of their own. */
  readonly helperBytes: number;
  /** Bytes reserved on the GPU; null on the CPU. */
  readonly deviceBytes: number | null;
}

/** What {@link Glassbox.on} tells. */
export interface GlassboxEvents {
  memory: Memory;
  /** The worker died; everything pending was rejected, and a new one is being started. */
  died: Failure;
  /** Progress of starting again and opening the model again. */
  restoring: Progress;
  /** A new worker stands, with the model there was, if any. */
  restored: { readonly device: DeviceInfo; readonly model: ModelInfo | null };
  /** The model, or the engine itself, could not be restored. */
  lost: Failure;
}

/** @internal */
export interface EngineOptions {
  readonly device: DevicePreference;
  readonly allowSoftware: boolean;
  readonly createWorker: () => WorkerLike;
  readonly url: string;
  readonly patience: Patience;
  /** Where the files of the self-test are; null for none. */
  readonly selfTest: URL | null;
}

/** @internal How a model is opened. */
export interface OpenRequest {
  readonly source: Source;
  /** What to run it on; null for what should be quickest. */
  readonly device: DeviceKind | null;
  /** How products take their activations; null for what suits the model. */
  readonly precision: Precision | null;
  /** Threads to compute with on the CPU. */
  readonly threads: number;
}

/** @internal A model that is open: what to open again after a death, and what the worker says it is. */
export interface OpenModel {
  readonly request: OpenRequest;
  info: ModelInfo;
  device: DeviceInfo;
  /** Where the adapters came from, in the order of `info.adapters`. */
  adapters: readonly Source[];
}

/** @internal A change of a model's adapters. */
export type AdapterRequest = Request & { type: 'attach' | 'scale_adapter' | 'detach' };

/** The worker's loader chooses the module and fills this in. */
const UNCHOSEN: ChosenDevice = { kind: 'cpu', name: '', reason: '', software: false };

/**
 * @internal The worker as something that does not die: when it does, a new one is started and the model opened again.
 */
export class Engine {
  readonly events = new Emitter<GlassboxEvents>();
  readonly #options: EngineOptions;
  /** What is asked of the next worker; the CPU once the GPU has killed one that was free to choose. */
  #preference: DevicePreference;
  #fallback = '';
  #connection: Connection | undefined;
  #ready: Promise<Connection>;
  #restoring = false;
  #device: DeviceInfo | undefined;
  #version = '';
  #model: OpenModel | undefined;
  /** Resolves when no opening is under way; until then it is not known which model the worker holds. */
  #opening: Promise<void> = Promise.resolve();

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#preference = options.device;
    this.#ready = Promise.reject(new GlassboxError(failures.stopped()));
    this.#ready.catch(ignore);
  }

  /** What the open model runs on; without a model, what the engine was started on. */
  get device(): DeviceInfo {
    const device = this.#model?.device ?? this.#device;
    if (!device) throw new GlassboxError(failures.stopped());
    return device;
  }

  get version(): string {
    return this.#version;
  }

  /** The model that is open now; a `Model` is closed when it is no longer this one. */
  get model(): OpenModel | undefined {
    return this.#model;
  }

  /** Starts the first worker; a failure here is the caller's to show, nothing is retried. */
  async start(signal?: AbortSignal, onProgress?: (progress: Progress) => void): Promise<void> {
    this.#restoring = true;
    try {
      this.#ready = this.#first(signal, onProgress);
      await this.#ready;
    } catch (error) {
      this.#connection?.close(failures.stopped());
      throw error;
    } finally {
      this.#restoring = false;
    }
  }

  /** Sends a request to a model, once it is known to be the one that the worker holds. */
  async call(model: OpenModel, request: Request, options: CallOptions = {}): Promise<Reply> {
    const connection = await this.#whenOpen(options.signal);
    if (this.#model !== model) throw new GlassboxError(failures.modelClosed());
    return connection.call(request, options);
  }

  /** Opens a model in place of the one before, which stays where opening fails. */
  async open(request: OpenRequest, options: CallOptions): Promise<OpenModel> {
    const before = this.#opening;
    let settled = before;
    let free = ignore;
    this.#opening = new Promise((resolve) => (free = resolve));
    try {
      await abortable(before, options.signal);
      const connection = await abortable(this.#ready, options.signal);
      const onAborted = (end: Promise<Event | undefined>): void => {
        settled = end.then((event) => this.#takeBack(connection, event));
      };
      const { event } = await connection.call({ type: 'open', ...request }, { ...options, onAborted });
      this.#model = { request, adapters: [], ...this.#opened(event) };
      return this.#model;
    } finally {
      void settled.then(free);
    }
  }

  /** Changes a model's adapters; resolves with all that are attached then. */
  async adapt(model: OpenModel, request: AdapterRequest, options: CallOptions = {}): Promise<readonly AdapterInfo[]> {
    const { event } = await this.call(model, request, options);
    if (event.type !== 'adapted') throw new GlassboxError(failures.unexpected(event.type));
    if (request.type === 'attach') model.adapters = [...model.adapters, request.source];
    if (request.type === 'detach') {
      const gone = model.info.adapters.findIndex(({ id }) => id === request.adapter);
      model.adapters = model.adapters.filter((_, index) => index !== gone);
    }
    model.info = { ...model.info, adapters: event.adapters };
    return event.adapters;
  }

  async close(model: OpenModel): Promise<void> {
    if (this.#model !== model) return;
    this.#model = undefined;
    const connection = await this.#whenOpen();
    // What was opened since has taken its place already.
    if (this.model === undefined) await connection.call({ type: 'close' });
  }

  stop(): void {
    const failure = failures.stopped();
    this.#model = undefined;
    this.#ready = Promise.reject(new GlassboxError(failure));
    this.#ready.catch(ignore);
    this.#connection?.close(failure);
    this.#connection = undefined;
  }

  async #whenOpen(signal?: AbortSignal): Promise<Connection> {
    for (;;) {
      const opening = this.#opening;
      await abortable(opening, signal);
      const connection = await abortable(this.#ready, signal);
      if (opening === this.#opening) return connection;
    }
  }

  /** An opening that was aborted too late has put its model into the worker: the one before goes back. */
  async #takeBack(connection: Connection, end: Event | undefined): Promise<void> {
    if (end?.type !== 'opened' || this.#connection !== connection) return;
    const model = this.#model;
    try {
      if (model) await this.#reopen(connection, model);
      else await connection.call({ type: 'close' });
    } catch (error) {
      // A worker that died of it is being restored, with the model.
      if (died(error) || this.#model !== model) return;
      this.#model = undefined;
      this.events.emit('lost', asFailure(error));
    }
  }

  /** Starts the first worker. A device that dies or computes wrongly is left for the CPU, where that is free to choose. */
  async #first(signal?: AbortSignal, onProgress?: (progress: Progress) => void): Promise<Connection> {
    try {
      const connection = await this.#spawn(signal, onProgress);
      const { selfTest: folder } = this.#options;
      if (!folder) return connection;
      const { device } = this;
      const subject = { device, version: this.#version, folder, free: this.#preference === 'auto' };
      const wrong = await checkDevice(connection, subject, signal, onProgress);
      if (wrong === null) return connection;
      connection.close(failures.stopped());
      if (!this.#fallBack(reasons.wrong(device.name))) throw new GlassboxError(failures.wrongDevice(device, wrong));
    } catch (error) {
      if (!died(error) || !this.#fallBack()) throw error;
    }
    return this.#spawn(signal, onProgress);
  }

  /** Puts a model that was open into a worker, with its adapters. */
  async #reopen(connection: Connection, model: OpenModel, onProgress?: (progress: Progress) => void): Promise<void> {
    const scales = model.info.adapters.map(({ scale }) => scale);
    const { event } = await connection.call({ type: 'open', ...model.request }, { onEvent: progressOnly(onProgress) });
    Object.assign(model, this.#opened(event));
    for (const [index, source] of model.adapters.entries()) {
      const { event: adapted } = await connection.call({ type: 'attach', source, scale: scales[index] ?? 1 });
      if (adapted.type === 'adapted') model.info = { ...model.info, adapters: adapted.adapters };
    }
  }

  /** What an `opened` event says, with what this side knows of the device. */
  #opened(event: Event): Pick<OpenModel, 'info' | 'device'> {
    if (event.type !== 'opened') throw new GlassboxError(failures.unexpected(event.type));
    return { info: complete(event.model), device: this.#explained(event.device) };
  }

  #explained(device: DeviceInfo): DeviceInfo {
    return this.#fallback === '' ? device : { ...device, reason: this.#fallback };
  }

  async #spawn(signal?: AbortSignal, onProgress?: (progress: Progress) => void): Promise<Connection> {
    const { createWorker, allowSoftware, patience, url } = this.#options;
    const connection: Connection = new Connection(createWorker(), {
      patience,
      url,
      onUnsolicited: (event) => {
        this.#hear(event);
      },
      onEnd: (failure) => {
        if (this.#connection === connection && !this.#restoring) this.#restart(failure);
      },
    });
    this.#connection = connection;
    const { event } = await connection.call(
      { type: 'start', device: this.#preference, allowSoftware, chosen: UNCHOSEN },
      { signal, onEvent: progressOnly(onProgress) },
    );
    if (event.type !== 'started') throw new GlassboxError(failures.unexpected(event.type));
    if (event.protocol !== PROTOCOL_VERSION) {
      throw new GlassboxError(failures.protocolMismatch(PROTOCOL_VERSION, event.protocol));
    }
    this.#device = this.#explained(event.device);
    this.#version = event.version;
    return connection;
  }

  #restart(failure: Failure): void {
    this.#restoring = true;
    this.events.emit('died', failure);
    const ready = this.#restore().finally(() => {
      this.#restoring = false;
    });
    this.#ready = ready;
    ready.then(
      () => {
        if (this.#ready !== ready) return;
        this.events.emit('restored', { device: this.device, model: this.#model?.info ?? null });
      },
      (error: unknown) => {
        if (this.#ready !== ready) return;
        this.#model = undefined;
        this.events.emit('lost', asFailure(error));
      },
    );
  }

  async #restore(): Promise<Connection> {
    const onProgress = (progress: Progress): void => {
      this.events.emit('restoring', progress);
    };
    const model = this.#model;
    for (;;) {
      const connection = await this.#respawn(onProgress);
      if (!model || model !== this.#model) return connection;
      try {
        await this.#reopen(connection, model, onProgress);
        return connection;
      } catch (error) {
        if (died(error) && this.#fallBack()) continue;
        // An engine without the model is better than none, and does not die of the same cause again.
        this.#model = undefined;
        this.events.emit('lost', asFailure(error));
        return died(error) ? this.#respawn(onProgress) : connection;
      }
    }
  }

  /** Leaves the GPU for the CPU, once, where the caller left the choice open. */
  #fallBack(reason: string = reasons.stopped): boolean {
    if (this.#preference !== 'auto' || this.#device?.kind === 'cpu') return false;
    this.#preference = 'cpu';
    this.#fallback = reason;
    return true;
  }

  async #respawn(onProgress: (progress: Progress) => void): Promise<Connection> {
    try {
      return await this.#spawn(undefined, onProgress);
    } catch (cause) {
      this.#connection?.close(failures.stopped());
      throw new GlassboxError(failures.restartsExhausted(), { cause });
    }
  }

  #hear(event: Event): void {
    if (event.type !== 'memory') return;
    const { wasmBytes, weightBytes, helperBytes, deviceBytes } = event;
    this.events.emit('memory', { wasmBytes, weightBytes, helperBytes, deviceBytes: deviceBytes ?? null });
  }
}

/** Why the CPU and not the GPU. */
const reasons = {
  stopped: 'The engine stopped on the GPU, so it runs on the CPU.',
  wrong: (name: string): string => `The GPU, ${name}, or its driver computes wrongly: a self-test with known answers failed. So the model runs on the CPU.`,
} as const;

/** @internal Passes on the progress among a request's events. */
export function progressOnly(listener?: (progress: Progress) => void): ((event: Event) => void) | undefined {
  if (!listener) return undefined;
  return (event) => {
    if (event.type === 'progress') listener({ stage: event.stage, done: event.doneBytes, total: event.totalBytes });
  };
}

/** Rust's `None` may cross as an absent field; callers are promised null. */
function complete(info: ModelInfo): ModelInfo {
  return { ...info, tokenizer: info.tokenizer ?? null, licence: info.licence ?? null };
}

function died(error: unknown): boolean {
  return error instanceof GlassboxError && error.code === 'worker_died';
}

function asFailure(error: unknown): Failure {
  if (error instanceof GlassboxError) return { code: error.code, message: error.message, hint: error.hint };
  return failures.workerDied(error instanceof Error ? error.message : String(error));
}

function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  if (signal.aborted) return Promise.reject(abortReason(signal));
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(abortReason(signal));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', onAbort);
    });
  });
}

function ignore(): void {
  // The rejection is kept for whoever asks; nobody may.
}
