import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { Event, Request } from '../src/client/protocol.gen.js';
import { outside } from '../src/worker/outside.js';

interface Posted {
  readonly id: number;
  readonly event: Event;
}

/** Loads worker.ts anew into a made-up worker scope; beside it lies the fake host as the CPU module. */
async function load(wasm: () => Response, gpu?: object): Promise<{ posted: Posted[]; send: (id: number, request: object) => void; fire: (type: string, event: object) => void }> {
  const listeners = new Map<string, (event: object) => void>();
  const posted: Posted[] = [];
  const scope = {
    navigator: { gpu },
    location: { search: `?v=${Math.random()}` },
    postMessage: (message: Posted) => posted.push(message),
    addEventListener: (type: string, listener: (event: object) => void) => listeners.set(type, listener),
  };
  Object.assign(globalThis, { self: scope, fetch: () => Promise.resolve(wasm()) });
  const url = pathToFileURL(`${import.meta.dirname}/worker.js`);
  url.search = scope.location.search;
  await import(url.href);
  const fire = (type: string, event: object): void => listeners.get(type)?.({ preventDefault: () => undefined, ...event });
  return { posted, fire, send: (id, request) => { fire('message', { data: { id, request } }); } };
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(condition(), 'did not happen');
}

const start: Partial<Request> = { type: 'start', device: 'auto', allowSoftware: false };
const of = (posted: Posted[], type: string): Posted[] => posted.filter(({ event }) => event.type === type);
const wasm = (): Response => new Response(new Uint8Array(64), { headers: { 'content-length': '64' } });

test('keeps early messages and answers them after the start, with the reason of the device', async () => {
  const { posted, send } = await load(wasm);
  send(1, start);
  send(2, { type: 'tokenize', text: 'a b', special: false });
  await until(() => of(posted, 'tokens').length === 1);
  const [started] = of(posted, 'started');
  assert.ok(started?.event.type === 'started');
  assert.deepEqual(
    [started.id, started.event.device.kind, started.event.device.reason],
    [1, 'cpu', 'This browser has no WebGPU here.'],
  );
  assert.ok(posted.indexOf(started) < posted.findIndex(({ id }) => id === 2));
});

test('says that it was not started, and can still be', async () => {
  const { posted, send } = await load(wasm);
  send(1, { type: 'close' });
  assert.ok(posted[0]?.event.type === 'failed' && posted[0].event.error.code === 'not_started');
  send(2, start);
  await until(() => of(posted, 'started').length === 1);
});

test('tells of an engine that cannot be fetched, for every request, and can try again', async () => {
  let answer = (): Response => new Response('', { status: 404 });
  const { posted, send } = await load(() => answer());
  send(1, start);
  send(2, { type: 'close' });
  await until(() => of(posted, 'failed').length === 2);
  const [first] = of(posted, 'failed');
  assert.ok(first?.event.type === 'failed' && first.event.error.code === 'engine_load');
  assert.match(first.event.error.message, /404/);
  answer = wasm;
  send(3, start);
  await until(() => of(posted, 'started').length === 1);
});

test('asked for a GPU where there is none, fails with what to do', async () => {
  const { posted, send } = await load(wasm);
  send(1, { ...start, device: 'gpu' });
  await until(() => posted.length === 1);
  assert.ok(posted[0]?.event.type === 'failed' && posted[0].event.error.code === 'no_gpu');
});

test('where the GPU does not open it goes on with the CPU, says why, and keeps what came early', async () => {
  const adapter = { info: { vendor: 'acme', architecture: 'one', device: '', description: '', isFallbackAdapter: false } };
  const { posted, send } = await load(wasm, { requestAdapter: () => Promise.resolve(adapter) });
  send(1, start);
  send(2, { type: 'tokenize', text: 'a', special: false });
  await until(() => of(posted, 'tokens').length === 1);
  const [started] = of(posted, 'started');
  assert.ok(started?.event.type === 'started');
  assert.equal(started.event.device.kind, 'cpu');
  assert.equal(started.event.device.reason, 'The GPU could not be opened (the device was refused).');
  assert.equal(of(posted, 'failed').length, 0);
});

test('where the GPU was asked for and does not open, that is an error', async () => {
  const adapter = { info: { vendor: 'acme', architecture: 'one', device: '', description: '', isFallbackAdapter: false } };
  const { posted, send } = await load(wasm, { requestAdapter: () => Promise.resolve(adapter) });
  send(1, { ...start, device: 'gpu' });
  await until(() => of(posted, 'failed').length === 1);
  assert.equal(of(posted, 'started').length, 0);
});

test('after a trap it is dead: it says so once, and to every request after', async () => {
  const { posted, send, fire } = await load(wasm);
  send(1, start);
  await until(() => of(posted, 'started').length === 1);
  fire('unhandledrejection', { reason: new Error('a fetch nobody waits for') });
  assert.equal(of(posted, 'failed').length, 0);
  fire('error', { message: 'RuntimeError: unreachable' });
  fire('unhandledrejection', { reason: new WebAssembly.RuntimeError('unreachable') });
  const failed = of(posted, 'failed');
  assert.deepEqual(
    failed.map(({ id, event }) => [id, event.type === 'failed' && event.error.code]),
    [[0, 'panicked']],
  );
  send(2, { type: 'tokenize', text: 'x', special: false });
  const after = posted.at(-1);
  assert.ok(after?.id === 2 && after.event.type === 'failed' && after.event.error.code === 'panicked');
});

test('moves the kind of a thing outside, at every depth, and leaves lists of numbers and what is the browser’s own', () => {
  const tokens = [1, 2, 3];
  const file = new Blob(['x']);
  assert.equal(outside({ type: 'close' }), 'close');
  assert.deepEqual(outside({ type: 'open', source: { type: 'files', files: [file] }, device: null }), {
    open: { source: { files: { files: [file] } }, device: null },
  });
  const edit = { site: 'blocks.0.attn.hook_z', action: { type: 'patch', source: { type: 'tokens', tokens }, from: 0 } };
  assert.deepEqual(outside({ type: 'trace', edits: [edit, { ...edit, action: { type: 'mask' } }] }), {
    trace: { edits: [{ ...edit, action: { patch: { source: { tokens: { tokens } }, from: 0 } } }, { ...edit, action: 'mask' }] },
  });
  assert.deepEqual(outside({ type: 'export', metadata: { type: 'any' } }), { export: { metadata: { type: 'any' } } });
  assert.equal((outside({ type: 'tokens', tokens }) as { tokens: { tokens: unknown } }).tokens.tokens, tokens);
});
