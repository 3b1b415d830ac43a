// @ts-check
/** @param {readonly number[]} values */
export function median(values) {
  return quantile(values, 0.5);
}

/**
 * Interpolated between the values around it.
 *
 * @param {readonly number[]} values
 * @param {number} share between 0 and 1
 */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

/**
 * Median, least and most.
 *
 * @param {readonly number[]} values
 */
export function summary(values) {
  return { median: median(values), least: Math.min(...values), most: Math.max(...values), count: values.length };
}
