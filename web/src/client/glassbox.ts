import type { Patience, WorkerLike } from './connection.js';
import { Engine, progressOnly, type GlassboxEvents, type Progress } from './engine.js';
import { failures, GlassboxError } from './errors.js';
import { Model } from './model.js';
import type { DeviceInfo, DevicePreference, Source } from './protocol.gen.js';
import { workerUrl } from './worker-url.js';

/** Options of {@link Glassbox.start}. */
export interface StartOptions {
  /** `auto` takes a GPU where there is a real one, else the CPU; `gpu` and `cpu` take that or fail. */
  readonly device?: DevicePreference;
  /** Whether a software adapter may be taken for a GPU; it is slower than the CPU backend and meant for tests. */
  readonly allowSoftware?: boolean;
  /** Where `worker.js` is; beside this module if left out. It must be of the page's own origin. */
  readonly workerUrl?: string | URL;
  /** Makes the worker, for bundlers that must see `new Worker(...)` themselves. Also used to make it anew. */
  readonly createWorker?: () => WorkerLike;
  /** Hears of the engine's own download. */
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
  /** How long a worker may be silent after an abort before it is taken for hung, in milliseconds. */
  readonly patience?: Partial<Patience>;
}

/** What a model is opened from: the files of a hub folder or one `.gguf`, or their addresses. */
export type ModelSource = Iterable<File> | { readonly url: string | URL } | { readonly urls: readonly (string | URL)[] };

/** Options of {@link Glassbox.open}. */
export interface OpenOptions {
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

const PATIENCE: Patience = { abortMs: 15_000, probeMs: 15_000 };

/**
 * The engine in its worker.
 *
 * When the worker dies, everything pending rejects with the code `worker_died`, a new worker is started and the model
 * opened again from the files or addresses it came from; `Model` objects stay valid. Listen with {@link Glassbox.on}.
 */
export class Glassbox {
  readonly #engine: Engine;

  private constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Starts the worker and opens the device. */
  static async start(options: StartOptions = {}): Promise<Glassbox> {
    const { device = 'auto', allowSoftware = false, signal, onProgress, patience } = options;
    const url = workerUrl(options.workerUrl);
    const engine = new Engine({
      device,
      allowSoftware,
      url: String(url),
      // A Trusted Types URL is a string to the constructor; the types know only strings.
      createWorker: options.createWorker ?? (() => new Worker(url as string, { type: 'module', name: 'glassbox' })),
      patience: { ...PATIENCE, ...patience },
    });
    await engine.start(signal, onProgress);
    return new Glassbox(engine);
  }

  /** The device in use and, in one sentence, why this one. */
  get device(): DeviceInfo {
    return this.#engine.device;
  }

  /** Version of the engine. */
  get version(): string {
    return this.#engine.version;
  }

  /** Adds a listener and returns a function that removes it. */
  on<Name extends keyof GlassboxEvents>(name: Name, listener: (value: GlassboxEvents[Name]) => void): () => void {
    return this.#engine.events.on(name, listener);
  }

  /** Opens a model in place of the one before. Where that fails, the one before stays open. */
  async open(source: ModelSource, options: OpenOptions = {}): Promise<Model> {
    const { signal, onProgress } = options;
    const open = await this.#engine.open(toSource(source), { signal, onEvent: progressOnly(onProgress) });
    return new Model(this.#engine, open);
  }

  /** Ends the worker; what is pending rejects with the code `stopped`. */
  stop(): void {
    this.#engine.stop();
  }
}

function toSource(source: ModelSource): Source {
  if ('url' in source) return { type: 'urls', urls: [toUrl(source.url)] };
  if ('urls' in source) return someOf({ type: 'urls', urls: source.urls.map(toUrl) }, source.urls.length);
  const files = [...source];
  return someOf({ type: 'files', files }, files.length);
}

function someOf(source: Source, count: number): Source {
  if (count > 0) return source;
  throw new GlassboxError({
    code: 'no_files',
    message: 'There is nothing to open.',
    hint: "Choose a model's files (config.json, the .safetensors and tokenizer.json) or one .gguf file.",
  });
}

function toUrl(address: string | URL): string {
  const base = (globalThis as { location?: Location }).location?.href;
  const url = URL.canParse(address, base) ? new URL(address, base) : undefined;
  if (url && ['http:', 'https:', 'blob:'].includes(url.protocol)) return url.href;
  throw new GlassboxError(
    failures.badArgument(`"${String(address)}" is not an address.`, 'Give a whole address that begins with https://.'),
  );
}
