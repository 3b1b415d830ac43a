import { DEFAULT_SAMPLER, type Finish, type Sampler, type Step, type Timing, type Token } from '../client/index.js';
import { t } from '../views/text.js';
import type { Edits } from './edits.js';
import type { Inspection } from './inspection.js';
import type { Session } from './session.js';
import { Store } from './store.js';

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

  discard(): void {
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

  async run(): Promise<void> {
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
      const { maxNewTokens, sampler } = this;
      const { signal } = controller;
      const steps = model.generate({ tokens, maxNewTokens, sampler, edits: this.edits.specs, topN: 20, signal });
      let next = await steps.next();
      for (; !next.done; next = await steps.next()) {
        if (controller.signal.aborted) continue;
        this.#steps = [...this.#steps, next.value];
        this.#timing = next.value.timing;
        this.changed();
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
