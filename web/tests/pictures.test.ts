import './dom.js';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { elementsOf, mount, textOf } from './dom.js';
import { assertHarmless, HOSTILE, labels } from './hostile.js';
import { AttentionArcs } from '../src/views/attention-arcs.js';
import { AttentionReading } from '../src/views/attention-reading.js';
import { BarList } from '../src/views/bar-list.js';
import { BranchTree } from '../src/views/branch-tree.js';
import { DataTable } from '../src/views/data-table.js';
import { Figure } from '../src/views/figure.js';
import { HeatMap } from '../src/views/heat-map.js';
import { cellAtPoint, columnAt, layOut, rowAt } from '../src/views/heat-layout.js';
import { keep, fileName, resolved } from '../src/views/keep.js';
import { tokenText } from '../src/views/label.js';
import { LineChart } from '../src/views/line-chart.js';
import { allHeads, difference, meanPattern, rollout, windowOf } from '../src/views/patterns.js';
import { PatchGrid } from '../src/views/patch-grid.js';
import { SamplerTable } from '../src/views/sampler-table.js';
import { StepTable } from '../src/views/step-table.js';
import { SumStrip } from '../src/views/sum-strip.js';
import { escapeXml } from '../src/views/svg.js';
import { toCsv } from '../src/views/table.js';
import { TokenCard } from '../src/views/token-card.js';

// Named, so that the bundler keeps the modules that define the elements.
const VIEWS = [AttentionArcs, AttentionReading, BarList, BranchTree, DataTable, Figure, HeatMap, LineChart, PatchGrid, SamplerTable, StepTable, SumStrip, TokenCard];

const tokens = labels();
const words = tokens.map((token) => tokenText(token));

/** A pattern in which every query looks at the first token alone. */
function sink(size: number): { size: number; weights: Float32Array; offset: number } {
  const weights = new Float32Array(size * size);
  for (let query = 0; query < size; query++) weights[query * size] = 1;
  return { size, weights, offset: 0 };
}

function press(element: Element, key: string, selector = '[role=grid]'): void {
  element.shadowRoot?.querySelector(selector)?.dispatchEvent(new KeyboardEvent('keydown', { key, cancelable: true }));
}

test('every picture is defined', () => {
  for (const view of VIEWS) assert.ok(view.prototype instanceof HTMLElement);
});

