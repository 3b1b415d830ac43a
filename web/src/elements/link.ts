/** The state of the page as text for a link's fragment, and back. What comes from a link is not trusted. */
import type { Sampler } from '../client/index.js';
import type { Change } from './edits.js';
import { HEAD_PICTURES, MEASURES, MIXES, PLAIN_VIEW, TABS, type ViewValues } from './view-state.js';

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
}

const VERSION = 1;
/** Longest fragment that is read: far more than any page makes. */
const LONGEST = 200_000;
const MOST_TEXT = 40_000;
const MOST_IDS = 4096;
const MOST_CHANGES = 200;
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
    changes: list(raw['changes'], MOST_CHANGES).flatMap(change),
    sampler: sampler(raw['sampler']),
    maxNewTokens: inside(raw['maxNewTokens'], 1, 4096) ?? 48,
    head,
    locked: raw['locked'] === true,
    view: view(raw['view']),
  };
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

function origin(raw: unknown): ModelOrigin {
  if (!isRecord(raw)) return { kind: 'files' };
  if (raw['kind'] === 'house') return { kind: 'house' };
  const urls = list(raw['urls'], 64).filter((url): url is string => typeof url === 'string' && /^https?:\/\//.test(url));
  return raw['kind'] === 'urls' && urls.length > 0 ? { kind: 'urls', urls } : { kind: 'files' };
}

function change(raw: unknown): Change[] {
  if (!isRecord(raw)) return [];
  const layer = whole(raw['layer']);
  if (layer === null) return [];
  const { kind } = raw;
  const head = whole(raw['head']);
  switch (kind) {
    case 'head':
      return head === null ? [] : [{ kind, layer, head }];
    case 'attention':
    case 'mlp':
    case 'layer':
      return [{ kind, layer }];
    case 'edge': {
      const [query, key] = [whole(raw['query']), whole(raw['key'])];
      return head === null || query === null || key === null ? [] : [{ kind, layer, head, query, key }];
    }
    case 'patch': {
      const [position, from] = [whole(raw['position']), whole(raw['from'])];
      const site = text(raw['site']);
      const source = numbers(raw['source'], MOST_IDS);
      if (position === null || from === null || source.length === 0 || !/^\w{1,20}$/.test(site)) return [];
      return [{ kind, site, layer, position, source, from }];
    }
    case 'steer': {
      const strength = inside(raw['strength'], -100, 100);
      const towards = text(raw['towards']);
      return strength === null || towards === '' ? [] : [{ kind, layer, towards, away: text(raw['away']), strength }];
    }
    default:
      return [];
  }
}

function sampler(raw: unknown): Partial<Sampler> {
  if (!isRecord(raw)) return {};
  const values = {
    temperature: inside(raw['temperature'], 0.01, 10),
    topK: inside(raw['topK'], 0, 1_000_000),
    topP: inside(raw['topP'], 0.01, 1),
    minP: inside(raw['minP'], 0, 1),
    repetitionPenalty: inside(raw['repetitionPenalty'], 0.1, 10),
    seed: inside(raw['seed'], 0, 0xffffffff),
    greedy: typeof raw['greedy'] === 'boolean' ? raw['greedy'] : null,
  };
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
}

function view(raw: unknown): Partial<ViewValues> {
  if (!isRecord(raw)) return {};
  const one = <T extends string>(name: string, known: readonly T[], otherwise: T): T => known.find((value) => value === raw[name]) ?? otherwise;
  return {
    picture: one('picture', HEAD_PICTURES, PLAIN_VIEW.picture),
    mix: one('mix', MIXES, PLAIN_VIEW.mix),
    scale: one('scale', ['sqrt', 'linear'], PLAIN_VIEW.scale),
    measure: one('measure', MEASURES, PLAIN_VIEW.measure),
    tab: TABS.find((value) => value === raw['tab']) ?? null,
    other: pair(raw['other']) ?? [0, 0],
    position: whole(raw['position']),
    pins: numbers(raw['pins'], 6),
    second: text(raw['second']),
    site: /^\w{1,20}$/.test(text(raw['site'])) ? text(raw['site']) : PLAIN_VIEW.site,
  };
}

function isRecord(raw: unknown): raw is Record<string, unknown> {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw);
}

function list(raw: unknown, most: number): unknown[] {
  return Array.isArray(raw) ? raw.slice(0, most) : [];
}

function text(raw: unknown): string {
  return typeof raw === 'string' ? raw.slice(0, MOST_TEXT) : '';
}

function whole(raw: unknown): number | null {
  return Number.isInteger(raw) && (raw as number) >= 0 && (raw as number) < 2 ** 31 ? (raw as number) : null;
}

function inside(raw: unknown, least: number, most: number): number | null {
  return typeof raw === 'number' && raw >= least && raw <= most ? raw : null;
}

function numbers(raw: unknown, most: number): number[] {
  return list(raw, most).filter((value): value is number => whole(value) !== null);
}

function pair(raw: unknown): [number, number] | null {
  const [a, b] = numbers(raw, 2);
  return a === undefined || b === undefined ? null : [a, b];
}
