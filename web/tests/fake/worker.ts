import type { WorkerLike } from '../../src/client/index.js';
import type { Event, Request } from '../../src/client/protocol.gen.js';
import { Host } from './host.js';

interface Sent {
  readonly id: number;
  readonly request: Request;
}

/** A worker whose every answer the test writes. */
export class ScriptedWorker implements WorkerLike {
  readonly sent: Sent[] = [];
  terminated = false;
  /** Called with each message as it comes. */
  onSent: ((message: Sent) => void) | undefined;
  readonly #listeners = new Map<string, EventListener[]>();

  postMessage(message: unknown): void {
    const sent = message as Sent;
    this.sent.push(sent);
    this.onSent?.(sent);
  }

  terminate(): void {
    this.terminated = true;
  }

  addEventListener(type: string, listener: EventListener): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }

  /** Delivers an event as the worker would. */
  reply(id: number, event: Event, buffers?: ArrayBuffer[]): void {
    this.#dispatch('message', { data: buffers ? { id, event, buffers } : { id, event } });
  }

  /** What the browser fires when a worker's script throws or cannot be loaded. */
  crash(message = ''): void {
    this.#dispatch('error', { message, preventDefault: () => undefined });
  }

  /** The requests of a kind, in the order they came. */
  of<Type extends Request['type']>(type: Type): (Sent & { request: Request & { type: Type } })[] {
    return this.sent.filter((message): message is Sent & { request: Request & { type: Type } } => message.request.type === type);
  }

  #dispatch(type: string, event: object): void {
    if (this.terminated) return;
    for (const listener of this.#listeners.get(type) ?? []) listener(event as unknown as globalThis.Event);
  }
}

/** A worker with the fake host in it; it answers in its own time, as a real one does. */
export class HostWorker extends ScriptedWorker {
  readonly #host = new Host((message) => {
    const { id, event, buffers } = message as { id: number; event: Event; buffers?: ArrayBuffer[] };
    setTimeout(() => {
      this.reply(id, event, buffers);
    });
  });

  override postMessage(message: unknown): void {
    super.postMessage(message);
    const { id, request } = message as Sent;
    // The loader in worker.ts chooses the device before the host hears of it.
    const chosen = { kind: 'cpu' as const, name: 'CPU (SIMD)', reason: 'The tests have no GPU.', software: false };
    this.#host.handle({ id, request: request.type === 'start' ? { ...request, chosen } : request });
  }
}
