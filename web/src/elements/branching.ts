import type { Token } from '../client/index.js';
import { along, grow, leaves, type Branch, type Way } from './branches.js';
import type { Edits } from './edits.js';
import type { Inspection } from './inspection.js';
import type { Session } from './session.js';
import { Store } from './store.js';

/** A tree as it is kept: the ids of every text in it, and of the way that is looked at. */
export interface SavedTree {
  readonly texts: readonly (readonly number[])[];
  readonly at: readonly number[];
}

const NOTHING: SavedTree = { texts: [], at: [] };

/** The tree of continuations of the prompt. With another prompt it ends; with other changes it is read anew. */
export class Branching extends Store {
  #roots: readonly Branch[] = [];
  #way: Way = [];
  #prompt = '';
  #version = -1;
  #waiting: SavedTree | null = null;
  #work: AbortController | undefined;

  constructor(
    private readonly session: Session,
    private readonly inspection: Inspection,
    private readonly edits: Edits,
  ) {
    super();
    inspection.subscribe(() => {
      this.#follow();
    });
  }

  get roots(): readonly Branch[] {
    return this.#roots;
  }
  /** The way that is looked at; empty at the prompt itself. */
  get way(): Way {
    return this.#way;
  }
  get here(): readonly Branch[] {
    return along(this.#roots, this.#way);
  }
  /** Whether the model is at work on the tree. */
  get busy(): boolean {
    return this.#work !== undefined;
  }
  /** The tree as it is kept; one that waits for its prompt counts as there. */
  get saved(): SavedTree {
    if (this.#waiting) return this.#waiting;
    if (!this.inspection.settled) return NOTHING;
    const texts = leaves(this.#roots).map(({ branches }) => branches.map(({ token }) => token.id));
    return { texts, at: this.here.map(({ token }) => token.id) };
  }

  go(way: Way): void {
    this.#way = way;
    this.changed();
  }

  /** Goes on from here with a token whose probability is known. */
  add(token: Token, probability: number): void {
    const grown = grow(this.#roots, this.#way, [{ token, probability }]);
    this.#roots = grown.roots;
    this.#way = grown.way;
    this.changed();
  }

  /** Lets the model go on from here, always with its most probable token. */
  ahead(count: number): Promise<void> {
    return this.#at(async (signal) => {
      const { model } = this.session;
      if (!model) return;
      const tokens = [...this.#ids(), ...this.here.map(({ token }) => token.id)];
      const options = { tokens, maxNewTokens: count, sampler: { greedy: true }, edits: this.edits.specs, topN: 1, signal };
      for await (const step of model.generate(options)) {
        if (signal.aborted) return;
        this.add(step.token, step.top.raw[0]?.probability ?? Number.NaN);
      }
    });
  }

  /** Takes a text in, from the prompt on; how probable its tokens are is read from the model. */
  take(ids: readonly number[]): Promise<void> {
    return this.#read({ texts: [ids], at: ids }, this.#roots);
  }

  /** Brings a kept tree back, once its prompt is there. */
  restore(saved: SavedTree): void {
    this.#waiting = saved;
    this.#follow();
    this.changed();
  }

  #ids(): number[] {
    return (this.inspection.picture?.tokens ?? []).map(({ id }) => id);
  }

  #follow(): void {
    const { picture, version, settled } = this.inspection;
    if (!picture) this.#forget();
    if (!settled) return;
    const prompt = this.#ids().join();
    const waiting = this.#waiting;
    if (version === this.#version && !waiting) return;
    const kept = waiting ?? (prompt === this.#prompt ? this.saved : NOTHING);
    this.#version = version;
    this.#prompt = prompt;
    this.#waiting = null;
    this.#forget();
    if (kept.texts.length > 0) void this.#read(kept, []);
  }

  #forget(): void {
    if (this.#roots.length === 0 && !this.#work) return;
    this.#work?.abort();
    this.#roots = [];
    this.#way = [];
    this.changed();
  }

  /** Reads texts into a tree, with the model's probability of every token in them. */
  #read({ texts, at }: SavedTree, onto: readonly Branch[]): Promise<void> {
    return this.#at(async (signal) => {
      const { model } = this.session;
      const prompt = this.#ids();
      let roots = onto;
      for (const ids of texts) {
        if (!model) return;
        const tokens = [...prompt, ...ids];
        const read = await model.analysis.surprisal({ tokens, edits: this.edits.specs, top: 0, signal });
        const found = read.tokens.slice(prompt.length).map((token, i) => ({
          token,
          probability: read.expectations[prompt.length + i]?.probability ?? Number.NaN,
        }));
        ({ roots } = grow(roots, [], found));
      }
      this.#roots = roots;
      this.#way = wayOf(roots, at);
      this.changed();
    });
  }

  async #at(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.#work?.abort();
    const controller = new AbortController();
    this.#work = controller;
    this.changed();
    try {
      await work(controller.signal);
    } catch (error) {
      this.session.report(error);
    } finally {
      if (this.#work === controller) {
        this.#work = undefined;
        this.changed();
      }
    }
  }
}

/** The way that ids take through a tree, as far as the tree has them. */
function wayOf(roots: readonly Branch[], ids: readonly number[]): Way {
  const way: number[] = [];
  let here = roots;
  for (const id of ids) {
    const index = here.findIndex(({ token }) => token.id === id);
    const branch = here[index];
    if (!branch) break;
    way.push(index);
    here = branch.children;
  }
  return way;
}
