/**
 * Answers to analyses, of the right shapes and consistent in themselves, for tests of the page. The numbers mean
 * nothing: only the engine computes.
 */
import type { ArrayMeta, Candidate, Event, Input, ModelInfo, Part, Request, Token, TokenEffect } from '../../src/client/protocol.gen.js';

/** What the fake model knows. */
export interface FakeModel {
  readonly info: ModelInfo;
  tokens(input: Input): Token[];
  candidates(seed: number): Candidate[];
}

export interface Answer {
  readonly event: Event;
  readonly buffers: ArrayBuffer[];
}

type Values = Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

/** Arrays with their description. */
function packed(arrays: Readonly<Record<string, readonly [shape: number[], data: Values]>>): { arrays: ArrayMeta[]; buffers: ArrayBuffer[] } {
  const entries = Object.entries(arrays);
  return {
    arrays: entries.map(([name, [shape, data]]) => ({ name, dtype: data instanceof Uint32Array ? 'u32' : 'f32', shape })),
    buffers: entries.map(([, [, data]]) => data.buffer),
  };
}

function wave(count: number, seed: number, size = 1): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count }, (_, i) => size * Math.sin(i * 1.7 + seed) * Math.cos(i * 0.31 + seed * 2));
}

/** The answers to a request, the last of which ends it; undefined where it is none that is answered here. */
export function answersTo(request: Request, model: FakeModel): Answer[] | undefined {
  const one = (event: Event, buffers: ArrayBuffer[] = []): Answer[] => [{ event, buffers }];
  const { info } = model;
  // What is no analysis is answered elsewhere.
  // eslint-disable-next-line @typescript-eslint/switch-exhaustiveness-check
  switch (request.type) {
    case 'surprisal':
      return one(surprisals(model.tokens(request.run.input), model));
    case 'heads': {
      const labels = [
        { layer: 0, head: 1, role: 'previous_token' as const, score: 0.81 },
        { layer: 1, head: 3, role: 'induction' as const, score: 0.55 },
        { layer: 2, head: 0, role: 'first_token' as const, score: 0.93 },
      ];
      const scores = (): readonly [number[], Values] => [[info.layers, info.heads], wave(info.layers * info.heads, 1)];
      const { arrays, buffers } = packed({ previous_token: scores(), first_token: scores(), induction: scores(), duplicate_token: scores() });
      return one({ type: 'heads', labels, thresholds: [0.4, 0.6, 0.3, 0.3], arrays }, buffers);
    }
    case 'bench':
      return one(bench(request, model));
    case 'compare':
      return compared(request.input, model);
    case 'lens':
      return lens(request, model);
    case 'attribute':
      return one(attributed(request, model));
    case 'promoted':
      return one({ type: 'promoted', parts: request.parts.map((part) => ({ part, promoted: effects(model, 3), suppressed: effects(model, 5, -1) })) });
    case 'norms': {
      const size = model.tokens(request.run.input).length;
      const of = (scale: number): readonly [number[], Values] => [
        [info.layers, size],
        Float32Array.from({ length: info.layers * size }, (_, i) => scale * (1 + Math.floor(i / size)) * (i % size === 0 ? 20 : 1 + Math.abs(Math.sin(i)))),
      ];
      const { arrays, buffers } = packed({ resid_pre: of(1), attn_out: of(0.4), resid_mid: of(1.2), mlp_out: of(0.6), resid_post: of(1.5) });
      return one({ type: 'arrays', arrays }, buffers);
    }
    case 'head':
      return head(request, model);
    case 'neurons':
      return one({
        type: 'neurons',
        layer: request.layer,
        position: request.position ?? 0,
        width: info.intermediate,
        neurons: Array.from({ length: request.top }, (_, i) => ({ index: 17 * i + 3, pre: 2 - i * 0.3, linear: 1.2, activation: (i % 3 === 0 ? -1 : 1) * (2 - i * 0.2), norm: 0.4, promoted: effects(model, i), suppressed: effects(model, i + 1, -1) })),
      });
    case 'score':
      return one({ type: 'scored', continuations: [] });
    case 'fingerprint':
      return one({ type: 'fingerprint', fingerprint: '5e'.repeat(32), method: 'made up' });
    case 'sweep': {
      const size = model.tokens(request.source.input).length;
      const rows = Array.from({ length: info.layers }, (_, layer): Answer => {
        const { arrays, buffers } = packed({ metric: [[size], wave(size, layer, 2)] });
        return { event: { type: 'sweep_row', layer, arrays }, buffers };
      });
      const { arrays, buffers } = packed({ metric: [[info.layers, size], wave(info.layers * size, 1, 2)], recovered: [[info.layers, size], wave(info.layers * size, 1)] });
      return [...rows, { event: { type: 'sweep_done', origin: [0, 0], source: 3.2, target: -1.4, arrays }, buffers }];
    }
    case 'chat': {
      const text = request.messages.map(({ role, content }) => `<|${role}|>\n${content}\n`).join('');
      return one({ type: 'chat', text, tokens: model.tokens({ type: 'text', text, special: false }) });
    }
    default:
      return undefined;
  }
}

