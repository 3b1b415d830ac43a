import type { Candidate, Model, Progress, Timing, Token } from '../client/index.js';
import type { AttentionData, HeadIndex } from '../views/types.js';
import { formatIds, parseIds } from './ids.js';
import { isAbort, type Session } from './session.js';
import { Store } from './store.js';

/** What one pass over a prompt showed. */
export interface Picture {
  readonly tokens: readonly Token[];
  readonly next: readonly Candidate[];
  readonly timing: Timing;
  readonly attention: AttentionData;
}

const TOKENIZE_AFTER_MS = 120;
const RUN_AFTER_MS = 350;
/** Models up to this many parameters are run while the prompt is being typed. */
const SMALL = 400e6;
/** Most bytes of attention patterns brought back at once. */
const PATTERN_BUDGET = 640e6;
const FIRST_TEXT = 'Once upon a time, there was a little girl named Lily. One day, Lily';
/** No token is shorter than a byte; a few are special. A context of twice that holds the first text twice. */
const FIRST_TOKENS = FIRST_TEXT.length + 4;
const FIRST_IDS = [1, 403, 407, 261, 378];

/** A prompt, its tokens as they are typed, and the model's attention and next-token candidates for it. */
export class Inspection extends Store {
  #text = '';
  /** The text that was there without anyone typing; it gives way to what suits the next model. */
  #first = '';
  #tokens: readonly Token[] = [];
  #problem = '';
  #picture: Picture | undefined;
  #running = false;
  #progress: Progress | undefined;
  #auto = true;
  #head: HeadIndex = { layer: 0, head: 0 };
  #preview: HeadIndex | null = null;
  #locked: HeadIndex | null = null;
  #typing: AbortController | undefined;
  #run: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #model: Model | undefined;

