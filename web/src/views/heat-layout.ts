/** Where the cells of a heat map are, in CSS pixels. */
import type { Cell } from './cell-cursor.js';

export interface HeatLayout {
  /** Space for the labels of rows and of columns. */
  readonly left: number;
  readonly top: number;
  readonly cellWidth: number;
  readonly cellHeight: number;
  /** Further space after every so many columns; 0 for none. */
  readonly group: number;
  readonly rows: number;
  readonly columns: number;
  /** Whether column labels stand upright. */
  readonly turned: boolean;
  /** How large type is; 1 where the page's is 16 pixels. */
  readonly type: number;
}

export interface HeatShape {
  readonly rows: number;
  readonly columns: number;
  /** Longest labels, in characters. */
  readonly rowLabel: number;
  readonly columnLabel: number;
  readonly group: number;
  /** Whether cells hold words, which need room. */
  readonly words: boolean;
}

const CHARACTER = 6.7;
const GROUP_GAP = 7;
const LARGEST = { width: 64, height: 30 };
const SMALLEST = { width: 3, height: 9 };
const WORD = { least: 54, most: 96, height: 24 };

/** Fits a heat map into a width; cells that would be too small make it wider than that. */
export function layOut(shape: HeatShape, width: number, type = 1): HeatLayout {
  const left = Math.min(120, 14 + shape.rowLabel * CHARACTER) * type;
  const gaps = shape.group > 0 ? (Math.ceil(shape.columns / shape.group) - 1) * GROUP_GAP : 0;
  const share = Math.max(0, width - left - gaps - 1) / Math.max(1, shape.columns);
  const least = shape.words ? WORD.least * type : SMALLEST.width;
  const most = (shape.words ? WORD.most : LARGEST.width) * type;
  const cellWidth = Math.min(most, Math.max(least, share));
  const turned = shape.columnLabel * CHARACTER * type + 4 > cellWidth;
  const top = (turned ? Math.min(84, 10 + shape.columnLabel * CHARACTER) : 20) * type;
  const rows = Math.max(1, shape.rows);
  const high = Math.max(cellWidth * 0.8, Math.min(18 * type, 240 / rows));
  const cellHeight = shape.words ? WORD.height * type : Math.max(SMALLEST.height * type, Math.min(LARGEST.height * type, high, 420 / rows));
  return { left, top, cellWidth, cellHeight, group: shape.group, rows: shape.rows, columns: shape.columns, turned, type };
}

/** Left edge of a column. */
export function columnAt({ left, cellWidth, group }: HeatLayout, column: number): number {
  return left + column * cellWidth + (group > 0 ? Math.floor(column / group) * GROUP_GAP : 0);
}

/** Upper edge of a row. */
export function rowAt({ top, cellHeight }: HeatLayout, row: number): number {
  return top + row * cellHeight;
}

export function sizeOf(layout: HeatLayout): { width: number; height: number } {
  return { width: columnAt(layout, layout.columns - 1) + layout.cellWidth + 1, height: rowAt(layout, layout.rows) + 1 };
}

/** The cell at a point, or null between and outside of cells. */
export function cellAtPoint(layout: HeatLayout, x: number, y: number): Cell | null {
  const row = Math.floor((y - layout.top) / layout.cellHeight);
  if (row < 0 || row >= layout.rows) return null;
  const guess = Math.floor((x - layout.left) / layout.cellWidth);
  for (let column = Math.min(guess, layout.columns - 1); column >= 0; column--) {
    const start = columnAt(layout, column);
    if (x < start) continue;
    return x < start + layout.cellWidth ? { row, column } : null;
  }
  return null;
}
