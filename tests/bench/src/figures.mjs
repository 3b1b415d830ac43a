// @ts-check
/** What a contestant's samples say, and how it is written down. */
import { median, summary } from './statistics.mjs';

/**
 * @typedef {import('./results').RowResult} RowResult
 * @typedef {import('./results').Sample} Sample
 */

/** What is measured after a prompt of so many tokens: [what, unit's digits, how it is read]. */
export const prefill = (/** @type {number} */ tokens) => (/** @type {Sample} */ sample) => after(sample, tokens)?.firstMs;

export const decode = (/** @type {number} */ tokens) => (/** @type {Sample} */ sample) => {
  const found = after(sample, tokens);
  return found && found.restMs / (found.newTokens - 1);
};

/** From an empty page to the first token of the answer. */
export const firstToken = (/** @type {Sample} */ { startMs, loadMs, coldFirstMs }) => startMs + loadMs + coldFirstMs;
export const loading = (/** @type {Sample} */ { startMs, loadMs }) => startMs + loadMs;
/** How fast the model loads, of how fast its bytes can be read at all. */
export const readShare = (/** @type {Sample} */ { rawReadMs, loadMs }) => rawReadMs / loadMs;
export const wasmBytes = (/** @type {Sample} */ sample) => sample.wasmBytes;
export const rendererBytes = (/** @type {Sample} */ sample) => sample.rendererBytes ?? undefined;

/**
 * @param {Sample} sample
 * @param {number} tokens
 */
function after({ warm }, tokens) {
  return warm.find(({ promptTokens }) => promptTokens === tokens);
}

/**
 * The values of all rounds, where the contestant counts.
 *
 * @param {RowResult} row
 * @param {(sample: Sample) => number | undefined} figure
 */
export function values({ samples, failed, wrong }, figure) {
  if (failed !== null || wrong !== null) return [];
  return samples.map(figure).filter((value) => value !== undefined);
}

/**
 * `12.3 (11.9–13.0)`, or nothing where it was not measured.
 *
 * @param {RowResult} row
 * @param {(sample: Sample) => number | undefined} figure
 * @param {number} [digits]
 * @param {number} [unit]
 */
export function withSpread(row, figure, digits = 0, unit = 1) {
  const found = values(row, figure).map((value) => value / unit);
  if (found.length === 0) return '';
  const { median: middle, least, most } = summary(found);
  return `${middle.toFixed(digits)} (${least.toFixed(digits)}–${most.toFixed(digits)})`;
}

/**
 * @param {RowResult} row
 * @param {(sample: Sample) => number | undefined} figure
 * @param {number} [digits]
 * @param {number} [unit]
 */
export function middle(row, figure, digits = 0, unit = 1) {
  const found = values(row, figure);
  return found.length === 0 ? '' : (median(found) / unit).toFixed(digits);
}

/**
 * The quickest of several contestants.
 *
 * @param {readonly RowResult[]} rows
 * @param {(sample: Sample) => number | undefined} figure
 * @returns {{ row: RowResult, value: number } | null}
 */
export function best(rows, figure) {
  const measured = rows
    .map((row) => ({ row, found: values(row, figure) }))
    .filter(({ found }) => found.length > 0)
    .map(({ row, found }) => ({ row, value: median(found) }));
  return measured.sort((a, b) => a.value - b.value)[0] ?? null;
}

/**
 * Bytes as megabytes of a million.
 *
 * @param {number} bytes
 */
export function megabytes(bytes) {
  return (bytes / 1e6).toFixed(2);
}

/**
 * A table in Markdown; the first column is text, the others are numbers.
 *
 * @param {readonly string[]} head
 * @param {readonly (readonly string[])[]} lines
 */
export function table(head, lines) {
  const rule = head.map((_, index) => (index === 0 ? '---' : '---:'));
  return [head, rule, ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
