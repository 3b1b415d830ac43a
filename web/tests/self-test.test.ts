import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { forgetDevices, Glassbox, type GlassboxError } from '../src/client/index.js';
import type { Calibration, Event, Request } from '../src/client/protocol.gen.js';
import { difference, type Answers } from '../src/client/self-test.js';
import { DEVICE, STARTED, TIMING, token } from './fake/client.js';
import { modelNamed } from './fake/host.js';
import { ScriptedWorker } from './fake/worker.js';

const ANSWERS: Answers = { tokens: [1, 2, 3], greedy: [4, 5], logits: [1, 2, 0.5, -1], pattern: [[0.2, 0.3, 0.5], [0, 0, 1]] };
const GPU = { kind: 'gpu' as const, name: 'Some GPU', reason: 'There is one.', software: false };
const CALIBRATION: Calibration = {
  cpu: { launchMs: 0.001, readMs: 0, bytesPerMs: 1e7 },
  gpu: { launchMs: 0.01, readMs: 1, bytesPerMs: 1e8 },
};
const real = { fetch: globalThis.fetch, storage: Reflect.get(globalThis, 'localStorage') as unknown };

function put(name: 'fetch' | 'localStorage', value: unknown): void {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}

/** What the host of the self-test's files answers. */
function serve(answer: () => Response): void {
  put('fetch', () => Promise.resolve(answer()));
}

beforeEach(() => {
  const kept = new Map<string, string>();
  put('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
    removeItem: (key: string) => kept.delete(key),
  });
  serve(() => Response.json(ANSWERS));
});
afterEach(() => {
  put('fetch', real.fetch);
  put('localStorage', real.storage);
});

/** Starts an engine whose GPU answers with these logits; gives the requests of each worker. */
async function start(device: 'auto' | 'gpu' | 'cpu', logits: readonly number[]): Promise<{ gb: Glassbox; sent: Request[][] }> {
  const sent: Request[][] = [];
  const createWorker = (): ScriptedWorker => {
    const worker = new ScriptedWorker();
    const requests: Request[] = [];
    sent.push(requests);
    let kind: 'gpu' | 'cpu' = 'cpu';
    worker.onSent = ({ id, request }) => {
      requests.push(request);
      if (request.type === 'start') kind = request.device === 'cpu' ? 'cpu' : 'gpu';
      const right = kind === 'cpu' ? ANSWERS.logits : logits;
      const { event, buffers } = answer(request, kind, right);
      if (event) worker.reply(id, event, buffers);
    };
    return worker;
  };
  const gb = await Glassbox.start({ device, createWorker, workerUrl: 'https://example.test/worker.js' });
  return { gb, sent };
}

function answer(request: Request, kind: 'gpu' | 'cpu', logits: readonly number[]): { event?: Event; buffers?: ArrayBuffer[] } {
  const device = kind === 'gpu' ? GPU : DEVICE;
  if (request.type === 'start') return { event: { ...STARTED, device } };
  if (request.type === 'open') return { event: { type: 'opened', model: modelNamed('model.gguf', true), device } };
  if (request.type === 'close') return { event: { type: 'closed' } };
  if (request.type === 'calibrate') return { event: { type: 'calibrated', calibration: request.known ?? CALIBRATION } };
  if (request.type === 'generate') return { event: { type: 'finished', reason: 'length', tokens: [...ANSWERS.greedy], timing: TIMING } };
  if (request.type !== 'trace') return {};
  const [heads, keys] = [ANSWERS.pattern.length, ANSWERS.tokens.length];
  const pattern = new Float32Array(heads * keys * keys);
  ANSWERS.pattern.forEach((row, head) => {
    pattern.set(row, (head * keys + keys - 1) * keys);
  });
  const all = new Float32Array(keys * logits.length);
  all.set(logits, (keys - 1) * logits.length);
  const tensors = [
    { name: 'logits', shape: [keys, logits.length] },
    { name: 'blocks.1.attn.hook_pattern', shape: [heads, keys, keys] },
  ];
  const tokens = ANSWERS.tokens.map((id) => token(id));
  return { event: { type: 'traced', tokens, tensors, next: [], timing: TIMING }, buffers: [all.buffer, pattern.buffer] };
}

