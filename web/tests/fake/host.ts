/**
 * A host that speaks the protocol and computes nothing: made-up patterns over made-up tokens, for tests of the client
 * and of the page where there is no wasm. It is never part of a site.
 */
import {
  PROTOCOL_VERSION,
  type Candidate,
  type DeviceInfo,
  type Event,
  type Input,
  type ModelInfo,
  type Request,
  type Source,
  type Stage,
  type Token,
} from '../../src/client/protocol.gen.js';
import { answersTo } from './analyses.js';
import type { Computing } from '../../src/elements/settings.js';

/** Texts of the ids it has given out. */
const vocabulary = new Map<number, string>();

export type Post = (message: unknown, transfer: ArrayBuffer[]) => void;

const WORDS = ['⏎', '␣the', '␣cat', '␣sat', '␣on', '␣a', '␣mat', '.', '␣Lily', '␣was', '␣happy', '␣and', '␣she', '<0xE2>'];

/** Names of files that make it behave in a certain way. */
export const TRICKS = { broken: 'broken.gguf', slow: 'slow.gguf', ids: 'model.safetensors', large: 'large.gguf', narrow: 'narrow.gguf' } as const;

export class Host {
  #model: ModelInfo | undefined;
  #device: DeviceInfo = { kind: 'cpu', name: 'CPU', reason: '', software: false };
  #nextAdapter = 0;
  readonly #aborted = new Set<number>();

  constructor(private readonly post: Post) {}

  handle({ id, request }: { id: number; request: Request }): void {
    void this.#answer(id, request);
  }

