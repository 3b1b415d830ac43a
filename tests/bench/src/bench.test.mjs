// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';
import { agreement, divergence, judge } from './compare.mjs';
import { alternate, rows } from './contestants.mjs';
import { codeByCrate, crateOf } from './crates.mjs';
import { best, decode, prefill, withSpread } from './figures.mjs';
import { parse } from './options.mjs';
import { median, quantile, summary } from './statistics.mjs';

const HERE = { here: '/here', dist: '/dist' };

test('medians lie between the middle values', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.equal(quantile([0, 10], 0.25), 2.5);
  assert.deepEqual(summary([2, 1, 4]), { median: 2, least: 1, most: 4, count: 3 });
});

test('the divergence is that of the two distributions, whatever is added to the logits', () => {
  const even = Float32Array.of(0, 0);
  // KL of (1/2, 1/2) from (1/4, 3/4) is ln(2 / sqrt(3)).
  assert.ok(Math.abs(divergence(even, Float32Array.of(0, Math.log(3))) - Math.log(2 / Math.sqrt(3))) < 1e-7);
  assert.ok(Math.abs(divergence(even, Float32Array.of(7, 7))) < 1e-12);
  assert.equal(divergence(even, Float32Array.of(0, Number.NEGATIVE_INFINITY)), Number.POSITIVE_INFINITY);
  assert.throws(() => divergence(even, Float32Array.of(1)));
});

test('a contestant that computes something else is found', () => {
  assert.equal(agreement([1, 2, 3], [1, 2, 4]), 2);
  assert.equal(agreement([1, 2, 3], [1, 2, 3]), 3);
  assert.equal(judge('f32', { kl: 1e-11, agreeing: 32, newTokens: 32 }), null);
  assert.match(judge('f32', { kl: 1e-11, agreeing: 31, newTokens: 32 }) ?? '', /31 of 32/);
  assert.match(judge('q8_0', { kl: 0.38, agreeing: 0, newTokens: 32 }) ?? '', /above/);
  assert.match(judge('q8_0', { kl: Number.NaN, agreeing: 32, newTokens: 32 }) ?? '', /NaN/);
  assert.match(judge('q3_x', { kl: 0, agreeing: 32, newTokens: 32 }) ?? '', /no limit/);
});

test('engines take turns, and two builds meet alone', () => {
  const row = (/** @type {'glassbox' | 'wllama'} */ engine, /** @type {'wasm' | 'webgpu'} */ backend) => ({ engine, backend });
  const given = [row('glassbox', 'wasm'), row('glassbox', 'wasm'), row('wllama', 'wasm'), row('wllama', 'webgpu')];
  assert.deepEqual(
    alternate(given).map(({ engine, backend }) => `${engine} ${backend}`),
    ['glassbox wasm', 'wllama wasm', 'glassbox wasm', 'wllama webgpu'],
  );
  const names = rows(['before', 'after']).map(({ name }) => name);
  assert.deepEqual(names.slice(0, 2), ['glassbox wasm f32 (before)', 'glassbox wasm f32 (after)']);
  assert.ok(names.every((name) => name.startsWith('glassbox')));
});

test('options are read, and what is not understood is refused', () => {
  const options = parse(['--rounds', '2', '--only', 'q8', '--dist', 'old=a/b', '--dist', 'new=/c'], HERE);
  assert.equal(options?.rounds, 2);
  assert.deepEqual(options?.sites, { old: '/here/a/b', new: '/c' });
  assert.deepEqual(parse([], HERE)?.sites, { dist: '/dist' });
  assert.deepEqual(parse(['--dist', 'a', '--dist', 'b'], HERE)?.sites, { before: '/here/a', after: '/here/b' });
  assert.equal(parse(['--help'], HERE), null);
  for (const wrong of [['--rounds', '0'], ['--rounds', 'x'], ['--backend', 'cpu'], ['--none'], ['--dist', 'a=x', '--dist', 'a=y']]) {
    assert.throws(() => parse(wrong, HERE), Error, wrong.join(' '));
  }
});

/**
 * @param {string} name
 * @param {number[]} firstMs
 * @param {string | null} wrong
 * @returns {any}
 */
function result(name, firstMs, wrong = null) {
  const samples = firstMs.map((ms) => ({ warm: [{ promptTokens: 64, newTokens: 3, firstMs: ms, restMs: 20 }] }));
  return { name, samples, failed: null, wrong };
}

test('figures of a contestant that does not count are left out', () => {
  const rows = [result('slow', [30, 10, 20]), result('wrong', [1], 'KL'), result('fast', [5])];
  assert.equal(best(rows, prefill(64))?.row.name, 'fast');
  assert.equal(withSpread(rows[0], prefill(64)), '20 (10–30)');
  assert.equal(withSpread(rows[0], decode(64), 1), '10.0 (10.0–10.0)');
  assert.equal(withSpread(rows[1], prefill(64)), '');
  assert.equal(withSpread(rows[0], prefill(512)), '');
});

test('the crate of a function is read from its name', () => {
  for (const [name, crate] of [
    ['_RNvNtCs1234_7mycrate3foo3bar', 'mycrate'],
    ['_RNvXs_NtCsabcDE_9burn_flex3opsNtB4_3Foo3run', 'burn_flex'],
    ['_ZN9burn_flex3ops6matmul17h0123456789abcdefE', 'burn_flex'],
    ['_ZN4core3fmt9Formatter3pad17h0123456789abcdefE', 'core'],
    ['_ZN60_$LT$alloc..string..String$u20$as$u20$core..fmt..Display$GT$3fmt17h0123456789abcdefE', 'alloc'],
    ['_ZN42_$LT$$RF$T$u20$as$u20$core..fmt..Debug$GT$3fmt17h0123456789abcdefE', 'core'],
    ['<burn_tensor::Shape as core::fmt::Debug>::fmt', 'burn_tensor'],
    ['core::panicking::panic', 'core'],
    ['memcpy', 'memcpy'],
    ['', 'unnamed'],
  ]) {
    assert.equal(crateOf(/** @type {string} */ (name)), crate, name);
  }
});

test('code is counted by crate', () => {
  const text = (/** @type {string} */ of) => [of.length, ...new TextEncoder().encode(of)];
  const section = (/** @type {number} */ id, /** @type {number[]} */ body) => [id, body.length, ...body];
  const names = [2, 1, ...text('aa::x'), 2, ...text('bb::y')];
  const module = Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(2, [1, ...text('env'), ...text('f'), 0, 0]),
    ...section(10, [2, 2, 0, 0x0b, 3, 0, 1, 0x0b]),
    ...section(0, [...text('name'), ...section(1, names)]),
  ]);
  assert.deepEqual(codeByCrate(module), { codeBytes: 5, crates: [{ name: 'bb', bytes: 3 }, { name: 'aa', bytes: 2 }] });
  assert.throws(() => codeByCrate(module.subarray(0, 30)), /names|early/);
  assert.throws(() => codeByCrate(Uint8Array.of(1, 2, 3, 4)), /not a wasm module/);
});