function surprisals(tokens: Token[], model: FakeModel): Event {
  return {
    type: 'surprisals',
    tokens,
    expectations: tokens.map((_, i) => {
      if (i === 0) return { probability: null, surprisal: null, rank: null, entropy: null, top: [] };
      const probability = 0.9 ** (1 + ((i * 37) % 60));
      return { probability, surprisal: -Math.log2(probability), rank: 1 + ((i * 37) % 60), entropy: 2 + Math.sin(i), top: model.candidates(i).slice(0, 5) };
    }),
  };
}

function bench({ sampler, rows: wanted, draws, position }: Request & { type: 'bench' }, model: FakeModel): Event {
  const all = model.candidates(position ?? 3);
  const kept = sampler.topK > 0 ? Math.min(sampler.topK, all.length) : all.length;
  const sum = all.slice(0, kept).reduce((mass, { probability }) => mass + probability, 0);
  const row = ({ token, logit, probability }: Candidate, i: number) => ({
    token,
    rank: i + 1,
    logit,
    probabilities: [probability, i < kept ? probability / sum : 0],
    cutAt: i < kept ? null : 1,
    drawn: draws > 0 && i < kept ? Math.round((probability / sum) * draws) : null,
  });
  const rows = all.map(row).filter(({ token }) => token.display.includes(wanted.search));
  return {
    type: 'bench',
    position: position ?? 3,
    stages: [
      { name: 'raw', kept: all.length, cut: 0, cutMass: 0, entropy: 3.1 },
      { name: 'top_k', kept, cut: all.length - kept, cutMass: 1 - sum, entropy: 2.2 },
    ],
    rows: rows.slice(wanted.from, wanted.from + wanted.count),
    total: rows.length,
    pinned: [],
    drawn: draws > 0 ? rows.filter(({ drawn }) => (drawn ?? 0) > 0) : [],
  };
}

function compared(input: Input, model: FakeModel): Answer[] {
  const size = model.tokens(input).length;
  const [before, after] = [model.candidates(3), model.candidates(4)];
  const top = before.slice(0, 20).map(({ token, logit, probability, rank }, i) => ({
    token,
    before: { logit, probability, rank },
    after: { logit: logit - 1, probability: after[i]?.probability ?? 0, rank: rank + 1 },
  }));
  const { arrays, buffers } = packed({
    divergence: [[size], Float32Array.from({ length: size }, (_, i) => Math.abs(Math.sin(i)))],
    top_changed: [[size], Uint32Array.from({ length: size }, (_, i) => i % 2)],
  });
  return [{ event: { type: 'compared', position: size - 1, divergence: 0.42, entropy: [3.1, 2.7], changes: top.slice(0, 8), top, arrays }, buffers }];
}

