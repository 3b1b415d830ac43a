/**
 * The sequential colour ramp of every heat map: one hue family whose perceived lightness changes evenly from the paper
 * to the ink, so that it reads alike with any colour vision and in grey.
 */

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
}

/** How a weight becomes a place on the ramp. Square root shows small weights that linear leaves in the paper. */
export type Scale = 'linear' | 'sqrt';

/** A weight from 0 to 1 as a position from 0 to 1 on the ramp. */
export function place(weight: number, scale: Scale): number {
  const clamped = weight > 0 ? Math.min(weight, 1) : 0;
  return scale === 'sqrt' ? Math.sqrt(clamped) : clamped;
}

/** OKLCH stops: lightness, chroma, hue in degrees. Lightness is monotonic in each. */
type Stop = readonly [l: number, c: number, h: number];
const LIGHT: readonly Stop[] = [
  [0.962, 0.012, 220],
  [0.86, 0.06, 215],
  [0.66, 0.115, 235],
  [0.46, 0.14, 262],
  [0.27, 0.105, 280],
];
const DARK: readonly Stop[] = [
  [0.235, 0.02, 265],
  [0.36, 0.095, 270],
  [0.55, 0.13, 250],
  [0.76, 0.11, 215],
  [0.96, 0.06, 175],
];

const ramps = new Map<boolean, Ramp>();

/** The ramp for a light or a dark ground. */
export function rampFor(dark: boolean): Ramp {
  const ramp = ramps.get(dark) ?? makeRamp(dark ? DARK : LIGHT, dark ? [0.21, 0.005, 265] : [0.93, 0.003, 230]);
  ramps.set(dark, ramp);
  return ramp;
}

function makeRamp(stops: readonly Stop[], absent: Stop): Ramp {
  const colours = Array.from({ length: RAMP_STEPS }, (_, i) => oklchToRgb(interpolate(stops, i / (RAMP_STEPS - 1))));
  const packed = Uint32Array.from(colours, pack);
  return {
    packed,
    masked: 0,
    absent: pack(oklchToRgb(absent)),
    css: (value) => {
      const [r, g, b] = colours[Math.round(Math.min(1, Math.max(0, value)) * (RAMP_STEPS - 1))] ?? [0, 0, 0];
      return `rgb(${r} ${g} ${b})`;
    },
  };
}

function interpolate(stops: readonly Stop[], t: number): Stop {
  const position = t * (stops.length - 1);
  const index = Math.min(stops.length - 2, Math.floor(position));
  const from = stops[index];
  const to = stops[index + 1];
  if (!from || !to) throw new RangeError('a ramp needs two stops');
  const f = position - index;
  return [from[0] + (to[0] - from[0]) * f, from[1] + (to[1] - from[1]) * f, from[2] + (to[2] - from[2]) * f];
}

type Rgb = readonly [number, number, number];

function pack([r, g, b]: Rgb): number {
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

/** OKLCH to 8-bit sRGB by the published matrices of the OKLab colour space. */
function oklchToRgb([lightness, chroma, hue]: Stop): Rgb {
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    gamma(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    gamma(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    gamma(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

function gamma(linear: number): number {
  const clamped = Math.min(1, Math.max(0, linear));
  const encoded = clamped <= 0.0031308 ? 12.92 * clamped : 1.055 * clamped ** (1 / 2.4) - 0.055;
  return Math.round(encoded * 255);
}
