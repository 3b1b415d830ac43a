/** Attention patterns made of others: means, rollout, differences. All are T×T, row = query, column = key. */
import type { Pattern } from './raster.js';
import type { AttentionData, HeadIndex } from './types.js';

/** The mean of several heads, each weighing the same; undefined where no layer of theirs was captured. */
export function meanPattern({ size, layers }: AttentionData, heads: readonly HeadIndex[]): Pattern | undefined {
  const cells = size * size;
  const sum = new Float64Array(cells);
  let count = 0;
  for (const { layer, head } of heads) {
    const weights = layers[layer];
    if (!weights) continue;
    const offset = head * cells;
    for (let at = 0; at < cells; at++) sum[at] = (sum[at] ?? 0) + (weights[offset + at] ?? 0);
    count += 1;
  }
  return count === 0 ? undefined : { size, weights: Float32Array.from(sum, (value) => value / count), offset: 0 };
}

export function headsOfLayer({ heads }: AttentionData, layer: number): HeadIndex[] {
  return Array.from({ length: heads }, (_, head) => ({ layer, head }));
}

export function allHeads(data: AttentionData): HeadIndex[] {
  return data.layers.flatMap((_, layer) => headsOfLayer(data, layer));
}

/**
 * Attention rollout up to and with a layer (Abnar and Zuidema 2020): the product of the layers' mean attention, each
 * half attention and half the residual path. Undefined where a layer on the way was not captured.
 */
export function rollout(data: AttentionData, until: number): Pattern | undefined {
  const { size } = data;
  let product: Float64Array | undefined;
  for (let layer = 0; layer <= until; layer++) {
    const mean = meanPattern(data, headsOfLayer(data, layer));
    if (!mean) return undefined;
    const mixed = Float64Array.from(mean.weights, (value, at) => value / 2 + (at % (size + 1) === 0 ? 0.5 : 0));
    product = product ? multiply(mixed, product, size) : mixed;
  }
  return product && { size, weights: Float32Array.from(product), offset: 0 };
}

/** Product of two lower triangular matrices. */
function multiply(a: Float64Array, b: Float64Array, size: number): Float64Array {
  const out = new Float64Array(size * size);
  for (let row = 0; row < size; row++) {
    for (let middle = 0; middle <= row; middle++) {
      const factor = a[row * size + middle] ?? 0;
      if (factor === 0) continue;
      for (let column = 0; column <= middle; column++) {
        const at = row * size + column;
        out[at] = (out[at] ?? 0) + factor * (b[middle * size + column] ?? 0);
      }
    }
  }
  return out;
}

/** One pattern less another of the same size; its values have a sign. */
export function difference(a: Pattern, b: Pattern): Pattern | undefined {
  if (a.size !== b.size) return undefined;
  const cells = a.size * a.size;
  const weights = Float32Array.from({ length: cells }, (_, at) => (a.weights[a.offset + at] ?? 0) - (b.weights[b.offset + at] ?? 0));
  return { size: a.size, weights, offset: 0, signed: true };
}

/**
 * How far back the attention of a head reaches at most on this prompt, where that is less than all the way: the width
 * of its sliding window. Null where it reaches to the first token.
 */
export function windowOf({ size, weights, offset }: Pattern): number | null {
  let far = 0;
  for (let query = 0; query < size; query++) {
    let key = 0;
    while (key < query && (weights[offset + query * size + key] ?? 0) === 0) key += 1;
    far = Math.max(far, query - key);
  }
  return far < size - 1 ? far + 1 : null;
}
