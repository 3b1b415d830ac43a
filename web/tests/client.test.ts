import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Glassbox, type GlassboxError, type Step } from '../src/client/index.js';
import { PROTOCOL_VERSION, type Event } from '../src/client/protocol.gen.js';
import { DEVICE, FILE, isAbort, last, rejectsWith, setUp, settle, STARTED, step, TIMING, token, withModel } from './fake/client.js';
import { modelNamed } from './fake/host.js';
import { ScriptedWorker } from './fake/worker.js';

describe('start', () => {
  test('tells the device and passes on what was asked for', async () => {
    const { gb, worker } = await setUp();
    assert.equal(gb.device.reason, 'Asked for.');
    assert.equal(gb.version, '1.2.3');
    const { request } = last(worker.of('start'));
    assert.equal(request.device, 'cpu');
    assert.equal(request.allowSoftware, false);
  });

  test('names the script that could not be loaded, and does not try again', async () => {
    let made = 0;
    const starting = setUp((worker) => {
      made += 1;
      return () => {
        queueMicrotask(() => {
          worker.crash();
        });
      };
    });
    await assert.rejects(starting, (error) => rejectsWith('worker_load')(error) && String(error).includes('worker.js'));
    assert.equal(made, 1);
  });

  test('refuses a worker of another version of the protocol', async () => {
    const starting = setUp((worker) => ({ id }) => {
      worker.reply(id, { ...STARTED, protocol: PROTOCOL_VERSION + 1 });
    });
    await assert.rejects(starting, rejectsWith('version_mismatch'));
  });

  test('can be aborted', async () => {
    const controller = new AbortController();
    const worker = new ScriptedWorker();
    const starting = Glassbox.start({ createWorker: () => worker, signal: controller.signal, workerUrl: 'https://example.test/w.js' });
    controller.abort();
    await assert.rejects(starting, isAbort);
    assert.ok(worker.terminated);
  });
});

describe('open', () => {
  test('tells the progress in bytes', async () => {
    const { gb, worker } = await setUp();
    const seen: unknown[] = [];
    worker.onSent = ({ id }) => {
      worker.reply(id, { type: 'progress', stage: 'weights', doneBytes: 3, totalBytes: 10 });
      worker.reply(id, { type: 'opened', model: modelNamed('a.gguf', true), device: DEVICE });
    };
    const model = await gb.open([FILE], { onProgress: (progress) => seen.push(progress) });
    assert.deepEqual(seen, [{ stage: 'weights', done: 3, total: 10 }]);
    assert.equal(model.info.name, 'a');
  });

  test('keeps the model there was where another fails', async () => {
    const { gb, worker, model } = await withModel();
    worker.onSent = ({ id }) => {
      worker.reply(id, { type: 'failed', error: { code: 'truncated', message: 'Cut short.', hint: 'Download it again.' } });
    };
    await assert.rejects(gb.open([FILE]), (error) => rejectsWith('truncated')(error) && (error as GlassboxError).hint === 'Download it again.');
    assert.equal(model.closed, false);
  });

  test('closes the model it replaces', async () => {
    const { gb, model } = await withModel();
    const second = await gb.open([FILE]);
    assert.equal(model.closed, true);
    assert.equal(second.closed, false);
    await assert.rejects(model.tokenize('x'), rejectsWith('model_closed'));
  });

  test('takes addresses, and refuses what is none', async () => {
    const { gb, worker } = await setUp();
    await gb.open({ url: 'https://example.test/m.gguf' });
    assert.deepEqual(last(worker.of('open')).request.source, { type: 'urls', urls: ['https://example.test/m.gguf'] });
    await assert.rejects(gb.open({ url: 'javascript:alert(1)' }), rejectsWith('bad_argument'));
    await assert.rejects(gb.open({ urls: [] }), rejectsWith('no_files'));
    await assert.rejects(gb.open([]), rejectsWith('no_files'));
  });

  test('passes files on as they are', async () => {
    const { worker } = await withModel();
    const { source } = last(worker.of('open')).request;
    assert.ok(source.type === 'files' && source.files[0] === FILE);
  });
});

