import type { Candidate, EditSpec, Model, Progress, Timing, Token } from '../client/index.js';
import type { AttentionData } from '../views/types.js';

/** What one pass over a prompt showed. */
export interface Picture {
  readonly tokens: readonly Token[];
  readonly next: readonly Candidate[];
  readonly timing: Timing;
  readonly attention: AttentionData;
}

/** Most bytes of attention patterns brought back at once; of the other layers thumbnails are enough until one is wanted. */
const PATTERN_BUDGET = 96e6;

/** The layers that attend and whose patterns fit the budget: all, else those about the layer that is looked at. */
export function capturedLayers(model: Pick<Model, 'info'>, tokens: number, about: number): number[] {
  const { layers, heads, convolutions } = model.info;
  const each = heads * tokens * tokens * Float32Array.BYTES_PER_ELEMENT;
  const fit = Math.max(1, Math.min(layers, Math.floor(PATTERN_BUDGET / each)));
  const first = Math.min(layers - fit, Math.max(0, about - Math.floor(fit / 2)));
  return Array.from({ length: fit }, (_, i) => first + i).filter((layer) => !convolutions.includes(layer));
}

/** Runs a model over tokens and brings back what the page draws at once. `about` is the layer that is looked at. */
export async function takePicture(
  model: Model,
  tokens: readonly Token[],
  about: number,
  options: { edits: readonly EditSpec[]; signal: AbortSignal; onProgress: (progress: Progress) => void },
): Promise<Picture> {
  const layers = capturedLayers(model, tokens.length, about);
  const names = layers.map((layer) => `blocks.${layer}.attn.hook_pattern`);
  const capture = layers.length === model.info.layers ? ['pattern'] : names;
  const trace = await model.trace({ tokens: tokens.map(({ id }) => id), capture, ...options });
  const all = Array.from({ length: model.info.layers }, (_, layer) => {
    const name = `blocks.${layer}.attn.hook_pattern`;
    return trace.has(name) ? trace.tensor(name).data : null;
  });
  return {
    tokens: trace.tokens,
    next: trace.next,
    timing: trace.timing,
    attention: { heads: model.info.heads, size: trace.tokens.length, layers: all, convolutions: model.info.convolutions },
  };
}