function lens({ run, sites, positions, top, pinned }: Request & { type: 'lens' }, model: FakeModel): Answer[] {
  const tokens = model.tokens(run.input);
  const [from, to] = positions ?? [0, tokens.length];
  const width = to - from;
  const layers = Array.from({ length: model.info.layers }, (_, layer) => layer);
  const rows = layers.flatMap((layer) =>
    sites.map((site): Answer => {
      const cells = Array.from({ length: width }, (_, p) => model.candidates(layer + p).slice(0, top));
      const all = new Map(cells.flat().map(({ token }) => [token.id, token]));
      const sharp = (layer + 1) / model.info.layers;
      const { arrays, buffers } = packed({
        ids: [[width, top], Uint32Array.from(cells.flat(), ({ token }) => token.id)],
        logits: [[width, top], Float32Array.from(cells.flat(), ({ logit }) => logit)],
        probabilities: [[width, top], Float32Array.from(cells.flat(), ({ probability }) => probability * sharp)],
        entropy: [[width], Float32Array.from({ length: width }, () => 6 - 5 * sharp)],
        pinned_logits: [[width, pinned.length], new Float32Array(width * pinned.length)],
        pinned_probabilities: [[width, pinned.length], Float32Array.from({ length: width * pinned.length }, (_, i) => sharp / (2 + i))],
        pinned_ranks: [[width, pinned.length], Uint32Array.from({ length: width * pinned.length }, () => Math.round(200 / sharp))],
      });
      return { event: { type: 'lens_row', site: `blocks.${layer}.hook_${site}`, layer, positions: [from, to], tokens: [...all.values()], arrays }, buffers };
    }),
  );
  return [...rows, { event: { type: 'lens_done', tokens, pinned: [] }, buffers: [] }];
}

function attributed({ run, position, token, against }: Request & { type: 'attribute' }, model: FakeModel): Event {
  const { layers, heads } = model.info;
  const known = new Map(model.candidates(model.tokens(run.input).length).map((candidate) => [candidate.token.id, candidate.token]));
  const named = (id: number): Token => known.get(id) ?? { id, text: '', display: `t${id}`, bytes: [], special: false };
  const parts: Part[] = [{ part: { kind: 'embed', layer: null, head: null }, contribution: 0.4, norm: 1 }];
  for (let layer = 0; layer < layers; layer++) {
    for (let head = 0; head < heads; head++) parts.push({ part: { kind: 'head', layer, head }, contribution: Math.sin(layer * 3 + head * 1.3), norm: 1 });
    parts.push({ part: { kind: 'mlp', layer, head: null }, contribution: Math.cos(layer) * 1.5, norm: 2 });
  }
  const logit = parts.reduce((sum, { contribution }) => sum + contribution, 0);
  return { type: 'attributed', position: position ?? 0, token: named(token), against: against === null ? null : named(against), parts, logit, scale: 2.5, note: null };
}

function head({ run, layer, head: index, query }: Request & { type: 'head' }, model: FakeModel): Answer[] {
  const size = model.tokens(run.input).length;
  const { headDim, hidden, heads, kvHeads } = model.info;
  const at = query ?? size - 1;
  const q = wave(headDim, layer + index);
  const k = wave(size * headDim, index + 1);
  const v = wave(size * headDim, index + 2);
  const dots = Float32Array.from({ length: size }, (_, key) => q.reduce((sum, value, i) => sum + value * (k[key * headDim + i] ?? 0), 0));
  const scale = 1 / Math.sqrt(headDim);
  const scores = dots.map((dot, key) => (key > at ? -1e30 : dot * scale));
  const weights = scores.map((score) => Math.exp(score));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const pattern = weights.map((weight) => weight / total);
  const z = Float32Array.from({ length: headDim }, (_, i) => pattern.reduce((sum, share, key) => sum + share * (v[key * headDim + i] ?? 0), 0));
  const { arrays, buffers } = packed({
    q: [[headDim], q],
    k: [[size, headDim], k],
    rot_q: [[headDim], q.slice()],
    rot_k: [[size, headDim], k.slice()],
    v: [[size, headDim], v],
    dots: [[size], dots],
    scores: [[size], scores],
    pattern: [[size], pattern],
    z: [[headDim], z],
    out: [[hidden], wave(hidden, 3)],
    rotary_angles: [[headDim / 2], Float32Array.from({ length: headDim / 2 }, (_, i) => 10_000 ** ((-2 * i) / headDim))],
  });
  const kvHead = Math.floor((index * kvHeads) / heads);
  return [{ event: { type: 'head', layer, head: index, kvHead, query: at, scale, window: null, arrays }, buffers }];
}

function effects(model: FakeModel, seed: number, sign = 1): TokenEffect[] {
  return model.candidates(seed).slice(0, 6).map(({ token }, i) => ({ token, logit: sign * (2 - i * 0.3) }));
}
