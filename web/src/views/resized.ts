import type { ReactiveController, ReactiveControllerHost } from 'lit';

/** Tells a view when its box has got another size. */
export class Resized implements ReactiveController {
  readonly #observer: ResizeObserver;

  constructor(
    private readonly host: ReactiveControllerHost & Element,
    changed: () => void,
  ) {
    this.#observer = new ResizeObserver(changed);
    host.addController(this);
  }

  hostConnected(): void {
    this.#observer.observe(this.host);
  }

  hostDisconnected(): void {
    this.#observer.disconnect();
  }
}
