/** The first visit: a picture at once, the live model soon after, and frames while both are at work. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { App } from './support/app.ts';
import { SITE } from './support/paths.ts';
import { expect, test } from './support/test.ts';

const RECORDED = join(import.meta.dirname, '../../web/models/glassbox-stories/recorded.json');
const LONG = Array.from({ length: 40 }, () => 'The little girl and the dog ran to the park.').join(' ');

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

test('frames stay above 30 a second while a model generates beside hundreds of tokens of attention', async ({ page }) => {
  const app = await App.open(page);
  await page.goto(`${SITE}?device=cpu`);
  await expect(page.getByRole('button', { name: 'Generate', exact: true })).toBeEnabled();
  await page.getByRole('checkbox', { name: 'run as I type' }).uncheck();
  await app.prompt.fill(LONG);
  await expect.poll(() => app.tokens.count()).toBeGreaterThan(400);
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await app.pictured();
  await page.getByRole('button', { name: 'Generate', exact: true }).click();
  await expect.poll(() => app.generated.count()).toBeGreaterThan(2);
  const rate = await framesPerSecond(page, 2000);
  test.info().annotations.push({ type: 'frames', description: `${rate.toFixed(1)} a second` });
  expect(rate).toBeGreaterThan(30);
});

/** Frames a second over a while. */
function framesPerSecond(page: Page, ms: number): Promise<number> {
  return page.evaluate(
    (length) =>
      new Promise<number>((resolve) => {
        const start = performance.now();
        let frames = 0;
        const tick = (now: number): void => {
          frames += 1;
          if (now - start < length) requestAnimationFrame(tick);
          else resolve((frames / (now - start)) * 1000);
        };
        requestAnimationFrame(tick);
      }),
    ms,
  );
}
