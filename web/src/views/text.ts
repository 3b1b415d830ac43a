/** The words of the page, in the language it is set to. */
import { currentLanguage, type Language } from './environment.js';
import { de } from './text-de.js';
import { en } from './text-en.js';

/** Names a text of the catalogue. English has all of them; every other language must have the same ones. */
export type TextKey = keyof typeof en;
export type Catalogue = Readonly<Record<TextKey, string>>;
export type TextValues = Readonly<Record<string, string | number>>;

export const CATALOGUES: Readonly<Record<Language, Catalogue>> = { en, de };

/** A `{name}` to fill in, or a `{name|one|other}` that chooses by whether the number is 1. */
const PLACE = /\{(\w+)(?:\|([^|{}]*)\|([^{}]*))?\}/g;

/** A text with its places filled in. */
export function t(key: TextKey, values: TextValues = {}): string {
  return CATALOGUES[currentLanguage()][key].replace(PLACE, (_, name: string, one?: string, other?: string) => {
    const value = values[name] ?? '';
    if (one === undefined || other === undefined) return String(value);
    return Number(value) === 1 ? one : other;
  });
}

/** A text whose places are filled with templates: its parts in order, for a Lit binding. */
export function rich<Part>(key: TextKey, values: Readonly<Record<string, Part>>): (string | Part)[] {
  const parts: (string | Part)[] = [];
  const text = CATALOGUES[currentLanguage()][key];
  let at = 0;
  for (const match of text.matchAll(PLACE)) {
    parts.push(text.slice(at, match.index));
    const value = values[match[1] ?? ''];
    if (value !== undefined) parts.push(value);
    at = match.index + match[0].length;
  }
  parts.push(text.slice(at));
  return parts;
}
