import type { ReactiveController, ReactiveControllerHost } from 'lit';
import { fromDrop, modelFiles } from './files.js';

/** Takes model files that are dropped anywhere on the page. */
export class DropZone implements ReactiveController {
  /** Whether files are held over the page. */
  over = false;
  /** Leaving one child of the page enters another, so entries are counted. */
  #depth = 0;

  constructor(
    private readonly host: ReactiveControllerHost,
    private readonly opened: (files: File[]) => void,
    private readonly failed: (error: unknown) => void,
  ) {
    host.addController(this);
  }

  hostConnected(): void {
    document.addEventListener('dragenter', this.#onEnter);
    document.addEventListener('dragover', this.#onOver);
    document.addEventListener('dragleave', this.#onLeave);
    document.addEventListener('drop', this.#onDrop);
  }

  hostDisconnected(): void {
    document.removeEventListener('dragenter', this.#onEnter);
    document.removeEventListener('dragover', this.#onOver);
    document.removeEventListener('dragleave', this.#onLeave);
    document.removeEventListener('drop', this.#onDrop);
  }

  readonly #onEnter = (event: DragEvent): void => {
    if (!holdsFiles(event)) return;
    this.#depth += 1;
    this.#set(true);
  };
  readonly #onOver = (event: DragEvent): void => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = 'copy';
  };
  readonly #onLeave = (event: DragEvent): void => {
    if (!holdsFiles(event)) return;
    this.#depth -= 1;
    if (this.#depth <= 0) this.#end();
  };
  readonly #onDrop = (event: DragEvent): void => {
    if (!holdsFiles(event) || !event.dataTransfer) return;
    event.preventDefault();
    this.#end();
    void this.#open(event.dataTransfer);
  };

  #end(): void {
    this.#depth = 0;
    this.#set(false);
  }

  #set(over: boolean): void {
    if (over === this.over) return;
    this.over = over;
    this.host.requestUpdate();
  }

  async #open(transfer: DataTransfer): Promise<void> {
    try {
      this.opened(modelFiles(await fromDrop(transfer)));
    } catch (error) {
      this.failed(error);
    }
  }
}

function holdsFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes('Files') ?? false;
}
