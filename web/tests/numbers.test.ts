import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatIds, parseIds } from '../src/elements/ids.js';
import { bytes, count, duration, logit, percent, rate, weight, whole } from '../src/views/format.js';
import { divergingFor, place, rampFor } from '../src/views/ramp.js';
import { paintPattern, rowSum, topKeys, type Pattern } from '../src/views/raster.js';
import { fitWindow, showCell, zoom } from '../src/views/zoom.js';

const plain = (text: string): string => text.replaceAll('\u202f', ' ');

describe('numbers on the page', () => {
  test('probabilities are never rounded away, nor up to certainty', () => {
    const cases: [number, string][] = [
      [0, '0 %'],
      [1, '100 %'],
      [0.4788, '47.9 %'],
      [0.004, '0.4 %'],
      [0.000004, '0.0004 %'],
      [0.00000412345, '0.000412 %'],
      [3.2e-13, '3.2e-11 %'],
      [0.99996, '99.996 %'],
      [0.999999, '99.9999 %'],
      [0.9999999999, '99.99999999 %'],
      [Number.NaN, '–'],
    ];
    for (const [value, shown] of cases) assert.equal(plain(percent(value)), shown);
  });

  test('any probability between 0 and 1 reads as neither', () => {
    for (let i = 1; i < 4000; i++) {
      const p = i % 2 === 0 ? 10 ** (-i / 200) : 1 - 10 ** (-i / 400);
      if (p <= 0 || p >= 1 || 1 - p < 1e-13) continue;
      const shown = Number.parseFloat(percent(p));
      assert.ok(shown > 0 && shown < 100, `${p} reads ${percent(p)}`);
    }
  });

  test('a weight has all the digits an f32 holds', () => {
    assert.equal(weight(Math.fround(0.183)), '0.183000');
    assert.equal(weight(0.000123456), '0.000123456');
    assert.equal(weight(1.5e-9), '1.5000e-9');
    assert.equal(weight(0), '0');
    assert.equal(weight(1), '1');
  });

  test('units', () => {
    assert.equal(plain(bytes(999)), '999 B');
    assert.equal(plain(bytes(1_040_000)), '1.04 MB');
    assert.equal(plain(bytes(999_600)), '1.00 MB');
    assert.equal(plain(bytes(270e6)), '270 MB');
    assert.equal(count(260_032), '260K');
    assert.equal(count(134_515_008), '134.5M');
    assert.equal(plain(whole(1234567)), '1 234 567');
    assert.equal(plain(duration(3.214)), '3.21 ms');
    assert.equal(plain(duration(2400)), '2.4 s');
    assert.equal(plain(rate(100, 50)), '2 000 tok/s');
    assert.equal(rate(1, 0), '–');
    assert.equal(logit(-1.5), '−1.500');
  });
});

describe('ids as a prompt', () => {
  test('are read with any separators', () => {
    assert.deepEqual(parseIds(' 1, 403\n407;5 ', 512), { ids: [1, 403, 407, 5] });
    assert.deepEqual(parseIds('', 512), { ids: [] });
    assert.equal(formatIds([1, 2]), '1, 2');
  });
  test('that are none, or not in the vocabulary, are named', () => {
    for (const [text, named] of [['1, x', 'x'], ['-1', '-1'], ['1.5', '1.5'], ['512', '512'], ['99999999999999', '99999999999999']] as const) {
      const parsed = parseIds(text, 512);
      assert.ok('problem' in parsed && parsed.problem.includes(named), text);
    }
  });
});

