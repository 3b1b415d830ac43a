import './dom.js';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { elementsOf, mount, textOf } from './dom.js';
import { assertHarmless, HOSTILE, labels } from './hostile.js';
import { AttentionGrid } from '../src/views/attention-grid.js';
import { AttentionMatrix } from '../src/views/attention-matrix.js';
import { CandidateTable } from '../src/views/candidate-table.js';
import { CellCursor } from '../src/views/cell-cursor.js';
import { clip, visible } from '../src/views/glyphs.js';
import { tokenText } from '../src/views/label.js';
import { ProgressBar } from '../src/views/progress-bar.js';
import { RampLegend } from '../src/views/ramp-legend.js';
import { StatusLine } from '../src/views/status-line.js';
import { TokenRun } from '../src/views/token-run.js';
import { TokenStrip } from '../src/views/token-strip.js';
import type { CandidateRow, TokenLabel } from '../src/views/types.js';

// Named, so that the bundler keeps the modules that define the elements.
const VIEWS = [AttentionGrid, AttentionMatrix, CandidateTable, ProgressBar, RampLegend, StatusLine, TokenRun, TokenStrip];

function candidates(): CandidateRow[] {
  return labels().map((token, i) => ({ token, rank: i + 1, probability: 0.5 / (i + 1), logit: 3 - i }));
}

/** A pattern in which every query looks at the first token alone. */
function sink(size: number): { size: number; weights: Float32Array; offset: number } {
  const weights = new Float32Array(size * size);
  for (let query = 0; query < size; query++) weights[query * size] = 1;
  return { size, weights, offset: 0 };
}

describe('what a token looks like', () => {
  test('unseen characters are named by their code point', () => {
    assert.equal(visible('\u202egnp.exe'), '⟨202E⟩gnp.exe');
    assert.equal(visible('zero\u200bwidth'), 'zero⟨200B⟩width');
    assert.equal(visible('\u0000'), '⟨0000⟩');
    assert.equal(visible('\ud800'), '⟨D800⟩');
    assert.equal(visible('\u{e0041}'), '⟨E0041⟩');
    assert.equal(visible('\u00a0'), '⟨00A0⟩');
  });
  test('whitespace has its glyphs, and nothing is ∅', () => {
    assert.equal(visible(' the'), '␣the');
    assert.equal(visible('\r\n\t '), '⟨000D⟩⏎⇥␣');
    assert.equal(visible(''), '∅');
  });
  test('what the worker has named stays as it is, and so do control pictures', () => {
    assert.equal(tokenText({ id: 1, display: 'a⟨001B⟩⏎␣', bytes: [0x61, 0x1b, 0x0a, 0x20] }), 'a⟨001B⟩⏎␣');
    assert.equal(tokenText({ id: 1, display: '␛', bytes: [0xe2, 0x90, 0x9b] }), '␛');
  });
  test('emoji stay whole; their joiners alone are shown', () => {
    assert.equal(visible('👩🏽‍🚀❤️'), '👩🏽‍🚀❤️');
    assert.equal(visible('a\u200db'), 'a⟨200D⟩b');
    assert.equal(visible('a\ufe0f'), 'a⟨FE0F⟩');
  });
  test('other scripts are left as they are', () => {
    for (const text of ['שלום', 'مرحبا', '日本語', 'e\u0301']) assert.equal(visible(text), text);
  });
  test('clipping never splits a character', () => {
    assert.equal(clip('abcdef', 4), 'abc…');
    assert.equal(clip('👩🏽‍🚀👩🏽‍🚀👩🏽‍🚀', 2), '👩🏽‍🚀…');
    assert.equal(clip('ab', 4), 'ab');
  });
});

test('every view is defined', () => {
  for (const view of VIEWS) assert.ok(view.prototype instanceof HTMLElement);
});

