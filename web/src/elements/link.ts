/** The state of the page as text for a link's fragment, and back. What comes from a link is not trusted. */
import type { Sampler } from '../client/index.js';
import type { SavedTree } from './branching.js';
import type { Change } from './edits.js';
import type { Made } from './generation.js';
import { checkedChange, checkedSampler, checkedView } from './link-parts.js';
import type { LinkedAdapter } from './session.js';
import { inside, isRecord, list, MOST_IDS, numbers, pair, text, whole } from './untrusted.js';
import type { ViewValues } from './view-state.js';

/** Where a model came from: the site itself, addresses, or files that only the reader has. */
export type ModelOrigin = { readonly kind: 'house' } | { readonly kind: 'urls'; readonly urls: readonly string[] } | { readonly kind: 'files' };

/** All that is needed to see the same again. */
export interface PageState {
  readonly model: { readonly name: string; readonly fingerprint: string; readonly origin: ModelOrigin } | null;
  readonly text: string;
  /** The tokens themselves, which the text alone need not give; empty where there are too many for a link. */
  readonly ids: readonly number[];
  readonly changes: readonly Change[];
  readonly sampler: Partial<Sampler>;
  readonly maxNewTokens: number;
  readonly head: readonly [layer: number, head: number];
  readonly locked: boolean;
  readonly view: Partial<ViewValues>;
  /** How the text that stands beneath the prompt was generated: it is generated again. */
  readonly generated: Made | null;
  readonly branches: SavedTree;
  /** LoRA adapters of the model that have addresses. */
  readonly adapters: readonly LinkedAdapter[];
}

const VERSION = 1;
/** Longest fragment that is read: far more than any page makes. */
const LONGEST = 200_000;
const MOST_CHANGES = 200;
const MOST_BRANCHES = 64;
const MOST_NEW = 4096;
const MOST_ADAPTERS = 16;
const KEY = 'v';

export function toFragment(state: PageState): string {
  const bytes = new TextEncoder().encode(JSON.stringify(state));
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  const text = btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
  return `${KEY}${VERSION}=${text}`;
}

/** The state a fragment holds; null where it holds none that can be read. */
export function fromFragment(fragment: string): PageState | null {
  const [key, text] = fragment.replace(/^#/, '').split('=', 2);
  if (key !== `${KEY}${VERSION}` || text === undefined || text.length > LONGEST) return null;
  try {
    const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0));
    return checked(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
  } catch {
    return null;
  }
}

/** Keeps of a state what has the right form, and nothing else. */
export function checked(raw: unknown): PageState | null {
  if (!isRecord(raw)) return null;
  const head = pair(raw['head']) ?? [0, 0];
  return {
    model: model(raw['model']),
    text: text(raw['text']),
    ids: numbers(raw['ids'], MOST_IDS),
    changes: changes(raw['changes']),
    sampler: checkedSampler(raw['sampler']),
    maxNewTokens: inside(raw['maxNewTokens'], 1, MOST_NEW) ?? 48,
    head,
    locked: raw['locked'] === true,
    view: checkedView(raw['view']),
    generated: generated(raw['generated']),
    branches: branches(raw['branches']),
    adapters: list(raw['adapters'], MOST_ADAPTERS).flatMap(adapter),
  };
}

function changes(raw: unknown): Change[] {
  return list(raw, MOST_CHANGES).flatMap(checkedChange);
}

function generated(raw: unknown): Made | null {
  if (!isRecord(raw)) return null;
  const count = inside(raw['count'], 1, MOST_NEW);
  if (count === null || !Number.isInteger(count)) return null;
  return { count, sampler: checkedSampler(raw['sampler']), changes: changes(raw['changes']), locked: whole(raw['locked']) };
}

function branches(raw: unknown): SavedTree {
  if (!isRecord(raw)) return { texts: [], at: [] };
  const texts = list(raw['texts'], MOST_BRANCHES).map((ids) => numbers(ids, MOST_NEW));
  return { texts: texts.filter((ids) => ids.length > 0), at: numbers(raw['at'], MOST_NEW) };
}

function model(raw: unknown): PageState['model'] {
  if (!isRecord(raw)) return null;
  const fingerprint = text(raw['fingerprint']);
  return {
    name: text(raw['name']).slice(0, 200),
    fingerprint: /^[0-9a-f]{64}$/.test(fingerprint) ? fingerprint : '',
    origin: origin(raw['origin']),
  };
}

function adapter(raw: unknown): LinkedAdapter[] {
  if (!isRecord(raw)) return [];
  const [urls, scale] = [addresses(raw['urls']), inside(raw['scale'], -8, 8)];
  return urls.length > 0 && scale !== null ? [{ urls, scale }] : [];
}

function addresses(raw: unknown): string[] {
  return list(raw, 64).filter((url): url is string => typeof url === 'string' && /^https?:\/\//.test(url) && URL.canParse(url));
}

function origin(raw: unknown): ModelOrigin {
  if (!isRecord(raw)) return { kind: 'files' };
  if (raw['kind'] === 'house') return { kind: 'house' };
  const urls = addresses(raw['urls']);
  return raw['kind'] === 'urls' && urls.length > 0 ? { kind: 'urls', urls } : { kind: 'files' };
}

