/** Reads values of unknown form, such as those of a link: each gives what has the right form, or nothing. */

const MOST_TEXT = 40_000;
/** Most token ids of one text. */
export const MOST_IDS = 4096;

export function isRecord(raw: unknown): raw is Record<string, unknown> {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw);
}

export function list(raw: unknown, most: number): unknown[] {
  return Array.isArray(raw) ? raw.slice(0, most) : [];
}

export function text(raw: unknown): string {
  return typeof raw === 'string' ? raw.slice(0, MOST_TEXT) : '';
}

export function whole(raw: unknown): number | null {
  return Number.isInteger(raw) && (raw as number) >= 0 && (raw as number) < 2 ** 31 ? (raw as number) : null;
}

export function inside(raw: unknown, least: number, most: number): number | null {
  return typeof raw === 'number' && raw >= least && raw <= most ? raw : null;
}

export function numbers(raw: unknown, most: number): number[] {
  return list(raw, most).filter((value): value is number => whole(value) !== null);
}

export function pair(raw: unknown): [number, number] | null {
  const [a, b] = numbers(raw, 2);
  return a === undefined || b === undefined ? null : [a, b];
}