describe('hostile tokens', () => {
  const tokens = labels();
  test('in the token strip', async () => {
    const strip = await mount<TokenStrip>('gb-token-strip', { tokens });
    assertHarmless(strip);
    assert.equal(elementsOf(strip).filter((element) => element.getAttribute('role') === 'option').length, tokens.length);
    assert.match(textOf(strip), /<img␣src=x␣onerror=alert\(1\)>/);
  });
  test('in the next-token table', async () => {
    const table = await mount<CandidateTable>('gb-candidate-table', { candidates: candidates(), action: 'Append' });
    assertHarmless(table);
  });
  test('in the generated text', async () => {
    const run = await mount<TokenRun>('gb-token-run', { tokens: tokens.map((token) => ({ token, text: token.display })) });
    assertHarmless(run);
  });
  test('in the status line', async () => {
    const line = await mount<StatusLine>('gb-status-line', { items: HOSTILE.map((value) => ({ term: 'Model', value, detail: value })) });
    assertHarmless(line);
  });
  test('in the matrix, whose active cell is told in words', async () => {
    const matrix = await mount<AttentionMatrix>('gb-attention-matrix', { pattern: sink(tokens.length), tokens });
    const grid = matrix.shadowRoot?.querySelector('[role=grid]');
    grid?.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowDown' }));
    await matrix.updateComplete;
    assertHarmless(matrix);
    assert.match(textOf(matrix), /Query 0 <img␣src=… to key 0/);
  });
});

describe('the next-token table', () => {
  const token = (id: number): TokenLabel => ({ id, display: `t${id}` });
  const raw = [0.6, 0.3, 0.000004].map((probability, i) => ({ token: token(i), rank: i + 1, probability, logit: -i }));

  test('shows rank, raw probability and logit, small ones as they are', async () => {
    const table = await mount<CandidateTable>('gb-candidate-table', { candidates: raw });
    const text = textOf(table).replaceAll('\u202f', ' ');
    assert.match(text, /0\.0004 %/);
    assert.match(text, /−2\.000/);
  });
  test('a click tells which', async () => {
    const table = await mount<CandidateTable>('gb-candidate-table', { candidates: raw, action: 'Append' });
    const picked: unknown[] = [];
    table.addEventListener('gb-candidate', ({ detail }) => picked.push(detail));
    table.shadowRoot?.querySelectorAll('button')[1]?.click();
    assert.deepEqual(picked, [raw[1]]);
  });
  test('says "cut off" only where all that was left is known', async () => {
    const sampled = [{ ...token(0), token: token(0), rank: 1, probability: 1, logit: 0 }];
    const known = await mount<CandidateTable>('gb-candidate-table', { candidates: raw, sampled, complete: true });
    assert.match(textOf(known), /cut off/);
    const unknown = await mount<CandidateTable>('gb-candidate-table', { candidates: raw, sampled, complete: false });
    assert.doesNotMatch(textOf(unknown), /cut off/);
  });
  test('shows the drawn token even where it is not among the raw ones', async () => {
    const sampled = [{ token: token(77), rank: 140, probability: 0.2, logit: -9 }];
    const table = await mount<CandidateTable>('gb-candidate-table', { candidates: raw, sampled, drawn: 77 });
    assert.match(textOf(table), /140 drawn: t77/);
  });
});

describe('the cursor of a heat map', () => {
  function cursor(): { cursor: CellCursor; told: unknown[] } {
    const told: unknown[] = [];
    const host = { addController: () => undefined, removeController: () => undefined, requestUpdate: () => undefined, updateComplete: Promise.resolve(true) };
    const made = new CellCursor(host, () => ({ rows: 4, width: (row) => row + 1 }), ({ cell, locked }) => told.push([cell, locked]));
    return { cursor: made, told };
  }
  const key = (name: string, more: object = {}): KeyboardEvent => ({ key: name, ctrlKey: false, altKey: false, metaKey: false, ...more }) as KeyboardEvent;

  test('previews by hover, locks by click, releases by Escape', () => {
    const { cursor: it } = cursor();
    it.hover({ row: 2, column: 1 });
    assert.deepEqual([it.cell, it.locked], [{ row: 2, column: 1 }, null]);
    it.click({ row: 3, column: 3 });
    it.hover(null);
    assert.deepEqual([it.cell, it.locked], [{ row: 3, column: 3 }, { row: 3, column: 3 }]);
    assert.ok(it.key(key('Escape')));
    assert.equal(it.cell, null);
    assert.ok(!it.key(key('Escape')));
  });
  test('does not enter the masked future', () => {
    const { cursor: it } = cursor();
    it.hover({ row: 0, column: 1 });
    it.click({ row: 1, column: 3 });
    it.hover({ row: 9, column: 0 });
    assert.equal(it.cell, null);
  });
  test('arrow keys stay within the rows', () => {
    const { cursor: it } = cursor();
    it.key(key('ArrowRight'));
    assert.deepEqual(it.cell, { row: 0, column: 0 });
    it.key(key('ArrowRight'));
    assert.deepEqual(it.cell, { row: 0, column: 0 });
    it.key(key('End', { ctrlKey: true }));
    assert.deepEqual(it.cell, { row: 3, column: 3 });
    it.key(key('ArrowUp'));
    assert.deepEqual(it.cell, { row: 2, column: 2 });
    it.key(key('Home'));
    assert.deepEqual(it.cell, { row: 2, column: 0 });
    it.key(key('PageDown'));
    assert.deepEqual(it.cell, { row: 3, column: 0 });
    it.key(key('Enter'));
    assert.deepEqual(it.locked, { row: 3, column: 0 });
    assert.ok(!it.key(key('Tab')));
  });
  test('a tap locks and never releases', () => {
    const { cursor: it } = cursor();
    it.tap({ row: 1, column: 0 });
    it.tap({ row: 1, column: 0 });
    assert.deepEqual(it.locked, { row: 1, column: 0 });
  });
});