  constructor(private readonly session: Session) {
    super();
    session.subscribe(() => {
      if (session.model !== this.#model) this.#adopt(session.model);
    });
  }

  get text(): string {
    return this.#text;
  }
  get tokens(): readonly Token[] {
    return this.#tokens;
  }
  /** What keeps the prompt from being run, in words; empty where nothing does. */
  get problem(): string {
    return this.#problem;
  }
  get picture(): Picture | undefined {
    return this.#picture;
  }
  get running(): boolean {
    return this.#running;
  }
  /** How many of the prompt's tokens a run has read. */
  get progress(): Progress | undefined {
    return this.#progress;
  }
  /** Whether the prompt is run as it is typed. */
  get auto(): boolean {
    return this.#auto;
  }
  /** The head to show large: what is previewed, else what was looked at last. */
  get head(): HeadIndex {
    return this.#preview ?? this.#head;
  }
  get locked(): HeadIndex | null {
    return this.#locked;
  }

  setAuto(auto: boolean): void {
    this.#auto = auto;
    this.changed();
    if (auto) this.#schedule(() => this.run(), 0);
  }

  /** Takes a text as it is typed: its tokens follow at once, a run a little later. */
  type(text: string): void {
    this.#text = text;
    this.changed();
    this.#schedule(() => this.#tokenize(), TOKENIZE_AFTER_MS);
  }

  /** Appends tokens as they are, not as their text would be split again. */
  append(tokens: readonly Token[]): void {
    this.#stop();
    this.#tokens = [...this.#tokens, ...tokens];
    this.#text = this.#model?.info.tokenizer
      ? this.#text + tokens.map(({ text }) => text).join('')
      : formatIds(this.#tokens.map(({ id }) => id));
    this.#check();
    this.changed();
    void this.run();
  }

  preview(head: HeadIndex | null): void {
    this.#preview = head;
    this.changed();
  }

  lock(head: HeadIndex | null): void {
    this.#head = head ?? this.head;
    this.#locked = head;
    if (head && this.#picture && !this.#picture.attention.layers[head.layer]) void this.run();
    else this.changed();
  }

  /** Stops a run that is under way. */
  stop(): void {
    this.#run?.abort();
  }

  /** Runs the model over the tokens there are. */
  async run(): Promise<void> {
    clearTimeout(this.#timer);
    this.#run?.abort();
    const model = this.#model;
    const tokens = this.#tokens;
    if (!model || tokens.length === 0 || this.#problem !== '') return;
    const controller = new AbortController();
    this.#run = controller;
    this.#running = true;
    this.changed();
    try {
      const layers = capturedLayers(model, tokens.length, this.#head.layer);
      const names = layers.map((layer) => `blocks.${layer}.attn.hook_pattern`);
      const capture = layers.length === model.info.layers ? ['pattern'] : names;
      const { signal } = controller;
      const onProgress = (progress: Progress): void => {
        this.#progress = progress;
        this.changed();
      };
      const trace = await model.trace({ tokens: tokens.map(({ id }) => id), capture, signal, onProgress });
      const { heads } = model.info;
      const all = Array.from({ length: model.info.layers }, (_, layer) => {
        const name = `blocks.${layer}.attn.hook_pattern`;
        return trace.has(name) ? trace.tensor(name).data : null;
      });
      this.#picture = {
        tokens: trace.tokens,
        next: trace.next,
        timing: trace.timing,
        attention: { heads, size: trace.tokens.length, layers: all },
      };
    } catch (error) {
      this.session.report(error);
    } finally {
      if (this.#run === controller) {
        this.#run = undefined;
        this.#running = false;
        this.#progress = undefined;
        this.changed();
      }
    }
  }

  #adopt(model: Model | undefined): void {
    const hadTokenizer = this.#model ? this.#model.info.tokenizer !== null : undefined;
    this.#stop();
    this.#model = model;
    this.#picture = undefined;
    this.#tokens = [];
    this.#problem = '';
    this.#head = { layer: 0, head: 0 };
    this.#preview = null;
    this.#locked = null;
    if (model) {
      const { tokenizer, vocab, context, parameters } = model.info;
      this.#auto = parameters <= SMALL;
      const unchanged = this.#text.trim() === '' || this.#text === this.#first;
      const fresh = unchanged || hadTokenizer !== (tokenizer !== null);
      if (fresh) {
        const ids = FIRST_IDS.filter((id) => id < vocab).slice(0, half(context));
        this.#text = this.#first = tokenizer === null ? formatIds(ids) : FIRST_TEXT;
      }
      // The first picture is drawn whatever the model's size: it is what the model was opened for.
      const ready = fresh && tokenizer !== null ? this.#shortenFirst(model) : Promise.resolve();
      void ready.then(() => this.#tokenize()).then(() => this.run());
    }
    this.changed();
  }

  /** Makes the first text fit half the context of a model whose context is small. */
  async #shortenFirst(model: Model): Promise<void> {
    const limit = half(model.info.context);
    if (limit >= FIRST_TOKENS) return;
    try {
      const text = await longestStart(FIRST_TEXT, async (start) => {
        const { length } = await model.tokenize(start, { special: true });
        return length <= limit;
      });
      if (this.#model === model && this.#text === this.#first) this.#text = this.#first = text;
    } catch {
      // Splitting the text as it is comes next, and tells what is wrong.
    }
  }

  async #tokenize(): Promise<void> {
    const model = this.#model;
    if (!model) return;
    this.#stop();
    const controller = new AbortController();
    this.#typing = controller;
    try {
      const tokens = await tokensOf(model, this.#text, controller.signal);
      if (controller.signal.aborted) return;
      this.#problem = '';
      this.#tokens = tokens;
      this.#check();
      if (tokens.length === 0) this.#picture = undefined;
      this.changed();
      if (this.#auto) this.#schedule(() => this.run(), RUN_AFTER_MS);
    } catch (error) {
      if (isAbort(error)) return;
      if (error instanceof IdProblem) this.#problem = error.message;
      else this.session.report(error);
      this.changed();
    }
  }

  #check(): void {
    const context = this.#model?.info.context ?? 0;
    const length = this.#tokens.length;
    this.#problem =
      context > 0 && length > context ? `The prompt has ${length} tokens; this model holds ${context}. Shorten it.` : '';
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#typing?.abort();
    this.#run?.abort();
  }

  #schedule(task: () => Promise<void>, ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void task(), ms);
  }
}

/** Half of a context, at least one token; of an unknown one no limit. */
function half(context: number): number {
  return context > 0 ? Math.max(1, Math.floor(context / 2)) : Infinity;
}

/** The most words from the start of a text that fit; where not even one does, its first letter. */
async function longestStart(text: string, fits: (start: string) => Promise<boolean>): Promise<string> {
  const words = text.split(' ');
  for (let count = words.length; count > 0; count--) {
    const start = words.slice(0, count).join(' ');
    if (await fits(start)) return start;
  }
  return text.slice(0, 1);
}

class IdProblem extends Error {}

async function tokensOf(model: Model, text: string, signal: AbortSignal): Promise<readonly Token[]> {
  if (model.info.tokenizer !== null) return model.tokenize(text, { special: true, signal });
  const parsed = parseIds(text, model.info.vocab);
  if ('problem' in parsed) throw new IdProblem(parsed.problem);
  return parsed.ids.map((id) => ({ id, text: '', display: String(id), bytes: [], special: false }));
}

/** The layers whose patterns fit the budget: all, else those about the layer that is looked at. */
export function capturedLayers(model: Pick<Model, 'info'>, tokens: number, about: number): number[] {
  const { layers, heads } = model.info;
  const each = heads * tokens * tokens * Float32Array.BYTES_PER_ELEMENT;
  const fit = Math.max(1, Math.min(layers, Math.floor(PATTERN_BUDGET / each)));
  const first = Math.min(layers - fit, Math.max(0, about - Math.floor(fit / 2)));
  return Array.from({ length: fit }, (_, i) => first + i);
}
