/**
 * Whether this browser and this device compute rightly: a tiny model that comes with the site, in every storage type, is
 * asked for answers that are known (transformers', see tests/fixtures/generator/self_test.py).
 */
import type { Connection } from './connection.js';
import { GlassboxError } from './errors.js';
import type { DeviceKind, Precision, Sampler } from './protocol.gen.js';
import { GREEDY } from './sampler.js';
import { Trace } from './trace.js';

/** @internal `answers.json`. */
export interface Answers {
  readonly tokens: readonly number[];
  readonly greedy: readonly number[];
  /** After the last token, `[vocabulary]`. */
  readonly logits: readonly number[];
  /** Weights of the last block's heads at the last token, `[heads, keys]`. */
  readonly pattern: readonly (readonly number[])[];
}

/** @internal What the device answered, in the shapes of {@link Answers}. */
export type Given = Pick<Answers, 'greedy' | 'logits' | 'pattern'>;

/** @internal How the test ended: passed, wrong (with what was), or not made, because its files are not there. */
export type Verdict = { readonly kind: 'passed' } | { readonly kind: 'wrong'; readonly what: string } | { readonly kind: 'skipped' };

const PATTERN = 'blocks.1.attn.hook_pattern';

/**
 * The most that answers may differ. Activations that are rounded change logits by more than arithmetic in f32 does, so
 * there the distributions are compared, by their divergence in nats.
 */
const MOST = { logit: 1e-3, weight: 1e-3, divergence: 1e-3, roundedWeight: 1e-2 } as const;

/** @internal Asks the device and compares. What it opened is closed again; failures of the device itself reject. */
export async function selfTest(connection: Connection, kind: DeviceKind, folder: URL, signal?: AbortSignal): Promise<Verdict> {
  const answers = await fetchAnswers(new URL('answers.json', folder), signal);
  if (!answers) return { kind: 'skipped' };
  let precision: Precision;
  try {
    // Rounded as far as any model's: that is what differs most between machines.
    const source = { type: 'urls' as const, urls: [new URL('model.gguf', folder).href] };
    const { event } = await connection.call({ type: 'open', source, device: kind, precision: 'int8', threads: 1 }, { signal });
    if (event.type !== 'opened') return { kind: 'skipped' };
    ({ precision } = event.model);
  } catch (error) {
    // Files that cannot be read say nothing about the device.
    if (error instanceof GlassboxError && MISSING.has(error.code)) return { kind: 'skipped' };
    throw error;
  }
  const given = await ask(connection, answers, signal);
  await connection.call({ type: 'close' }, { signal });
  const what = difference(answers, given, precision);
  return what === null ? { kind: 'passed' } : { kind: 'wrong', what };
}

const MISSING: ReadonlySet<string> = new Set(['fetch_failed', 'http_status', 'no_ranges', 'content']);

async function fetchAnswers(address: URL, signal: AbortSignal | undefined): Promise<Answers | null> {
  try {
    const response = await fetch(address, { credentials: 'same-origin', ...(signal ? { signal } : {}) });
    const found: unknown = response.ok ? await response.json() : null;
    return isAnswers(found) ? found : null;
  } catch (error) {
    if (signal?.aborted) throw error;
    return null;
  }
}

/** Some hosts answer every address with a page of their own. */
function isAnswers(value: unknown): value is Answers {
  const { tokens, greedy, logits, pattern } = (value ?? {}) as Partial<Record<keyof Answers, unknown>>;
  return [tokens, greedy, logits, pattern].every((list) => Array.isArray(list) && list.length > 0);
}

async function ask(connection: Connection, { tokens, greedy }: Answers, signal: AbortSignal | undefined): Promise<Given> {
  const input = { type: 'tokens' as const, tokens: [...tokens] };
  const trace = Trace.from(await connection.call({ type: 'trace', input, capture: ['logits', PATTERN], edits: [] }, { signal }));
  const sampler: Sampler = GREEDY;
  const { event } = await connection.call(
    { type: 'generate', input, maxNewTokens: greedy.length, sampler, edits: [], topN: 1 },
    { signal },
  );
  const last = tokens.length - 1;
  const { data, shape } = trace.tensor(PATTERN);
  const [heads = 0, queries = 0, keys = 0] = shape;
  const row = (head: number): number[] => [...data.subarray((head * queries + last) * keys, (head * queries + last + 1) * keys)];
  const logits = trace.tensor('logits');
  const vocabulary = logits.shape.at(-1) ?? 0;
  return {
    greedy: event.type === 'finished' ? event.tokens : [],
    logits: [...logits.data.subarray(logits.data.length - vocabulary)],
    pattern: Array.from({ length: heads }, (_, head) => row(head)),
  };
}

/** @internal What of the answers is wrong, in plain words; null where all are right. */
export function difference(wanted: Answers, given: Given, precision: Precision): string | null {
  const rounded = precision !== 'f32';
  const weight = furthest(wanted.pattern.flat(), given.pattern.flat());
  if (!(weight <= (rounded ? MOST.roundedWeight : MOST.weight))) return `attention differs by ${weight.toPrecision(2)}`;
  const logit = furthest(wanted.logits, given.logits);
  const nats = divergence(wanted.logits, given.logits);
  if (rounded ? !(nats <= MOST.divergence) : !(logit <= MOST.logit)) return `logits differ by ${logit.toPrecision(2)}`;
  const same = wanted.greedy.every((id, index) => given.greedy[index] === id);
  return same ? null : 'the most probable tokens are others';
}

/** The largest difference; infinite where the lengths differ, NaN where a number is none. */
function furthest(wanted: readonly number[], given: readonly number[]): number {
  if (wanted.length !== given.length) return Infinity;
  let most = 0;
  wanted.forEach((value, index) => {
    const off = Math.abs(value - (given[index] ?? NaN));
    if (!(off <= most)) most = off;
  });
  return most;
}

/** Kullback-Leibler divergence of the distributions that the logits stand for, in nats. */
function divergence(wanted: readonly number[], given: readonly number[]): number {
  const [p, q] = [logProbabilities(wanted), logProbabilities(given)];
  return p.reduce((sum, value, index) => sum + Math.exp(value) * (value - (q[index] ?? NaN)), 0);
}

function logProbabilities(logits: readonly number[]): number[] {
  const top = Math.max(...logits);
  const total = top + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - top), 0));
  return logits.map((logit) => logit - total);
}