  async #answer(id: number, request: Request): Promise<void> {
    // Everything else is an analysis.
    // eslint-disable-next-line @typescript-eslint/switch-exhaustiveness-check
    switch (request.type) {
      case 'start': {
        const { kind, name, reason, software } = request.chosen;
        this.#device = { kind, name, reason, software };
        this.#send(id, { type: 'started', device: this.#device, version: '0.0.0', protocol: PROTOCOL_VERSION });
        break;
      }
      case 'open':
        await this.#open(id, request.source);
        break;
      case 'attach':
      case 'scale_adapter':
      case 'detach':
        this.#adapt(id, request);
        break;
      case 'close':
        this.#model = undefined;
        this.#send(id, { type: 'closed' });
        break;
      case 'abort':
        this.#aborted.add(request.target);
        break;
      case 'tokenize':
        this.#send(id, { type: 'tokens', tokens: tokenize(request.text, request.special) });
        break;
      case 'trace':
        await this.#trace(id, request);
        break;
      case 'generate':
        await this.#generate(id, request);
        break;
      default:
        await this.#analyse(id, request);
    }
  }

  async #analyse(id: number, request: Request): Promise<void> {
    const info = this.#need(id);
    if (!info) return;
    await pause(10);
    if (this.#stopped(id)) return;
    const answers = answersTo(request, {
      info,
      tokens: (input) => inputTokens(input, info),
      candidates: (seed) => candidates(seed, info),
    });
    if (!answers) this.#fail(id, 'unsupported', 'This host does not analyse.', 'Use the engine.');
    for (const { event, buffers } of answers ?? []) this.post({ id, event, buffers }, buffers);
  }

  async #open(id: number, source: Source): Promise<void> {
    const names = source.type === 'files' ? source.files.map(({ name }) => name) : source.urls.map((url) => url.split('/').at(-1) ?? '');
    const slow = names.includes(TRICKS.slow);
    const total = slow ? 900e6 : 1e6;
    for (let i = 0; i <= 40; i++) {
      if (this.#stopped(id)) return;
      this.#send(id, { type: 'progress', stage: i === 0 ? 'header' : 'weights', doneBytes: (total * i) / 40, totalBytes: total });
      if (slow || i === 0) await pause(slow ? 150 : 5);
    }
    if (names.includes(TRICKS.broken)) {
      this.#fail(id, 'not_a_model', 'broken.gguf is a web page, not a model file.', 'Download the file itself: on a model hub, use its download link.');
      return;
    }
    this.#model = modelNamed(names[0] ?? 'model', !names.includes(TRICKS.ids), names.includes(TRICKS.large));
    this.#send(id, { type: 'opened', model: this.#model, device: this.#device });
    this.#send(0, { type: 'memory', wasmBytes: 37.3e6, weightBytes: 1.04e6, helperBytes: 0, deviceBytes: null });
  }

  #adapt(id: number, request: Request & { type: 'attach' | 'scale_adapter' | 'detach' }): void {
    const model = this.#need(id);
    if (!model) return;
    let { adapters } = model;
    if (request.type === 'attach') {
      const name = request.source.type === 'files' ? (request.source.files[0]?.name ?? '') : (request.source.urls[0] ?? '');
      if (name.includes('mismatch')) {
        this.#fail(id, 'adapter_mismatch', 'The adapter is for another model.', 'Open the model it was made for.');
        return;
      }
      adapters = [...adapters, { id: this.#nextAdapter++, name, base: null, parameters: 8192, scale: request.scale }];
    } else if (request.type === 'detach') adapters = adapters.filter((one) => one.id !== request.adapter);
    else adapters = adapters.map((one) => (one.id === request.adapter ? { ...one, scale: request.scale } : one));
    this.#model = { ...model, adapters };
    this.#send(id, { type: 'adapted', adapters });
  }

  async #trace(id: number, { input, capture }: Request & { type: 'trace' }): Promise<void> {
    const model = this.#need(id);
    if (!model) return;
    await pause(20);
    const tokens = inputTokens(input, model);
    if (input.type === 'text' && input.text.includes('panic')) {
      setTimeout(() => {
        throw new WebAssembly.RuntimeError('unreachable');
      });
      return;
    }
    if (this.#stopped(id)) return;
    const layers = Array.from({ length: model.layers }, (_, layer) => layer);
    const wanted = layers.filter((layer) => capture.includes('pattern') || capture.includes(`blocks.${layer}.attn.hook_pattern`));
    const buffers = wanted.map((layer) => patterns(layer, model.heads, tokens.length));
    const tensors = wanted.map((layer) => ({
      name: `blocks.${layer}.attn.hook_pattern`,
      shape: [model.heads, tokens.length, tokens.length],
    }));
    const timing = { prefillMs: 12.5 + tokens.length * 0.8, decodeMs: 0, promptTokens: tokens.length, decodedTokens: 0 };
    const event: Event = { type: 'traced', tokens, tensors, next: candidates(tokens.length, model), timing };
    this.post({ id, event, buffers }, buffers);
  }

  async #generate(id: number, request: Request & { type: 'generate' }): Promise<void> {
    const model = this.#need(id);
    if (!model) return;
    const ids: number[] = [];
    const timing = { prefillMs: 20, decodeMs: 0, promptTokens: 10, decodedTokens: 0 };
    for (let index = 0; index < request.maxNewTokens; index++) {
      await pause(20);
      if (this.#aborted.has(id)) {
        this.#send(id, { type: 'finished', reason: 'aborted', tokens: ids, timing });
        return;
      }
      const raw = candidates(index + 3, model);
      const kept = raw.slice(0, 6);
      const mass = kept.reduce((sum, { probability }) => sum + probability, 0);
      const final = kept.map((candidate) => ({ ...candidate, probability: candidate.probability / mass }));
      const drawn = kept[request.sampler.greedy ? 0 : (index * 7 + request.sampler.seed) % kept.length];
      if (!drawn) return;
      ids.push(drawn.token.id);
      timing.decodeMs += 3.1;
      timing.decodedTokens = index;
      const { token } = drawn;
      this.#send(id, { type: 'step', index, token, text: token.text, raw, final, stages: stages(raw, final), timing: { ...timing } });
    }
    this.#send(id, { type: 'finished', reason: 'length', tokens: ids, timing });
  }

  #need(id: number): ModelInfo | undefined {
    if (!this.#model) this.#fail(id, 'no_model', 'No model is open.', 'Open one first.');
    return this.#model;
  }

  #stopped(id: number): boolean {
    if (!this.#aborted.delete(id)) return false;
    this.#fail(id, 'aborted', 'Stopped.', '');
    return true;
  }

  #fail(id: number, code: string, message: string, hint: string): void {
    this.#send(id, { type: 'failed', error: { code, message, hint } });
  }

  #send(id: number, event: Event): void {
    this.post({ id, event }, []);
  }
}

/** Stands for wasm-bindgen's init. */
export default function init(): Promise<void> {
  return Promise.resolve();
}

