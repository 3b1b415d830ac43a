import { ablate, type EditAction, type EditSpec } from '../client/index.js';
import type { HeadIndex } from '../views/types.js';
import { Store } from './store.js';

/** A change to the model that the reader made. Plain data, so that it can be kept in a link. */
export type Change =
  | { readonly kind: 'head'; readonly layer: number; readonly head: number }
  | { readonly kind: 'attention' | 'mlp' | 'layer'; readonly layer: number }
  | { readonly kind: 'edge'; readonly layer: number; readonly head: number; readonly query: number; readonly key: number }
  | {
      readonly kind: 'patch';
      /** Site kind, such as `resid_pre`. */
      readonly site: string;
      readonly layer: number;
      readonly position: number;
      /** Tokens of the prompt the values come from. */
      readonly source: readonly number[];
      readonly from: number;
    }
  | {
      readonly kind: 'steer';
      readonly layer: number;
      readonly towards: string;
      readonly away: string;
      readonly strength: number;
    };

/** What each kind of site is called in full. */
const SITES: Readonly<Record<string, string>> = {
  resid_pre: 'hook_resid_pre',
  resid_mid: 'hook_resid_mid',
  resid_post: 'hook_resid_post',
  attn_out: 'hook_attn_out',
  mlp_out: 'hook_mlp_out',
  z: 'attn.hook_z',
};

/** The edits that make a change. */
export function editsOf(change: Change): readonly EditSpec[] {
  switch (change.kind) {
    case 'head':
      return ablate.head(change.layer, change.head);
    case 'attention':
      return ablate.attention(change.layer);
    case 'mlp':
      return ablate.mlp(change.layer);
    case 'layer':
      return ablate.layer(change.layer);
    case 'edge':
      return ablate.edge(change);
    case 'patch': {
      const { layer, site, position, source, from } = change;
      const action: EditAction = { type: 'patch', source: { type: 'tokens', tokens: [...source] }, from };
      return [{ site: `blocks.${layer}.${SITES[site] ?? site}`, positions: [position, position + 1], action }];
    }
    case 'steer': {
      const { layer, towards, away, strength } = change;
      const input = (text: string) => ({ type: 'text', text, special: true }) as const;
      const action = { type: 'steer', towards: input(towards), away: away === '' ? null : input(away), strength } as const;
      return [{ site: `blocks.${layer}.hook_resid_pre`, action }];
    }
  }
}

/** The changes that are active. */
export class Edits extends Store {
  #list: readonly Change[] = [];

  get list(): readonly Change[] {
    return this.#list;
  }

  /** The same as the engine takes them. */
  get specs(): readonly EditSpec[] {
    return this.#list.flatMap(editsOf);
  }

  /** Heads that are switched off, by themselves or with their layer. */
  off(heads: number): HeadIndex[] {
    return this.#list.flatMap((change): HeadIndex[] => {
      if (change.kind === 'head') return [{ layer: change.layer, head: change.head }];
      if (change.kind !== 'attention' && change.kind !== 'layer') return [];
      return Array.from({ length: heads }, (_, head) => ({ layer: change.layer, head }));
    });
  }

  has(change: Change): boolean {
    return this.#list.some((other) => same(other, change));
  }

  /** Makes a change, or takes it back where it is made already. */
  toggle(change: Change): void {
    this.set(this.has(change) ? this.#list.filter((other) => !same(other, change)) : [...this.#list, change]);
  }

  set(list: readonly Change[]): void {
    this.#list = list;
    this.changed();
  }
}

function same(a: Change, b: Change): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
