/** The model and the recorded pictures that come with the site. */
import type { Candidate, Timing, Token } from '../client/index.js';
import type { Picture } from './picture.js';

/** What the site brings along. */
export interface Manifest {
  readonly house: HouseModel | null;
}

export interface HouseModel {
  readonly name: string;
  /** Its files, relative to `models/`. */
  readonly files: readonly string[];
  /** A recorded picture, relative to `models/`; null where there is none. */
  readonly recorded: string | null;
}

/**
 * A picture made when the site was built, by the same engine: its header is JSON, the weights of attention follow in
 * one file as f32, [layers, heads, T, T].
 */
export interface Recorded {
  readonly text: string;
  readonly tokens: readonly Token[];
  readonly next: readonly Candidate[];
  readonly layers: number;
  readonly heads: number;
  /** Address of the weights, relative to the header. */
  readonly attention: string;
}

/** What `build.mjs` found in `web/models` when the site was built; undefined where nothing was built, as in tests. */
declare const MODELS: Manifest | undefined;

/** The model that comes with the site, if any, with whole addresses. */
export function houseModel(base: string): HouseModel | null {
  const house = typeof MODELS === 'undefined' ? null : MODELS.house;
  if (!house) return null;
  const whole = (path: string): string => new URL(`models/${path}`, base).href;
  return { ...house, files: house.files.map(whole), recorded: house.recorded === null ? null : whole(house.recorded) };
}

/** Fetches a recorded picture with its prompt. */
export async function readRecorded(address: string): Promise<{ text: string; picture: Picture }> {
  const header = (await (await fetch(address)).json()) as Recorded;
  const bytes = await (await fetch(new URL(header.attention, address))).arrayBuffer();
  const size = header.tokens.length;
  const each = header.heads * size * size;
  if (bytes.byteLength !== header.layers * each * Float32Array.BYTES_PER_ELEMENT) throw new Error('the recorded picture does not fit its header');
  const all = new Float32Array(bytes);
  const layers = Array.from({ length: header.layers }, (_, layer) => all.subarray(layer * each, (layer + 1) * each));
  const timing: Timing = { prefillMs: 0, decodeMs: 0, promptTokens: size, decodedTokens: 0 };
  return { text: header.text, picture: { tokens: header.tokens, next: header.next, timing, attention: { heads: header.heads, size, layers } } };
}
