import type { Sampler } from './protocol.gen.js';

/** A sampler that draws from the model's own distribution. */
export const DEFAULT_SAMPLER: Readonly<Sampler> = Object.freeze({
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  seed: 0,
  greedy: false,
});

/** @internal A sampler that takes the most probable token. */
export const GREEDY: Readonly<Sampler> = Object.freeze({ ...DEFAULT_SAMPLER, greedy: true });
