/** A heat map on a canvas and as SVG. */
import { clip } from './glyphs.js';
import { columnAt, rowAt, sizeOf, type HeatLayout } from './heat-layout.js';
import type { Ramp } from './ramp.js';
import { rect, text, type SvgPicture } from './svg.js';

export interface HeatPaint {
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  readonly values: ArrayLike<number>;
  readonly words?: readonly string[];
  readonly crossed?: ReadonlySet<number>;
  readonly layout: HeatLayout;
  readonly ramp: Ramp;
  readonly limit: number;
  readonly signed: boolean;
  readonly ink: string;
  readonly mono: string;
}

const CHARACTER = 6.7;
/** Space that a label needs not to touch the next. */
const LABEL = 12;
const TYPE = 11;

/** Where a value is on the ramp, from 0 to 1. */
export function placeOf(value: number, limit: number, signed: boolean): number {
  const share = Math.min(1, Math.max(-1, value / limit));
  return signed ? (share + 1) / 2 : Math.max(0, share);
}

export function paintHeat(context: CanvasRenderingContext2D, paint: HeatPaint): void {
  const { layout, ramp, limit, signed, ink, mono } = paint;
  const { cellWidth, cellHeight } = layout;
  const gap = cellWidth > 8 && cellHeight > 8 ? 1 : 0;
  context.textBaseline = 'middle';
  context.direction = 'ltr';
  context.font = `${TYPE * layout.type}px ${mono}`;
  for (let row = 0; row < layout.rows; row++) {
    const y = rowAt(layout, row);
    for (let column = 0; column < layout.columns; column++) {
      const at = row * layout.columns + column;
      const value = paint.values[at] ?? Number.NaN;
      if (Number.isNaN(value)) continue;
      const place = placeOf(value, limit, signed);
      const x = columnAt(layout, column);
      context.fillStyle = ramp.css(place);
      context.fillRect(x, y, cellWidth - gap, cellHeight - gap);
      const word = paint.words?.[at];
      if (word) {
        context.fillStyle = ramp.ink(place);
        context.textAlign = 'center';
        context.fillText(clip(word, wordLength(cellWidth, layout.type)), x + cellWidth / 2, y + cellHeight / 2, cellWidth - 4);
      }
      if (paint.crossed?.has(at)) cross(context, x, y, cellWidth - gap, cellHeight - gap, ramp.ink(place));
    }
  }
  context.fillStyle = ink;
  paintLabels(context, paint);
}

function cross(context: CanvasRenderingContext2D, x: number, y: number, width: number, height: number, colour: string): void {
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(x + 3, y + 3);
  context.lineTo(x + width - 3, y + height - 3);
  context.moveTo(x + width - 3, y + 3);
  context.lineTo(x + 3, y + height - 3);
  context.stroke();
}

function paintLabels(context: CanvasRenderingContext2D, { layout, rows, columns }: HeatPaint): void {
  const { left, top, cellWidth, cellHeight, turned, type } = layout;
  context.textAlign = 'right';
  for (let row = 0; row < rows.length; row += every(cellHeight, type)) {
    context.fillText(rows[row] ?? '', left - 6, rowAt(layout, row) + cellHeight / 2, left - 8);
  }
  for (let column = 0; column < columns.length; column += every(cellWidth, type)) {
    const x = columnAt(layout, column) + cellWidth / 2;
    context.save();
    context.translate(x, turned ? top - 5 : top / 2);
    if (turned) context.rotate(-Math.PI / 2);
    context.textAlign = turned ? 'left' : 'center';
    context.fillText(columns[column] ?? '', 0, 0, turned ? top - 8 : cellWidth);
    context.restore();
  }
}

function every(extent: number, type: number): number {
  return Math.max(1, Math.ceil((LABEL * type) / extent));
}

function wordLength(width: number, type: number): number {
  return Math.max(2, Math.floor((width - 4) / (CHARACTER * type)));
}

export function svgOfHeat(paint: HeatPaint): SvgPicture {
  const { layout, ramp, limit, signed, ink } = paint;
  const { cellWidth, cellHeight, left, top, turned, type } = layout;
  const size = TYPE * type;
  const parts: string[] = [];
  for (let row = 0; row < layout.rows; row++) {
    for (let column = 0; column < layout.columns; column++) {
      const at = row * layout.columns + column;
      const value = paint.values[at] ?? Number.NaN;
      if (Number.isNaN(value)) continue;
      const place = placeOf(value, limit, signed);
      const x = columnAt(layout, column);
      const y = rowAt(layout, row);
      parts.push(rect(x, y, cellWidth - 1, cellHeight - 1, ramp.css(place)));
      const word = paint.words?.[at] ?? (paint.crossed?.has(at) ? '×' : '');
      if (word !== '') {
        const style = { fill: ramp.ink(place), anchor: 'middle', mono: true, size } as const;
        parts.push(text(x + cellWidth / 2, y + cellHeight / 2, clip(word, wordLength(cellWidth, type)), style));
      }
    }
  }
  paint.rows.forEach((label, row) => {
    if (row % every(cellHeight, type) === 0) parts.push(text(left - 6, rowAt(layout, row) + cellHeight / 2, label, { fill: ink, anchor: 'end', size }));
  });
  paint.columns.forEach((label, column) => {
    if (column % every(cellWidth, type) !== 0) return;
    const x = columnAt(layout, column) + cellWidth / 2;
    parts.push(turned ? text(x, top - 5, label, { fill: ink, turn: -90, size }) : text(x, top / 2, label, { fill: ink, anchor: 'middle', size }));
  });
  return { ...sizeOf(layout), body: parts.join('') };
}
