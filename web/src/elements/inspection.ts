import type { Model, Progress, Token } from '../client/index.js';
import { t } from '../views/text.js';
import type { HeadIndex } from '../views/types.js';
import type { Edits } from './edits.js';
import { FIRST_TEXT, firstIds, firstText } from './first-text.js';
import { formatIds, IdProblem, tokensOf } from './ids.js';
import { takePicture, type Picture } from './picture.js';
import { isAbort, type Session } from './session.js';
import { Store } from './store.js';

const TOKENIZE_AFTER_MS = 120;
const RUN_AFTER_MS = 350;
/** Models up to this many parameters are run while the prompt is being typed. */
const SMALL = 400e6;

/** A prompt and the head that was looked at, as they are kept. */
export interface SavedPrompt {
  readonly text: string;
  readonly ids: readonly number[];
  readonly head: readonly [layer: number, head: number];
  readonly locked: boolean;
  /** Name of the model that the ids belong to. */
  readonly model: string;
}

/** A prompt, its tokens as they are typed, and the model's attention and next-token candidates for it. */
export class Inspection extends Store {
  #text = '';
  /** The text that was there without anyone typing; it gives way to what suits the next model. */
  #first = '';
  #tokens: readonly Token[] = [];
  #problem = '';
  #picture: Picture | undefined;
  /** The same prompt without any change to the model; the picture itself while nothing is changed. */
  #plain: Picture | undefined;
  #version = 0;
  /** Whether the picture was recorded when the site was built; it stays until the model has drawn it itself. */
  #recorded = false;
  #saved: (SavedPrompt & { first: () => void }) | undefined;
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
  /** State of the model's adapters that the picture is of. */
  #adapted = 0;

