import './dom.js';
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { textOf } from './dom.js';
import { HostWorker } from './fake/worker.js';
import { ON_CPU, TRICKS } from './fake/host.js';
import { App } from '../src/elements/app.js';
import { modelFiles, type PathFile } from '../src/elements/files.js';
import { Generation } from '../src/elements/generation.js';
import { Edits } from '../src/elements/edits.js';
import { Inspection } from '../src/elements/inspection.js';
import { capturedLayers } from '../src/elements/picture.js';
import { sentence, Session } from '../src/elements/session.js';
import { until } from './until.js';

const workers: HostWorker[] = [];
class CountedWorker extends HostWorker {
  constructor() {
    super();
    workers.push(this);
  }
}
Object.defineProperty(globalThis, 'Worker', { value: CountedWorker, configurable: true });

function file(name: string): File {
  return new File(['x'], name);
}

function newest(): HostWorker {
  const worker = workers.at(-1);
  assert.ok(worker);
  return worker;
}

interface Bench {
  readonly session: Session;
  readonly inspection: Inspection;
  readonly generation: Generation;
}

async function bench(name = 'story.gguf'): Promise<Bench> {
  const session = new Session(ON_CPU, false);
  const edits = new Edits();
  const inspection = new Inspection(session, edits);
  const generation = new Generation(session, inspection, edits);
  assert.ok(await session.open([file(name)], name));
  await until(() => inspection.picture !== undefined, 'the first picture');
  return { session, inspection, generation };
}

beforeEach(() => {
  workers.length = 0;
});

describe('a session', () => {
  test('opens a model and shows its first picture', async () => {
    const { session, inspection } = await bench();
    assert.equal(session.model?.info.name, 'story');
    const { picture } = inspection;
    assert.equal(picture?.attention.layers.length, 5);
    assert.equal(picture.tokens.length, inspection.tokens.length);
    assert.equal(session.task, undefined);
  });

  test('shows an error in words, keeps the model, and forgets it when dismissed', async () => {
    const { session, inspection } = await bench();
    const { model } = session;
    assert.equal(await session.open([file(TRICKS.broken)], 'broken'), false);
    const [notice] = session.notices;
    assert.ok(notice);
    assert.match(notice.message, /web page/);
    assert.match(notice.hint, /download link/);
    assert.equal(session.model, model);
    await inspection.run();
    assert.ok(inspection.picture);
    session.dismiss(notice.id);
    assert.deepEqual(session.notices, []);
  });

  test('opening can be cancelled, which is no error', async () => {
    const { session } = await bench();
    const { model } = session;
    const opening = session.open([file(TRICKS.slow)], 'slow');
    await until(() => (session.task?.progress?.total ?? 0) > 1e8, 'progress');
    session.task?.cancel?.();
    assert.equal(await opening, false);
    assert.deepEqual([session.task, session.model, session.notices.length], [undefined, model, 0]);
  });

  test('a dead engine comes back with the model, and the page says so', async () => {
    const { session, inspection } = await bench();
    newest().crash('unreachable');
    assert.match(session.notices.at(-1)?.message ?? '', /stopped unexpectedly/);
    await until(() => session.notices.some(({ message }) => message.includes('story is open again')), 'the return');
    assert.equal(workers.length, 2);
    await inspection.run();
    assert.ok(newest().of('trace').length > 0);
    assert.ok(session.model && !session.model.closed);
  });
});

test('errors are shown as sentences, names of files as they are', () => {
  assert.equal(sentence('the header is too long'), 'The header is too long.');
  assert.equal(sentence('model.gguf is cut off'), 'model.gguf is cut off.');
  assert.equal(sentence('Done. '), 'Done.');
  assert.equal(sentence(''), '');
});

