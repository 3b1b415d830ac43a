import { readFileSync } from 'node:fs';

/** A row-major tensor, outermost dimension first. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** The f32 tensors of a safetensors file. */
export function readGolden(path: string): ReadonlyMap<string, HostTensor> {
  const bytes = readFileSync(path);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, start)) as Record<string, Entry>;
  const entries = Object.entries(header).filter(([, { dtype }]) => dtype === 'F32');
  return new Map(
    entries.map(([name, { shape, data_offsets: [from, to] }]) => {
      return [name, { shape, data: floats(bytes.subarray(start + from, start + to)) }];
    }),
  );
}

/** A tensor by its name. */
export function wanted(tensors: ReadonlyMap<string, HostTensor>, name: string): HostTensor {
  const tensor = tensors.get(name);
  if (!tensor) throw new Error(`no tensor ${name}; there are ${[...tensors.keys()].join(', ')}`);
  return tensor;
}

/** Little-endian f32 values, wherever they lie. */
export function floats(bytes: Uint8Array): Float32Array {
  // A copy, because f32 must lie aligned; `slice` of a Buffer would be none.
  return new Float32Array(Uint8Array.from(bytes).buffer);
}

/** The largest distance between two tensors; infinite where shapes differ or a value is no number. */
export function distance(a: HostTensor, b: HostTensor): number {
  if (a.shape.join() !== b.shape.join()) return Infinity;
  let most = 0;
  for (const [i, value] of a.data.entries()) {
    const apart = Math.abs(value - (b.data[i] ?? NaN));
    if (Number.isNaN(apart)) return Infinity;
    most = Math.max(most, apart);
  }
  return most;
}

/** The rows along the last dimension. */
export function rows({ shape, data }: HostTensor): Float32Array[] {
  const length = shape.at(-1) ?? 1;
  return Array.from({ length: data.length / length }, (_, row) => data.subarray(row * length, (row + 1) * length));
}

/** Sum of a row, in double precision. */
export function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** Probabilities of logits. */
export function softmax(logits: Float32Array): number[] {
  const most = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - most));
  const total = sum(powers);
  return powers.map((power) => power / total);
}

/** How far the distributions of one tensor of logits `[position, vocabulary]` are from another's: mean over positions, in nats. */
export function divergence(wanted: HostTensor, found: HostTensor): number {
  const others = rows(found).map(softmax);
  const each = rows(wanted).map((row, position) =>
    sum(softmax(row).map((p, i) => (p === 0 ? 0 : p * Math.log(p / (others[position]?.[i] ?? NaN))))),
  );
  return sum(each) / each.length;
}

/** Positions of the largest values, largest first. */
export function best(values: ArrayLike<number>, count: number): number[] {
  const order = Array.from({ length: values.length }, (_, i) => i);
  return order.sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0)).slice(0, count);
}
