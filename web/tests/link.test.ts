import './dom.js';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { editsOf, Edits, type Change } from '../src/elements/edits.js';
import { History } from '../src/elements/history.js';
import { checked, fromFragment, toFragment, type PageState } from '../src/elements/link.js';
import { PLAIN_VIEW } from '../src/elements/view-state.js';

const CHANGES: readonly Change[] = [
  { kind: 'head', layer: 1, head: 2 },
  { kind: 'mlp', layer: 0 },
  { kind: 'edge', layer: 1, head: 0, query: 5, key: 2 },
  { kind: 'patch', site: 'resid_pre', layer: 2, position: 4, source: [1, 2, 3, 4, 5], from: 3 },
  { kind: 'steer', layer: 1, towards: 'happy', away: '', strength: -2.5 },
];

const STATE: PageState = {
  model: { name: 'm <b>“\u202e”</b> 👩🏽‍🚀', fingerprint: 'ab'.repeat(32), origin: { kind: 'urls', urls: ['https://example.test/m.gguf'] } },
  text: 'Zeile\n\u0000 שלום & "<script>" 👩🏽‍🚀',
  ids: [1, 2, 3],
  changes: CHANGES,
  sampler: { temperature: 0.7, topK: 5, topP: 0.9, minP: 0.1, repetitionPenalty: 1.2, seed: 7, greedy: false },
  maxNewTokens: 12,
  head: [1, 3],
  locked: true,
  view: {
    ...PLAIN_VIEW,
    picture: 'arcs',
    tab: 'lens',
    pins: [4, 5],
    position: 2,
    measure: 'rank',
    other: [1, 1],
    sweep: true,
    cell: [3, -1],
    halves: true,
    shade: 'entropy',
    against: 5,
    part: { kind: 'mlp', layer: 1, head: null },
    key: 2,
    neuron: 3,
    from: 20,
    search: '<b>\u202e',
    draws: true,
    chat: [{ role: 'system', content: 'Be “brief” & <b>bold</b>.' }, { role: 'user', content: '' }],
  },
  generated: { count: 7, sampler: { temperature: 1.5, seed: 3 }, changes: [{ kind: 'mlp', layer: 0 }], locked: 2 },
  branches: { texts: [[1, 2, 3], [1, 4]], at: [1, 4] },
  adapters: [{ urls: ['https://example.test/a/adapter_config.json', 'https://example.test/a/adapter_model.safetensors'], scale: 0.5 }],
};

describe('a link', () => {
  test('gives back exactly what was put into it', () => {
    assert.deepEqual(fromFragment(`#${toFragment(STATE)}`), STATE);
  });

  test('is made of characters that every mail program leaves alone', () => {
    assert.match(toFragment(STATE), /^v1=[\w-]+$/);
  });

  test('that is broken, foreign or of another version opens nothing', () => {
    const good = toFragment(STATE);
    for (const bad of ['', '#', '#v1=', '#v1=%%%', '#v2=abc', `#${good.slice(0, -7)}`, '#v1=bnVsbA', '#section', `#v1=${'A'.repeat(300_000)}`]) {
      assert.equal(fromFragment(bad), null, bad.slice(0, 20));
    }
  });

  test('keeps of what it holds only what has the right form', () => {
    const state = checked({
      model: { name: 5, fingerprint: 'no', origin: { kind: 'urls', urls: ['javascript:alert(1)', 'data:x', 7] } },
      text: ['x'],
      ids: [1, -1, 1.5, '2', 1e20],
      changes: [{ kind: 'head', layer: -1, head: 0 }, { kind: 'rm', layer: 0 }, { kind: 'patch', site: '../../x', layer: 0, position: 0, from: 0, source: [1] }, null, { kind: 'layer', layer: 3 }],
      sampler: { temperature: 1e9, topK: 'many', seed: 3 },
      maxNewTokens: 1e9,
      head: 'x',
      view: {
        tab: 'nowhere', picture: '<b>', pins: [1, 'x'], site: 'a b', cell: [-1, -1], part: { kind: 'rm', layer: 0 }, against: 'x', key: -2,
        chat: [{ role: '<b>', content: 'x' }, 'y', { content: 3 }],
      },
      generated: { count: 1e9 },
      branches: { texts: [[], ['x'], [1, 'y', 2], 7], at: 'x' },
      adapters: [{ urls: ['javascript:alert(1)'], scale: 1 }, { urls: ['https://example.test/a.gguf'], scale: 1e9 }, 'x'],
      constructor: 'x',
    });
    assert.deepEqual(state?.model, { name: '', fingerprint: '', origin: { kind: 'files' } });
    assert.deepEqual([state.text, state.ids, state.maxNewTokens, state.head, state.locked], ['', [1], 48, [0, 0], false]);
    assert.deepEqual(state.changes, [{ kind: 'layer', layer: 3 }]);
    assert.deepEqual(state.sampler, { seed: 3 });
    assert.deepEqual(state.view, { ...PLAIN_VIEW, pins: [1] });
    assert.deepEqual([state.generated, state.branches, state.adapters], [null, { texts: [[1, 2]], at: [] }, []]);
    assert.deepEqual([checked(null), checked([]), checked('x')], [null, null, null]);
  });
});

describe('changes', () => {
  test('become edits at the sites that they are of', () => {
    const sites = CHANGES.map((change) => editsOf(change).map(({ site }) => site));
    assert.deepEqual(sites, [
      ['blocks.1.attn.hook_z'],
      ['blocks.0.hook_mlp_out'],
      ['blocks.1.attn.hook_attn_scores'],
      ['blocks.2.hook_resid_pre'],
      ['blocks.1.hook_resid_pre'],
    ]);
    assert.equal(editsOf({ kind: 'layer', layer: 1 }).length, 2);
  });

  test('are made once and taken back by the same', () => {
    const edits = new Edits();
    let told = 0;
    edits.subscribe(() => (told += 1));
    edits.toggle({ kind: 'head', layer: 1, head: 2 });
    edits.toggle({ kind: 'attention', layer: 0 });
    assert.deepEqual(edits.off(2), [{ layer: 1, head: 2 }, { layer: 0, head: 0 }, { layer: 0, head: 1 }]);
    edits.toggle({ kind: 'head', layer: 1, head: 2 });
    assert.deepEqual([edits.list, told], [[{ kind: 'attention', layer: 0 }], 3]);
  });
});

describe('history', () => {
  test('goes back and forth, and a new way forgets the old one', () => {
    const history = new History<{ n: number }>();
    for (const n of [1, 2, 2, 3]) history.record({ n });
    assert.deepEqual([history.undo(), history.undo(), history.undo()], [{ n: 2 }, { n: 1 }, undefined]);
    assert.deepEqual([history.redo(), history.canRedo], [{ n: 2 }, true]);
    // What was gone back to is recorded again when it has been shown; that is no new step.
    history.record({ n: 2 });
    assert.equal(history.canRedo, true);
    history.record({ n: 9 });
    assert.deepEqual([history.canRedo, history.undo()], [false, { n: 2 }]);
  });
});
