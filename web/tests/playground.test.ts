import './dom.js';
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { textOf } from './dom.js';
import { HostWorker } from './fake/worker.js';
import { along, grow, leaves, logProbability, type Branch } from '../src/elements/branches.js';
import { Deeper } from '../src/elements/deeper.js';
import { EXAMPLES, showExample } from '../src/elements/examples.js';
import { fromFragment } from '../src/elements/link.js';
import { TABS } from '../src/elements/view-state.js';
import { Workspace } from '../src/elements/workspace.js';
import { until } from './until.js';

const workers: HostWorker[] = [];
class CountedWorker extends HostWorker {
  constructor() {
    super();
    workers.push(this);
  }
}
Object.defineProperty(globalThis, 'Worker', { value: CountedWorker, configurable: true });

const FILE = new File(['x'], 'story.gguf');

function newest(): HostWorker {
  const worker = workers.at(-1);
  assert.ok(worker);
  return worker;
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

async function opened(): Promise<Workspace> {
  const ws = new Workspace('cpu', false);
  assert.ok(await ws.open([FILE], 'story', { kind: 'files' }));
  await until(() => ws.ready && ws.fingerprint !== '', 'the first picture');
  return ws;
}

beforeEach(() => {
  workers.length = 0;
  localStorage.clear();
});

afterEach(() => {
  localStorage.clear();
});

describe('changing the model', () => {
  test('runs the prompt again with the change, and keeps what was before', async () => {
    const ws = await opened();
    const plain = ws.inspection.picture;
    ws.edits.toggle({ kind: 'head', layer: 1, head: 2 });
    await until(() => ws.inspection.before !== undefined, 'the changed picture');
    assert.equal(ws.inspection.before, plain);
    const { edits } = newest().of('trace').at(-1)?.request ?? { edits: [] };
    assert.deepEqual(edits.map(({ site, head }) => [site, head]), [['blocks.1.attn.hook_z', 2]]);
    ws.edits.set([]);
    await until(() => ws.inspection.before === undefined, 'the plain picture');
    assert.deepEqual(newest().of('trace').at(-1)?.request.edits, []);
  });

  test('can be undone and done again', async () => {
    const ws = await opened();
    await pause(500);
    ws.edits.toggle({ kind: 'mlp', layer: 0 });
    await until(() => ws.inspection.before !== undefined, 'the changed picture');
    await pause(500);
    ws.undo();
    await until(() => ws.edits.list.length === 0 && !ws.inspection.running, 'the way back');
    await until(() => ws.inspection.before === undefined, 'the plain picture');
    ws.redo();
    await until(() => ws.edits.list.length === 1, 'the way forth');
    assert.deepEqual(ws.edits.list, [{ kind: 'mlp', layer: 0 }]);
  });

  test('is a step of its own, however soon it follows on a prompt', async () => {
    const ws = await opened();
    await ws.inspection.write('Another prompt');
    const { text } = ws.inspection;
    ws.edits.toggle({ kind: 'mlp', layer: 0 });
    await until(() => ws.inspection.before !== undefined, 'the changed picture');
    ws.undo();
    await until(() => ws.inspection.settled && ws.inspection.before === undefined, 'the way back');
    assert.deepEqual([ws.edits.list, ws.inspection.text], [[], text]);
  });

  test('is generated with', async () => {
    const ws = await opened();
    ws.edits.toggle({ kind: 'attention', layer: 1 });
    ws.generation.configure({ maxNewTokens: 1 });
    await ws.generation.run();
    assert.deepEqual(newest().of('generate').at(-1)?.request.edits.map(({ site }) => site), ['blocks.1.hook_attn_out']);
  });
});

describe('a link', () => {
  test('brings back the prompt by its tokens, the head, the changes and the view', async () => {
    const ws = await opened();
    ws.inspection.append([{ id: 77, text: ' x', display: '␣x', bytes: [], special: false }]);
    await until(() => ws.inspection.picture?.tokens.at(-1)?.id === 77, 'the longer picture');
    ws.inspection.lock({ layer: 2, head: 3 });
    ws.edits.toggle({ kind: 'head', layer: 1, head: 2 });
    ws.view.set({ tab: 'lens', pins: [5], picture: 'arcs' });
    ws.generation.configure({ seed: 9 });
    const state = fromFragment(new URL(ws.link()).hash);
    assert.ok(state);
    assert.equal(state.model?.fingerprint, '5e'.repeat(32));

    const other = await opened();
    other.apply(state);
    await until(() => other.inspection.before !== undefined, 'the changed picture');
    assert.deepEqual(other.inspection.picture?.tokens.map(({ id }) => id), ws.inspection.tokens.map(({ id }) => id));
    assert.deepEqual([other.inspection.chosen, other.inspection.locked], [{ layer: 2, head: 3 }, { layer: 2, head: 3 }]);
    assert.deepEqual([other.view.values.tab, other.view.values.pins, other.view.values.picture], ['lens', [5], 'arcs']);
    assert.equal(other.generation.sampler.seed, 9);
  });

  test('brings back the tree, the text that was generated, the locked cell and the chat', async () => {
    const ws = await opened();
    ws.generation.configure({ maxNewTokens: 3, seed: 4 });
    await ws.generation.run();
    ws.generation.lock(1);
    // What is set afterwards did not make the text.
    ws.generation.configure({ maxNewTokens: 40, seed: 5 });
    ws.branching.add({ id: 11, text: 'x', display: 'x', bytes: [], special: false }, 0.5);
    ws.branching.go([]);
    await ws.branching.take([12, 13]);
    ws.view.set({ cell: [2, 1], chat: [{ role: 'user', content: 'Hello' }] });
    const state = fromFragment(new URL(ws.link()).hash);
    assert.ok(state);
    assert.deepEqual(state.branches, { texts: [[11], [12, 13]], at: [12, 13] });
    assert.equal(state.generated?.sampler.seed, 4);

    const other = await opened();
    other.apply(state);
    await until(() => other.generation.steps.length === 3 && !other.generation.running, 'the generated text');
    const { request } = newest().of('generate').at(-1) ?? assert.fail();
    assert.deepEqual([request.maxNewTokens, request.sampler.seed], [3, 4]);
    assert.deepEqual([other.generation.sampler.seed, other.generation.locked], [5, 1]);
    await until(() => other.branching.roots.length === 2 && !other.branching.busy, 'the tree');
    assert.deepEqual(other.branching.saved, state.branches);
    for (const { probability } of other.branching.roots) assert.ok(probability > 0 && probability <= 1);
    assert.deepEqual([other.view.values.cell, other.view.values.chat], [[2, 1], [{ role: 'user', content: 'Hello' }]]);
  });

  test('whose state is there already changes nothing', async () => {
    const ws = await opened();
    await pause(500);
    const traces = newest().of('trace').length;
    ws.apply(ws.state());
    await pause(500);
    assert.equal(newest().of('trace').length, traces);
  });

  test('of a session is kept for the next visit, which asks for the files again', async () => {
    const ws = await opened();
    ws.view.set({ measure: 'rank' });
    await pause(600);
    const next = new Workspace('cpu', false);
    await next.begin();
    assert.match(next.session.notices.at(-1)?.message ?? '', /looked into story/);
    assert.ok(await next.open([FILE], 'story', { kind: 'files' }));
    await until(() => next.ready, 'the picture');
    assert.equal(next.view.values.measure, 'rank');
    assert.deepEqual(next.inspection.tokens.map(({ id }) => id), ws.inspection.tokens.map(({ id }) => id));
  });
});

test('every example can be shown, and the one of induction locks a head of that kind', async () => {
  const ws = await opened();
  for (const example of EXAMPLES) {
    showExample(ws, example);
    const { version } = ws.inspection;
    await until(() => ws.inspection.version > version && !ws.inspection.running, example.name);
    assert.equal(ws.inspection.picture?.tokens.length, ws.inspection.tokens.length);
    assert.equal(ws.inspection.text, example.text);
  }
  const induction = EXAMPLES.find(({ role }) => role === 'induction');
  assert.ok(induction);
  showExample(ws, induction);
  await until(() => {
    if (ws.ready) ws.heads.want(ws.inspection.version, { thumbnails: 0 });
    return ws.inspection.locked !== null;
  }, 'the lock');
  assert.deepEqual(ws.inspection.locked, { layer: 1, head: 3 });
});

describe('the analyses beneath the bench', () => {
  const SAYS: Readonly<Record<string, RegExp>> = {
    sampler: /The sampler|Every token of the vocabulary/,
    lens: /Pinned tokens|final norm/,
    parts: /sum to/,
    numbers: /products sum to/i,
    change: /Nothing is switched off/,
    patch: /A second prompt/,
    branches: /What comes after/,
    inside: /KV cache/,
    chat: /What a chat is to the model/,
  };

  test('are all there, and compute nothing before they are opened', async () => {
    const ws = await opened();
    const deeper = new Deeper();
    deeper.ws = ws;
    document.body.append(deeper);
    await deeper.updateComplete;
    for (const type of ['lens', 'attribute', 'bench', 'norms', 'head', 'neurons', 'sweep'] as const) assert.equal(newest().of(type).length, 0, type);
    for (const tab of TABS) {
      ws.view.set({ tab });
      await deeper.updateComplete;
      const panel = deeper.shadowRoot?.querySelector('[role=tabpanel] > *');
      assert.ok(panel, tab);
      await until(() => SAYS[tab]?.test(textOf(panel)) ?? false, tab);
      assert.equal(ws.session.notices.length, 0, tab);
    }
    deeper.remove();
  });
});

describe('the tree of continuations', () => {
  test('is read anew where the model is changed, and ends with its prompt', async () => {
    const ws = await opened();
    await ws.branching.take([12, 13]);
    ws.edits.toggle({ kind: 'mlp', layer: 0 });
    await until(() => ws.inspection.before !== undefined && !ws.branching.busy, 'the changed picture');
    await until(() => (newest().of('surprisal').at(-1)?.request.run.edits.length ?? 0) > 0, 'the reading');
    await until(() => !ws.branching.busy, 'its end');
    assert.deepEqual(ws.branching.saved.texts, [[12, 13]]);
    const { version } = ws.inspection;
    ws.inspection.type('Another prompt');
    await until(() => ws.inspection.version > version && ws.inspection.settled, 'the next picture');
    assert.deepEqual(ws.branching.saved, { texts: [], at: [] });
  });
});

describe('a tree of texts', () => {
  const token = (id: number) => ({ token: { id, text: '', display: `t${id}`, bytes: [], special: false }, probability: 0.5 });

  test('grows by what is new and keeps what is there', () => {
    let roots: readonly Branch[] = [];
    ({ roots } = grow(roots, [], [token(1), token(2)]));
    ({ roots } = grow(roots, [0], [token(3)]));
    const again = grow(roots, [], [token(1), token(3), token(4)]);
    assert.deepEqual(again.way, [0, 1, 0]);
    assert.deepEqual(along(again.roots, again.way).map((branch) => branch.token.id), [1, 3, 4]);
    assert.deepEqual(leaves(again.roots).map(({ branches }) => branches.map((branch) => branch.token.id)), [[1, 2], [1, 3, 4]]);
    assert.equal(logProbability(along(again.roots, again.way)), 3 * Math.log(0.5));
  });
});
