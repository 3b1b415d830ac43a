import './dom.js';
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { HostWorker } from './fake/worker.js';
import '../src/elements/adapter-list.js';
import { Workspace } from '../src/elements/workspace.js';
import { HOSTILE } from './hostile.js';
import { until } from './until.js';

/** Every worker that was started, in order. */
const workers: HostWorker[] = [];
class CountedWorker extends HostWorker {
  constructor() {
    super();
    workers.push(this);
  }
}
Object.defineProperty(globalThis, 'Worker', { value: CountedWorker, configurable: true });

afterEach(() => {
  localStorage.clear();
  workers.length = 0;
});

const FILE = new File(['x'], 'story.gguf');

async function opened(): Promise<Workspace> {
  const ws = new Workspace('auto', false);
  assert.ok(await ws.open([FILE], 'story', { kind: 'files' }));
  await until(() => ws.inspection.settled, 'the first picture');
  return ws;
}

describe('adapters', () => {
  test('are attached, scaled and taken off, and every time there is a new picture', async () => {
    const ws = await opened();
    let { version } = ws.inspection;
    const another = async (): Promise<void> => {
      await until(() => ws.inspection.version > version && ws.inspection.settled, 'a new picture');
      ({ version } = ws.inspection);
    };
    await ws.session.attach([new File(['x'], 'pirate.gguf')], 1);
    await another();
    assert.deepEqual(ws.model.adapters.map(({ name, scale }) => [name, scale]), [['pirate.gguf', 1]]);
    const [pirate] = ws.model.adapters;
    await ws.session.scaleAdapter(pirate?.id ?? -1, 0.5);
    await another();
    assert.equal(ws.model.adapters[0]?.scale, 0.5);
    await ws.session.detach(pirate?.id ?? -1);
    await another();
    assert.deepEqual(ws.model.adapters, []);
  });

  test('with an address are in the link, and nothing else is', async () => {
    const ws = await opened();
    await ws.session.attach([new File(['x'], 'own.gguf')], 1);
    await ws.session.attach({ urls: ['https://example.test/pirate.gguf'] }, 0.25);
    assert.deepEqual(ws.state().adapters, [{ urls: ['https://example.test/pirate.gguf'], scale: 0.25 }]);
  });

  test('of another model are refused, and nothing changes', async () => {
    const ws = await opened();
    await ws.session.attach([new File(['x'], 'mismatch.gguf')], 1);
    assert.match(ws.session.notices[0]?.message ?? '', /for another model/);
    assert.deepEqual(ws.model.adapters, []);
  });

  test('are listed with hostile names as text', async () => {
    const ws = await opened();
    for (const name of HOSTILE) await ws.session.attach([new File(['x'], name)], 1);
    const list = document.createElement('gb-adapter-list');
    list.ws = ws;
    document.body.append(list);
    await list.updateComplete;
    const shown = [...(list.shadowRoot?.querySelectorAll('li label bdi') ?? [])].map(({ textContent }) => textContent);
    assert.deepEqual(shown, ws.model.adapters.map(({ name }) => name));
    assert.equal(list.shadowRoot?.querySelector('script, img'), null);
    list.remove();
  });
});

describe('another device or arithmetic', () => {
  test('opens the model again, with the prompt there was', async () => {
    const ws = await opened();
    await ws.inspection.write('The cat sat');
    ws.edits.toggle({ kind: 'head', layer: 1, head: 2 });
    await until(() => ws.inspection.settled, 'the change');
    const { model } = ws.session;
    ws.settings.set('precision', 'exact');
    await until(() => ws.session.model !== model && ws.inspection.settled, 'the model again');
    const sent = workers[0]?.of('open').at(-1)?.request;
    assert.equal(sent?.precision, 'f32');
    assert.equal(workers.length, 1);
    assert.equal(sent.threads, 1);
    const exact = ws.session.model;
    ws.settings.set('threads', 'several');
    await until(() => ws.session.model !== exact && ws.inspection.settled, 'the model with threads');
    const { threads, precision } = workers[0]?.of('open').at(-1)?.request ?? {};
    assert.equal(precision, 'f32');
    assert.ok(threads !== undefined && threads >= 2 && threads <= 8);
    ws.settings.set('device', 'cpu');
    await until(() => workers.length === 2 && ws.inspection.settled, 'another engine');
    assert.equal(workers[1]?.of('start')[0]?.request.device, 'cpu');
    assert.equal(workers[0]?.terminated, true);
    assert.equal(ws.inspection.text, 'The cat sat');
    assert.equal(ws.edits.list.length, 1);
    assert.deepEqual(ws.session.notices, []);
  });
});
