import { Store } from './store.js';

const MOST = 100;

/** What was before, to go back to and forth again. Equal states are one. */
export class History<State> extends Store {
  #past: string[] = [];
  #now: string | undefined;
  #future: string[] = [];

  get canUndo(): boolean {
    return this.#past.length > 0;
  }
  get canRedo(): boolean {
    return this.#future.length > 0;
  }

  /** Remembers how things are now. */
  record(state: State): void {
    const next = JSON.stringify(state);
    if (next === this.#now) return;
    if (this.#now !== undefined) this.#past = [...this.#past, this.#now].slice(-MOST);
    this.#now = next;
    this.#future = [];
    this.changed();
  }

  undo(): State | undefined {
    return this.#move(this.#past, this.#future);
  }

  redo(): State | undefined {
    return this.#move(this.#future, this.#past);
  }

  /** Forgets everything: another model has another past. */
  clear(): void {
    this.#past = [];
    this.#future = [];
    this.#now = undefined;
    this.changed();
  }

  #move(from: string[], to: string[]): State | undefined {
    const state = from.pop();
    if (state === undefined) return undefined;
    if (this.#now !== undefined) to.push(this.#now);
    this.#now = state;
    this.changed();
    return JSON.parse(state) as State;
  }
}
