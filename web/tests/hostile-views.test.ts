/** Every view with hostile text in all that it takes: markup, turned-around and unseen characters, halves of emoji. */
import './dom.js';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { mount } from './dom.js';
import { assertHarmless, HOSTILE, labels } from './hostile.js';
import '../src/views/attention-arcs.js';
import '../src/views/attention-grid.js';
import '../src/views/attention-matrix.js';
import '../src/views/attention-reading.js';
import '../src/views/bar-list.js';
import '../src/views/branch-tree.js';
import '../src/views/candidate-table.js';
import '../src/views/data-table.js';
import '../src/views/figure.js';
import '../src/views/heat-map.js';
import '../src/views/line-chart.js';
import '../src/views/patch-grid.js';
import '../src/views/progress-bar.js';
import '../src/views/ramp-legend.js';
import '../src/views/sampler-table.js';
import '../src/views/status-line.js';
import '../src/views/step-table.js';
import '../src/views/sum-strip.js';
import '../src/views/token-card.js';
import '../src/views/token-run.js';
import '../src/views/token-strip.js';
import type { Keepable } from '../src/views/keep.js';
import { tokenText } from '../src/views/label.js';
import { svgFile } from '../src/views/svg.js';
import { toCsv } from '../src/views/table.js';

const tokens = labels();
/** As elements hand them over: a token's text has passed `glyphs.ts`. */
const words = tokens.map((token) => tokenText(token));
const title = HOSTILE.slice(0, 3).join(' ');
const size = tokens.length;
const weights = Float32Array.from({ length: size * size }, (_, i) => (i % size <= Math.floor(i / size) ? 1 / (1 + Math.floor(i / size)) : 0));
const pattern = { size, weights, offset: 0 };
const candidates = tokens.map((token, i) => ({ token, rank: i + 1, probability: 0.3 / (i + 1), logit: 3 - i }));
const attention = { heads: 1, size, layers: [weights] };

/** What each view is given. */
const VIEWS: Readonly<Record<string, Record<string, unknown>>> = {
  'gb-attention-arcs': { pattern, tokens, selected: { side: 'query', position: 3 } },
  'gb-attention-grid': { data: attention, signs: [{ head: { layer: 0, head: 0 }, sign: '<', name: title }], selected: { layer: 0, head: 0 } },
  'gb-attention-matrix': { pattern, tokens, selected: { query: 6, key: 0 } },
  'gb-attention-reading': { pattern, tokens, cell: { query: 6, key: 1 } },
  'gb-bar-list': { name: title, nameTitle: title, valueTitle: title, action: title, bars: words.map((name, i) => ({ name, value: i - 3, before: 1 })) },
  'gb-branch-tree': { name: title, roots: tokens.map((token) => ({ token, probability: 0.25, children: [{ token, probability: 0.5, children: [] }] })) },
  'gb-candidate-table': { action: title, candidates, ghosts: new Map(tokens.map(({ id }) => [id, 0.1])) },
  'gb-data-table': { caption: title, table: { columns: [{ name: title }], rows: words.map((word) => [word]) } },
  'gb-figure': { name: title, lines: words, data: { text: title } },
  'gb-heat-map': {
    name: title,
    rowTitle: title,
    columnTitle: title,
    valueTitle: title,
    selected: { row: 1, column: 0 },
    data: { rows: words, columns: words.slice(0, 2), values: Float32Array.from({ length: 2 * size }, (_, i) => i), words: [...words, ...words] },
  },
  'gb-line-chart': { name: title, axisTitle: title, data: { places: words, series: words.slice(0, 3).map((name) => ({ name, values: words.map((_, i) => i) })) } },
  'gb-patch-grid': { source: words, target: words, layers: 2, patched: [{ layer: 0, from: 1, to: 2 }] },
  'gb-progress-bar': { label: title, done: 1, total: 2, cancellable: true },
  'gb-ramp-legend': { caption: title },
  'gb-sampler-table': {
    name: title,
    draws: 10,
    stages: [{ name: 'raw', kept: 5, cut: 0, cutMass: 0, entropy: 2 }],
    rows: tokens.map((token, i) => ({ token, rank: i + 1, logit: -i, probabilities: [0.1], cutAt: i % 2 === 0 ? null : 0, drawn: 1 })),
  },
  'gb-status-line': { items: words.map((value) => ({ term: value, value, detail: value })) },
  'gb-step-table': { name: title, titles: [title, title], rows: words.map((name) => ({ name, values: [1, 0.5] })) },
  'gb-sum-strip': { name: title, rows: words.map((name) => ({ name, kind: 'query', values: [1, -1] })) },
  'gb-token-card': { token: tokens[1], position: 1, expected: { probability: 0.1, surprisal: 3.3, rank: 7, entropy: 1, top: candidates } },
  'gb-token-run': { label: title, tokens: tokens.map((token, i) => ({ token, text: HOSTILE[i] ?? '' })) },
  'gb-token-strip': { label: title, tokens, notes: words, shades: words.map((_, i) => i / size) },
};

test('every view is among them', () => {
  const folder = join(process.cwd(), 'src/views');
  const names = readdirSync(folder)
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => [...readFileSync(join(folder, file), 'utf8').matchAll(/@customElement\('([\w-]+)'\)/g)].map(([, name]) => name));
  assert.deepEqual(Object.keys(VIEWS).sort(), names.sort());
});

describe('hostile text', () => {
  for (const [name, values] of Object.entries(VIEWS)) {
    test(`stays text in ${name}, in its table and in its picture`, async () => {
      const view = await mount<HTMLElement & { updateComplete: Promise<boolean> } & Partial<Keepable>>(name, values);
      assertHarmless(view);
      if (!view.toTable || !view.toSvg) return;
      const table = view.toTable();
      assert.ok(table.rows.length > 0 && table.rows.every((row) => row.length === table.columns.length));
      const csv = toCsv(table, [title]);
      const lines = csv.split('\r\n').filter((line) => line !== '' && !line.startsWith('#'));
      // What has a quote, a comma or a line of its own is quoted: a line of the file is a row of the table.
      assert.equal(lines.length, 1 + table.rows.length);
      const svg = svgFile(view.toSvg(), [title], '#ffffff', '#000000');
      for (const tag of ['img', 'script', 'b', 'iframe']) assert.ok(!svg.includes(`<${tag}`), tag);
      // Nothing is left that XML does not allow: no control character, no half of a pair.
      const allowed = (char: string): boolean => /[\t\n\r\u0020-\ud7ff\ue000-\ufffd]|[\ud800-\udbff][\udc00-\udfff]/.test(char);
      assert.deepEqual(Array.from(svg).filter((char) => !allowed(char)), []);
      view.remove();
    });
  }
});
