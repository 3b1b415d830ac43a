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

export type HeadPicture = (typeof HEAD_PICTURES)[number];
export type Mix = (typeof MIXES)[number];
export type Measure = (typeof MEASURES)[number];
export type Tab = (typeof TABS)[number];

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
};

/** Most tokens that are followed at once: as many as can be told apart. */
export const MOST_PINS = 6;

export class ViewState extends Store {
  #values: ViewValues = PLAIN_VIEW;

  get values(): ViewValues {
    return this.#values;
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