export function modelNamed(name: string, tokenizer: boolean, large = false): ModelInfo {
  return {
    architecture: 'llama',
    name: name.replace(/\.\w+$/, ''),
    format: name.endsWith('.gguf') ? 'GGUF v3' : 'safetensors',
    parameters: large ? 1.1e9 : 260_032,
    layers: large ? 32 : 5,
    heads: large ? 32 : 8,
    kvHeads: large ? 8 : 4,
    convolutions: [],
    headDim: 8,
    hidden: 64,
    intermediate: 172,
    vocab: 512,
    context: large ? 2048 : name === TRICKS.narrow ? 12 : 512,
    dtypes: { F32: 1.04e6 },
    weightBytes: 1.04e6,
    tokenizer: tokenizer ? 'BPE' : null,
    chatTemplate: false,
    precision: 'f32',
    threads: 1,
    adapters: [],
    licence: 'MIT',
    files: [{ name, bytes: 1.04e6 }],
  };
}

export function tokenize(text: string, special: boolean): Token[] {
  const parts = text.match(/\s?[\p{L}\p{N}]+|\s|[^\s\p{L}\p{N}]/gu) ?? [];
  const tokens = parts.map((part) => token((hash(part) % 500) + 2, part));
  for (const { id, text: part } of tokens) vocabulary.set(id, part);
  return special ? [{ ...token(1, ''), display: '<s>', special: true }, ...tokens] : tokens;
}

function inputTokens(input: Input, model: ModelInfo): Token[] {
  if (input.type === 'text') return tokenize(input.text, input.special);
  return input.tokens.map((id, i) =>
    model.tokenizer === null ? { id, text: '', display: String(id), bytes: [], special: false } : word(id, i),
  );
}

function word(id: number, i: number): Token {
  const heard = vocabulary.get(id);
  if (heard !== undefined) return token(id, heard);
  const display = id === 1 ? '<s>' : (WORDS[(id + i) % WORDS.length] ?? '?');
  return { ...token(id, display.replace('␣', ' ').replace('⏎', '\n')), display, special: id === 1 };
}

function token(id: number, text: string): Token {
  const display = text.replaceAll(' ', '␣').replaceAll('\n', '⏎');
  return { id, text, display, bytes: [...new TextEncoder().encode(text)], special: false };
}

function candidates(seed: number, model: ModelInfo): Candidate[] {
  const weights = Array.from({ length: 40 }, (_, rank) => Math.exp(-0.55 * rank - 0.2 * (hash(`${seed}/${rank}`) % 3)));
  const sum = weights.reduce((total, value) => total + value, 0);
  return weights
    .map((value) => value / sum)
    .sort((a, b) => b - a)
    .map((probability, index) => {
      const id = (hash(`${seed}:${index}`) % 400) + 20;
      const shown = model.tokenizer === null ? { id, text: '', display: String(id), bytes: [], special: false } : word(id, index);
      return { token: shown, probability, logit: Math.log(probability) + 14, rank: index + 1 };
    });
}

function stages(raw: Candidate[], final: Candidate[]): Stage[] {
  return [
    { name: 'raw', kept: 512, entropy: 3.1, top: raw },
    { name: 'top_k', kept: final.length, entropy: 1.9, top: final },
  ];
}

/** Patterns of a few well-known kinds, so that the page has something to show; every row sums to 1. */
function patterns(layer: number, heads: number, size: number): ArrayBuffer {
  const data = new Float32Array(heads * size * size);
  for (let head = 0; head < heads; head++) {
    const kind = hash(`${layer}.${head}`) % 5;
    for (let query = 0; query < size; query++) {
      const row = data.subarray((head * size + query) * size, (head * size + query) * size + query + 1);
      let sum = 0;
      row.forEach((_, key) => {
        row[key] = Math.exp(score(kind, query, key) + ((hash(`${layer}${head}${query}${key}`) % 100) / 100) * 1.4);
        sum += row[key] ?? 0;
      });
      row.forEach((value, key) => (row[key] = value / sum));
    }
  }
  return data.buffer;
}

function score(kind: number, query: number, key: number): number {
  const back = query - key;
  return [back === 1 ? 5 : 0, key === 0 ? 4.5 : 0, -back * 0.7, back === 0 ? 3 : 0, key % 4 === query % 4 ? 2 : 0][kind] ?? 0;
}

function hash(text: string): number {
  let value = 2166136261;
  for (const char of text) value = Math.imul(value ^ (char.codePointAt(0) ?? 0), 16777619) >>> 0;
  return value;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** How a session computes where a test does not care. */
export const ON_CPU: Computing = { device: 'cpu', precision: 'fast', threads: 'one' };
