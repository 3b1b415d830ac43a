/** A client over scripted workers. */
import assert from 'node:assert/strict';
import { Glassbox, GlassboxError, type Model } from '../../src/client/index.js';
import { PROTOCOL_VERSION, type DeviceInfo, type Event, type Timing, type Token } from '../../src/client/protocol.gen.js';
import { modelNamed } from './host.js';
import { ScriptedWorker } from './worker.js';

export const TIMING: Timing = { prefillMs: 1, decodeMs: 0, promptTokens: 2, decodedTokens: 0 };
export const FILE = new File(['x'], 'model.gguf');

export const DEVICE: DeviceInfo = { kind: 'cpu', name: 'CPU', reason: 'Asked for.', software: false };

export const STARTED: Event & { type: 'started' } = {
  type: 'started',
  device: DEVICE,
  version: '1.2.3',
  protocol: PROTOCOL_VERSION,
};

export function token(id: number, text = `t${id}`): Token {
  return { id, text, display: text, bytes: [], special: false };
}

export function step(index: number): Event & { type: 'step' } {
  const candidate = { token: token(index), logit: 1, probability: 0.5, rank: 1 };
  return { type: 'step', index, token: token(index), text: `w${index} `, raw: [candidate], final: [], stages: [], timing: TIMING };
}

/** Lets everything that is due happen. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

export interface Setup {
  readonly gb: Glassbox;
  readonly workers: ScriptedWorker[];
  readonly worker: ScriptedWorker;
}

/** A client whose workers start and open by themselves, unless `script` answers first. */
export async function setUp(
  script: (worker: ScriptedWorker, index: number) => ScriptedWorker['onSent'] = answersStartAndOpen,
  patience = { abortMs: 300, probeMs: 300 },
  device: 'auto' | 'cpu' = 'cpu',
): Promise<Setup> {
  const workers: ScriptedWorker[] = [];
  const createWorker = (): ScriptedWorker => {
    const worker = new ScriptedWorker();
    worker.onSent = script(worker, workers.length);
    workers.push(worker);
    return worker;
  };
  const gb = await Glassbox.start({ device, createWorker, patience, workerUrl: 'https://example.test/worker.js', selfTest: false });
  const [worker] = workers;
  assert.ok(worker);
  return { gb, workers, worker };
}

export function answersStartAndOpen(worker: ScriptedWorker): ScriptedWorker['onSent'] {
  return ({ id, request }) => {
    if (request.type === 'start') worker.reply(id, STARTED);
    if (request.type === 'open') worker.reply(id, { type: 'opened', model: modelNamed('model.gguf', true), device: DEVICE });
  };
}

export async function withModel(...args: Parameters<typeof setUp>): Promise<Setup & { model: Model }> {
  const setup = await setUp(...args);
  return { ...setup, model: await setup.gb.open([FILE]) };
}

export function last<T>(items: readonly T[]): T {
  const item = items.at(-1);
  assert.ok(item !== undefined);
  return item;
}

export const rejectsWith = (code: string) => (error: unknown) => error instanceof GlassboxError && error.code === code;
export const isAbort = (error: unknown): boolean => error instanceof Error && error.name === 'AbortError';