describe('hostile tokens', () => {
  test('in the reading of a head', async () => {
    const reading = await mount<AttentionReading>('gb-attention-reading', { pattern: sink(tokens.length), tokens, cell: { query: 6, key: 0 } });
    assertHarmless(reading);
    assert.match(textOf(reading), /1 of a row sum of 1\.000000/);
    assert.match(textOf(reading), /Who looks at key 0 most/);
  });
  test('in the arcs, whose active word is told', async () => {
    const arcs = await mount<AttentionArcs>('gb-attention-arcs', { pattern: sink(tokens.length), tokens });
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowRight']) press(arcs, key);
    await arcs.updateComplete;
    assertHarmless(arcs);
    assert.match(textOf(arcs), /1 <\/li><script>alert\(1\)<\/script> looks most at 0 <img␣src=x␣onerror=alert\(1\)> \(1\)/);
  });
  test('in a heat map with words', async () => {
    const data = { rows: words, columns: words.slice(0, 2), values: Float32Array.from({ length: 2 * words.length }, (_, i) => i), words: [...words, ...words] };
    const map = await mount<HeatMap>('gb-heat-map', { data, name: words[0] ?? '', rowTitle: 'row', columnTitle: 'column', valueTitle: 'value' });
    press(map, 'ArrowDown');
    await map.updateComplete;
    assertHarmless(map);
    assert.equal(map.toTable().rows.length, 2 * words.length);
  });
  test('in files', () => {
    const svg = escapeXml(HOSTILE.join(''));
    for (const not of '<>"\u0000\u0007\u001b\ud800') assert.ok(!svg.includes(not), `U+${not.charCodeAt(0).toString(16)}`);
    const csv = toCsv({ columns: [{ name: 'token' }], rows: [...HOSTILE, '=1+1', '@x', 'a,"b"'].map((word) => [word]) }, ['a\nb']);
    assert.match(csv, /^# a b\r\n/);
    assert.match(csv, /\r\n'=1\+1\r\n'@x\r\n"a,""b"""\r\n$/);
    assert.equal(fileName('../Layer 1: <b>“x”</b>', 'svg'), 'glassbox-layer-1-b-x-b.svg');
  });
});

describe('a heat map', () => {
  const data = { rows: ['0', '1'], columns: ['a', 'b', 'c', 'd'], values: [0, 1, Number.NaN, 3, -4, 5, 6, 7], signed: true, group: 2 };

  test('finds the cell that is under each point, also between groups', () => {
    const layout = layOut({ rows: 2, columns: 4, rowLabel: 1, columnLabel: 1, group: 2, words: false }, 300);
    for (let row = 0; row < 2; row++) {
      for (let column = 0; column < 4; column++) {
        const at = cellAtPoint(layout, columnAt(layout, column) + layout.cellWidth / 2, rowAt(layout, row) + layout.cellHeight / 2);
        assert.deepEqual(at, { row, column });
      }
    }
    assert.equal(cellAtPoint(layout, columnAt(layout, 2) - 3, rowAt(layout, 0) + 2), null);
    assert.equal(cellAtPoint(layout, 1, 1), null);
    assert.equal(cellAtPoint(layout, columnAt(layout, 0) + 1, rowAt(layout, 2) + 1), null);
  });

  test('reads values by keyboard, locks, and leaves out what has none', async () => {
    const map = await mount<HeatMap>('gb-heat-map', { data, rowTitle: 'layer', columnTitle: 'head', valueTitle: 'adds' });
    const picked: unknown[] = [];
    map.addEventListener('gb-heat-pick', ({ detail }) => picked.push(detail));
    for (const key of ['ArrowDown', 'ArrowDown']) press(map, key);
    await map.updateComplete;
    assert.match(textOf(map), /layer 1, head a: adds −4/);
    press(map, 'Enter');
    assert.deepEqual(picked, [{ row: 1, column: 0 }]);
    press(map, 'ArrowUp');
    press(map, 'End');
    press(map, 'ArrowLeft');
    await map.updateComplete;
    assert.match(textOf(map), /layer 0, head c: no value/);
    assert.equal(map.toTable().rows.length, 7);
  });

  test('becomes a file with its caption', async () => {
    const map = await mount<HeatMap>('gb-heat-map', { data });
    const about = { title: 'T & <b>', lines: ['Model m'], data: { model: 'm' } };
    const style = getComputedStyle(map);
    const svg = await (await keep(map, 'svg', about, style)).text();
    assert.match(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    assert.match(svg, /T &amp; &lt;b&gt;<\/text>/);
    const json = JSON.parse(await (await keep(map, 'json', about, style)).text()) as { rows: unknown[]; model: string };
    assert.deepEqual([json.rows.length, json.model], [7, 'm']);
    assert.equal((await (await keep(map, 'csv', about, style)).text()).trim().split('\r\n').length, 2 + 1 + 7);
  });

  test('takes its colours as the page has them now', () => {
    const style = (colorScheme: string): CSSStyleDeclaration =>
      ({ getPropertyValue: () => 'light-dark(#ffffff, #000000)', colorScheme }) as unknown as CSSStyleDeclaration;
    assert.deepEqual([resolved(style('dark'), '--paper'), resolved(style('light'), '--paper')], ['#000000', '#ffffff']);
  });
});

describe('a figure', () => {
  test('has a table of the numbers in its picture', async () => {
    const figure = await mount<Figure>('gb-figure', { name: 'Bars' });
    const bars = document.createElement('gb-bar-list');
    Object.assign(bars, { bars: [{ name: 'x', value: 0.5 }], nameTitle: 'Token', valueTitle: 'Probability' });
    figure.append(bars);
    figure.shadowRoot?.querySelector('button')?.click();
    await figure.updateComplete;
    const table = figure.shadowRoot?.querySelector('gb-data-table');
    assert.ok(table);
    await table.updateComplete;
    assert.match(textOf(table), /Bars TokenProbability x0\.5/);
    assert.equal(elementsOf(figure).filter(({ localName }) => localName === 'button').length, 5);
  });

  test('turns the pages of long tables', async () => {
    const rows = Array.from({ length: 120 }, (_, i) => [i]);
    const table = await mount<DataTable>('gb-data-table', { table: { columns: [{ name: 'n' }], rows } });
    const count = (): number => table.shadowRoot?.querySelectorAll('tbody tr').length ?? 0;
    assert.equal(count(), 50);
    for (let i = 0; i < 2; i++) {
      table.shadowRoot?.querySelectorAll('nav button')[1]?.dispatchEvent(new MouseEvent('click'));
      await table.updateComplete;
    }
    assert.equal(count(), 20);
    assert.match(textOf(table), /101 to 120 of 120/);
  });
});

describe('patterns of patterns', () => {
  const size = 3;
  // Layer 0: head 0 looks at itself, head 1 at the first token; layer 1 the other way round.
  const self = [1, 0, 0, 0, 1, 0, 0, 0, 1];
  const first = [1, 0, 0, 1, 0, 0, 1, 0, 0];
  const data = { heads: 2, size, layers: [Float32Array.from([...self, ...first]), Float32Array.from([...first, ...self])] };

  test('means weigh all heads alike', () => {
    assert.deepEqual(Array.from(meanPattern(data, allHeads(data))?.weights ?? []), [1, 0, 0, 0.5, 0.5, 0, 0.5, 0, 0.5]);
    assert.equal(meanPattern({ ...data, layers: [null, null] }, allHeads(data)), undefined);
  });

  test('rollout multiplies layers with half of the residual path; its rows sum to 1', () => {
    const rolled = rollout(data, 1);
    assert.ok(rolled);
    // Each layer is ¾ itself and ¼ the first token, so two of them are 9/16 itself.
    assert.deepEqual(Array.from(rolled.weights), [1, 0, 0, 7 / 16, 9 / 16, 0, 7 / 16, 0, 9 / 16]);
    assert.equal(rollout({ ...data, layers: [null, data.layers[1] ?? null] }, 1), undefined);
  });

  test('differences have a sign', () => {
    const of = (offset: number) => ({ size, weights: data.layers[0] ?? new Float32Array(), offset });
    const between = difference(of(0), of(9));
    assert.deepEqual([Array.from(between?.weights ?? []), between?.signed], [[0, 0, 0, -1, 1, 0, -1, 0, 1], true]);
  });

  test('a window shows where weights end', () => {
    const weights = Float32Array.from({ length: 25 }, (_, i) => (Math.floor(i / 5) >= i % 5 && Math.floor(i / 5) - (i % 5) < 2 ? 0.5 : 0));
    assert.equal(windowOf({ size: 5, weights, offset: 0 }), 2);
    assert.equal(windowOf(sink(5)), null);
  });
});

describe('a tree', () => {
  test('gives each way its probability, and tells which token was chosen', async () => {
    const leaf = (id: number, probability: number) => ({ token: { id, display: `t${id}` }, probability, children: [] });
    const roots = [{ ...leaf(1, 0.5), children: [leaf(2, 0.5), leaf(3, 0.1)] }];
    const tree = await mount<BranchTree>('gb-branch-tree', { roots });
    assert.deepEqual(tree.toTable().rows.map(([words_, count, total]) => [words_, count, Number(total).toFixed(3)]), [['t1t2', 2, '0.250'], ['t1t3', 2, '0.050']]);
    const ways: unknown[] = [];
    tree.addEventListener('gb-branch', ({ detail }) => ways.push(detail));
    tree.shadowRoot?.querySelectorAll('button')[2]?.click();
    assert.deepEqual(ways, [[0, 1]]);
  });
});

describe('patching', () => {
  test('takes a cell of the source and puts it on a token of the target, by keyboard too', async () => {
    const grid = await mount<PatchGrid>('gb-patch-grid', { source: ['a', 'b', 'c'], target: ['x', 'y', 'z'], layers: 2 });
    const drops: unknown[] = [];
    grid.addEventListener('gb-patch', ({ detail }) => drops.push(detail));
    const [source, target] = [...(grid.shadowRoot?.querySelectorAll('gb-heat-map') ?? [])];
    assert.ok(source && target);
    await source.updateComplete;
    await target.updateComplete;
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowRight', 'Enter']) press(source, key);
    await grid.updateComplete;
    assert.match(textOf(grid), /Holding layer 1, token 1 b/);
    for (const key of ['ArrowDown', 'End', 'Enter']) press(target, key);
    assert.deepEqual(drops, [{ layer: 1, from: 1, to: 2 }]);
  });
});
