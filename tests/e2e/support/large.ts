import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SCRATCH } from './paths.ts';

const LAYERS = 6;
const HIDDEN = 256;
const INNER = 768;

/** What {@link largeModel} is. */
export const LARGE = { layers: LAYERS, heads: 8, vocab: 512, context: 4096 } as const;

/**
 * The folder of a Llama of 5 million made-up parameters, written once a worker, for tests of what happens while the engine is at
 * work: the fixtures are done before anyone can look.
 */
export function largeModel(): readonly string[] {
  // One folder for each of Playwright's workers: a file must not be written again after a browser has picked it.
  const folder = join(SCRATCH, `worker-${process.env.TEST_PARALLEL_INDEX ?? '0'}`, 'large');
  const paths = ['config.json', 'model.safetensors'].map((name) => join(folder, name));
  const [config = '', weights = ''] = paths;
  if (existsSync(weights)) return paths;
  mkdirSync(folder, { recursive: true });
  writeFileSync(config, JSON.stringify(CONFIG));
  // The file appears whole, or a run that was ended in the middle would leave half of one.
  writeFileSync(`${weights}.${process.pid}`, safetensors(shapes()));
  renameSync(`${weights}.${process.pid}`, weights);
  return paths;
}

const CONFIG = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: HIDDEN,
  intermediate_size: INNER,
  num_hidden_layers: LAYERS,
  num_attention_heads: LARGE.heads,
  num_key_value_heads: LARGE.heads,
  max_position_embeddings: LARGE.context,
  vocab_size: LARGE.vocab,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: true,
  hidden_act: 'silu',
};

function shapes(): (readonly [string, readonly number[]])[] {
  const layer = (index: number): (readonly [string, readonly number[]])[] => {
    const at = (name: string): string => `model.layers.${index}.${name}.weight`;
    return [
      [at('input_layernorm'), [HIDDEN]],
      [at('post_attention_layernorm'), [HIDDEN]],
      ...['q', 'k', 'v', 'o'].map((name) => [at(`self_attn.${name}_proj`), [HIDDEN, HIDDEN]] as const),
      ...['gate', 'up'].map((name) => [at(`mlp.${name}_proj`), [INNER, HIDDEN]] as const),
      [at('mlp.down_proj'), [HIDDEN, INNER]],
    ];
  };
  return [
    ['model.embed_tokens.weight', [LARGE.vocab, HIDDEN]],
    ...Array.from({ length: LAYERS }, (_, index) => layer(index)).flat(),
    ['model.norm.weight', [HIDDEN]],
  ];
}

/** A safetensors file: norms are ones, matrices small numbers from a linear congruential generator. */
function safetensors(tensors: readonly (readonly [string, readonly number[]])[]): Buffer {
  const header: Record<string, unknown> = {};
  const parts: Buffer[] = [];
  let offset = 0;
  let seed = 1;
  for (const [name, shape] of tensors) {
    const values = new Float32Array(shape.reduce((product, extent) => product * extent, 1));
    for (let i = 0; i < values.length; i++) {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      values[i] = shape.length === 1 ? 1 : (seed / 2 ** 32 - 0.5) * 0.2;
    }
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, (offset += values.byteLength)] };
    parts.push(Buffer.from(values.buffer));
  }
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([size, text, ...parts]);
}
