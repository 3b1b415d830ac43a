import { Arrays, type Floats } from './arrays.js';
import type { CallOptions, Reply } from './connection.js';
import { toEdits, toInput } from './edits.js';
import { progressOnly } from './engine.js';
import { failures, GlassboxError } from './errors.js';
import type {
  Attribution,
  AttributionOptions,
  Bench,
  BenchOptions,
  Comparison,
  CompareOptions,
  ExportOptions,
  Fingerprint,
  HeadDetail,
  HeadOptions,
  HeadsOptions,
  HeadsReport,
  Lens,
  LensOptions,
  LensRow,
  Neurons,
  NeuronsOptions,
  Norms,
  PromotedOptions,
  RunOptions,
  ScoreOptions,
  SurprisalOptions,
  Surprisals,
  Sweep,
  SweepOptions,
  SweepRow,
  WorkOptions,
} from './analysis-types.js';
import { DEFAULT_SAMPLER } from './sampler.js';
import type { Continuation, Event, Promotion, Request, Run } from './protocol.gen.js';

/**
 * Everything that is computed from a run: a prompt and its edits.
 *
 * Each call names its run. The worker remembers the last runs, so several calls about one run cost one forward pass, and
 * a run with edits starts at its first edited layer. Every call can be stopped by its `signal`.
 */
export class Analysis {
  readonly #call: (request: Request, options: CallOptions) => Promise<Reply>;

  /** @internal */
  constructor(call: (request: Request, options: CallOptions) => Promise<Reply>) {
    this.#call = call;
  }

