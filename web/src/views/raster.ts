/** Attention matrices as pixels. */
import { place, placeSigned, RAMP_STEPS, type Ramp, type Scale } from './ramp.js';

/** One head's attention pattern: T×T weights, row = query, column = key, row-major. */
export interface Pattern {
  readonly size: number;
  readonly weights: Float32Array;
  /** Where the pattern begins in `weights`. */
  readonly offset: number;
  /** Whether weights have a sign, as differences have; then the ramp diverges from 0. */
  readonly signed?: boolean;
}

/** A part of a pattern: rows [top, bottom), columns [left, right). */
export interface Window {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/** The weight from a query to a key. */
export function weightAt({ size, weights, offset }: Pattern, query: number, key: number): number {
  return weights[offset + query * size + key] ?? Number.NaN;
}

/** The sum of a query's weights, which is 1 where the softmax is right. */
export function rowSum({ size, weights, offset }: Pattern, query: number): number {
  let sum = 0;
  for (let at = offset + query * size, end = at + size; at < end; at++) sum += weights[at] ?? 0;
  return sum;
}

/** The weights of a query that can be seen (keys up to the query), largest first. */
export function topKeys(pattern: Pattern, query: number, limit: number): { key: number; weight: number }[] {
  return Array.from({ length: query + 1 }, (_, key) => ({ key, weight: weightAt(pattern, query, key) }))
    .sort((a, b) => b.weight - a.weight)
    .slice(0, limit);
}

/** The queries that look at a key most, largest first. */
export function topQueries(pattern: Pattern, key: number, limit: number): { query: number; weight: number }[] {
  return Array.from({ length: pattern.size - key }, (_, i) => ({ query: key + i, weight: weightAt(pattern, key + i, key) }))
    .sort((a, b) => b.weight - a.weight)
    .slice(0, limit);
}

/**
 * Paints a window of a pattern over a square of `side` pixels. Where several weights share a pixel it shows the
 * largest, so that a narrow diagonal or a single strong link survives a thumbnail. Keys after the query are masked.
 */
export function paintPattern(
  pattern: Pattern,
  window: Window,
  side: number,
  ramp: Ramp,
  scale: Scale,
  out: Uint32Array,
): void {
  const columns = spans(window.left, window.right, side);
  const rows = spans(window.top, window.bottom, side);
  const { size, weights, offset } = pattern;
  for (let y = 0; y < side; y++) {
    const top = rows[2 * y] ?? 0;
    const bottom = rows[2 * y + 1] ?? 0;
    for (let x = 0; x < side; x++) {
      const left = columns[2 * x] ?? 0;
      const right = columns[2 * x + 1] ?? 0;
      if (left >= bottom) {
        out[y * side + x] = ramp.masked;
        continue;
      }
      let largest = 0;
      for (let row = top; row < bottom; row++) {
        const line = offset + row * size;
        for (let column = left, end = Math.min(right, row + 1); column < end; column++) {
          const value = weights[line + column] ?? 0;
          if (Math.abs(value) > Math.abs(largest)) largest = value;
        }
      }
      const at = pattern.signed ? placeSigned(largest, scale) : place(largest, scale);
      out[y * side + x] = ramp.packed[Math.round(at * (RAMP_STEPS - 1))] ?? ramp.masked;
    }
  }
}

/** For each pixel the half-open range of cells it shows: all it covers, or the one in its middle where cells are larger. */
function spans(start: number, end: number, side: number): Int32Array {
  const cells = end - start;
  const out = new Int32Array(2 * side);
  for (let i = 0; i < side; i++) {
    const larger = cells <= side;
    const first = start + Math.floor(((larger ? i + 0.5 : i) * cells) / side);
    out[2 * i] = first;
    out[2 * i + 1] = larger ? first + 1 : Math.min(end, start + Math.ceil(((i + 1) * cells) / side));
  }
  return out;
}
