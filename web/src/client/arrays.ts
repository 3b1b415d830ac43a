import { failures, GlassboxError } from './errors.js';
import type { ArrayMeta, ArrayType } from './protocol.gen.js';

/** An array of numbers, row-major with its shape, outermost dimension first. */
export interface NumberArray<Data extends Float32Array | Uint32Array | Uint8Array> {
  readonly shape: readonly number[];
  readonly data: Data;
}

/** Floats: values, probabilities, scores. */
export type Floats = NumberArray<Float32Array<ArrayBuffer>>;
/** Whole numbers: token ids, ranks, counts. */
export type Uints = NumberArray<Uint32Array<ArrayBuffer>>;

const TYPES = { f32: Float32Array, u32: Uint32Array, u8: Uint8Array } as const satisfies Record<ArrayType, unknown>;

/** @internal The arrays of one event, checked against their description. */
export class Arrays {
  readonly #arrays: ReadonlyMap<string, NumberArray<Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>>>;

  constructor(metas: readonly ArrayMeta[], buffers: readonly ArrayBuffer[] = []) {
    this.#arrays = new Map(
      metas.map(({ name, dtype, shape }, index) => {
        const type = TYPES[dtype];
        const elements = shape.reduce((product, extent) => product * extent, 1);
        const buffer = buffers[index];
        if (buffer?.byteLength !== elements * type.BYTES_PER_ELEMENT) {
          throw new GlassboxError(failures.misfit(name, shape));
        }
        return [name, { shape, data: new type(buffer) }];
      }),
    );
  }

  floats(name: string): Floats {
    return this.#get(name, Float32Array);
  }

  uints(name: string): Uints {
    return this.#get(name, Uint32Array);
  }

  bytes(name: string): NumberArray<Uint8Array<ArrayBuffer>> {
    return this.#get(name, Uint8Array);
  }

  /** The array, or null where the worker left it out. */
  optionalFloats(name: string): Floats | null {
    return this.#arrays.has(name) ? this.floats(name) : null;
  }

  #get<Data extends Float32Array | Uint32Array | Uint8Array>(
    name: string,
    type: new (...args: never[]) => Data,
  ): NumberArray<Data> {
    const array = this.#arrays.get(name);
    if (array?.data instanceof type) return array as NumberArray<Data>;
    throw new GlassboxError(failures.misfit(name, array?.shape ?? []));
  }
}
