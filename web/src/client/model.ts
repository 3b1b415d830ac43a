import { Analysis } from './analysis.js';
import { toEdits, toInput, type EditSpec, type Prompt } from './edits.js';
import { progressOnly, type Engine, type OpenModel, type Progress } from './engine.js';
import { failures, GlassboxError } from './errors.js';
import type {
  AdapterInfo,
  Candidate,
  ChatMessage,
  Event,
  FinishReason,
  ModelInfo,
  Sampler,
  Stage,
  Timing,
  Token,
} from './protocol.gen.js';
import { DEFAULT_SAMPLER } from './sampler.js';
import { toSource, type ModelSource } from './source.js';
import { Trace } from './trace.js';

/** Options of {@link Model.trace}. */
export type TraceOptions = Prompt & {
  /**
   * What to bring back: `logits`; a kind for all layers (`pattern`, `resid_post`, `embed`, `z`, `attn_out`, `mlp_out`,
   * `attn_scores`); or a full name (`blocks.0.attn.hook_pattern`). Nothing else is computed or read back.
   */
  readonly capture?: readonly string[];
  readonly edits?: readonly EditSpec[];
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
};

/** Options of {@link Model.generate}. */
export type GenerateOptions = Prompt & {
  /** At most so many new tokens; 64 if left out. */
  readonly maxNewTokens?: number;
  /** What is left out is as in {@link DEFAULT_SAMPLER}. */
  readonly sampler?: Partial<Sampler>;
  readonly edits?: readonly EditSpec[];
  /** How many candidates each step reports; 20 if left out. */
  readonly topN?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
};

/** A generated token. */
export interface Step {
  /** 0 for the first new token. */
  readonly index: number;
  readonly id: number;
  readonly token: Token;
  /** Text that is complete with this token; empty while a character is split over tokens. */
  readonly text: string;
  /** The most probable tokens: `raw`, the model's own distribution, and `final`, what the token was drawn from. */
  readonly top: { readonly raw: readonly Candidate[]; readonly final: readonly Candidate[] };
  /** The distribution after each stage of the sampler. */
  readonly stages: readonly Stage[];
  readonly timing: Timing;
}

/** How a generation ended. */
export interface Finish {
  readonly reason: FinishReason;
  /** Ids of all new tokens. */
  readonly tokens: readonly number[];
  readonly timing: Timing;
}

/** An open model. It lives until `close`, or until another model is opened in its place. */
export class Model {
  readonly #engine: Engine;
  readonly #open: OpenModel;
  /** Everything that is computed from a run: lens, attribution, heads, sampler bench, patching. */
  readonly analysis: Analysis;

  /** @internal */
  constructor(engine: Engine, open: OpenModel) {
    this.#engine = engine;
    this.#open = open;
    this.analysis = new Analysis((request, options) => {
      this.#check();
      return engine.call(open, request, options);
    });
  }

  /** What the model is. */
  get info(): ModelInfo {
    return this.#open.info;
  }

  /** Whether another model or `close` has taken its place. */
  get closed(): boolean {
    return this.#engine.model !== this.#open;
  }

  /**
   * Splits a text into tokens. No special token is recognised or added unless `special` is set.
   *
   * @throws GlassboxError where the model came without a tokenizer.
   */
  async tokenize(text: string, options: { special?: boolean; signal?: AbortSignal } = {}): Promise<readonly Token[]> {
    this.#check();
    const request = { type: 'tokenize' as const, text, special: options.special ?? false };
    const { event } = await this.#engine.call(this.#open, request, { signal: options.signal });
    if (event.type !== 'tokens') throw new GlassboxError(failures.unexpected(event.type));
    return event.tokens;
  }

  /**
   * Writes a chat as the model's own template does. Run the tokens, not the text: they are what the template means.
   *
   * @throws GlassboxError `no_chat_template` where the model came without one (see `info.chatTemplate`).
   */
  async chat(
    messages: readonly ChatMessage[],
    options: { addGenerationPrompt?: boolean; signal?: AbortSignal } = {},
  ): Promise<{ readonly text: string; readonly tokens: readonly Token[] }> {
    this.#check();
    const request = {
      type: 'chat' as const,
      messages: [...messages],
      addGenerationPrompt: options.addGenerationPrompt ?? true,
    };
    const { event } = await this.#engine.call(this.#open, request, { signal: options.signal });
    if (event.type !== 'chat') throw new GlassboxError(failures.unexpected(event.type));
    return { text: event.text, tokens: event.tokens };
  }

