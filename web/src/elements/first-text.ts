/** What a model reads before anyone has typed. */
import type { Model, ModelInfo } from '../client/index.js';

export const FIRST_TEXT = 'Once upon a time, there was a little girl named Lily. One day, Lily';
/** No token is shorter than a byte; a few are special. A context of twice that holds the first text twice. */
const FIRST_TOKENS = FIRST_TEXT.length + 4;
const FIRST_IDS = [1, 403, 407, 261, 378];

/** Ids for a model without a tokenizer, within its vocabulary and half its context. */
export function firstIds({ vocab, context }: Pick<ModelInfo, 'vocab' | 'context'>): number[] {
  return FIRST_IDS.filter((id) => id < vocab).slice(0, half(context));
}

/** As much of the first text as fits half the context of a model; all of it where that cannot be told. */
export async function firstText(model: Model): Promise<string> {
  const limit = half(model.info.context);
  if (limit >= FIRST_TOKENS) return FIRST_TEXT;
  try {
    return await longestStart(FIRST_TEXT, async (start) => {
      const { length } = await model.tokenize(start, { special: true });
      return length <= limit;
    });
  } catch {
    // Splitting the text as it is comes next, and tells what is wrong.
    return FIRST_TEXT;
  }
}

/** Half of a context, at least one token; of an unknown one no limit. */
function half(context: number): number {
  return context > 0 ? Math.max(1, Math.floor(context / 2)) : Infinity;
}

/** The most words from the start of a text that fit; where not even one does, its first letter. */
async function longestStart(text: string, fits: (start: string) => Promise<boolean>): Promise<string> {
  const words = text.split(' ');
  for (let count = words.length; count > 0; count--) {
    const start = words.slice(0, count).join(' ');
    if (await fits(start)) return start;
  }
  return text.slice(0, 1);
}
