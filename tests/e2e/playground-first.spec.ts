/** The first visit: a picture at once, the live model soon after, and frames while both are at work. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { App } from './support/app.ts';
import { LARGE, largeModel } from './support/large.ts';
import { SITE } from './support/paths.ts';
import { expect, test } from './support/test.ts';

const RECORDED = join(import.meta.dirname, '../../web/models/glassbox-stories/recorded.json');
const TOKENS = 512;
/** Frames a second. */
const FRAMES = 30;

const FIRST = 1000;
const LIVE = 3000;

interface Recorded {
  readonly tokens: readonly { readonly id: number }[];
  readonly next: readonly { readonly token: { readonly id: number }; readonly probability: number }[];
}

test('a recorded picture stands within a second, the live model within three, and both say the same', async ({ browser }) => {
  // Another test may be at work beside this one, so that one visit in three is to be undisturbed.
  const visits: Visit[] = [];
  for (let visit = 0; visit < 3; visit++) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    visits.push(await firstVisit(await context.newPage()));
    await context.close();
    if ((visits.at(-1)?.first ?? NaN) < FIRST && (visits.at(-1)?.live ?? NaN) < LIVE) break;
  }
  const { first, live } = visits.at(-1) ?? { first: NaN, live: NaN };
  const description = visits.map((visit) => `${visit.first} and ${visit.live} ms`).join('; ');
  test.info().annotations.push({ type: 'first picture and live model', description });
  console.log(`first picture and live model: ${description}`);
  expect(first, 'milliseconds to the first picture').toBeLessThan(FIRST);
  expect(live, 'milliseconds to the live model').toBeLessThan(LIVE);
});

interface Visit {
  /** Milliseconds to the first picture. */
  readonly first: number;
  /** Milliseconds to the live model. */
  readonly live: number;
}

/** Opens the page with nothing in the cache, and compares what it shows with what was recorded. */
async function firstVisit(page: Page): Promise<Visit> {
  const start = Date.now();
  await page.goto(`${SITE}?device=cpu`, { waitUntil: 'commit' });
  await page.locator('gb-attention-grid[painted]').waitFor();
  const first = Date.now() - start;
  const shown = page.getByRole('table', { name: 'Candidates for the next token' }).locator('tbody tr');
  await expect(page.locator('header strong')).toHaveText(/stories/);
  await expect(page.getByRole('button', { name: 'Generate', exact: true })).toBeEnabled();
  const live = Date.now() - start;
  const { tokens, next } = JSON.parse(readFileSync(RECORDED, 'utf8')) as Recorded;
  const titles = await page.getByRole('listbox', { name: 'Tokens of the prompt' }).getByRole('option').evaluateAll((all) => all.map((one) => one.getAttribute('title') ?? ''));
  expect(titles.map((title) => Number(/\bid (\d+)/.exec(title)?.[1]))).toEqual(tokens.map(({ id }) => id));
  const row = await shown.first().innerText();
  const probability = Number(/([\d.]+)\s*%/.exec(row.replaceAll('\u202f', ' '))?.[1]) / 100;
  expect(probability).toBeCloseTo(next[0]?.probability ?? NaN, 2);
  return { first, live };
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
    await app.generateGreedily(2000);
    await page.getByRole('button', { name: 'Generate', exact: true }).click();
    await expect.poll(() => app.generated.count()).toBeGreaterThan(2);
    const begun = await app.generated.count();
    const box = (await app.grid.locator('canvas').boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
    // Another test and what a build left may be at work on the same two cores: one time in four is to be undisturbed.
    const times: Frames[] = [];
    for (let time = 0; time < 4 && (times.at(-1)?.rate ?? 0) <= FRAMES; time++) {
      const measured = framesPerSecond(page, 2000);
      // A hand that goes over the heads meanwhile: each is drawn large as it is pointed at.
      for (let i = 0; i < 16; i++) {
        await page.mouse.move(box.x + box.width * (0.15 + (0.8 * ((i * 5) % 16)) / 16), box.y + box.height * (0.15 + 0.8 * (i / 16)));
        await page.waitForTimeout(80);
      }
      times.push(await measured);
    }
    expect(await app.generated.count(), 'tokens came meanwhile').toBeGreaterThan(begun + 5);
    const description = times.map(({ rate, worst }) => `${rate.toFixed(1)} a second, worst gap ${worst.toFixed(0)} ms`).join('; ');
    test.info().annotations.push({ type: 'frames', description });
    console.log(`frames with ${TOKENS} tokens as ${picture.toLowerCase()}: ${description}`);
    expect(times.at(-1)?.rate).toBeGreaterThan(FRAMES);
  });
}

interface Frames {
  /** Frames a second. */
  readonly rate: number;
  /** Longest time without one, in milliseconds. */
  readonly worst: number;
}

/** The page's frames over a while. */
function framesPerSecond(page: Page, ms: number): Promise<Frames> {
  return page.evaluate(
    (length) =>
      new Promise<{ rate: number; worst: number }>((resolve) => {
        const start = performance.now();
        let frames = 0;
        let worst = 0;
        let last = start;
        const tick = (now: number): void => {
          frames += 1;
          worst = Math.max(worst, now - last);
          last = now;
          if (now - start < length) requestAnimationFrame(tick);
          else resolve({ rate: (frames / (now - start)) * 1000, worst });
        };
        requestAnimationFrame(tick);
      }),
    ms,
  );
}
