import { DEFAULT_SAMPLER, type Finish, type Sampler, type Step, type Timing, type Token } from '../client/index.js';
import { t } from '../views/text.js';
import { editsOf, type Change, type Edits } from './edits.js';
import type { Inspection } from './inspection.js';
import type { Session } from './session.js';
import { Store } from './store.js';

/** How a text was generated: the same gives the same text again. */
export interface Made {
  readonly count: number;
  readonly sampler: Partial<Sampler>;
  readonly changes: readonly Change[];
  /** The token whose distribution is shown. */
  readonly locked: number | null;
}

const TOLD_EVERY_MS = 60;

type Ending = Finish['reason'] | 'failed';

/** The text a model goes on with, token by token, and how each token is drawn. */
export class Generation extends Store {
  #steps: readonly Step[] = [];
  #running = false;
  #ending: Ending | null = null;
  #timing: Timing | undefined;
  #controller: AbortController | undefined;
  #preview: number | null = null;
  #locked: number | null = null;
  #made: Pick<Made, 'sampler' | 'changes'> = { sampler: {}, changes: [] };
  #waiting: Made | null = null;
  #telling: ReturnType<typeof setTimeout> | undefined;
  sampler: Sampler = { ...DEFAULT_SAMPLER, temperature: 0.8, topK: 40, topP: 0.95, seed: 1 };
  maxNewTokens = 48;

  constructor(
    private readonly session: Session,
    private readonly inspection: Inspection,
    private readonly edits: Edits,
  ) {
    super();
    let model = session.model;
    session.subscribe(() => {
      if (session.model === model) return;
      model = session.model;
      this.discard();
      this.#timing = undefined;
    });
    inspection.subscribe(() => {
      this.#goOn();
    });
  }

  /** How what is shown was generated, or will be; null where nothing is. */
  get made(): Made | null {
    if (this.#waiting) return this.#waiting;
    return this.#steps.length === 0 ? null : { count: this.#steps.length, ...this.#made, locked: this.#locked };
  }

  get steps(): readonly Step[] {
    return this.#steps;
  }
  get running(): boolean {
    return this.#running;
  }
  /** Why it ended, in words; empty while it runs or has not begun. */
  get ending(): string {
    return this.#ending === null ? '' : t(`generate.${this.#ending}`);
  }
  get timing(): Timing | undefined {
    return this.#timing;
  }
  /** The step whose distribution is shown: previewed, locked, or the newest while it runs. */
  get shown(): number | null {
    return this.#preview ?? this.#locked ?? (this.#running && this.#steps.length > 0 ? this.#steps.length - 1 : null);
  }
  get locked(): number | null {
    return this.#locked;
  }

  configure(change: Partial<Sampler> & { maxNewTokens?: number }): void {
    const { maxNewTokens, ...sampler } = change;
    if (maxNewTokens !== undefined) this.maxNewTokens = maxNewTokens;
    this.sampler = { ...this.sampler, ...sampler };
    this.changed();
  }

  preview(step: number | null): void {
    this.#preview = step;
    this.changed();
  }

  lock(step: number | null): void {
    this.#locked = step;
    this.changed();
  }

  stop(): void {
    this.#controller?.abort();
  }

  /** Generates a text again, once its prompt is there; null takes away what there is. */
  restore(made: Made | null): void {
    if (JSON.stringify(made) === JSON.stringify(this.made)) return;
    this.discard();
    this.#waiting = made;
    this.#goOn();
  }

  #goOn(): void {
    const made = this.#waiting;
    if (!made || !this.inspection.settled) return;
    this.#waiting = null;
    void this.run(made).then(() => {
      if (made.locked !== null && made.locked < this.#steps.length) this.lock(made.locked);
    });
  }

  /** Tells of new tokens a few times a second: each that is told of is laid out and drawn. */
  #tellSoon(): void {
    if (this.#telling !== undefined) return;
    this.#telling = setTimeout(() => {
      this.#telling = undefined;
      this.changed();
    }, TOLD_EVERY_MS);
  }

  discard(): void {
    this.#waiting = null;
    this.stop();
    this.#steps = [];
    this.#ending = null;
    this.#preview = null;
    this.#locked = null;
    this.changed();
  }

  /** Makes what was generated part of the prompt. */
  keep(): void {
    const tokens: Token[] = this.#steps.map(({ token }) => token);
    this.discard();
    this.inspection.append(tokens);
  }

  /** Generates from the prompt on: as the page is set, or as a text was made before. */
  async run(again: Made | null = null): Promise<void> {
    const { model } = this.session;
    const tokens = this.inspection.tokens.map(({ id }) => id);
    if (!model || tokens.length === 0) return;
    this.discard();
    const controller = new AbortController();
    this.#controller = controller;
    this.#running = true;
    this.changed();
    let ending: Ending = 'aborted';
    try {
      const { signal } = controller;
      const sampler = { ...this.sampler, ...again?.sampler };
      const changes = again?.changes ?? this.edits.list;
      this.#made = { sampler, changes };
      const maxNewTokens = again?.count ?? this.maxNewTokens;
      const steps = model.generate({ tokens, maxNewTokens, sampler, edits: changes.flatMap(editsOf), topN: 20, signal });
      let next = await steps.next();
      for (; !next.done; next = await steps.next()) {
        if (controller.signal.aborted) continue;
        this.#steps = [...this.#steps, next.value];
        this.#timing = next.value.timing;
        this.#tellSoon();
      }
      ending = next.value.reason;
      this.#timing = next.value.timing;
    } catch (error) {
      if (!controller.signal.aborted) ending = 'failed';
      this.session.report(error);
    } finally {
      if (this.#controller === controller) {
        this.#controller = undefined;
        this.#running = false;
        this.#ending = this.#steps.length > 0 || ending !== 'aborted' ? ending : null;
        this.changed();
      }
    }
  }
}
