/**
 * What a page has once, and every view follows: the language of its words and the ground it is painted on. Setting
 * either renders all views again.
 */

export const LANGUAGES = ['en', 'de'] as const;
export type Language = (typeof LANGUAGES)[number];

/** What a picture is painted on. */
export interface Ground {
  readonly dark: boolean;
  readonly contrast: boolean;
  /** How large type is: 1 where the page's is 16 pixels. What is painted grows with it. */
  readonly type: number;
}

let language: Language = 'en';
let ground: Ground = { dark: false, contrast: false, type: 1 };
const watchers = new Set<() => void>();

export function currentLanguage(): Language {
  return language;
}

export function currentGround(): Ground {
  return ground;
}

export function setLanguage(next: Language): void {
  if (next === language) return;
  language = next;
  tell();
}

export function setGround(next: Ground): void {
  if (next.dark === ground.dark && next.contrast === ground.contrast && next.type === ground.type) return;
  ground = next;
  tell();
}

/** Calls back after every change, until the returned function is called. */
export function onEnvironment(watcher: () => void): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

function tell(): void {
  for (const watcher of [...watchers]) watcher();
}
