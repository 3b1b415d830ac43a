/** The parts of a link's state, each checked: what has not the right form is left out. */
import type { PartName, Sampler } from '../client/index.js';
import type { Change } from './edits.js';
import { inside, isRecord, list, MOST_IDS, numbers, pair, text, whole } from './untrusted.js';
import { HEAD_PICTURES, LENS_SHADES, MEASURES, MIXES, MOST_PINS, PLAIN_VIEW, TABS, type ViewValues } from './view-state.js';

const MOST_MESSAGES = 100;
const PARTS = ['embed', 'pos_embed', 'head', 'convolution', 'attn_bias', 'mlp', 'edits', 'norm_bias', 'head_bias'] as const;

export function checkedChange(raw: unknown): Change[] {
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

export function checkedSampler(raw: unknown): Partial<Sampler> {
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

export function checkedView(raw: unknown): Partial<ViewValues> {
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
    pins: numbers(raw['pins'], MOST_PINS),
    second: text(raw['second']),
    site: /^\w{1,20}$/.test(text(raw['site'])) ? text(raw['site']) : PLAIN_VIEW.site,
    sweep: raw['sweep'] === true,
    cell: cell(raw['cell']),
    halves: raw['halves'] === true,
    shade: one('shade', LENS_SHADES, PLAIN_VIEW.shade),
    against: whole(raw['against']),
    part: part(raw['part']),
    key: whole(raw['key']),
    neuron: whole(raw['neuron']) ?? 0,
    from: whole(raw['from']) ?? 0,
    search: text(raw['search']),
    draws: raw['draws'] === true,
    chat: chat(raw['chat']),
  };
}

/** A cell of a head; -1 stands for a side that is not looked at. */
function cell(raw: unknown): ViewValues['cell'] {
  const [query, key] = list(raw, 2).map((value) => (value === -1 ? -1 : whole(value)));
  if (typeof query !== 'number' || typeof key !== 'number') return null;
  return query < 0 && key < 0 ? null : [query, key];
}

function part(raw: unknown): PartName | null {
  if (!isRecord(raw)) return null;
  const kind = PARTS.find((name) => name === raw['kind']);
  return kind ? { kind, layer: whole(raw['layer']), head: whole(raw['head']) } : null;
}

function chat(raw: unknown): ViewValues['chat'] {
  const messages = list(raw, MOST_MESSAGES).flatMap((message) => {
    if (!isRecord(message)) return [];
    const role = text(message['role']);
    return /^\w{1,20}$/.test(role) ? [{ role, content: text(message['content']) }] : [];
  });
  return messages.length > 0 ? messages : PLAIN_VIEW.chat;
}