  /**
   * Logit lens: the final norm and the output head applied to the residual stream inside the model.
   *
   * Rows come one by one through `onRow` and together at the end. A row costs as much as unembedding each of its
   * positions: ask for what is on the screen.
   */
  async lens(options: LensOptions): Promise<Lens> {
    const { sites = ['resid_post'], positions = null, top = 5, pinned = [], onRow } = options;
    const rows: LensRow[] = [];
    const request: Request = {
      type: 'lens',
      run: toRun(options),
      sites: [...sites],
      positions: positions && [positions[0], positions[1]],
      top,
      pinned: [...pinned],
    };
    const { event } = await this.#ask(request, 'lens_done', options, (part, buffers) => {
      if (part.type !== 'lens_row') return;
      const row = toLensRow(part, buffers);
      rows.push(row);
      onRow?.(row);
    });
    return { tokens: event.tokens, pinned: event.pinned, rows };
  }

  /**
   * Direct logit attribution: what each head, MLP, embedding and bias adds to the logit of a token (or to a difference
   * of two), with the final norm's scale held fixed. The contributions sum to `logit`.
   */
  async attribute(options: AttributionOptions): Promise<Attribution> {
    const { position = null, token, against = null } = options;
    const request: Request = { type: 'attribute', run: toRun(options), position, token, against };
    return (await this.#ask(request, 'attributed', options)).event;
  }

  /** Which tokens parts of the model push up and down at a position. */
  async promoted(options: PromotedOptions): Promise<readonly Promotion[]> {
    const { position = null, parts, top = 10 } = options;
    const request: Request = { type: 'promoted', run: toRun(options), position, parts: [...parts], top };
    return (await this.#ask(request, 'promoted', options)).event.parts;
  }

  /** Lengths of the residual stream and of what attention and MLP add to it, per layer and position. */
  async norms(options: RunOptions): Promise<Norms> {
    const { arrays } = await this.#ask({ type: 'norms', run: toRun(options) }, 'arrays', options);
    return {
      residPre: arrays.floats('resid_pre'),
      attnOut: arrays.floats('attn_out'),
      residMid: arrays.optionalFloats('resid_mid'),
      mlpOut: arrays.floats('mlp_out'),
      residPost: arrays.floats('resid_post'),
    };
  }

  /** One head at one query down to its numbers: q, k, dots, scores, pattern, values and their mix. */
  async head(options: HeadOptions): Promise<HeadDetail> {
    const { layer, head, query = null } = options;
    const request: Request = { type: 'head', run: toRun(options), layer, head, query };
    const { event, arrays } = await this.#ask(request, 'head', options);
    return {
      layer: event.layer,
      head: event.head,
      kvHead: event.kvHead,
      query: event.query,
      scale: event.scale,
      window: event.window,
      q: arrays.floats('q'),
      k: arrays.floats('k'),
      rotQ: arrays.optionalFloats('rot_q'),
      rotK: arrays.optionalFloats('rot_k'),
      v: arrays.floats('v'),
      dots: arrays.floats('dots'),
      scores: arrays.floats('scores'),
      pattern: arrays.floats('pattern'),
      z: arrays.floats('z'),
      out: arrays.floats('out'),
      rotaryAngles: arrays.optionalFloats('rotary_angles'),
    };
  }

  /** The most active neurons of an MLP at a position, and the tokens each one writes. */
  async neurons(options: NeuronsOptions): Promise<Neurons> {
    const { layer, position = null, top = 10, effects = 8 } = options;
    const request: Request = { type: 'neurons', run: toRun(options), layer, position, top, tokens: effects };
    return (await this.#ask(request, 'neurons', options)).event;
  }

  /** What all heads do on this prompt: scores and labels, and on request thumbnails and rollout. */
  async heads(options: HeadsOptions): Promise<HeadsReport> {
    const { thumbnails = 0, rollout = false } = options;
    const request: Request = { type: 'heads', run: toRun(options), thumbnails, rollout };
    const { event, arrays } = await this.#ask(request, 'heads', options);
    const [previousToken, firstToken, induction, duplicateToken] = event.thresholds;
    return {
      labels: event.labels,
      thresholds: { previousToken, firstToken, induction, duplicateToken },
      previousToken: arrays.floats('previous_token'),
      firstToken: arrays.floats('first_token'),
      induction: arrays.floats('induction'),
      duplicateToken: arrays.floats('duplicate_token'),
      thumbnails: arrays.optionalFloats('thumbnails'),
      rollout: arrays.optionalFloats('rollout'),
    };
  }

  /**
   * The sampler over the full vocabulary, stage by stage, from cached logits: fast enough for a slider as long as the
   * run stays the same.
   */
  async bench(options: BenchOptions): Promise<Bench> {
    const { position = null, sampler, from = 0, count = 20, search = '', byFinal = false, pinned = [], draws = 0 } = options;
    const request: Request = {
      type: 'bench',
      run: toRun(options),
      position,
      sampler: { ...DEFAULT_SAMPLER, ...sampler },
      rows: { from, count, search, byFinal },
      pinned: [...pinned],
      draws,
    };
    return (await this.#ask(request, 'bench', options)).event;
  }

  /** How edits change the next-token distributions of a prompt. */
  async compare(options: CompareOptions): Promise<Comparison> {
    const { before = [], edits = [], position = null, everyPosition = false, top = 20 } = options;
    const request: Request = {
      type: 'compare',
      input: toInput(options),
      before: toEdits(before),
      after: toEdits(edits),
      position,
      everyPosition,
      top,
    };
    const { event, arrays } = await this.#ask(request, 'compared', options);
    const [entropyBefore, entropyAfter] = event.entropy;
    return {
      position: event.position,
      divergence: event.divergence,
      entropy: { before: entropyBefore, after: entropyAfter },
      changes: event.changes,
      top: event.top,
      divergences: arrays.floats('divergence'),
      topChanged: arrays.uints('top_changed'),
    };
  }

  /** How well the model expected each token of the prompt. */
  async surprisal(options: SurprisalOptions): Promise<Surprisals> {
    const { top = 5 } = options;
    const { event } = await this.#ask({ type: 'surprisal', run: toRun(options), top }, 'surprisals', options);
    return { tokens: event.tokens, expectations: event.expectations };
  }

  /** Probabilities of forced continuations of one prompt. */
  async score(options: ScoreOptions): Promise<readonly Continuation[]> {
    const continuations = options.continuations.map((tokens) => Array.from(tokens));
    const request: Request = { type: 'score', run: toRun(options), continuations };
    return (await this.#ask(request, 'scored', options)).event.continuations;
  }

  /** Activation patching cell by cell. Rows come one by one through `onRow`; a sweep can take long, so let it be stopped. */
  async sweep(options: SweepOptions): Promise<Sweep> {
    const { source, target, kind = 'resid_pre', layers, positions, token, onRow } = options;
    const request: Request = {
      type: 'sweep',
      source: toRun(source),
      target: toRun(target),
      kind,
      head: options.head ?? null,
      layers: layers ? [layers[0], layers[1]] : null,
      positions: positions ? [positions[0], positions[1]] : null,
      token,
      against: options.against ?? null,
      measuredAt: options.measuredAt ?? null,
    };
    const { event, arrays } = await this.#ask(request, 'sweep_done', options, (part, buffers) => {
      if (part.type !== 'sweep_row') return;
      const row: SweepRow = { layer: part.layer, metric: new Arrays(part.arrays, buffers).floats('metric') };
      onRow?.(row);
    });
    const [layer, position] = event.origin;
    return {
      origin: { layer, position },
      source: event.source,
      target: event.target,
      metric: arrays.floats('metric'),
      recovered: arrays.floats('recovered'),
    };
  }

  /**
   * A trace as a safetensors file, with the model, its fingerprint, the prompt and the edits in its metadata. In Python:
   * `safetensors.numpy.load_file(path)`.
   */
  async export(options: ExportOptions): Promise<Uint8Array<ArrayBuffer>> {
    const { capture, metadata = {} } = options;
    const request: Request = { type: 'export', run: toRun(options), capture: [...capture], metadata: { ...metadata } };
    return (await this.#ask(request, 'arrays', options)).arrays.bytes('file').data;
  }

  /**
   * A fingerprint of the model's files: SHA-256 over names, sizes and sampled ranges. It tells models apart; it does not
   * prove that every byte is the same.
   */
  async fingerprint(options: { readonly signal?: AbortSignal } = {}): Promise<Fingerprint> {
    const { event } = await this.#ask({ type: 'fingerprint' }, 'fingerprint', options);
    return { fingerprint: event.fingerprint, method: event.method };
  }

  async #ask<Type extends Event['type']>(
    request: Request,
    type: Type,
    { signal, onProgress }: WorkOptions,
    onPart?: (event: Event, buffers: readonly ArrayBuffer[]) => void,
  ): Promise<{ event: Event & { type: Type }; arrays: Arrays }> {
    const tell = progressOnly(onProgress);
    const { event, buffers } = await this.#call(request, {
      signal,
      onEvent: (part, parts) => {
        tell?.(part);
        onPart?.(part, parts);
      },
    });
    if (!isOf(event, type)) throw new GlassboxError(failures.unexpected(event.type));
    return { event, arrays: new Arrays('arrays' in event ? event.arrays : [], buffers) };
  }
}

function isOf<Type extends Event['type']>(event: Event, type: Type): event is Event & { type: Type } {
  return event.type === type;
}

function toRun(options: RunOptions): Run {
  return { input: toInput(options), edits: toEdits(options.edits ?? []) };
}

function toLensRow(event: Event & { type: 'lens_row' }, buffers: readonly ArrayBuffer[]): LensRow {
  const arrays = new Arrays(event.arrays, buffers);
  const floats = (name: string): Floats => arrays.floats(name);
  const [start, end] = event.positions;
  return {
    site: event.site,
    layer: event.layer,
    positions: [start, end],
    tokens: new Map(event.tokens.map((token) => [token.id, token])),
    ids: arrays.uints('ids'),
    logits: floats('logits'),
    probabilities: floats('probabilities'),
    entropy: floats('entropy'),
    pinnedLogits: floats('pinned_logits'),
    pinnedProbabilities: floats('pinned_probabilities'),
    pinnedRanks: arrays.uints('pinned_ranks'),
  };
}
