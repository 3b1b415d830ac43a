/** Numbers and units as people read them, without rounding anything away. */

const NARROW_SPACE = '\u202f';

/**
 * A probability as a percentage with three significant digits. A value below 1 never reads as 100 %, and a value above
 * 0 never as 0 %: 0.000004 is "0.0004 %", 0.9999999 is "99.99999 %".
 */
export function percent(probability: number): string {
  if (!Number.isFinite(probability)) return '–';
  const value = probability * 100;
  return `${value > 50 && value < 100 ? belowHundred(value) : significant(value, 3)}${NARROW_SPACE}%`;
}

/** Three significant digits would make 100 of 99.996, so as many decimals are kept as its distance from 100 needs. */
function belowHundred(value: number): string {
  const decimals = Math.min(12, Math.max(1, Math.ceil(-Math.log10(100 - value))));
  const text = value.toFixed(decimals);
  return text.startsWith('100') ? value.toFixed(decimals + 1) : text;
}

/** `digits` significant digits without trailing zeros; below a hundred-millionth in scientific notation. */
export function significant(value: number, digits: number): string {
  if (value === 0) return '0';
  if (value < 0) return `−${significant(-value, digits)}`;
  const magnitude = Math.abs(value);
  if (magnitude < 1e-8) return value.toExponential(digits - 1).replace(/\.?0+e/, 'e');
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(magnitude)));
  const text = value.toFixed(Math.min(decimals, 20));
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

/** An attention weight with all the digits an f32 holds. */
export function weight(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value === 0 || value === 1) return String(value);
  return Math.abs(value) < 1e-6 ? value.toExponential(4) : value.toFixed(Math.abs(value) < 1e-3 ? 9 : 6);
}

/** A logit with three decimals and a true minus sign. */
export function logit(value: number): string {
  return Number.isFinite(value) ? value.toFixed(3).replace('-', '−') : String(value).replace('-', '−');
}

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Bytes in decimal units: "1.04 MB". */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 999.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const text = unit === 0 ? String(Math.round(value)) : significantFixed(value);
  return `${text}${NARROW_SPACE}${BYTE_UNITS[unit] ?? ''}`;
}

/** A count in short form: "260K", "134.5M". */
export function count(value: number): string {
  const units = ['', 'K', 'M', 'B', 'T'];
  let scaled = value;
  let unit = 0;
  while (scaled >= 999.95 && unit < units.length - 1) {
    scaled /= 1000;
    unit += 1;
  }
  return unit === 0 ? String(value) : `${scaled.toFixed(1).replace(/\.0$/, '')}${units[unit] ?? ''}`;
}

/** A whole number with thin spaces between groups of three digits. */
export function whole(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+(?!\d))/g, NARROW_SPACE);
}

/** Milliseconds: "3.21 ms", "412 ms", "2.4 s". */
export function duration(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(ms >= 10_000 ? 0 : 1)}${NARROW_SPACE}s`;
  return `${significantFixed(ms)}${NARROW_SPACE}ms`;
}

/** Tokens per second. */
export function rate(tokens: number, ms: number): string {
  return ms > 0 ? `${significantFixed((tokens / ms) * 1000)}${NARROW_SPACE}tok/s` : '–';
}

function significantFixed(value: number): string {
  if (value >= 100) return whole(value);
  return value.toFixed(value >= 10 ? 1 : 2);
}
