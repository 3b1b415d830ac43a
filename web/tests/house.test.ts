import './dom.js';
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { candidates, parseSafetensors } from '../record.mjs';
import { ON_CPU } from './fake/host.js';
import { HostWorker } from './fake/worker.js';
import { readRecorded } from '../src/elements/house.js';
import { Edits } from '../src/elements/edits.js';
import { Inspection } from '../src/elements/inspection.js';
import { Session } from '../src/elements/session.js';

Object.defineProperty(globalThis, 'Worker', { value: HostWorker, configurable: true });

const token = (id: number) => ({ id, text: `t${id}`, display: `t${id}`, bytes: [], special: false });
const HEADER = {
  text: 'Once upon',
  tokens: [token(1), token(2)],
  next: [{ token: token(3), logit: 1, probability: 0.5, rank: 1 }],
  layers: 2,
  heads: 1,
  attention: 'recorded.bin',
};
const realFetch = globalThis.fetch;

function serve(weights: Float32Array): void {
  const answer = (address: string | URL): Promise<Response> => Promise.resolve(String(address).endsWith('.bin') ? new Response(weights.buffer as ArrayBuffer) : Response.json(HEADER));
  Object.defineProperty(globalThis, 'fetch', { value: answer, configurable: true, writable: true });
}

afterEach(() => {
  Object.defineProperty(globalThis, 'fetch', { value: realFetch, configurable: true, writable: true });
});

describe('a recorded picture', () => {
  const weights = Float32Array.from([1, 0, 0.5, 0.5, 1, 0, 0.25, 0.75]);

  test('is read as it was written', async () => {
    serve(weights);
    const { text, picture } = await readRecorded('https://example.test/models/recorded.json');
    assert.equal(text, 'Once upon');
    assert.deepEqual(picture.attention.layers.map((layer) => Array.from(layer ?? [])), [[1, 0, 0.5, 0.5], [1, 0, 0.25, 0.75]]);
    assert.deepEqual(picture.next, HEADER.next);
  });

  test('that does not fit its header is refused', async () => {
    serve(weights.subarray(1).slice());
    await assert.rejects(readRecorded('https://example.test/models/recorded.json'), /does not fit/);
  });

  test('stands until the model that opens has drawn the same prompt itself', async () => {
    serve(weights);
    const { text, picture } = await readRecorded('https://example.test/models/recorded.json');
    const session = new Session(ON_CPU, false);
    const inspection = new Inspection(session, new Edits());
    inspection.showRecorded(text, picture);
    const shown = (): boolean => inspection.recorded;
    assert.deepEqual([shown(), inspection.picture === picture], [true, true]);
    const opening = session.open([new File(['x'], 'story.gguf')], 'story');
    assert.equal(inspection.picture, picture);
    assert.ok(await opening);
    for (let i = 0; i < 200 && shown(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual([shown(), inspection.picture === picture], [false, false]);
    assert.equal(inspection.text, 'Once upon');
  });
});

describe('recording', () => {
  test('reads safetensors and takes the most probable tokens of the last position', () => {
    const data = Float32Array.from([9, 0, 0, Math.log(1), Math.log(2), Math.log(5)]);
    const header = JSON.stringify({ __metadata__: {}, logits: { dtype: 'F32', shape: [2, 3], data_offsets: [0, data.byteLength] } });
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    const file = Buffer.concat([length, Buffer.from(header), Buffer.from(data.buffer)]);
    const trace = parseSafetensors(file);
    assert.deepEqual(trace.names, ['logits']);
    const next = candidates(trace.tensor('logits'), token);
    assert.deepEqual(next.map(({ token: { id }, rank, probability }) => [id, rank, probability.toFixed(6)]), [[2, 1, '0.625000'], [1, 2, '0.250000'], [0, 3, '0.125000']]);
    assert.throws(() => trace.tensor('pattern'), /not in the trace/);
  });
});
