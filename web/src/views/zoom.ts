/** Zooming into a square matrix by whole cells. */
import type { Cell } from './cell-cursor.js';

/** A square part of a matrix: `count` rows and columns from `top` and `left`. */
export interface SquareWindow {
  readonly top: number;
  readonly left: number;
  readonly count: number;
}

const FEWEST = 8;

/** The whole of a matrix. */
export function fitWindow(size: number): SquareWindow {
  return { top: 0, left: 0, count: size };
}

/** A window with `factor` times as many cells a side, about a cell or its own middle. */
export function zoom(window: SquareWindow, factor: number, size: number, about: Cell | null): SquareWindow {
  const count = Math.min(size, Math.max(Math.min(FEWEST, size), Math.round(window.count * factor)));
  const row = about?.row ?? window.top + window.count / 2;
  const column = about?.column ?? window.left + window.count / 2;
  const start = (middle: number): number => Math.min(size - count, Math.max(0, Math.round(middle - count / 2)));
  return { top: start(row), left: start(column), count };
}

/** The window moved as little as needed to hold a cell. */
export function showCell(window: SquareWindow, { row, column }: Cell): SquareWindow {
  const top = hold(window.top, window.count, row);
  const left = hold(window.left, window.count, column);
  return top === window.top && left === window.left ? window : { ...window, top, left };
}

function hold(start: number, count: number, at: number): number {
  return at < start ? at : at >= start + count ? at - count + 1 : start;
}