  constructor(
    private readonly session: Session,
    private readonly edits: Edits,
  ) {
    super();
    session.subscribe(() => {
      if (session.model !== this.#model) this.#adopt(session.model);
      else if (session.adapted !== this.#adapted) this.#anew();
    });
    edits.subscribe(() => void this.run());
  }

  get model(): Model | undefined {
    return this.#model;
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
  /** The picture of before the changes to the model; undefined while nothing is changed. */
  get before(): Picture | undefined {
    return this.#picture === this.#plain ? undefined : this.#plain;
  }
  get recorded(): boolean {
    return this.#recorded;
  }
  /** Grows with every new picture. */
  get version(): number {
    return this.#version;
  }
  get running(): boolean {
    return this.#running;
  }
  /** Whether a run is under way or about to begin: the prompt has changed, and its tokens or its picture are yet to come. */
  get busy(): boolean {
    return this.#running || this.#timer !== undefined || this.#typing !== undefined;
  }
  /** Whether the picture is one that the model drew of the prompt as it is. */
  get settled(): boolean {
    return this.#picture !== undefined && !this.#recorded && !this.#running && sameTokens(this.#picture.tokens, this.#tokens);
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
  /** The head that was looked at last, whatever is previewed. */
  get chosen(): HeadIndex {
    return this.#head;
  }
  get locked(): HeadIndex | null {
    return this.#locked;
  }

  setAuto(auto: boolean): void {
    this.#auto = auto;
    if (auto) this.#schedule(() => this.run(), 0);
    this.changed();
  }

  /** Takes a text as it is typed: its tokens follow at once, a run a little later. */
  type(text: string): void {
    this.#text = text;
    // Tokens that are on their way are of another text.
    this.#typing?.abort();
    this.#typing = undefined;
    this.#schedule(() => this.#tokenize(), TOKENIZE_AFTER_MS);
    this.changed();
  }

  /** Takes a text as a whole and runs it at once; resolves when its picture is there. */
  async write(text: string): Promise<void> {
    this.#text = text;
    this.changed();
    await this.#tokenizeAndRun();
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

  /** Takes a prompt that is tokens already, with the text they stand for. */
  replace(text: string, tokens: readonly Token[]): void {
    this.#stop();
    this.#text = this.#model?.info.tokenizer ? text : formatIds(tokens.map(({ id }) => id));
    this.#tokens = tokens;
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
    if (head && this.attends(head.layer) && this.#picture && !this.#picture.attention.layers[head.layer]) void this.run();
    else this.changed();
  }

  /** Whether a layer of the model has heads, and no convolution in the place of attention. */
  attends(layer: number): boolean {
    return !this.#model?.info.convolutions.includes(layer);
  }

  /** Splits a text as prompts are split; without a tokenizer it is ids. */
  split(text: string, signal: AbortSignal): Promise<readonly Token[]> {
    if (!this.#model) return Promise.resolve([]);
    return tokensOf(this.#model, text, signal);
  }

  /** Stops a run that is under way. */
  stop(): void {
    this.#run?.abort();
  }

  /** Runs the model over the tokens there are. */
  async run(): Promise<void> {
    this.#unschedule();
    this.#run?.abort();
    const model = this.#model;
    const tokens = this.#tokens;
    if (!model || tokens.length === 0 || this.#problem !== '') return;
    const controller = new AbortController();
    this.#run = controller;
    this.#running = true;
    this.changed();
    try {
      const { signal } = controller;
      const onProgress = (progress: Progress): void => {
        this.#progress = progress;
        this.changed();
      };
      const edits = this.edits.specs;
      const about = this.#head.layer;
      const kept = this.#plain && sameTokens(this.#plain.tokens, tokens) && this.#plain.attention.layers[about] ? this.#plain : undefined;
      const plain = edits.length > 0 && kept ? kept : await takePicture(model, tokens, about, { edits: [], signal, onProgress });
      const picture = edits.length > 0 ? await takePicture(model, tokens, about, { edits, signal, onProgress }) : plain;
      this.#show(picture, plain);
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

  /** Takes up a prompt as it was left: at once, or with the next model that opens; `first` is called just before. */
  restore(saved: SavedPrompt, first: () => void = () => undefined): void {
    this.#saved = { ...saved, first };
    if (this.#model) this.#useSaved(this.#model);
  }

  #useSaved(model: Model): void {
    const saved = this.#saved;
    if (!saved) return;
    this.#saved = undefined;
    this.#stop();
    const { layers, heads, vocab, name } = model.info;
    const [layer, head] = saved.head;
    this.#text = saved.text;
    this.#head = { layer: Math.min(layer, layers - 1), head: Math.min(head, heads - 1) };
    this.#locked = saved.locked ? this.#head : null;
    this.#tokens = [];
    saved.first();
    // Ids mean the same only in the same model; elsewhere the text is split anew.
    if (saved.model === name && saved.ids.length > 0 && saved.ids.every((id) => id < vocab)) {
      this.#tokens = saved.ids.map((id) => ({ id, text: '', display: '', bytes: [], special: false }));
      this.#check();
      // Nobody is told before it runs: the picture there is may be of the same tokens and other changes.
      void this.run();
      this.changed();
    } else {
      void this.#tokenizeAndRun();
    }
  }

  /** Shows a picture that was not computed just now: one recorded when the site was built. */
  showRecorded(text: string, picture: Picture): void {
    this.#text = this.#first = text;
    this.#tokens = picture.tokens;
    this.#show(picture, picture);
    this.#recorded = true;
    this.changed();
  }

  #show(picture: Picture, plain: Picture): void {
    this.#picture = picture;
    this.#plain = plain;
    this.#recorded = false;
    this.#version += 1;
    // Tokens that were known by their ids alone have their text now.
    if (sameTokens(this.#tokens, picture.tokens)) this.#tokens = picture.tokens;
  }

  /** The model itself has become another one: nothing drawn before is of it. */
  #anew(): void {
    this.#adapted = this.session.adapted;
    this.#plain = undefined;
    void this.run();
  }

  #adopt(model: Model | undefined): void {
    this.#adapted = this.session.adapted;
    const hadTokenizer = this.#model ? this.#model.info.tokenizer !== null : undefined;
    this.#stop();
    this.#model = model;
    if (!this.#recorded) this.#picture = this.#plain = undefined;
    if (!this.#recorded) this.#tokens = [];
    this.#problem = '';
    this.#head = { layer: firstWithHeads(model), head: 0 };
    this.#preview = null;
    this.#locked = null;
    if (model && this.#saved) {
      this.#auto = model.info.parameters <= SMALL;
      this.#useSaved(model);
    } else if (model) {
      const { tokenizer, parameters } = model.info;
      this.#auto = parameters <= SMALL;
      const unchanged = this.#text.trim() === '' || this.#text === this.#first;
      const fresh = !this.#recorded && (unchanged || hadTokenizer !== (tokenizer !== null));
      if (fresh) {
        this.#text = this.#first = tokenizer === null ? formatIds(firstIds(model.info)) : FIRST_TEXT;
      }
      // The first picture is drawn whatever the model's size: it is what the model was opened for.
      const ready = fresh && tokenizer !== null ? this.#shortenFirst(model) : Promise.resolve();
      void ready.then(() => this.#tokenizeAndRun());
    }
    this.changed();
  }

  /** Makes the first text fit half the context of a model whose context is small. */
  async #shortenFirst(model: Model): Promise<void> {
    const text = await firstText(model);
    if (this.#model === model && this.#text === this.#first) this.#text = this.#first = text;
  }

  async #tokenizeAndRun(): Promise<void> {
    if (await this.#tokenize()) await this.run();
  }

  /** Splits the text; false where it could not be, or was no longer the text when that was done. */
  async #tokenize(): Promise<boolean> {
    const model = this.#model;
    if (!model) return false;
    this.#stop();
    const controller = new AbortController();
    this.#typing = controller;
    try {
      const tokens = await tokensOf(model, this.#text, controller.signal);
      if (controller.signal.aborted) return false;
      this.#problem = '';
      this.#tokens = tokens;
      this.#check();
      if (tokens.length === 0) this.#picture = this.#plain = undefined;
      if (this.#auto) this.#schedule(() => this.run(), RUN_AFTER_MS);
      return true;
    } catch (error) {
      if (isAbort(error)) return false;
      if (error instanceof IdProblem) this.#problem = error.message;
      else this.session.report(error);
      return false;
    } finally {
      // Unless the text has changed meanwhile.
      if (this.#typing === controller) {
        this.#typing = undefined;
        this.changed();
      }
    }
  }

  #check(): void {
    const context = this.#model?.info.context ?? 0;
    const length = this.#tokens.length;
    this.#problem =
      context > 0 && length > context ? t('prompt.long', { length, context }) : '';
  }

  #stop(): void {
    this.#unschedule();
    this.#typing?.abort();
    this.#typing = undefined;
    this.#run?.abort();
  }

  #unschedule(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(task: () => Promise<unknown>, ms: number): void {
    this.#unschedule();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void task();
    }, ms);
  }
}

/** The first layer that has attention to look at. */
function firstWithHeads(model: Model | undefined): number {
  if (!model) return 0;
  const { layers, convolutions } = model.info;
  const first = Array.from({ length: layers }, (_, layer) => layer).find((layer) => !convolutions.includes(layer));
  return first ?? 0;
}

function sameTokens(a: readonly Token[], b: readonly Token[]): boolean {
  return a.length === b.length && a.every(({ id }, at) => id === b[at]?.id);
}
