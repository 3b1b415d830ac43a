/**
 * The colour ramps of every heat map. The sequential one is a hue family whose perceived lightness changes evenly from
 * the paper to the ink, so that it reads alike with any colour vision and in grey. The diverging one goes from blue over
 * the paper to orange, a pair that all common kinds of colour blindness tell apart. On grounds of high contrast the one
 * is grey and the other reaches further.
 */
import { oklchToRgb, type Oklch, type Rgb } from './colour.js';
import type { Ground } from './environment.js';

/** Number of colours in a ramp. */
export const RAMP_STEPS = 256;

/** A ramp: packed for an `ImageData`, and as CSS colours for everything else. */
export interface Ramp {
  /** Colours as little-endian 0xAABBGGRR, from value 0 to 1. */
  readonly packed: Uint32Array;
  /** Where nothing can be: the masked future shows the ground, which a weight of 0 does not. */
  readonly masked: number;
  /** Where something is that has not been captured. */
  readonly absent: number;
  /** The colour of a value from 0 to 1, as `rgb(r g b)`. */
  css(value: number): string;
  /** Black or white, whichever can be read on the colour of a value. */
  ink(value: number): string;
}

/** How a weight becomes a place on the ramp. Square root shows small weights that linear leaves in the paper. */
export type Scale = 'linear' | 'sqrt';

/** A weight from 0 to 1 as a position from 0 to 1 on the ramp. */
export function place(weight: number, scale: Scale): number {
  const clamped = weight > 0 ? Math.min(weight, 1) : 0;
  return scale === 'sqrt' ? Math.sqrt(clamped) : clamped;
}

/** Lightness is monotonic in each. */
const LIGHT: readonly Oklch[] = [
  [0.962, 0.012, 220],
  [0.86, 0.06, 215],
  [0.66, 0.115, 235],
  [0.46, 0.14, 262],
  [0.27, 0.105, 280],
];
const DARK: readonly Oklch[] = [
  [0.235, 0.02, 265],
  [0.36, 0.095, 270],
  [0.55, 0.13, 250],
  [0.76, 0.11, 215],
  [0.96, 0.06, 175],
];
const GREY_LIGHT: readonly Oklch[] = [
  [0.97, 0, 0],
  [0, 0, 0],
];
const GREY_DARK: readonly Oklch[] = [
  [0.2, 0, 0],
  [1, 0, 0],
];
const BOTH_LIGHT: readonly Oklch[] = [
  [0.42, 0.14, 250],
  [0.68, 0.11, 240],
  [0.965, 0.004, 100],
  [0.72, 0.13, 55],
  [0.47, 0.13, 45],
];
const BOTH_DARK: readonly Oklch[] = [
  [0.8, 0.11, 235],
  [0.55, 0.11, 245],
  [0.235, 0.012, 265],
  [0.56, 0.12, 50],
  [0.83, 0.12, 65],
];
const BOTH_LIGHT_MORE: readonly Oklch[] = [[0.25, 0.13, 255], [0.98, 0, 0], [0.33, 0.12, 45]];
const BOTH_DARK_MORE: readonly Oklch[] = [[0.9, 0.09, 225], [0.16, 0, 0], [0.9, 0.12, 70]];

/** A weight from -1 to 1 as a position on a diverging ramp. */
export function placeSigned(weight: number, scale: Scale): number {
  const size = place(Math.abs(weight), scale);
  return (weight < 0 ? 1 - size : 1 + size) / 2;
}

const ramps = new Map<string, Ramp>();

/** The sequential ramp for a ground. */
export function rampFor({ dark, contrast }: Omit<Ground, 'type'>): Ramp {
  const plain = dark ? GREY_DARK : GREY_LIGHT;
  return kept(`one ${dark} ${contrast}`, contrast ? plain : dark ? DARK : LIGHT, dark);
}

/** The diverging ramp for a ground: 0 is the least, 0.5 none, 1 the most. */
export function divergingFor({ dark, contrast }: Omit<Ground, 'type'>): Ramp {
  const more = dark ? BOTH_DARK_MORE : BOTH_LIGHT_MORE;
  return kept(`both ${dark} ${contrast}`, contrast ? more : dark ? BOTH_DARK : BOTH_LIGHT, dark);
}

function kept(name: string, stops: readonly Oklch[], dark: boolean): Ramp {
  const ramp = ramps.get(name) ?? makeRamp(stops, dark ? [0.21, 0.005, 265] : [0.93, 0.003, 230]);
  ramps.set(name, ramp);
  return ramp;
}

function makeRamp(stops: readonly Oklch[], absent: Oklch): Ramp {
  const colours = Array.from({ length: RAMP_STEPS }, (_, i) => oklchToRgb(interpolate(stops, i / (RAMP_STEPS - 1))));
  const at = (value: number): Rgb => colours[Math.round(Math.min(1, Math.max(0, value)) * (RAMP_STEPS - 1))] ?? [0, 0, 0];
  return {
    packed: Uint32Array.from(colours, pack),
    masked: 0,
    absent: pack(oklchToRgb(absent)),
    css: (value) => `rgb(${at(value).join(' ')})`,
    ink: (value) => (luminance(at(value)) > 0.18 ? '#000000' : '#ffffff'),
  };
}

function interpolate(stops: readonly Oklch[], t: number): Oklch {
  const position = t * (stops.length - 1);
  const index = Math.min(stops.length - 2, Math.floor(position));
  const from = stops[index];
  const to = stops[index + 1];
  if (!from || !to) throw new RangeError('a ramp needs two stops');
  const f = position - index;
  // Along a straight line in the plane of colours: turning the hue would lead from blue to orange through green.
  const [start, end] = [onPlane(from), onPlane(to)];
  const x = start[0] + (end[0] - start[0]) * f;
  const y = start[1] + (end[1] - start[1]) * f;
  return [from[0] + (to[0] - from[0]) * f, Math.hypot(x, y), (Math.atan2(y, x) * 180) / Math.PI];
}

/** Chroma and hue as a place in the plane of colours. */
function onPlane([, chroma, hue]: Oklch): [x: number, y: number] {
  const angle = (hue * Math.PI) / 180;
  return [chroma * Math.cos(angle), chroma * Math.sin(angle)];
}

function pack([r, g, b]: Rgb): number {
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

/** Relative luminance as WCAG defines it; black and white are equally readable at 0.179. */
function luminance([r, g, b]: Rgb): number {
  const linear = (channel: number): number => {
    const c = channel / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
}