  /** Runs the model once over a prompt and brings back what `capture` names. */
  async trace(options: TraceOptions): Promise<Trace> {
    this.#check();
    const { capture = [], edits = [], signal, onProgress } = options;
    const reply = await this.#engine.call(
      this.#open,
      { type: 'trace', input: toInput(options), capture: [...capture], edits: toEdits(edits) },
      { signal, onEvent: progressOnly(onProgress) },
    );
    return Trace.from(reply);
  }

  /**
   * Generates token by token: `for await (const step of model.generate({ prompt }))`.
   *
   * Work starts with the first step asked for. Leaving the loop, or the signal, stops it. The worker does not wait for
   * the reader: steps not read yet are kept, at most `maxNewTokens` of them. The generator's return value tells how it
   * ended.
   */
  async *generate(options: GenerateOptions): AsyncGenerator<Step, Finish, void> {
    this.#check();
    const { maxNewTokens = 64, sampler, edits = [], topN = 20, onProgress } = options;
    // Leaving the loop must stop the worker too, so the caller's signal is joined with one of ours.
    const leave = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, leave.signal]) : leave.signal;
    const steps = new StepQueue();
    const tell = progressOnly(onProgress);
    const ended = this.#engine.call(
      this.#open,
      {
        type: 'generate',
        input: toInput(options),
        maxNewTokens,
        sampler: { ...DEFAULT_SAMPLER, ...sampler },
        edits: toEdits(edits),
        topN,
      },
      {
        signal,
        onEvent: (event) => {
          if (event.type === 'step') steps.push(event);
          else tell?.(event);
        },
      },
    );
    ended.then(
      () => {
        steps.end();
      },
      () => {
        steps.end();
      },
    );
    try {
      for (let step = await steps.next(); step; step = await steps.next()) yield step;
      const { event } = await ended;
      if (event.type !== 'finished') throw new GlassboxError(failures.unexpected(event.type));
      return { reason: event.reason, tokens: event.tokens, timing: event.timing };
    } finally {
      leave.abort();
    }
  }

  /** The LoRA adapters that are attached, in the order they were. */
  get adapters(): readonly AdapterInfo[] {
    return this.info.adapters;
  }

  /**
   * Attaches a LoRA adapter, behind those that are there: their terms add up. Its weights stay apart from the model's, so
   * that it can be scaled and taken off. Resolves with all that are attached then.
   *
   * @throws GlassboxError `adapter_mismatch` where it is not for this model; the model is as before then.
   */
  attach(source: ModelSource, options: { scale?: number; signal?: AbortSignal } = {}): Promise<readonly AdapterInfo[]> {
    this.#check();
    const { scale = 1, signal } = options;
    return this.#engine.adapt(this.#open, { type: 'attach', source: toSource(source), scale }, { signal });
  }

  /** Scales an adapter's terms: 1 as trained, 0 off (the numbers are then exactly the model's own). */
  scaleAdapter(adapter: number, scale: number): Promise<readonly AdapterInfo[]> {
    this.#check();
    return this.#engine.adapt(this.#open, { type: 'scale_adapter', adapter, scale });
  }

  /** Takes an adapter off. */
  detach(adapter: number): Promise<readonly AdapterInfo[]> {
    this.#check();
    return this.#engine.adapt(this.#open, { type: 'detach', adapter });
  }

  /** Closes the model and frees its memory. */
  close(): Promise<void> {
    return this.#engine.close(this.#open);
  }

  #check(): void {
    if (this.closed) throw new GlassboxError(failures.modelClosed());
  }
}

/** Steps that have arrived and not been read. */
class StepQueue {
  readonly #steps: Step[] = [];
  #ended = false;
  #wake: (() => void) | undefined;

  push(event: Event & { type: 'step' }): void {
    const { index, token, text, raw, final, stages, timing } = event;
    this.#steps.push({ index, id: token.id, token, text, top: { raw, final }, stages, timing });
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** The next step, or undefined when all have been read and no more will come. */
  async next(): Promise<Step | undefined> {
    while (this.#steps.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return this.#steps.shift();
  }
}
