import type { Reply } from './connection.js';
import { failures, GlassboxError } from './errors.js';
import type { Candidate, TensorMeta, Timing, Token } from './protocol.gen.js';

/** A captured tensor: row-major f32 with its shape, outermost dimension first. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

/** What one forward pass over a prompt left: its tokens, the captured tensors and the next-token candidates. */
export class Trace {
  /** The prompt's tokens, T of them. */
  readonly tokens: readonly Token[];
  /** The most probable next tokens by raw probability, best first. */
  readonly next: readonly Candidate[];
  readonly timing: Timing;
  readonly #tensors: ReadonlyMap<string, Tensor>;

  /** @internal */
  constructor(tokens: readonly Token[], next: readonly Candidate[], timing: Timing, tensors: Map<string, Tensor>) {
    this.tokens = tokens;
    this.next = next;
    this.timing = timing;
    this.#tensors = tensors;
  }

  /** Names of the captured tensors, in the order of the forward pass. */
  get names(): string[] {
    return [...this.#tensors.keys()];
  }

  /** Whether a tensor of this name was captured. */
  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /**
   * A captured tensor by its TransformerLens name, e.g. `blocks.0.attn.hook_pattern` of shape [H, T, T] (head, query,
   * key), `blocks.0.hook_resid_post` [T, D] or `logits` [T, V]. The data were moved here from the worker, not copied.
   *
   * @throws GlassboxError `no_such_tensor` when it was not captured.
   */
  tensor(name: string): Tensor {
    const tensor = this.#tensors.get(name);
    if (!tensor) throw new GlassboxError(failures.noSuchTensor(name, this.names));
    return tensor;
  }

  /** @internal Reads a `traced` reply; the buffers must fit the shapes. */
  static from(reply: Reply): Trace {
    const { event, buffers = [] } = reply;
    if (event.type !== 'traced') throw new GlassboxError(failures.unexpected(event.type));
    const tensors = new Map<string, Tensor>();
    event.tensors.forEach((meta, index) => {
      tensors.set(meta.name, { shape: meta.shape, data: view(meta, buffers[index]) });
    });
    return new Trace(event.tokens, event.next, event.timing, tensors);
  }
}

function view({ name, shape }: TensorMeta, buffer: ArrayBuffer | undefined): Float32Array<ArrayBuffer> {
  const elements = shape.reduce((product, extent) => product * extent, 1);
  if (buffer?.byteLength !== elements * Float32Array.BYTES_PER_ELEMENT) {
    throw new GlassboxError(failures.misfit(name, shape));
  }
  return new Float32Array(buffer);
}