describe('requests', () => {
  test('are answered by id, whatever the order of the replies', async () => {
    const { worker, model } = await withModel();
    const first = model.tokenize('one');
    const second = model.tokenize('two');
    await settle();
    const [a, b] = worker.of('tokenize');
    assert.ok(a && b);
    worker.reply(b.id, { type: 'tokens', tokens: [token(2)] });
    worker.reply(a.id, { type: 'tokens', tokens: [token(1)] });
    assert.deepEqual([(await first)[0]?.id, (await second)[0]?.id], [1, 2]);
  });

  test('reject with what the worker says, and the model goes on', async () => {
    const { worker, model } = await withModel();
    const tokenizing = model.tokenize('x');
    await settle();
    const error = { code: 'no_tokenizer', message: 'No tokenizer.', hint: 'Use ids.' };
    worker.reply(last(worker.sent).id, { type: 'failed', error });
    await assert.rejects(tokenizing, { code: 'no_tokenizer', message: 'No tokenizer.', hint: 'Use ids.' });
    assert.equal(model.closed, false);
  });

  test('reject on an event of the wrong kind', async () => {
    const { worker, model } = await withModel();
    const tokenizing = model.tokenize('x');
    await settle();
    worker.reply(last(worker.sent).id, { type: 'closed' });
    await assert.rejects(tokenizing, rejectsWith('protocol'));
  });

  test('can be aborted: the caller hears at once, the worker is told, a late answer is dropped', async () => {
    const { worker, model } = await withModel();
    const controller = new AbortController();
    const tracing = model.trace({ tokens: [1], signal: controller.signal });
    await settle();
    const { id } = last(worker.of('trace'));
    controller.abort();
    await assert.rejects(tracing, isAbort);
    assert.equal(last(worker.of('abort')).request.target, id);
    worker.reply(id, { type: 'failed', error: { code: 'aborted', message: '', hint: '' } });
    const after = model.tokenize('x');
    await settle();
    worker.reply(last(worker.sent).id, { type: 'tokens', tokens: [] });
    assert.deepEqual(await after, []);
  });

  test('are not sent when already aborted', async () => {
    const { worker, model } = await withModel();
    await assert.rejects(model.trace({ tokens: [1], signal: AbortSignal.abort() }), isAbort);
    assert.equal(worker.of('trace').length, 0);
    assert.equal(worker.of('abort').length, 0);
  });

  test('that cannot be cloned reject without harm', async () => {
    const { worker, model } = await withModel();
    worker.onSent = () => {
      throw new DOMException('no', 'DataCloneError');
    };
    await assert.rejects(model.tokenize('x'), rejectsWith('bad_argument'));
  });

  test('reject when the engine is stopped', async () => {
    const { gb, worker, model } = await withModel();
    const tracing = model.trace({ tokens: [1] });
    await settle();
    gb.stop();
    await assert.rejects(tracing, rejectsWith('stopped'));
    assert.ok(worker.terminated && model.closed);
    await assert.rejects(gb.open([FILE]), rejectsWith('stopped'));
  });
});

describe('trace', () => {
  test('moves tensors: the data lie in the very buffer that came', async () => {
    const { worker, model } = await withModel();
    const tracing = model.trace({ prompt: 'hi', capture: ['pattern'] });
    await settle();
    const { id, request } = last(worker.of('trace'));
    assert.deepEqual(request.input, { type: 'text', text: 'hi', special: true });
    const buffer = Float32Array.of(1, 0, 0.25, 0.75).buffer;
    const name = 'blocks.0.attn.hook_pattern';
    const tensors = [{ name, shape: [1, 2, 2] }];
    worker.reply(id, { type: 'traced', tokens: [token(1), token(2)], tensors, next: [], timing: TIMING }, [buffer]);
    const trace = await tracing;
    assert.equal(trace.tensor(name).data.buffer, buffer);
    assert.deepEqual(trace.tensor(name).shape, [1, 2, 2]);
    assert.deepEqual(trace.names, [name]);
    assert.throws(() => trace.tensor('logits'), rejectsWith('no_such_tensor'));
  });

  test('refuses data that do not fit their shape', async () => {
    const { worker, model } = await withModel();
    const tracing = model.trace({ tokens: Uint32Array.of(1) });
    await settle();
    const tensors = [{ name: 'logits', shape: [2, 2] }];
    const event: Event = { type: 'traced', tokens: [], tensors, next: [], timing: TIMING };
    worker.reply(last(worker.sent).id, event, [new ArrayBuffer(12)]);
    await assert.rejects(tracing, rejectsWith('protocol'));
  });

  test('fills in edits', async () => {
    const { worker, model } = await withModel();
    const action = { type: 'scale' as const, factor: 0 };
    void model.trace({ tokens: [1], edits: [{ site: 'blocks.0.attn.hook_z', head: 2, action }] }).catch(() => undefined);
    await settle();
    assert.deepEqual(last(worker.of('trace')).request.edits, [{ site: 'blocks.0.attn.hook_z', head: 2, positions: null, keys: null, action }]);
  });

  test('needs a prompt', async () => {
    const { model } = await withModel();
    await assert.rejects(model.trace({} as { prompt: string }), rejectsWith('bad_argument'));
  });
});