describe('the prompt', () => {
  test('is split while it is typed, and run a little later', async () => {
    const { inspection } = await bench();
    const before = newest().of('trace').length;
    for (const text of ['a', 'a b', 'a b c']) inspection.type(text);
    await until(() => inspection.tokens.length === 4, 'the tokens');
    await until(() => newest().of('trace').length > before, 'the run');
    await until(() => inspection.picture?.tokens.length === 4, 'the picture');
    assert.equal(newest().of('trace').length, before + 1);
  });

  test('is busy from the first key until its picture is there', async () => {
    const { inspection } = await bench();
    await until(() => !inspection.busy, 'the end of the first run');
    inspection.type('a b c');
    // At every moment in between either something is under way or the new picture is there.
    for (let i = 0; i < 600 && inspection.busy; i++) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(inspection.picture?.tokens.length, 4);
    inspection.setAuto(false);
    inspection.type('a b');
    assert.ok(inspection.busy);
    await until(() => !inspection.busy, 'the end of splitting');
    assert.deepEqual([inspection.tokens.length, inspection.picture.tokens.length], [3, 4]);
  });

  test('that is typed while the first is still being split is not lost', async () => {
    const session = new Session(ON_CPU, false);
    const inspection = new Inspection(session, new Edits());
    const stop = session.subscribe(() => {
      const { model } = session;
      if (!model) return;
      stop();
      const tokenize = model.tokenize.bind(model);
      model.tokenize = async (...call) => {
        const tokens = await tokenize(...call);
        model.tokenize = tokenize;
        // The key is pressed when the tokens of the first text are just about to be there.
        inspection.type('a b c');
        return tokens;
      };
    });
    assert.ok(await session.open([file('story.gguf')], 'story'));
    await until(() => inspection.picture?.tokens.length === 4, 'the picture');
    assert.equal(inspection.text, 'a b c');
  });

  test('is run with the very tokens that are shown', async () => {
    const { inspection } = await bench();
    const ids = inspection.tokens.map(({ id }) => id);
    assert.deepEqual(newest().of('trace').at(-1)?.request.input, { type: 'tokens', tokens: ids });
  });

  test('of a model without a tokenizer is ids, and says what is wrong with them', async () => {
    const { inspection } = await bench(TRICKS.ids);
    assert.equal(inspection.text, '1, 403, 407, 261, 378');
    inspection.type('1, 9999');
    await until(() => inspection.problem !== '', 'the problem');
    assert.match(inspection.problem, /9999.*0 to 511/);
    inspection.type('1, 2, 3');
    await until(() => inspection.tokens.length === 3, 'the tokens');
    assert.equal(inspection.problem, '');
    assert.equal(newest().of('tokenize').length, 0);
  });

  test('grows by a candidate as it is, without being split again', async () => {
    const { inspection } = await bench();
    const ids = inspection.tokens.map(({ id }) => id);
    const next = inspection.picture?.next[0];
    assert.ok(next);
    inspection.append([next.token]);
    await until(() => inspection.picture?.tokens.length === ids.length + 1, 'the picture');
    assert.deepEqual(newest().of('trace').at(-1)?.request.input, { type: 'tokens', tokens: [...ids, next.token.id] });
  });

  test('begins short in a model of a small context, and whole again in the next one', async () => {
    const { session, inspection } = await bench(TRICKS.narrow);
    assert.equal(inspection.text, 'Once upon a time,');
    assert.deepEqual([inspection.problem, inspection.tokens.length], ['', 6]);
    assert.ok(await session.open([file('story.gguf')], 'story'));
    await until(() => inspection.tokens.length > 6, 'the whole text');
    inspection.type('my own words, which are more than six');
    assert.ok(await session.open([file(TRICKS.narrow)], 'narrow'));
    assert.equal(inspection.text, 'my own words, which are more than six');
  });

  test('longer than the context is not run, and says so', async () => {
    const { inspection } = await bench(TRICKS.ids);
    const before = newest().of('trace').length;
    inspection.type(Array.from({ length: 600 }, () => '1').join(','));
    await until(() => inspection.problem !== '', 'the problem');
    assert.match(inspection.problem, /600 tokens; this model holds 512/);
    await inspection.run();
    assert.equal(newest().of('trace').length, before);
  });
});

describe('heads', () => {
  test('hover previews, a click locks, release keeps what is shown', async () => {
    const { inspection } = await bench();
    inspection.preview({ layer: 1, head: 2 });
    assert.deepEqual(inspection.head, { layer: 1, head: 2 });
    inspection.lock({ layer: 3, head: 4 });
    inspection.preview(null);
    assert.deepEqual([inspection.head, inspection.locked], [{ layer: 3, head: 4 }, { layer: 3, head: 4 }]);
    inspection.lock(null);
    assert.deepEqual([inspection.head, inspection.locked], [{ layer: 3, head: 4 }, null]);
  });

  test('all layers are captured where they fit, else those about the one looked at', () => {
    const model = (layers: number, heads: number): Parameters<typeof capturedLayers>[0] =>
      ({ info: { layers, heads, convolutions: [1] } }) as Parameters<typeof capturedLayers>[0];
    assert.equal(capturedLayers(model(30, 9), 64, 0).length, 29);
    assert.equal(capturedLayers(model(6, 6), 512, 0).length, 5);
    assert.equal(capturedLayers(model(30, 9), 512, 15).length, 10);
    const some = capturedLayers(model(32, 32), 1024, 31);
    assert.ok(some.length < 32 && some.length >= 1 && some.includes(31));
    assert.deepEqual(capturedLayers(model(32, 32), 100_000, 5), [5]);
  });
});

