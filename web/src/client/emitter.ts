/** @internal A typed set of listeners; a listener that throws does not keep the others from hearing. */
export class Emitter<Events> {
  readonly #listeners = new Map<keyof Events, Set<(value: never) => void>>();

  on<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void): () => void {
    const set = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, set);
    set.add(listener);
    return () => set.delete(listener);
  }

  emit<Name extends keyof Events>(name: Name, value: Events[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        (listener as (value: Events[Name]) => void)(value);
      } catch (error) {
        reportLater(error);
      }
    }
  }
}

/** Lets the host's own error reporting see what a listener threw. */
function reportLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
