import type { Patience, WorkerLike } from './connection.js';
import { Engine, progressOnly, type GlassboxEvents, type Progress } from './engine.js';
import { Model } from './model.js';
import type { DeviceInfo, DeviceKind, DevicePreference, Precision } from './protocol.gen.js';
import { pageAddress, toSource, type ModelSource } from './source.js';
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
  /**
   * Whether a device that is new here is asked for known answers first, which takes a moment, once; it is by default.
   * The files are `self-test/` beside `worker.js`. A GPU that computes wrongly is left for the CPU where `device` is `auto`;
   * else, and where the CPU is wrong, starting rejects with `device_wrong`.
   */
  readonly selfTest?: boolean;
  /** How long a worker may be silent after an abort before it is taken for hung, in milliseconds. */
  readonly patience?: Partial<Patience>;
}

/** Options of {@link Glassbox.open}. */
export interface OpenOptions {
  /** What to run it on; where it should be quickest if left out. The CPU is always there. */
  readonly device?: DeviceKind;
  /**
   * How quantised weights meet activations on the CPU: `f32` as they are; `int16` and `int8` rounded, which is several times
   * as fast. If left out, small models take 16 bits and larger ones 8 where that is faster; `model.info.precision` says what
   * it came to.
   */
  readonly precision?: Precision;
  /**
   * Threads to compute with on the CPU, up to {@link MOST_THREADS}; 1 if left out. More need a page that is cross-origin
   * isolated, and each beyond the first holds its share of the weights once more. `model.info.threads` says how many it came
   * to.
   */
  readonly threads?: number;
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

/** More threads than this gain nothing: handing the work out takes longer than what it saves. */
export const MOST_THREADS = 16;

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
    const { device = 'auto', allowSoftware = false, selfTest = true, signal, onProgress, patience } = options;
    const url = workerUrl(options.workerUrl);
    const engine = new Engine({
      device,
      allowSoftware,
      url: String(url),
      // A Trusted Types URL is a string to the constructor; the types know only strings.
      createWorker: options.createWorker ?? (() => new Worker(url as string, { type: 'module', name: 'glassbox' })),
      patience: { ...PATIENCE, ...patience },
      selfTest: selfTest ? new URL('self-test/', new URL(String(url), pageAddress())) : null,
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
    const { device = null, precision = null, threads = 1, signal, onProgress } = options;
    const request = { source: toSource(source), device, precision, threads: Math.max(1, Math.min(Math.floor(threads) || 1, MOST_THREADS)) };
    const open = await this.#engine.open(request, { signal, onEvent: progressOnly(onProgress) });
    return new Model(this.#engine, open);
  }

  /** Ends the worker; what is pending rejects with the code `stopped`. */
  stop(): void {
    this.#engine.stop();
  }
}
