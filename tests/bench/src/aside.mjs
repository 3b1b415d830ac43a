// @ts-check
/** What RESULTS.md says beside the rounds: the modules' content, products alone, llama.cpp, and what was not kept. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { megabytes, table } from './figures.mjs';

/** @param {string} folder */
export async function crates(folder) {
  const text = await readFile(join(folder, 'crates.json'), 'utf8').catch(() => null);
  if (text === null) return '';
  /** @type {{ commit: string, modules: { name: string, codeBytes: number, crates: { name: string, bytes: number }[] }[] }} */
  const { commit, modules } = JSON.parse(text);
  const parts = modules.map(({ name, codeBytes, crates: found }) => {
    const shown = found.filter(({ bytes }) => bytes >= codeBytes / 100);
    const rest = codeBytes - shown.reduce((sum, { bytes }) => sum + bytes, 0);
    const lines = [...shown, { name: 'others', bytes: rest }].map(({ name: of, bytes }) => {
      return [of, megabytes(bytes), `${((100 * bytes) / codeBytes).toFixed(1)} %`];
    });
    return [`\`${name}\`, ${megabytes(codeBytes)} MB of code:`, '', table(['', 'MB', 'share'], lines)].join('\n');
  });
  const about = `From the function names of a build of commit \`${commit}\` that kept them; generic code counts for the crate that`;
  return ['### What is in the modules', '', about, 'wrote it, not for the one that asked for it.', '', parts.join('\n\n')].join('\n');
}

/**
 * The products alone, natively.
 *
 * @param {string} folder
 */
export async function kernels(folder) {
  const text = await readFile(join(folder, 'kernels.json'), 'utf8').catch(() => null);
  if (text === null) return '';
  /** @type {{ rows: number, columns: number, memoryBytesPerSecond: number, products: Product[] }} */
  const { rows, columns, memoryBytesPerSecond, products } = JSON.parse(text);
  const found = (/** @type {string} */ name, /** @type {number} */ tokens) =>
    products.find((product) => product.name === name && product.tokens === tokens);
  const plain = (/** @type {number} */ tokens) => found('plain loop', tokens)?.seconds ?? Number.NaN;
  const names = [...new Set(products.map(({ name }) => name))].filter((name) => name !== 'plain loop');
  const lines = names.map((name) => {
    const [one, many] = [found(name, 1), found(name, 64)];
    if (!one || !many) return [name];
    return [
      name,
      (1e3 * one.seconds).toFixed(2),
      (plain(1) / one.seconds).toFixed(1),
      (one.bytes / one.seconds / memoryBytesPerSecond).toFixed(2),
      (1e3 * many.seconds).toFixed(1),
      (plain(64) / many.seconds).toFixed(1),
      ((rows * columns * 64) / many.seconds / 1e9).toFixed(0),
    ];
  });
  return [
    '## Products alone',
    '',
    `Natively, one thread, weights \`[${rows}, ${columns}]\`, in the tests' build: the best of many runs. *of plain* is how many times`,
    'faster than one loop over the widened weights, *of memory* the share of the speed at which one thread reads memory',
    `(${(memoryBytesPerSecond / 1e9).toFixed(1)} GB/s); what fits in the caches can exceed it. The last column is in billions of multiplications a second.`,
    '',
    table(['weights, activations', '1 token, ms', 'of plain', 'of memory', '64 tokens, ms', 'of plain', '10⁹/s'], lines),
  ].join('\n');
}

/** @typedef {{ name: string, tokens: number, seconds: number, bytes: number }} Product */

/**
 * Without a browser, beside llama.cpp: what `native.py` measured.
 *
 * @param {string} folder of the results
 */
export async function native(folder) {
  const text = await readFile(join(folder, 'native.json'), 'utf8').catch(() => null);
  if (text === null) return '';
  /** @type {{ date: string, xllamacpp: string, rounds: number, prompt: number, new: number, rows: Native[] }} */
  const { date, xllamacpp, rounds, prompt, new: count, rows } = JSON.parse(text);
  const lines = rows.map(({ type, glassbox, 'llama.cpp': other }) => [
    type,
    glassbox.prefill.toFixed(0),
    other.prefill.toFixed(0),
    (other.prefill / glassbox.prefill).toFixed(2),
    glassbox.decode.toFixed(1),
    other.decode.toFixed(1),
    (other.decode / glassbox.decode).toFixed(2),
  ]);
  const header = [`prefill ${prompt}, ms`, 'llama.cpp', 'times as fast', 'ms a token', 'llama.cpp', 'times as fast'];
  return [
    '## Without a browser',
    '',
    `The same GGUF files on the CPU by \`glassbox bench\` (the tests' build: products at the highest level, the rest not) and by`,
    `llama.cpp (xllamacpp ${xllamacpp}), one thread each, in turn; medians of ${rounds}, with ${count} new tokens; ${date}.`,
    '',
    table(['', ...header], lines),
  ].join('\n');
}

/** @typedef {{ prefill: number, decode: number }} Times */
/** @typedef {{ type: string, glassbox: Times, 'llama.cpp': Times }} Native */

/**
 * What did not help.
 *
 * @param {string} folder of the results
 */
export async function tried(folder) {
  const text = await readFile(join(folder, '../tried.md'), 'utf8').catch(() => '');
  return text === '' ? '' : `## Tried, and not kept\n\n${text.trim()}`;
}
