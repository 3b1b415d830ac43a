import { failures, GlassboxError } from './errors.js';
import type { Edit, EditAction, Input } from './protocol.gen.js';

/** A prompt: text for the model's tokenizer, or token ids. */
export type Prompt =
  | {
      readonly prompt: string;
      /** Whether special tokens are recognised in the text and added as the model wants them; true if left out. */
      readonly special?: boolean;
      readonly tokens?: never;
    }
  | { readonly tokens: ArrayLike<number>; readonly prompt?: never };

/**
 * A causal edit at a named site. What is left out means all heads, positions or keys. Plain data: it can be kept in a
 * link and sent again.
 *
 * The values of `replace` and `add` have the site's shape, with as many positions as the range holds. Without
 * `positions` their axis of positions must have size 1, and they are used at every position.
 */
export interface EditSpec {
  /** TransformerLens name, e.g. `blocks.3.attn.hook_z`. */
  readonly site: string;
  readonly head?: number | null;
  /** Half-open range of positions (of queries, at attention scores and patterns); all if left out. */
  readonly positions?: readonly [number, number] | null;
  /** Half-open range of keys at attention scores and patterns; all if left out. */
  readonly keys?: readonly [number, number] | null;
  readonly action: EditAction;
}

/** One attention edge: what a query takes from a key. */
export interface Edge {
  readonly layer: number;
  /** Query head; all heads of the layer if left out. */
  readonly head?: number;
  readonly query: number;
  readonly key: number;
  /** Whether the row's other weights grow so that it still sums to 1; true if left out. */
  readonly renormalise?: boolean;
}

const OFF: EditAction = { type: 'scale', factor: 0 };

/** Makers of the usual edits. Each gives a list to be joined with others: `[...ablate.head(3, 1), ...ablate.mlp(5)]`. */
export const ablate = Object.freeze({
  /** Switches a head off: its weighted values become zero. */
  head: (layer: number, head: number): EditSpec[] => [{ site: `blocks.${layer}.attn.hook_z`, head, action: OFF }],
  /** Switches the whole attention of a layer off, biases included. */
  attention: (layer: number): EditSpec[] => [{ site: `blocks.${layer}.hook_attn_out`, action: OFF }],
  /** Switches an MLP off, biases included. */
  mlp: (layer: number): EditSpec[] => [{ site: `blocks.${layer}.hook_mlp_out`, action: OFF }],
  /** Switches a layer off: the residual stream passes it unchanged. */
  layer: (layer: number): EditSpec[] => [...ablate.attention(layer), ...ablate.mlp(layer)],
  /**
   * Cuts one attention edge: before the softmax (the default; the rest of the row grows) or after it (the row then sums
   * to less than 1).
   */
  edge: ({ layer, head, query, key, renormalise = true }: Edge): EditSpec[] => [
    {
      site: `blocks.${layer}.attn.${renormalise ? 'hook_attn_scores' : 'hook_pattern'}`,
      head: head ?? null,
      positions: [query, query + 1],
      keys: [key, key + 1],
      action: renormalise ? { type: 'mask' } : OFF,
    },
  ],
});

/**
 * Puts the values that a site has in another run in place (activation patching): at `position` of this run those of
 * `from` of the source, which is the same position if left out.
 */
export function patch(options: {
  readonly source: Prompt;
  readonly site: string;
  readonly position: number;
  readonly from?: number;
  readonly head?: number;
}): EditSpec {
  const { source, site, position, from, head } = options;
  const action: EditAction = { type: 'patch', source: toInput(source), from: from ?? null };
  return { site, head: head ?? null, positions: [position, position + 1], action };
}

/**
 * Adds the difference of two prompts' last positions at a site, times a strength, at all positions or at a range of
 * them. The usual site is the residual stream of a middle layer, `blocks.12.hook_resid_pre`.
 */
export function steer(options: {
  readonly towards: Prompt;
  readonly away?: Prompt;
  readonly site: string;
  readonly strength: number;
  readonly positions?: readonly [number, number];
}): EditSpec {
  const { towards, away, site, strength, positions } = options;
  const action: EditAction = { type: 'steer', towards: toInput(towards), away: away ? toInput(away) : null, strength };
  return { site, positions: positions ?? null, action };
}

/** @internal */
export function toInput(options: Prompt): Input {
  if (options.tokens !== undefined) return { type: 'tokens', tokens: Array.from(options.tokens) };
  // Callers without types may pass neither.
  if (typeof options.prompt === 'string') {
    return { type: 'text', text: options.prompt, special: options.special ?? true };
  }
  throw new GlassboxError(failures.badArgument('There is no prompt.', 'Pass `prompt` (text) or `tokens` (ids).'));
}

/** @internal */
export function toEdits(edits: readonly EditSpec[]): Edit[] {
  return edits.map(({ site, head = null, positions = null, keys = null, action }) => ({
    site,
    head,
    positions: positions && [positions[0], positions[1]],
    keys: keys && [keys[0], keys[1]],
    action,
  }));
}
