/** What the two heat maps share: crisp canvases and the pointer's place on them. */

/** Device pixels to a CSS pixel, capped where more would cost memory and show nothing. */
export function pixelRatio(): number {
  return Math.min(2, Math.max(1, globalThis.devicePixelRatio || 1));
}

/** Sizes a canvas in CSS pixels; returns its context scaled to device pixels, or null where there is none. */
export function sizeCanvas(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D | null {
  const ratio = pixelRatio();
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  // CSSOM, not a style attribute: the page's policy allows no inline style.
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  return canvas.getContext('2d');
}

/** Where a pointer is within an element, in CSS pixels. */
export function pointIn(element: Element, event: MouseEvent): { x: number; y: number } {
  const box = element.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

/**
 * Does work item by item, a few milliseconds a frame, so that the page never stalls. Returns a function that stops it.
 */
export function inSlices(items: number, work: (item: number) => void, done: () => void, budgetMs = 7): () => void {
  let next = 0;
  let frame = requestAnimationFrame(function slice() {
    const until = performance.now() + budgetMs;
    while (next < items && performance.now() < until) work(next++);
    if (next < items) frame = requestAnimationFrame(slice);
    else done();
  });
  return () => {
    cancelAnimationFrame(frame);
  };
}
