import type { ChatMessage, PartName } from '../client/index.js';
import type { Scale } from '../views/ramp.js';
import { Store } from './store.js';

/** How the large head is drawn. */
export const HEAD_PICTURES = ['matrix', 'arcs'] as const;
/** What it is of: the head itself, means, rollout up to its layer, or the difference to before the changes. */
export const MIXES = ['head', 'layer', 'all', 'rollout', 'change', 'other'] as const;
/** What tokens are shaded by. */
export const MEASURES = ['none', 'surprisal', 'probability', 'rank', 'entropy'] as const;
/** The analyses beneath the bench. */
export const TABS = ['sampler', 'lens', 'parts', 'numbers', 'change', 'patch', 'branches', 'inside', 'chat'] as const;

/** What the cells of the logit lens are shaded by. */
export const LENS_SHADES = ['top', 'pinned', 'entropy'] as const;

export type HeadPicture = (typeof HEAD_PICTURES)[number];
export type Mix = (typeof MIXES)[number];
export type Measure = (typeof MEASURES)[number];
export type Tab = (typeof TABS)[number];
export type LensShade = (typeof LENS_SHADES)[number];

/** What the reader looks at and how; all of it is part of a link. */
export interface ViewValues {
  readonly picture: HeadPicture;
  readonly mix: Mix;
  readonly scale: Scale;
  readonly measure: Measure;
  readonly tab: Tab | null;
  /** A head to take the difference to, for the mix `other`. */
  readonly other: readonly [layer: number, head: number];
  /** The prompt token that is looked at; null is the last. */
  readonly position: number | null;
  /** Token ids that are followed through the model. */
  readonly pins: readonly number[];
  /** A second prompt, to compare with or to patch from. */
  readonly second: string;
  /** What is patched. */
  readonly site: string;
  /** Whether every cell is patched in turn. */
  readonly sweep: boolean;
  /** The cell of the large head that is locked; of arcs one side alone, and -1 for the other. */
  readonly cell: readonly [query: number, key: number] | null;
  /** Whether the lens looks between attention and MLP too, and what shades its cells. */
  readonly halves: boolean;
  readonly shade: LensShade;
  /** Contributions: the token that is subtracted, and the part whose words are shown. */
  readonly against: number | null;
  readonly part: PartName | null;
  /** Down to the numbers: the key whose sum is shown (null is the strongest), and which of the neurons. */
  readonly key: number | null;
  readonly neuron: number;
  /** The sampler's table: its first row, what is searched for, and whether is drawn. */
  readonly from: number;
  readonly search: string;
  readonly draws: boolean;
  readonly chat: readonly ChatMessage[];
}

export const PLAIN_VIEW: ViewValues = {
  picture: 'matrix',
  mix: 'head',
  scale: 'sqrt',
  measure: 'none',
  tab: null,
  other: [0, 0],
  position: null,
  pins: [],
  second: '',
  site: 'resid_pre',
  sweep: false,
  cell: null,
  halves: false,
  shade: 'top',
  against: null,
  part: null,
  key: null,
  neuron: 0,
  from: 0,
  search: '',
  draws: false,
  chat: [{ role: 'user', content: '' }],
};

/** What is looked at within a prompt; with another prompt it means nothing. */
export const NO_PLACE: Partial<ViewValues> = { position: null, cell: null, key: null, sweep: false };

/** Most tokens that are followed at once: as many as can be told apart. */
export const MOST_PINS = 6;

export class ViewState extends Store {
  #values: ViewValues = PLAIN_VIEW;

  get values(): ViewValues {
    return this.#values;
  }

  /** What is not as it is at first. */
  get chosen(): Partial<ViewValues> {
    const plain: Readonly<Record<string, unknown>> = { ...PLAIN_VIEW };
    return Object.fromEntries(Object.entries(this.#values).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(plain[name])));
  }

  set(change: Partial<ViewValues>): void {
    this.#values = { ...this.#values, ...change };
    this.changed();
  }

  /** Follows a token, or no longer; the one that was followed longest gives way to a seventh. */
  togglePin(id: number): void {
    const { pins } = this.#values;
    this.set({ pins: pins.includes(id) ? pins.filter((other) => other !== id) : [...pins, id].slice(-MOST_PINS) });
  }
}
