import type { ReactiveController, ReactiveControllerHost } from 'lit';

/** State that elements watch: it says when it has changed, they render it again. */
export class Store {
  readonly #watchers = new Set<() => void>();

  /** Calls back after every change, until the returned function is called. */
  subscribe(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  protected changed(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}

/** Renders an element again when one of its stores changes. */
export class Watch implements ReactiveController {
  #unsubscribe: (() => void)[] = [];

  constructor(
    private readonly host: ReactiveControllerHost,
    private readonly stores: () => readonly (Store | undefined)[],
  ) {
    host.addController(this);
  }

  hostConnected(): void {
    this.#subscribe();
  }

  /** Subscribes anew, where the stores are properties that have been set since. */
  hostUpdate(): void {
    if (this.#unsubscribe.length === 0) this.#subscribe();
  }

  hostDisconnected(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#unsubscribe = [];
  }

  #subscribe(): void {
    this.#unsubscribe = this.stores()
      .filter((store) => store !== undefined)
      .map((store) =>
        store.subscribe(() => {
          this.host.requestUpdate();
        }),
      );
  }
}
