import type { Request } from '../client/protocol.gen.js';
import type { Team } from './team.js';

/** Hands an event, with the tensors that belong to it, to the page. */
export type Post = (message: unknown, transfer: ArrayBuffer[]) => void;

/** Gets helpers; null where workers cannot share memory. */
export type Recruit = (count: number) => Promise<Team | null>;

/**
 * The engine's end of the protocol, as the wasm modules export it. `handle` takes a message, and its
 * request once more as the engine reads it ({@link outside}); it returns at once and never throws.
 */
export interface Host {
  handle(message: { id: number; request: Request }, request: unknown): void;
}

/** The engine's end of a helper (`crates/worker/src/team.rs`). */
export interface Helper {
  take(shape: Uint32Array, parts: readonly Uint8Array[]): void;
  multiply(matrix: number, x: Float32Array, out: Float32Array): void;
}

/** What wasm-bindgen makes of the modules of `crates/worker`. */
export interface EngineModule {
  default(options: { module_or_path: Response }): Promise<unknown>;
  Host: new (post: Post, recruit: Recruit) => Host;
  Helper: new () => Helper;
}

/** A module whose one function computes `i32x4.relaxed_dot_i8x16_i7x16_add_s`. */
const RELAXED_SIMD = new Uint8Array([
  ...[0, 97, 115, 109, 1, 0, 0, 0],
  ...[1, 5, 1, 96, 0, 1, 123],
  ...[3, 2, 1, 0],
  ...[10, 19, 1, 17, 0, 65, 0, 253, 15, 65, 0, 253, 15, 65, 0, 253, 15, 253, 147, 2, 11],
]);

/** The module for a device: on the CPU one with relaxed SIMD where the browser has it. */
export function moduleName(kind: 'cpu' | 'gpu'): string {
  return kind === 'cpu' && WebAssembly.validate(RELAXED_SIMD) ? 'glassbox-worker-cpu-relaxed' : `glassbox-worker-${kind}`;
}

/** Imports a module's glue and its wasm, telling the bytes as they come. A total of 0 is unknown. */
export async function loadModule(
  glue: URL,
  wasm: URL,
  onBytes: (done: number, total: number) => void,
): Promise<EngineModule> {
  const [module, response] = await Promise.all([import(glue.href) as Promise<EngineModule>, fetchWasm(wasm)]);
  await module.default({ module_or_path: counted(response, onBytes) });
  return module;
}

async function fetchWasm(url: URL): Promise<Response> {
  const response = await fetch(url, { credentials: 'same-origin' });
  if (!response.ok) throw new Error(`${url.pathname} answered ${response.status}`);
  return response;
}

/** The same response, whose bytes are counted as they are read, so that it is still compiled while it streams. */
function counted(response: Response, onBytes: (done: number, total: number) => void): Response {
  if (!response.body) return response;
  // Of a compressed body the header tells the compressed size, which the bytes read would run past.
  const encoded = response.headers.has('content-encoding');
  const total = encoded ? 0 : Number(response.headers.get('content-length') ?? 0);
  let done = 0;
  const counter = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      done += chunk.byteLength;
      onBytes(done, total);
      controller.enqueue(chunk);
    },
  });
  // Not every static host knows the type, and streaming compilation insists on it.
  return new Response(response.body.pipeThrough(counter), { headers: { 'content-type': 'application/wasm' } });
}

/** A file beside this script, of the same build. */
export function sibling(name: string): URL {
  const url = new URL(name, import.meta.url);
  url.search = self.location.search;
  return url;
}