describe('progress', () => {
  test('is told in bytes, and can be cancelled', async () => {
    const bar = await mount<ProgressBar>('gb-progress-bar', { label: 'Reading', done: 5e6, total: 1e7, cancellable: true });
    assert.match(textOf(bar).replaceAll('\u202f', ' '), /5\.00 MB of 10\.0 MB/);
    const root = bar.shadowRoot;
    assert.ok(root);
    assert.equal(root.querySelector('[role=progressbar]')?.getAttribute('aria-valuenow'), '50');
    let cancelled = false;
    bar.addEventListener('gb-cancel', () => (cancelled = true));
    root.querySelector('button')?.click();
    assert.ok(cancelled);
  });
  test('of unknown length claims no share', async () => {
    const bar = await mount<ProgressBar>('gb-progress-bar', { label: 'Reading', done: 5e6, total: 0 });
    assert.equal(bar.shadowRoot?.querySelector('[role=progressbar]')?.hasAttribute('aria-valuenow'), false);
  });
});

test('the legend tells its range and scale', async () => {
  const legend = await mount<RampLegend>('gb-ramp-legend', { scale: 'sqrt', caption: 'attention weight' });
  assert.match(textOf(legend), /attention weight, 0 to 1, square-root scale/);
});

test('the grid tells layers, heads and what is not captured', async () => {
  const size = 3;
  const data = { heads: 2, size, layers: [new Float32Array(2 * size * size), null] };
  const grid = await mount<AttentionGrid>('gb-attention-grid', { data });
  const picked: unknown[] = [];
  grid.addEventListener('gb-head-pick', ({ detail }) => picked.push(detail));
  const inner = grid.shadowRoot?.querySelector('[role=grid]');
  for (const key of ['ArrowDown', 'ArrowDown', 'Enter']) inner?.dispatchEvent(new KeyboardEvent('keydown', { key }));
  await grid.updateComplete;
  assert.deepEqual(picked, [{ layer: 1, head: 0 }]);
  assert.match(textOf(grid), /Layer 1, head 0, not captured/);
});

test('the grid has one cell for a layer with a convolution, which says so', async () => {
  const size = 3;
  const all = new Float32Array(2 * size * size).fill(1 / 3);
  const data = { heads: 2, size, layers: [null, all], convolutions: [0] };
  const grid = await mount<AttentionGrid>('gb-attention-grid', { data, off: [{ layer: 0, head: 0 }] });
  const inner = grid.shadowRoot?.querySelector('[role=grid]');
  const press = async (...keys: string[]): Promise<string> => {
    for (const key of keys) inner?.dispatchEvent(new KeyboardEvent('keydown', { key }));
    await grid.updateComplete;
    return textOf(grid);
  };
  // There is nothing to the right of it, and below it both heads are there.
  assert.match(await press('ArrowRight', 'ArrowRight'), /Layer 0, convolution, no heads, switched off/);
  assert.match(await press('ArrowDown', 'ArrowRight'), /Layer 1, head 1$/);
  const { columns, rows } = grid.toTable();
  assert.deepEqual(rows.map((row) => row.length), Array(3).fill(columns.length));
  assert.deepEqual([rows[0]?.[0], rows[0]?.at(-1)], [0, 'convolution, no heads']);
  assert.deepEqual(rows.slice(1).map((row) => row.slice(0, 2)), [[1, 0], [1, 1]]);
});