describe('the colour ramp', () => {
  const grounds = [false, true].flatMap((dark) => [false, true].map((contrast) => ({ dark, contrast })));
  for (const ground of grounds) {
    const { dark, contrast } = ground;
    const name = `${dark ? 'dark' : 'light'} ground${contrast ? ' of high contrast' : ''}`;
    test(`changes its luminance in one direction on a ${name}`, () => {
      const values = Array.from(rampFor(ground).packed, luminance);
      const rising = dark ? 1 : -1;
      values.slice(1).forEach((value, i) => {
        assert.ok((value - (values[i] ?? 0)) * rising >= -1e-3, `step ${i + 1}`);
      });
      const [a = 0, b = 0] = [values[0], values.at(-1)];
      assert.ok((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) > 10);
    });
    test(`that diverges has its lightest or darkest place in the middle on a ${name}`, () => {
      const values = Array.from(divergingFor(ground).packed, luminance);
      const rising = dark ? 1 : -1;
      const middle = values.length / 2;
      values.slice(middle + 1).forEach((value, i) => {
        assert.ok((value - (values[middle + i] ?? 0)) * rising >= -1e-3, `step ${middle + i + 1}`);
      });
      values.slice(1, middle).forEach((value, i) => {
        assert.ok((value - (values[i] ?? 0)) * rising <= 1e-3, `step ${i + 1}`);
      });
    });
    test(`has words on it that can be read on a ${name}`, () => {
      for (const ramp of [rampFor(ground), divergingFor(ground)]) {
        ramp.packed.forEach((colour, i) => {
          const ink = ramp.ink(i / (ramp.packed.length - 1)) === '#000000' ? 0 : 1;
          const own = luminance(colour);
          const contrastOf = (Math.max(own, ink) + 0.05) / (Math.min(own, ink) + 0.05);
          assert.ok(contrastOf >= 4.5, `step ${i}: ${contrastOf}`);
        });
      }
    });
  }
  test('takes weights at their place', () => {
    assert.deepEqual([place(-1, 'sqrt'), place(0.25, 'sqrt'), place(2, 'linear'), place(Number.NaN, 'sqrt')], [0, 0.5, 1, 0]);
  });
});

describe('a pattern as pixels', () => {
  const size = 8;
  const weights = new Float32Array(2 * size * size);
  for (let query = 0; query < size; query++) weights[size * size + query * size + Math.max(0, query - 1)] = 1;
  const pattern: Pattern = { size, weights, offset: size * size };
  const ramp = rampFor({ dark: false, contrast: false });
  const strongest = ramp.packed.at(-1);

  test('shows each cell where there is room, and the future as nothing', () => {
    const out = new Uint32Array(16 * 16);
    paintPattern(pattern, { top: 0, left: 0, bottom: size, right: size }, 16, ramp, 'linear', out);
    assert.equal(out[0], strongest);
    assert.equal(out[15], ramp.masked);
    assert.equal(out[15 * 16 + 12], strongest);
    assert.equal(out[15 * 16 + 14], ramp.packed[0]);
  });

  test('keeps a thin diagonal when several cells share a pixel', () => {
    const out = new Uint32Array(4);
    paintPattern(pattern, { top: 0, left: 0, bottom: size, right: size }, 2, ramp, 'linear', out);
    assert.deepEqual([...out], [strongest, ramp.masked, strongest, strongest]);
  });

  test('paints a window of it', () => {
    const out = new Uint32Array(4);
    paintPattern(pattern, { top: 4, left: 3, bottom: 6, right: 5 }, 2, ramp, 'linear', out);
    assert.deepEqual([...out], [strongest, ramp.packed[0], ramp.packed[0], strongest]);
  });

  test('gives sums and the strongest keys', () => {
    assert.equal(rowSum(pattern, 5), 1);
    assert.deepEqual(topKeys(pattern, 5, 1), [{ key: 4, weight: 1 }]);
    assert.equal(topKeys(pattern, 2, 99).length, 3);
  });
});

describe('zoom', () => {
  test('stays within the matrix, about the cell that is looked at', () => {
    const near = zoom(fitWindow(100), 0.5, 100, { row: 99, column: 0 });
    assert.deepEqual(near, { top: 50, left: 0, count: 50 });
    assert.deepEqual(zoom(near, Infinity, 100, null), fitWindow(100));
    assert.equal(zoom(fitWindow(5), 0.5, 5, null).count, 5);
  });
  test('follows the cursor by the least step', () => {
    const window = { top: 10, left: 10, count: 5 };
    assert.equal(showCell(window, { row: 12, column: 12 }), window);
    assert.deepEqual(showCell(window, { row: 15, column: 9 }), { top: 11, left: 9, count: 5 });
  });
});

function luminance(packed: number): number {
  const channel = (value: number): number => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * channel(packed & 255) + 0.7152 * channel((packed >> 8) & 255) + 0.0722 * channel((packed >> 16) & 255);
}
