/** The page while the engine is at work: frames a second, and the longest time without one. Nothing else runs beside these tests. */
import type { Page } from '@playwright/test';
import { App } from './support/app.ts';
import { LARGE, largeModel } from './support/large.ts';
import { expect, test } from './support/test.ts';

const TOKENS = 512;
/** Frames a second. */
const FRAMES = 30;
/** Windows that are measured, and the length of each in milliseconds. */
const WINDOWS = 5;
const WINDOW = 2000;
/** A time without a frame that an eye sees as a halt, in milliseconds. */
const HALT = 150;

interface Frames {
  /** Frames a second. */
  readonly rate: number;
  /** Longest time without one, in milliseconds. */
  readonly worst: number;
  /** How often there was none for longer than {@link HALT}. */
  readonly halts: number;
}

for (const picture of ['Matrix', 'Arcs'] as const) {
  test(`frames stay above 30 a second while a model generates and 512 tokens of attention are on screen, as ${picture.toLowerCase()}`, async ({ page }) => {
    const app = await App.open(page);
    await app.openByDrop(...largeModel());
    await page.getByRole('checkbox', { name: 'run as I type' }).uncheck();
    await app.prompt.fill(Array.from({ length: TOKENS }, (_, i) => (i * 7) % LARGE.vocab).join(', '));
    await expect(app.tokens).toHaveCount(TOKENS);
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await app.pictured();
    await page.getByRole('button', { name: picture, exact: true }).click();
    await expect(page.getByText(`6 × 8, ${TOKENS} tokens`)).toBeVisible();
    await app.generateGreedily(3000);
    const seen: Frames[] = [];
    for (let window = 0; window < WINDOWS; window++) {
      // Anew for each, since an idle machine is through with all of them before the last window.
      const begun = await generating(page, app);
      seen.push(await framesUnderHand(page, app));
      await expect(page.getByRole('button', { name: 'Stop generating' }), 'still at it').toBeVisible();
      expect(await app.generated.count(), 'tokens came meanwhile').toBeGreaterThan(begun);
    }
    tell(`frames with ${TOKENS} tokens as ${picture.toLowerCase()}`, seen);
    const rates = seen.map(({ rate }) => rate).sort((a, b) => a - b);
    expect(rates[Math.floor(WINDOWS / 2)], 'the middle window').toBeGreaterThan(FRAMES);
    expect(seen.reduce((sum, { halts }) => sum + halts, 0), `times of more than ${HALT} ms without a frame`).toBeLessThanOrEqual(WINDOWS);
  });
}

test('the page stays responsive while a long prompt is read', async ({ page }) => {
  const app = await App.open(page);
  await app.openByDrop(...largeModel());
  await page.getByRole('checkbox', { name: 'run as I type' }).uncheck();
  await app.prompt.fill(Array.from({ length: 1200 }, (_, i) => (i * 7) % LARGE.vocab).join(', '));
  await expect(app.tokens).toHaveCount(1200, { timeout: 20_000 });
  await page.evaluate(watchFrames, HALT);
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await expect(page.getByText('running…')).toBeVisible();
  await app.prompt.focus();
  await expect(page.getByText('running…')).toBeHidden({ timeout: 60_000 });
  const { took, ...frames } = await page.evaluate(() => window.framesSeen());
  tell(`frames while 1200 tokens are read in ${took.toFixed(0)} ms`, [frames]);
  expect(took, 'the prompt took long enough to tell').toBeGreaterThan(100);
  expect(frames.worst, 'longest time without a frame, in milliseconds').toBeLessThan(500);
  await app.pictured();
});

/** Begins to generate, and gives how many tokens are there when it is under way. */
async function generating(page: Page, app: App): Promise<number> {
  const stop = page.getByRole('button', { name: 'Stop generating' });
  if (await stop.isVisible()) await stop.click();
  await page.getByRole('button', { name: 'Generate', exact: true }).click();
  await expect(stop).toBeVisible();
  await expect.poll(() => app.generated.count()).toBeGreaterThan(2);
  return app.generated.count();
}

/** The page's frames over one window, while a hand goes over the heads: each is drawn large as it is pointed at. */
async function framesUnderHand(page: Page, app: App): Promise<Frames> {
  const box = (await app.grid.locator('canvas').boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
  const start = Date.now();
  await page.evaluate(watchFrames, HALT);
  for (let i = 0; Date.now() - start < WINDOW; i = (i + 1) % 16) {
    await page.mouse.move(box.x + box.width * (0.15 + (0.8 * ((i * 5) % 16)) / 16), box.y + box.height * (0.15 + 0.8 * (i / 16)));
    await page.waitForTimeout(80);
  }
  return page.evaluate(() => window.framesSeen());
}

function tell(what: string, seen: readonly Frames[]): void {
  const each = seen.map(({ rate, worst, halts }) => `${rate.toFixed(1)} a second, worst gap ${worst.toFixed(0)} ms, ${halts} of more than ${HALT} ms`);
  test.info().annotations.push({ type: 'frames', description: each.join('; ') });
  console.log(`${what}: ${each.join('; ')}`);
}

declare global {
  interface Window {
    framesSeen(): Frames & { readonly took: number };
  }
}

/** Runs in the page: measures the time between frames until `framesSeen` is called. */
function watchFrames(halt: number): void {
  const start = performance.now();
  let last = start;
  let frames = 0;
  let worst = 0;
  let halts = 0;
  let on = true;
  const mark = (now: number): void => {
    worst = Math.max(worst, now - last);
    halts += now - last > halt ? 1 : 0;
    last = now;
  };
  const tick = (now: number): void => {
    if (!on) return;
    mark(now);
    frames += 1;
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
  window.framesSeen = () => {
    on = false;
    const now = performance.now();
    // The time since the last frame counts too: a page that draws no more has none to tell of it.
    mark(now);
    return { rate: (frames / (now - start)) * 1000, worst, halts, took: now - start };
  };
}
