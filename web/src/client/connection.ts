import { failures, GlassboxError } from './errors.js';
import type { Event, Failure, Request } from './protocol.gen.js';

/** The part of `Worker` this client needs; anything that speaks the protocol will do. */
export interface WorkerLike {
  postMessage(message: unknown): void;
  terminate(): void;
  addEventListener(type: 'message' | 'messageerror' | 'error', listener: EventListener): void;
}

/** A message from the worker. Large arrays travel beside the event, in the order of its `tensors` or `arrays`. */
export interface Reply {
  readonly id: number;
  readonly event: Event;
  readonly buffers?: ArrayBuffer[];
}

/** @internal What the caller of {@link Connection.call} may ask for. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Hears every event of this request except the one that ends it, with the buffers beside it. */
  readonly onEvent?: ((event: Event, buffers: readonly ArrayBuffer[]) => void) | undefined;
  /** Gets, when the signal fires after sending, how the request then ended; undefined where the worker ended first. */
  readonly onAborted?: ((end: Promise<Event | undefined>) => void) | undefined;
}

interface Pending {
  readonly settle: (reply: Reply) => void;
  readonly reject: (reason: Error) => void;
  readonly onEvent: CallOptions['onEvent'];
}

/** How long a worker may stay silent after an abort, and then after a probe, before it counts as hung. */
export interface Patience {
  readonly abortMs: number;
  readonly probeMs: number;
}

/** Events after which a request goes on; every other one ends it. */
const ONGOING: ReadonlySet<Event['type']> = new Set(['progress', 'step', 'lens_row', 'sweep_row', 'memory']);

/**
 * Codes of failures after which the wasm instance must not be used again: it trapped, or its device was lost, which
 * shows when data cannot be read back.
 */
const FATAL: ReadonlySet<string> = new Set(['panicked', 'device_read']);

/**
 * @internal One worker and the requests under way in it, correlated by id.
 *
 * It ends once, by `close`, by the worker's death or by a hang; then everything pending is rejected.
 */
export class Connection {
  readonly #worker: WorkerLike;
  readonly #onEnd: (failure: Failure) => void;
  readonly #onUnsolicited: (event: Event) => void;
  readonly #patience: Patience;
  readonly #pending = new Map<number, Pending>();
  /** Aborted requests whose last event has not come yet, and who hears of it. */
  readonly #draining = new Map<number, (end: Event | undefined) => void>();
  #nextId = 1;
  #watch: ReturnType<typeof setTimeout> | undefined;
  #ended: Failure | undefined;
  #heard = false;

  constructor(
    worker: WorkerLike,
    hooks: {
      onEnd: (failure: Failure) => void;
      onUnsolicited: (event: Event) => void;
      patience: Patience;
      url: string;
    },
  ) {
    this.#worker = worker;
    this.#onEnd = hooks.onEnd;
    this.#onUnsolicited = hooks.onUnsolicited;
    this.#patience = hooks.patience;
    worker.addEventListener('message', (event) => {
      this.#receive((event as MessageEvent<Reply>).data);
    });
    worker.addEventListener('error', (event) => {
      event.preventDefault();
      const { message = '' } = event as Partial<ErrorEvent>;
      // A script that never said a word was most likely not found.
      this.#end(this.#heard ? failures.workerDied(message) : failures.workerLoad(hooks.url));
    });
    worker.addEventListener('messageerror', () => {
      this.#end(failures.workerDied('a message could not be read'));
    });
  }

  /** Sends a request and resolves with the event that ends it. */
  call(request: Request, options: CallOptions = {}): Promise<Reply> {
    const { signal, onEvent, onAborted } = options;
    if (this.#ended) return Promise.reject(new GlassboxError(this.#ended));
    if (signal?.aborted) return Promise.reject(abortReason(signal));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        const end = this.#abort(id);
        onAborted?.(end);
        reject(abortReason(signal));
      };
      const done = (): void => signal?.removeEventListener('abort', onAbort);
      this.#pending.set(id, {
        onEvent,
        settle: (reply) => {
          done();
          if (reply.event.type === 'failed') reject(new GlassboxError(reply.event.error));
          else resolve(reply);
        },
        reject: (reason) => {
          done();
          reject(reason);
        },
      });
      signal?.addEventListener('abort', onAbort, { once: true });
      try {
        this.#worker.postMessage({ id, request });
      } catch (cause) {
        this.#pending.delete(id);
        done();
        const failure = failures.badArgument('The request could not be sent to the worker.', 'Pass plain data only.');
        reject(new GlassboxError(failure, { cause }));
      }
    });
  }

  /** Ends the worker; everything pending is rejected with `failure`. `onEnd` is not called. */
  close(failure: Failure): void {
    this.#finish(failure);
  }

  /** Resolves with the event that ends the request after all. */
  #abort(id: number): Promise<Event | undefined> {
    if (!this.#pending.delete(id)) return Promise.resolve(undefined);
    const end = new Promise<Event | undefined>((resolve) => this.#draining.set(id, resolve));
    this.#worker.postMessage({ id: this.#nextId++, request: { type: 'abort', target: id } satisfies Request });
    this.#watchForHang();
    return end;
  }

  #receive(reply: Reply): void {
    if (this.#ended) return;
    this.#heard = true;
    this.#unwatch();
    const { id, event } = reply;
    if (event.type === 'failed' && FATAL.has(event.error.code)) {
      this.#end(failures.workerDied(event.error.message));
      return;
    }
    const ending = !ONGOING.has(event.type);
    const pending = this.#pending.get(id);
    if (pending) {
      if (ending) {
        this.#pending.delete(id);
        pending.settle(reply);
      } else {
        pending.onEvent?.(event, reply.buffers ?? []);
      }
    } else if (ending && this.#draining.has(id)) {
      this.#draining.get(id)?.(event);
      this.#draining.delete(id);
    } else if (id === 0) {
      this.#onUnsolicited(event);
    }
    if (this.#draining.size > 0) this.#watchForHang();
  }

  /** After an abort the worker must say something soon; when it does not, it is probed, then given up. */
  #watchForHang(): void {
    this.#unwatch();
    this.#watch = setTimeout(() => {
      const probe: Request = { type: 'tokenize', text: '', special: false };
      this.#worker.postMessage({ id: this.#nextId++, request: probe });
      this.#watch = setTimeout(() => {
        this.#end(failures.workerHung());
      }, this.#patience.probeMs);
    }, this.#patience.abortMs);
  }

  #unwatch(): void {
    clearTimeout(this.#watch);
    this.#watch = undefined;
  }

  #end(failure: Failure): void {
    if (this.#finish(failure)) this.#onEnd(failure);
  }

  #finish(failure: Failure): boolean {
    if (this.#ended) return false;
    this.#ended = failure;
    this.#unwatch();
    this.#worker.terminate();
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    const draining = [...this.#draining.values()];
    this.#draining.clear();
    for (const end of draining) end(undefined);
    for (const { reject } of pending) reject(new GlassboxError(failure));
    return true;
  }
}

/** @internal The reason of an aborted signal, as an `Error`. */
export function abortReason(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new DOMException('The operation was aborted.', 'AbortError');
}
