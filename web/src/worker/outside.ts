/**
 * A message as the engine reads it. The protocol names the kind of a thing inside of it (`{type: 'open', …}`), which
 * TypeScript can tell apart. serde reads it with less code, and without a copy of all it holds, where the name stands
 * outside (`{open: {…}}`; a plain `'open'` where there is nothing else to say). Files and typed arrays stay as they are.
 */
export function outside(value: unknown): unknown {
  // Token ids and weights are long lists of numbers.
  if (Array.isArray(value)) return typeof value[0] === 'object' ? value.map(outside) : value;
  if (!isPlain(value)) return value;
  const { type, ...rest } = value;
  if (typeof type !== 'string') return each(value);
  return Object.keys(rest).length === 0 ? type : { [type]: each(rest) };
}

function each(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, key === FREE ? value : outside(value)]));
}

/** What a caller may put any names into. */
const FREE = 'metadata';

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
