// @ts-check
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * What transformers computed in f32; see `models/reference.py`.
 *
 * @typedef {object} Reference
 * @property {string} name
 * @property {number} vocab
 * @property {number} layers
 * @property {number} heads
 * @property {number} kvHeads
 * @property {number} headDim
 * @property {number} context
 * @property {number} parameters
 * @property {number} newTokens
 * @property {Record<string, { ids: number[], text: string, greedy?: number[], smallestMargin?: number }>} prompts
 */

/** How far from the reference each kind of weights may be. Above that, something else is computed. */
const KL_LIMIT = { f32: 1e-6, f16: 1e-4, q8_0: 0.05, q8: 0.2, q4_0: 1, q4: 1 };

/**
 * @param {string} folder
 * @returns {Promise<{ reference: Reference, logits: Float32Array }>}
 */
export async function readReference(folder) {
  /** @type {Reference} */
  const reference = JSON.parse(await readFile(join(folder, 'reference.json'), 'utf8'));
  const bytes = await readFile(join(folder, `logits-${shortest(reference)}.bin`));
  return { reference, logits: floats(bytes) };
}

/** @param {Reference} reference */
export function shortest({ prompts }) {
  return Math.min(...Object.keys(prompts).map(Number));
}

/** @param {Buffer} bytes */
export function floats(bytes) {
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/**
 * KL(reference || found) in nats. Neither has to be normalised.
 *
 * @param {Float32Array} reference
 * @param {Float32Array} found
 */
export function divergence(reference, found) {
  if (reference.length !== found.length) throw new Error(`${found.length} logits instead of ${reference.length}`);
  const p = normaliser(reference);
  const q = normaliser(found);
  let sum = 0;
  reference.forEach((value, id) => {
    const other = found[id] ?? Number.NaN;
    sum += Math.exp(value - p) * (value - p - (other - q));
  });
  return sum;
}

/** @param {Float32Array} logits */
function normaliser(logits) {
  let highest = Number.NEGATIVE_INFINITY;
  for (const value of logits) highest = Math.max(highest, value);
  let sum = 0;
  for (const value of logits) sum += Math.exp(value - highest);
  return highest + Math.log(sum);
}

/**
 * How many ids agree before the first that does not.
 *
 * @param {readonly number[]} expected
 * @param {readonly number[]} ids
 */
export function agreement(expected, ids) {
  const at = ids.findIndex((id, index) => id !== expected[index]);
  return at < 0 ? ids.length : at;
}

/**
 * Whether a contestant computes the model that it was given: f32 has to continue as the reference does, and everybody's
 * distribution has to be near it.
 *
 * @param {string} weights
 * @param {{ kl: number, agreeing: number, newTokens: number }} found
 * @returns {string | null} what is wrong
 */
export function judge(weights, { kl, agreeing, newTokens }) {
  const limit = KL_LIMIT[/** @type {keyof typeof KL_LIMIT} */ (weights)];
  if (limit === undefined) return `no limit is known for ${weights}`;
  if (!(kl <= limit)) return `KL ${kl.toExponential(2)} is above ${limit}`;
  if (weights === 'f32' && agreeing < newTokens) return `only ${agreeing} of ${newTokens} greedy ids agree`;
  return null;
}
