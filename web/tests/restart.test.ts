import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GlassboxError } from '../src/client/index.js';
import type { Event } from '../src/client/protocol.gen.js';
import { answersStartAndOpen, DEVICE, FILE, isAbort, last, rejectsWith, setUp, settle, STARTED, token, withModel } from './fake/client.js';
import { modelNamed } from './fake/host.js';
import type { ScriptedWorker } from './fake/worker.js';

describe('a worker that dies', () => {
  const deaths: [string, (worker: ScriptedWorker) => void][] = [
    ['by an error event', (worker) => { worker.crash('unreachable'); }],
    ['by a panic it tells of', (worker) => {
      worker.reply(0, { type: 'failed', error: { code: 'panicked', message: 'unreachable', hint: '' } });
    }],
  ];
  for (const [how, die] of deaths) {
    test(`${how}: all pending reject, a new one opens the same model`, async () => {
      const { gb, workers, worker, model } = await withModel();
      const heard: string[] = [];
      gb.on('died', ({ code }) => heard.push(code));
      gb.on('restored', ({ model: info }) => heard.push(`restored ${info?.name ?? 'nothing'}`));
      const pending = [model.tokenize('x'), model.trace({ tokens: [1] }), model.generate({ tokens: [1] }).next()];
      await settle();
      die(worker);
      for (const each of pending) await assert.rejects(each, rejectsWith('worker_died'));
      await settle();
      assert.ok(worker.terminated);
      const fresh = workers[1];
      assert.ok(fresh);
      assert.deepEqual(fresh.sent.map(({ request }) => request.type), ['start', 'open']);
      const { source } = last(fresh.of('open')).request;
      assert.ok(source.type === 'files' && source.files[0] === FILE);
      assert.deepEqual(heard, ['worker_died', 'restored model']);
      const tokenizing = model.tokenize('again');
      await settle();
      fresh.reply(last(fresh.of('tokenize')).id, { type: 'tokens', tokens: [token(9)] });
      assert.equal((await tokenizing)[0]?.id, 9);
    });
  }

  test('holds new requests back until the model is open again', async () => {
    let opened: (() => void) | undefined;
    const { workers, worker, model } = await withModel((fake, index) => ({ id, request }) => {
      if (index === 0) answersStartAndOpen(fake)?.({ id, request });
      else if (request.type === 'start') fake.reply(id, STARTED);
      else if (request.type === 'open') opened = () => { fake.reply(id, { type: 'opened', model: modelNamed('model.gguf', true), device: DEVICE }); };
    });
    worker.crash('gone');
    const tokenizing = model.tokenize('waiting');
    await settle();
    const [, fresh] = workers;
    assert.ok(fresh);
    assert.equal(fresh.of('tokenize').length, 0);
    opened?.();
    await settle();
    fresh.reply(last(fresh.of('tokenize')).id, { type: 'tokens', tokens: [] });
    assert.deepEqual(await tokenizing, []);
  });

  test('is replaced without the model where opening it again kills the new one too', async () => {
    const { gb, workers, worker, model } = await withModel((fake, index) => (message) => {
      if (index === 1 && message.request.type === 'open') queueMicrotask(() => { fake.crash('again'); });
      else answersStartAndOpen(fake)?.(message);
    });
    const lost: string[] = [];
    gb.on('lost', ({ code }) => lost.push(code));
    worker.crash('first');
    await settle();
    assert.deepEqual(lost, ['worker_died']);
    assert.equal(workers.length, 3);
    assert.equal(model.closed, true);
    const other = await gb.open([FILE]);
    assert.equal(other.closed, false);
  });

  test('keeps the engine where only the files are gone', async () => {
    const { gb, workers, worker, model } = await withModel((fake, index) => (message) => {
      const error = { code: 'not_readable', message: 'The file was moved.', hint: 'Choose it again.' };
      if (index === 1 && message.request.type === 'open') fake.reply(message.id, { type: 'failed', error });
      else answersStartAndOpen(fake)?.(message);
    });
    const lost: string[] = [];
    gb.on('lost', ({ message }) => lost.push(message));
    worker.crash('first');
    await settle();
    assert.deepEqual(lost, ['The file was moved.']);
    assert.equal(workers.length, 2);
    assert.equal(model.closed, true);
  });

  const onGpu: Event = { ...STARTED, device: { kind: 'gpu', name: 'acme', reason: 'There is one.', software: false } };
  const anyDevice = (worker: ScriptedWorker): ScriptedWorker['onSent'] => (message) => {
    if (message.request.type !== 'start') answersStartAndOpen(worker)?.(message);
    else worker.reply(message.id, message.request.device === 'cpu' ? STARTED : onGpu);
  };

  test('while starting on a GPU is replaced by one on the CPU, which says why', async () => {
    const patience = { abortMs: 300, probeMs: 300 };
    const { gb, workers } = await setUp(
      (worker, index) => (message) => {
        if (index === 0) {
          worker.reply(message.id, { type: 'progress', stage: 'engine', doneBytes: 1, totalBytes: 2 });
          worker.crash('unreachable');
        } else {
          anyDevice(worker)?.(message);
        }
      },
      patience,
      'auto',
    );
    assert.deepEqual(workers.map((worker) => worker.of('start')[0]?.request.device), ['auto', 'cpu']);
    assert.equal(gb.device.reason, 'The engine stopped on the GPU, so it runs on the CPU.');
  });

  test('on a GPU each time the model is opened goes on with it on the CPU', async () => {
    const patience = { abortMs: 300, probeMs: 300 };
    const { gb, workers, worker, model } = await withModel(
      (fake, index) => (message) => {
        if (index === 1 && message.request.type === 'open') queueMicrotask(() => { fake.crash('again'); });
        else anyDevice(fake)?.(message);
      },
      patience,
      'auto',
    );
    worker.crash('first');
    await settle();
    assert.deepEqual(workers.map((each) => each.of('start')[0]?.request.device), ['auto', 'auto', 'cpu']);
    assert.equal(model.closed, false);
    assert.equal(gb.device.kind, 'cpu');
  });

  test('of a lost device is known by data that cannot be read back', async () => {
    const { workers, worker, model } = await withModel();
    const tracing = model.trace({ tokens: [1] });
    await settle();
    const error = { code: 'device_read', message: 'the device is lost', hint: '' };
    worker.reply(last(worker.of('trace')).id, { type: 'failed', error });
    await assert.rejects(tracing, rejectsWith('worker_died'));
    await settle();
    assert.equal(workers.length, 2);
    assert.equal(model.closed, false);
  });

  test('for good leaves a clear error', async () => {
    const { gb, worker, model } = await withModel((fake, index) => (message) => {
      if (index === 0) answersStartAndOpen(fake)?.(message);
      else queueMicrotask(() => { fake.crash(); });
    });
    const lost: string[] = [];
    gb.on('lost', ({ hint }) => lost.push(hint));
    worker.crash('first');
    await settle();
    assert.match(lost[0] ?? '', /Reload the page/);
    await assert.rejects(model.tokenize('x'), (error) => error instanceof GlassboxError);
  });

  test('is ended where it stays silent after an abort and a probe', async () => {
    const { workers, worker, model } = await withModel(answersStartAndOpen, { abortMs: 10, probeMs: 10 });
    const controller = new AbortController();
    const tracing = model.trace({ tokens: [1], signal: controller.signal });
    await settle();
    controller.abort();
    await assert.rejects(tracing, isAbort);
    await new Promise((resolve) => setTimeout(resolve, 80));
    assert.ok(worker.terminated);
    assert.equal(workers.length, 2);
    assert.equal(model.closed, false);
  });

  test('is not ended where it answers the probe', async () => {
    const { workers, worker, model } = await withModel(answersStartAndOpen, { abortMs: 10, probeMs: 500 });
    const controller = new AbortController();
    const tracing = model.trace({ tokens: [1], signal: controller.signal });
    await settle();
    worker.onSent = ({ id, request }) => {
      if (request.type === 'tokenize') worker.reply(id, { type: 'tokens', tokens: [] });
    };
    controller.abort();
    await assert.rejects(tracing, isAbort);
    await new Promise((resolve) => setTimeout(resolve, 60));
    worker.reply(last(worker.of('trace')).id, { type: 'failed', error: { code: 'aborted', message: '', hint: '' } });
    assert.equal(worker.terminated, false);
    assert.equal(workers.length, 1);
  });
});
