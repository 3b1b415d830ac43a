/** Prompts for models without a tokenizer: token ids, separated by commas or spaces. */

export type ParsedIds = { readonly ids: number[] } | { readonly problem: string };

/** Reads ids that a vocabulary of `vocab` entries has. */
export function parseIds(text: string, vocab: number): ParsedIds {
  const ids: number[] = [];
  for (const word of text.split(/[\s,;]+/).filter((part) => part !== '')) {
    if (!/^\d{1,10}$/.test(word)) return { problem: `“${word}” is not a token id. Write whole numbers, such as 1, 403, 407.` };
    const id = Number(word);
    if (id >= vocab) return { problem: `There is no token ${id}: this model's ids go from 0 to ${vocab - 1}.` };
    ids.push(id);
  }
  return { ids };
}

/** Ids as they are written in the prompt box. */
export function formatIds(ids: readonly number[]): string {
  return ids.join(', ');
}
