import { LANGUAGES, setGround, setLanguage, type Language } from '../views/environment.js';
import { Store } from './store.js';

/** What each setting can be; the first is where nothing was chosen. */
export const CHOICES = {
  theme: ['auto', 'light', 'dark'],
  contrast: ['auto', 'more', 'normal'],
  size: ['normal', 'large', 'presenter'],
  language: ['auto', ...LANGUAGES],
  files: ['keep', 'drop'],
  device: ['auto', 'gpu', 'cpu'],
  precision: ['fast', 'exact'],
  threads: ['one', 'several'],
} as const;

export type SettingName = keyof typeof CHOICES;
export type SettingValues = { readonly [Name in SettingName]: (typeof CHOICES)[Name][number] };

/** What computes, and how. */
export type Computing = Pick<SettingValues, 'device' | 'precision' | 'threads'>;

export function computing({ device, precision, threads }: SettingValues): Computing {
  return { device, precision, threads };
}

const KEY = 'glassbox.settings';
const NONE: SettingValues = { theme: 'auto', contrast: 'auto', size: 'normal', language: 'auto', files: 'keep', device: 'auto', precision: 'fast', threads: 'one' };

/** How the reader wants the page: as the system has it, or as chosen here. Choices are kept on this machine. */
export class Settings extends Store {
  #values: SettingValues = remembered();
  readonly #dark = matchMedia('(prefers-color-scheme: dark)');
  readonly #contrast = matchMedia('(prefers-contrast: more)');

  constructor() {
    super();
    for (const query of [this.#dark, this.#contrast]) {
      query.addEventListener('change', () => {
        this.#apply();
      });
    }
    this.#apply();
  }

  get values(): SettingValues {
    return this.#values;
  }

  get language(): Language {
    return this.#values.language === 'auto' ? preferredLanguage() : this.#values.language;
  }

  set<Name extends SettingName>(name: Name, value: SettingValues[Name]): void {
    this.#values = { ...this.#values, [name]: value };
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#values));
    } catch {
      // Storage may be closed to this page; the choice then lasts until it is left.
    }
    this.#apply();
  }

  #apply(): void {
    const { theme, contrast, size } = this.#values;
    const dark = theme === 'auto' ? this.#dark.matches : theme === 'dark';
    const more = contrast === 'auto' ? this.#contrast.matches : contrast === 'more';
    const root = document.documentElement;
    root.dataset['theme'] = theme;
    root.dataset['contrast'] = more ? 'more' : 'normal';
    root.dataset['size'] = size;
    root.lang = this.language;
    setGround({ dark, contrast: more, type: Number.parseFloat(getComputedStyle(root).fontSize) / 16 || 1 });
    setLanguage(this.language);
    this.changed();
  }
}

/** The first of the reader's languages that the page has. */
function preferredLanguage(): Language {
  const wanted = navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase());
  for (const tag of wanted) {
    const known = LANGUAGES.find((language) => language === tag);
    if (known) return known;
  }
  return 'en';
}

function remembered(): SettingValues {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Record<SettingName, unknown>>;
    const known = ([name, values]: [string, readonly string[]]): boolean => {
      const value = kept[name as SettingName];
      return typeof value === 'string' && values.includes(value);
    };
    const names = Object.entries(CHOICES).filter(known).map(([name]) => name as SettingName);
    return { ...NONE, ...Object.fromEntries(names.map((name) => [name, kept[name]])) };
  } catch {
    return NONE;
  }
}