describe('generation', () => {
  test('streams, ends, and becomes part of the prompt', async () => {
    const { inspection, generation } = await bench();
    const ids = inspection.tokens.map(({ id }) => id);
    generation.configure({ maxNewTokens: 4, greedy: true });
    const running = generation.run();
    assert.ok(generation.running);
    await until(() => generation.steps.length === 2, 'two steps');
    assert.equal(generation.shown, 1);
    await running;
    assert.deepEqual([generation.steps.length, generation.running, generation.shown], [4, false, null]);
    assert.equal(generation.ending, 'As many tokens as asked for.');
    const made = generation.steps.map(({ id }) => id);
    generation.keep();
    await until(() => inspection.picture?.tokens.length === ids.length + 4, 'the picture');
    assert.deepEqual(inspection.tokens.map(({ id }) => id), [...ids, ...made]);
    assert.equal(generation.steps.length, 0);
  });

  test('stops at once when asked, keeps what came, and tells the worker', async () => {
    const { generation, session } = await bench();
    generation.configure({ maxNewTokens: 1000 });
    const running = generation.run();
    await until(() => generation.steps.length === 2, 'two steps');
    generation.stop();
    await running;
    assert.ok(generation.steps.length >= 2 && !generation.running);
    assert.equal(generation.ending, 'Stopped.');
    assert.equal(newest().of('abort').length, 1);
    assert.deepEqual(session.notices, []);
  });

  test('ends where the engine dies, and can be run again', async () => {
    const { generation } = await bench();
    generation.configure({ maxNewTokens: 3 });
    const running = generation.run();
    await until(() => generation.steps.length === 1, 'a step');
    newest().crash('unreachable');
    await running;
    assert.equal(generation.ending, 'Ended by an error.');
    await generation.run();
    assert.equal(generation.steps.length, 3);
  });
});

describe('files', () => {
  const paths = (...all: string[]): PathFile[] => all.map((path) => ({ path, file: file(path.split('/').at(-1) ?? path) }));
  const names = (all: PathFile[]): string[] => modelFiles(all).map(({ name }) => name);

  test('of a hub folder are those beside the weights', () => {
    const all = paths('m/config.json', 'm/model.safetensors', 'm/.git/HEAD', 'm/onnx/model.onnx', 'm/sub/other.safetensors', 'm/README.md');
    assert.deepEqual(names(all), ['config.json', 'model.safetensors', 'README.md']);
  });
  test('deeper in what was dropped are found', () => {
    assert.deepEqual(names(paths('models/notes.txt', 'models/a/x.gguf')), ['x.gguf']);
  });
  test('that hold no weights are passed on, for the engine to say so', () => {
    assert.deepEqual(names(paths('m/notes.txt')), ['notes.txt']);
  });
});

test('the page joins all of it', async () => {
  const app = document.createElement('gb-app');
  assert.ok(app instanceof App);
  document.body.append(app);
  await until(() => textOf(app).includes('Glassbox'), 'the page');
  const welcome = app.shadowRoot?.querySelector('gb-welcome');
  assert.ok(welcome);
  welcome.dispatchEvent(
    new CustomEvent('gb-open', { detail: { source: [file('story.gguf')], name: 'story' }, bubbles: true, composed: true }),
  );
  await until(() => app.shadowRoot?.querySelector('gb-prompt-panel') !== null, 'the bench');
  const next = app.shadowRoot?.querySelector('gb-next-panel');
  await until(() => next?.shadowRoot?.querySelector('gb-candidate-table')?.shadowRoot?.querySelector('tbody tr') !== null, 'candidates');
  assert.match(textOf(app), /story/);
  const items = app.shadowRoot?.querySelector('gb-status-line')?.items.map(({ term }) => term);
  assert.deepEqual(items, ['Device', 'Model', 'Speed', 'Arithmetic', 'Memory']);
  app.remove();
});
