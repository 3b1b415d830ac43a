/** Errors in the reader's language. The engine speaks English, with codes that other languages go by. */
import { currentLanguage, type Language } from './environment.js';
import { deErrors, deSentences } from './text-de-errors.js';

/** An error as the engine tells it. */
export interface ErrorWords {
  readonly message: string;
  readonly hint: string;
  /** Stable name of its kind; empty where it has none. */
  readonly code: string;
}

/** An error as it is shown; `original` is the engine's own wording, where that is another. */
export interface ShownError {
  readonly message: string;
  readonly hint: string;
  readonly original: string;
}

type Catalogue = Readonly<Record<string, readonly [what: string, hint: string]>>;
const ERRORS: Readonly<Record<Language, Catalogue>> = { en: {}, de: deErrors };

export function shownError({ message, hint, code }: ErrorWords): ShownError {
  const words = Object.hasOwn(ERRORS[currentLanguage()], code) ? ERRORS[currentLanguage()][code] : undefined;
  if (!words) return { message, hint, original: '' };
  return { message: words[0], hint: words[1], original: [message, hint].filter((part) => part !== '').join(' ') };
}

const SENTENCES: Readonly<Record<Language, typeof deSentences>> = { en: [], de: deSentences };

/** A sentence of the engine in the reader's language; one that is not known there stays as it is. */
export function shownSentence(english: string): string {
  const found = SENTENCES[currentLanguage()].find(([pattern]) => pattern.test(english));
  return found ? english.replace(found[0], found[1]) : english;
}