describe('generate', () => {
  test('yields every step in order, and returns how it ended', async () => {
    const { worker, model } = await withModel();
    const run = model.generate({ prompt: 'a', maxNewTokens: 3, sampler: { seed: 7 } });
    const first = run.next();
    await settle();
    const { id, request } = last(worker.of('generate'));
    assert.deepEqual(request.sampler, { temperature: 1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 7, greedy: false });
    for (const index of [0, 1, 2]) worker.reply(id, step(index));
    worker.reply(id, { type: 'finished', reason: 'length', tokens: [0, 1, 2], timing: TIMING });
    const value = (await first).value as Step;
    assert.deepEqual([value.id, value.text, value.top.raw[0]?.probability], [0, 'w0 ', 0.5]);
    assert.deepEqual([((await run.next()).value as Step).id, ((await run.next()).value as Step).id], [1, 2]);
    assert.deepEqual(await run.next(), { done: true, value: { reason: 'length', tokens: [0, 1, 2], timing: TIMING } });
  });

  test('loses nothing when the reader is slower than the worker', async () => {
    const { worker, model } = await withModel();
    worker.onSent = ({ id, request }) => {
      if (request.type !== 'generate') return;
      for (let i = 0; i < request.maxNewTokens; i++) worker.reply(id, step(i));
      worker.reply(id, { type: 'finished', reason: 'length', tokens: [], timing: TIMING });
    };
    const seen: number[] = [];
    for await (const { index } of model.generate({ tokens: [1], maxNewTokens: 200 })) {
      seen.push(index);
      if (index % 50 === 0) await settle();
    }
    assert.deepEqual(
      seen,
      Array.from({ length: 200 }, (_, i) => i),
    );
  });

  test('stops the worker when the loop is left', async () => {
    const { worker, model } = await withModel();
    const loop = async (): Promise<void> => {
      for await (const { index } of model.generate({ tokens: [1] })) if (index === 1) break;
    };
    const looping = loop();
    await settle();
    const { id } = last(worker.of('generate'));
    worker.reply(id, step(0));
    worker.reply(id, step(1));
    await looping;
    assert.equal(last(worker.of('abort')).request.target, id);
  });

  test('does nothing before the first step is asked for', async () => {
    const { worker, model } = await withModel();
    const run = model.generate({ tokens: [1] });
    await settle();
    assert.equal(worker.of('generate').length, 0);
    await run.return({ reason: 'aborted', tokens: [], timing: TIMING });
    assert.equal(worker.of('abort').length, 0);
  });

  test('throws the reason of its signal, after the steps that had come', async () => {
    const { worker, model } = await withModel();
    const controller = new AbortController();
    const seen: number[] = [];
    const loop = async (): Promise<void> => {
      for await (const { index } of model.generate({ tokens: [1], signal: controller.signal })) seen.push(index);
    };
    const looping = loop();
    await settle();
    const { id } = last(worker.of('generate'));
    worker.reply(id, step(0));
    await settle();
    controller.abort();
    await assert.rejects(looping, isAbort);
    assert.deepEqual(seen, [0]);
    assert.equal(worker.of('abort').length, 1);
  });

  test('throws where the worker fails midway', async () => {
    const { worker, model } = await withModel();
    const run = model.generate({ tokens: [1] });
    const first = run.next();
    await settle();
    const { id } = last(worker.of('generate'));
    worker.reply(id, step(0));
    worker.reply(id, { type: 'failed', error: { code: 'context_full', message: 'Full.', hint: '' } });
    assert.equal(((await first).value as Step).id, 0);
    await assert.rejects(run.next(), rejectsWith('context_full'));
  });
});

test('what Rust leaves out is null, as promised', async () => {
  const { gb, worker } = await setUp((fake) => (message) => {
    if (message.request.type === 'start') fake.reply(message.id, STARTED);
    if (message.request.type !== 'open') return;
    const model = modelNamed('model.gguf', true);
    for (const name of ['tokenizer', 'licence']) Reflect.deleteProperty(model, name);
    fake.reply(message.id, { type: 'opened', model, device: DEVICE });
  });
  const { info } = await gb.open([FILE]);
  assert.deepEqual([info.tokenizer, info.licence], [null, null]);
  assert.equal(worker.terminated, false);
});

describe('listeners', () => {
  test('hear of memory until they are removed', async () => {
    const { gb, worker } = await setUp();
    const heard: number[] = [];
    const remove = gb.on('memory', ({ wasmBytes }) => heard.push(wasmBytes));
    worker.reply(0, { type: 'memory', wasmBytes: 5, weightBytes: 1, helperBytes: 0, deviceBytes: null });
    remove();
    worker.reply(0, { type: 'memory', wasmBytes: 6, weightBytes: 1, helperBytes: 0, deviceBytes: null });
    assert.deepEqual(heard, [5]);
  });
});
