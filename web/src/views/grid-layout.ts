/** Where the heads of a model stand in their grid, in CSS pixels. */
import type { HeadIndex } from './types.js';

const GAP = 2;
const GROUP_GAP = 7;
const GUTTER = { left: 26, top: 18 };
const LARGEST = 76;
const SMALLEST = 3;
/** Below this a thumbnail shows no pattern, so tall models scroll rather than shrink further. */
export const LEGIBLE = 20;
/** Share of the window's height the grid tries to fit in. */
const SHARE = 0.66;

/** A place on the canvas. */
export interface Place {
  readonly x: number;
  readonly y: number;
}

export interface GridShape {
  readonly layers: number;
  readonly heads: number;
  /** How many heads stand together; 1 where each stands alone. */
  readonly group: number;
}

/** A laid-out grid: thumbnails of one side, layers downwards, heads to the right. */
export class GridLayout {
  readonly side: number;
  readonly width: number;
  readonly height: number;
  /** Space for the numbers of layers and heads. */
  readonly left: number;
  readonly top: number;

  /** Fits a grid into a width and a share of the window's height; `type` is how large type is. */
  constructor(
    private readonly shape: GridShape,
    room: { readonly width: number; readonly windowHeight: number; readonly type: number },
  ) {
    const { layers, heads, group } = shape;
    this.left = GUTTER.left * room.type;
    this.top = GUTTER.top * room.type;
    const gaps = group > 1 ? (Math.ceil(heads / group) - 1) * GROUP_GAP : 0;
    const byWidth = Math.floor((room.width - this.left - gaps) / heads) - GAP;
    const byHeight = Math.floor((room.windowHeight * SHARE) / layers) - GAP;
    this.side = Math.max(SMALLEST, Math.min(LARGEST, byWidth, Math.max(LEGIBLE, byHeight)));
    this.width = this.left + heads * this.pitch + gaps;
    this.height = this.top + layers * this.pitch;
  }

  /** From one thumbnail to the next. */
  get pitch(): number {
    return this.side + GAP;
  }

  /** Upper left corner of a head's thumbnail. */
  origin({ layer, head }: HeadIndex): Place {
    const { group } = this.shape;
    const gap = group > 1 ? Math.floor(head / group) * GROUP_GAP : 0;
    return { x: this.left + head * this.pitch + gap, y: this.top + layer * this.pitch };
  }

  /** Width of a layer's thumbnails together. */
  get row(): number {
    return this.origin({ layer: 0, head: this.shape.heads - 1 }).x + this.side - this.left;
  }

  /** The head at a place, or null between and outside of them; its layer may be one too many. */
  at({ x, y }: Place): HeadIndex | null {
    const layer = Math.floor((y - this.top) / this.pitch);
    if (layer < 0) return null;
    for (let head = 0; head < this.shape.heads; head++) {
      const start = this.origin({ layer: 0, head }).x;
      if (x >= start && x < start + this.pitch) return { layer, head };
    }
    return null;
  }
}
