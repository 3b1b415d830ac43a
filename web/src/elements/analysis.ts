import { isAbort, type Session } from './session.js';
import { Store } from './store.js';

/**
 * Something computed for the picture that is on the screen. Panels say what they want; it is computed once, again when
 * they want something else, and what was there stays until the new result has come.
 */
export class Analysis<Wish, Result> extends Store {
  #wanted = '';
  #result: Result | undefined;
  #of = '';
  #controller: AbortController | undefined;
  #failed = false;

  constructor(
    private readonly session: Session,
    private readonly compute: (wish: Wish, signal: AbortSignal, show: (result: Result) => void) => Promise<Result>,
  ) {
    super();
  }

  /** The last result; it may be of an earlier wish while a new one is computed. */
  get result(): Result | undefined {
    return this.#result;
  }
  get running(): boolean {
    return this.#controller !== undefined;
  }
  /** Whether what is shown belongs to what was wanted before. */
  get stale(): boolean {
    return this.#result !== undefined && this.#of !== this.#wanted;
  }
  /** Whether an error, which has been reported, left it without a result. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Wants a result. Equal wishes are one; `version` tells pictures apart. */
  want(version: number, wish: Wish): void {
    const name = `${version} ${JSON.stringify(wish)}`;
    if (name === this.#wanted) return;
    this.#wanted = name;
    this.#controller?.abort();
    const controller = new AbortController();
    this.#controller = controller;
    this.#failed = false;
    void this.#run(name, wish, controller);
  }

  /** Stops what is being computed and keeps what is there. */
  stop(): void {
    this.#controller?.abort();
  }

  /** Forgets everything. */
  clear(): void {
    this.stop();
    this.#wanted = '';
    this.#of = '';
    this.#result = undefined;
    this.#failed = false;
    this.changed();
  }

  async #run(name: string, wish: Wish, controller: AbortController): Promise<void> {
    // A rendering that wants something must have ended before others are told of it.
    await Promise.resolve();
    this.changed();
    const show = (result: Result): void => {
      if (this.#controller !== controller) return;
      this.#result = result;
      this.#of = name;
      this.changed();
    };
    try {
      show(await this.compute(wish, controller.signal, show));
    } catch (error) {
      if (this.#controller === controller && !isAbort(error)) {
        this.#failed = true;
        this.session.report(error);
      }
    } finally {
      if (this.#controller === controller) {
        this.#controller = undefined;
        this.changed();
      }
    }
  }
}
