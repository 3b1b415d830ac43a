import type { ReactiveController, ReactiveControllerHost } from 'lit';

/** A cell of a heat map. */
export interface Cell {
  readonly row: number;
  readonly column: number;
}

/** What a {@link CellCursor} asks of its view. */
export interface CellSpace {
  readonly rows: number;
  /** How many cells of a row can be looked at; the masked future cannot. */
  width(row: number): number;
}

/**
 * The cursor of a heat map: hovering previews a cell, a click (or Enter) locks it, Escape releases it, and arrow keys
 * move it. It knows cells, not pixels; the view tells it which cell a pointer is over. Bind it to the element that is
 * pointed at with `ref(cursor.surface)`.
 */
export class CellCursor implements ReactiveController {
  #hover: Cell | null = null;
  #locked: Cell | null = null;
  #keyboard: Cell | null = null;
  #surface: HTMLElement | undefined;

  constructor(
    private readonly host: ReactiveControllerHost,
    private readonly space: () => CellSpace,
    private readonly changed: (cursor: CellCursor) => void,
    private readonly cellAt: (event: MouseEvent) => Cell | null = () => null,
  ) {
    host.addController(this);
  }

  hostDisconnected(): void {
    this.#hover = null;
    this.#keyboard = null;
  }

  /** Takes the element that is pointed at, for Lit's `ref`; undefined when it is gone. */
  readonly surface = (element: Element | undefined): void => {
    const next = element as HTMLElement | undefined;
    if (next === this.#surface) return;
    this.#listen(this.#surface, 'removeEventListener');
    this.#surface = next;
    this.#listen(next, 'addEventListener');
  };

  /** The cell to show: what is hovered or under the keyboard, else what is locked. */
  get cell(): Cell | null {
    return this.#hover ?? this.#keyboard ?? this.#locked;
  }

  get locked(): Cell | null {
    return this.#locked;
  }

  /** Sets the locked cell from outside, without telling anyone. */
  lock(cell: Cell | null): void {
    if (same(cell, this.#locked)) return;
    this.#locked = cell;
    this.#keyboard = null;
    this.host.requestUpdate();
  }

  /** Forgets everything, for new data. */
  reset(): void {
    this.#hover = null;
    this.#keyboard = null;
    this.#locked = null;
    this.host.requestUpdate();
  }

  hover(cell: Cell | null): void {
    const next = this.#seen(cell);
    if (same(next, this.#hover)) return;
    this.#hover = next;
    this.#tell();
  }

  /** Locks a cell; the locked one again releases it. */
  click(cell: Cell | null): void {
    if (!this.#seen(cell)) return;
    this.#locked = same(cell, this.#locked) ? null : cell;
    this.#keyboard = null;
    this.#tell();
  }

  /** A tap previews and locks at once, and never releases: there is no hover to show it otherwise. */
  tap(cell: Cell | null): void {
    if (!this.#seen(cell)) return;
    this.#hover = null;
    this.#keyboard = null;
    this.#locked = cell;
    this.#tell();
  }

  /** Drops the keyboard's preview when focus leaves. */
  blur(): void {
    if (!this.#keyboard) return;
    this.#keyboard = null;
    this.#tell();
  }

  /** Handles a key; returns whether it was one of the cursor's. */
  key(event: KeyboardEvent): boolean {
    if (event.altKey || event.metaKey) return false;
    if (event.key === 'Escape') return this.#release();
    const space = this.space();
    if (space.rows === 0) return false;
    const from = this.#keyboard ?? this.#locked ?? { row: 0, column: 0 };
    if (event.key === 'Enter' || event.key === ' ') {
      this.click(from);
      return true;
    }
    const to = target(event, from, space);
    if (!to) return false;
    // The first arrow shows where the cursor is; the next ones move it.
    const started = this.#keyboard !== null || this.#locked !== null;
    this.#hover = null;
    this.#keyboard = started ? to : from;
    this.#tell();
    return true;
  }

  #listen(surface: HTMLElement | undefined, method: 'addEventListener' | 'removeEventListener'): void {
    surface?.[method]('pointermove', this.#onPointer as EventListener);
    surface?.[method]('pointerleave', this.#onLeave);
    surface?.[method]('click', this.#onClick as EventListener);
    surface?.[method]('keydown', this.#onKey as EventListener);
    surface?.[method]('blur', this.#onBlur);
  }

  readonly #onPointer = (event: PointerEvent): void => {
    if (event.pointerType !== 'touch') this.hover(this.cellAt(event));
  };

  readonly #onLeave = (): void => {
    this.hover(null);
  };

  readonly #onClick = (event: PointerEvent): void => {
    const cell = this.cellAt(event);
    if (event.pointerType === 'touch') this.tap(cell);
    else this.click(cell);
  };

  readonly #onKey = (event: KeyboardEvent): void => {
    if (this.key(event)) event.preventDefault();
  };

  readonly #onBlur = (): void => {
    this.blur();
  };

  #seen(cell: Cell | null): Cell | null {
    if (!cell || cell.row < 0 || cell.column < 0) return null;
    const space = this.space();
    return cell.row < space.rows && cell.column < space.width(cell.row) ? cell : null;
  }

  #release(): boolean {
    if (!this.#hover && !this.#keyboard && !this.#locked) return false;
    this.reset();
    this.#tell();
    return true;
  }

  #tell(): void {
    this.host.requestUpdate();
    this.changed(this);
  }
}

function target(event: KeyboardEvent, { row, column }: Cell, space: CellSpace): Cell | undefined {
  const whole = event.ctrlKey;
  const far = 8;
  const at = (r: number, c: number): Cell => {
    const inside = Math.min(space.rows - 1, Math.max(0, r));
    return { row: inside, column: Math.min(space.width(inside) - 1, Math.max(0, c)) };
  };
  switch (event.key) {
    case 'ArrowUp':
      return at(row - 1, column);
    case 'ArrowDown':
      return at(row + 1, column);
    case 'ArrowLeft':
      return at(row, column - 1);
    case 'ArrowRight':
      return at(row, column + 1);
    case 'PageUp':
      return at(row - far, column);
    case 'PageDown':
      return at(row + far, column);
    case 'Home':
      return at(whole ? 0 : row, 0);
    case 'End':
      return at(whole ? space.rows - 1 : row, Number.MAX_SAFE_INTEGER);
    default:
      return undefined;
  }
}

function same(a: Cell | null, b: Cell | null): boolean {
  return a === b || (a !== null && b !== null && a.row === b.row && a.column === b.column);
}

/** The option of a list that a pointer is over, as a cell of its one row; options say where they are by `data-at`. */
export function optionAt(event: MouseEvent): Cell | null {
  const [target] = event.composedPath();
  const option = target instanceof Element ? target.closest<HTMLElement>('[data-at]') : null;
  return option ? { row: 0, column: Number(option.dataset['at']) } : null;
}
