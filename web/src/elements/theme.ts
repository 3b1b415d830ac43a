import { Store } from './store.js';

export type ThemeChoice = 'auto' | 'light' | 'dark';

const KEY = 'glassbox.theme';
const NEXT: Readonly<Record<ThemeChoice, ThemeChoice>> = { auto: 'light', light: 'dark', dark: 'auto' };

/** Light or dark: as the system has it, or as the reader chose. */
export class Theme extends Store {
  #choice: ThemeChoice = remembered();
  readonly #system = matchMedia('(prefers-color-scheme: dark)');

  constructor() {
    super();
    this.#system.addEventListener('change', () => {
      this.changed();
    });
    this.#apply();
  }

  get choice(): ThemeChoice {
    return this.#choice;
  }

  get dark(): boolean {
    return this.#choice === 'auto' ? this.#system.matches : this.#choice === 'dark';
  }

  /** Goes on to the next of auto, light and dark. */
  cycle(): void {
    this.#choice = NEXT[this.#choice];
    try {
      localStorage.setItem(KEY, this.#choice);
    } catch {
      // Storage may be closed to this page; the choice then lasts until it is left.
    }
    this.#apply();
    this.changed();
  }

  #apply(): void {
    document.documentElement.dataset['theme'] = this.#choice;
  }
}

function remembered(): ThemeChoice {
  try {
    const value = localStorage.getItem(KEY);
    return value === 'light' || value === 'dark' ? value : 'auto';
  } catch {
    return 'auto';
  }
}
