import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DEVICE, FILE, isAbort, last, rejectsWith, settle, STARTED, token, withModel, type Setup } from './fake/client.js';
import { modelNamed } from './fake/host.js';
import type { Model } from '../src/client/index.js';

const OTHER = new File(['y'], 'other.gguf');

/** A model that is open, and a second opening that the worker has not answered. */
async function opening(): Promise<Setup & { model: Model; controller: AbortController; second: Promise<unknown> }> {
  const setup = await withModel((worker) => ({ id, request }) => {
    if (request.type === 'start') worker.reply(id, STARTED);
    else if (request.type === 'open' && worker.of('open').length === 1) {
      worker.reply(id, { type: 'opened', model: modelNamed('model.gguf', true), device: DEVICE });
    }
  });
  const controller = new AbortController();
  const second = setup.gb.open([OTHER], { signal: controller.signal });
  second.catch(() => undefined);
  await settle();
  return { ...setup, controller, second };
}

describe('while a model is being opened', () => {
  test('requests to the one before wait, and find it closed where the opening succeeds', async () => {
    const { worker, model, second } = await opening();
    const tokenizing = assert.rejects(model.tokenize('x'), rejectsWith('model_closed'));
    await settle();
    worker.reply(last(worker.of('open')).id, { type: 'opened', model: modelNamed('other.gguf', true), device: DEVICE });
    await second;
    await tokenizing;
    assert.equal(worker.of('tokenize').length, 0);
  });

  test('requests to the one before go on where the opening fails', async () => {
    const { worker, model, second } = await opening();
    const tokenizing = model.tokenize('x');
    await settle();
    assert.equal(worker.of('tokenize').length, 0);
    worker.reply(last(worker.of('open')).id, { type: 'failed', error: { code: 'bad', message: 'Bad.', hint: '' } });
    await assert.rejects(second, rejectsWith('bad'));
    await settle();
    worker.reply(last(worker.of('tokenize')).id, { type: 'tokens', tokens: [token(3)] });
    assert.equal((await tokenizing)[0]?.id, 3);
  });

  test('a model waits for its turn, and can be given up before it', async () => {
    const { gb, worker, second } = await opening();
    const controller = new AbortController();
    const third = gb.open([FILE], { signal: controller.signal });
    const fourth = gb.open([FILE]);
    await settle();
    controller.abort();
    await assert.rejects(third, isAbort);
    assert.equal(worker.of('open').length, 2);
    worker.reply(last(worker.of('open')).id, { type: 'opened', model: modelNamed('other.gguf', true), device: DEVICE });
    await second;
    await settle();
    assert.equal(worker.of('open').length, 3);
    worker.reply(last(worker.of('open')).id, { type: 'opened', model: modelNamed('model.gguf', true), device: DEVICE });
    assert.equal((await fourth).closed, false);
  });
});

describe('an opening that is aborted when the worker has done it already', () => {
  test('is undone: the model before is opened again, and only then asked', async () => {
    const { worker, model, controller, second } = await opening();
    const late = last(worker.of('open')).id;
    controller.abort();
    await assert.rejects(second, isAbort);
    const tokenizing = model.tokenize('x');
    await settle();
    worker.reply(late, { type: 'opened', model: modelNamed('other.gguf', true), device: DEVICE });
    await settle();
    const { id, request } = last(worker.of('open'));
    assert.ok(request.source.type === 'files' && request.source.files[0] === FILE);
    assert.equal(worker.of('tokenize').length, 0);
    worker.reply(id, { type: 'opened', model: modelNamed('model.gguf', true), device: DEVICE });
    await settle();
    worker.reply(last(worker.of('tokenize')).id, { type: 'tokens', tokens: [token(4)] });
    assert.equal((await tokenizing)[0]?.id, 4);
    assert.equal(model.closed, false);
  });

  test('closes the model before where that cannot be opened again, and says why', async () => {
    const { gb, worker, model, controller, second } = await opening();
    const lost: string[] = [];
    gb.on('lost', ({ code }) => lost.push(code));
    const late = last(worker.of('open')).id;
    controller.abort();
    await assert.rejects(second, isAbort);
    const tokenizing = assert.rejects(model.tokenize('x'), rejectsWith('model_closed'));
    worker.reply(late, { type: 'opened', model: modelNamed('other.gguf', true), device: DEVICE });
    await settle();
    const error = { code: 'not_readable', message: 'The file was moved.', hint: 'Choose it again.' };
    worker.reply(last(worker.of('open')).id, { type: 'failed', error });
    await tokenizing;
    assert.deepEqual(lost, ['not_readable']);
    assert.equal(model.closed, true);
  });

  test('leaves nothing open where there was nothing before', async () => {
    const { gb, worker, model, controller, second } = await opening();
    const late = last(worker.of('open')).id;
    controller.abort();
    await assert.rejects(second, isAbort);
    const closing = model.close();
    const third = gb.open([FILE]);
    worker.reply(late, { type: 'opened', model: modelNamed('other.gguf', true), device: DEVICE });
    await settle();
    worker.reply(last(worker.of('close')).id, { type: 'closed' });
    await settle();
    worker.reply(last(worker.of('open')).id, { type: 'opened', model: modelNamed('model.gguf', true), device: DEVICE });
    assert.equal((await third).closed, false);
    await closing;
    assert.equal(worker.of('close').length, 1);
  });
});
