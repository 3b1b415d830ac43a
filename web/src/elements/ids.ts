/** Prompts for models without a tokenizer: token ids, separated by commas or spaces. */

import type { Model, Token } from '../client/index.js';
import { t } from '../views/text.js';

export type ParsedIds = { readonly ids: number[] } | { readonly problem: string };

/** Reads ids that a vocabulary of `vocab` entries has. */
export function parseIds(text: string, vocab: number): ParsedIds {
  const ids: number[] = [];
  for (const word of text.split(/[\s,;]+/).filter((part) => part !== '')) {
    if (!/^\d{1,10}$/.test(word)) return { problem: t('prompt.notId', { word }) };
    const id = Number(word);
    if (id >= vocab) return { problem: t('prompt.noId', { id, last: vocab - 1 }) };
    ids.push(id);
  }
  return { ids };
}

/** Ids as they are written in the prompt box. */
export function formatIds(ids: readonly number[]): string {
  return ids.join(', ');
}

/** What is wrong with a prompt of ids, in words. */
export class IdProblem extends Error {}

/** Splits a text as prompts are split; without a tokenizer it is ids, and an {@link IdProblem} where it is not. */
export async function tokensOf(model: Model, text: string, signal: AbortSignal): Promise<readonly Token[]> {
  if (model.info.tokenizer !== null) return model.tokenize(text, { special: true, signal });
  const parsed = parseIds(text, model.info.vocab);
  if ('problem' in parsed) throw new IdProblem(parsed.problem);
  return parsed.ids.map((id) => ({ id, text: '', display: String(id), bytes: [], special: false }));
}
