import { css } from 'lit';

/** What pictures on a canvas share: the canvas itself, and the rings around the cell that is pointed at or locked. */
export const canvasStyles = css`
  canvas {
    display: block;
  }
  .ring {
    position: absolute;
    top: 0;
    left: 0;
    width: var(--w);
    height: var(--h);
    transform: translate(var(--x), var(--y));
    border-radius: 2px;
    outline: 2px solid var(--ink);
    pointer-events: none;
  }
  .ring.locked {
    outline: 3px solid var(--accent);
    box-shadow: 0 0 0 4px var(--surface);
  }
`;

/** Where a ring is, in CSS pixels, as the value of a style. */
export function ringAt(x: number, y: number, width: number, height: number): string {
  return `--x:${x}px;--y:${y}px;--w:${width}px;--h:${height}px`;
}