const types = (requests: readonly Request[] = []): string[] => requests.map(({ type }) => type);

describe('the self-test', () => {
  test('of a GPU that is right is made once, and its timing kept', async () => {
    const first = await start('auto', ANSWERS.logits);
    assert.equal(first.gb.device.name, GPU.name);
    assert.deepEqual(types(first.sent[0]), ['start', 'open', 'trace', 'generate', 'close', 'calibrate']);
    const second = await start('auto', ANSWERS.logits);
    assert.deepEqual(types(second.sent[0]), ['start', 'calibrate']);
    assert.deepEqual(second.sent[0]?.[1], { type: 'calibrate', known: CALIBRATION });
    forgetDevices();
    const third = await start('auto', ANSWERS.logits);
    assert.equal(types(third.sent[0]).includes('open'), true);
  });

  test('of a GPU that is wrong leaves it for the CPU, and says so', async () => {
    for (let visit = 0; visit < 2; visit++) {
      const { gb, sent } = await start('auto', [1, 2.5, 0.5, -1]);
      assert.equal(gb.device.kind, 'cpu');
      assert.match(gb.device.reason, /Some GPU, or its driver computes wrongly.*runs on the CPU/);
      assert.equal(sent.length, 2);
      // The second visit knows already.
      assert.equal(types(sent[0]).includes('trace'), visit === 0);
    }
  });

  test('of a GPU that was asked for and is wrong is an error that says what to do', async () => {
    await assert.rejects(start('gpu', [1, 2.5, 0.5, -1]), (error: GlassboxError) => {
      assert.equal(error.code, 'device_wrong');
      assert.match(error.message, /Some GPU.*logits differ by 0\.5/);
      assert.match(error.hint, /CPU/);
      return true;
    });
  });

  test('that cannot be made stops nothing, and is made the next time', async () => {
    for (const missing of [new Response('gone', { status: 404 }), new Response('<!doctype html>'), Response.json({ other: 1 })]) {
      serve(() => missing.clone());
      const { sent } = await start('cpu', ANSWERS.logits);
      assert.deepEqual(types(sent[0]), ['start']);
    }
    serve(() => Response.json(ANSWERS));
    const { sent } = await start('cpu', ANSWERS.logits);
    assert.deepEqual(types(sent[0]), ['start', 'open', 'trace', 'generate', 'close']);
  });
});

describe('answers', () => {
  const given = { greedy: ANSWERS.greedy, logits: ANSWERS.logits, pattern: ANSWERS.pattern };
  test('are right, or it is said what is not', () => {
    assert.equal(difference(ANSWERS, given, 'f32'), null);
    assert.match(difference(ANSWERS, { ...given, logits: [1, 2, 0.5, NaN] }, 'f32') ?? '', /logits/);
    assert.match(difference(ANSWERS, { ...given, logits: [1, 2] }, 'f32') ?? '', /logits/);
    assert.match(difference(ANSWERS, { ...given, pattern: [[0.2, 0.3, 0.5], [0, 0.1, 0.9]] }, 'f32') ?? '', /attention/);
    assert.match(difference(ANSWERS, { ...given, greedy: [4] }, 'f32') ?? '', /tokens/);
  });
  test('of rounded activations may be further off, as distributions', () => {
    const logits = ANSWERS.logits.map((logit, index) => logit + (index % 2 === 0 ? 0.01 : -0.01));
    assert.match(difference(ANSWERS, { ...given, logits }, 'f32') ?? '', /logits/);
    assert.equal(difference(ANSWERS, { ...given, logits }, 'int8'), null);
    assert.match(difference(ANSWERS, { ...given, logits: [2, 1, 0.5, -1] }, 'int8') ?? '', /logits/);
  });
  test('of the site itself have the shapes that the test reads', () => {
    const answers = JSON.parse(readFileSync('self-test/answers.json', 'utf8')) as Answers;
    assert.equal(answers.pattern.length, 4);
    assert.ok(answers.pattern.every((row) => row.length === answers.tokens.length));
    assert.equal(answers.logits.length, 96);
  });
});
