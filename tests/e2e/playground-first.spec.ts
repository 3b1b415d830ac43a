/** The first visit: a picture at once, the live model soon after, and frames while both are at work. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { App } from './support/app.ts';
import { SITE } from './support/paths.ts';
import { expect, test } from './support/test.ts';

const RECORDED = join(import.meta.dirname, '../../web/models/glassbox-stories/recorded.json');
const LONG = Array.from({ length: 40 }, () => 'The little girl and the dog ran to the park.').join(' ');

interface Recorded {
  readonly tokens: readonly { readonly id: number }[];
  readonly next: readonly { readonly token: { readonly id: number }; readonly probability: number }[];
}

test('a recorded picture stands within a second, the live model within three, and both say the same', async ({ page }) => {
  const start = Date.now();
  await page.goto(`${SITE}?device=cpu`, { waitUntil: 'commit' });
  await page.locator('gb-attention-grid[painted]').waitFor();
  const first = Date.now() - start;
  const shown = page.getByRole('table', { name: 'Candidates for the next token' }).locator('tbody tr');
  await expect(page.locator('header strong')).toHaveText(/stories/);
  await expect(page.getByRole('button', { name: 'Generate', exact: true })).toBeEnabled();
  const live = Date.now() - start;
  test.info().annotations.push({ type: 'first picture', description: `${first} ms` }, { type: 'live model', description: `${live} ms` });
  const { tokens, next } = JSON.parse(readFileSync(RECORDED, 'utf8')) as Recorded;
  const titles = await page.getByRole('listbox', { name: 'Tokens of the prompt' }).getByRole('option').evaluateAll((all) => all.map((one) => one.getAttribute('title') ?? ''));
  expect(titles.map((title) => Number(/\bid (\d+)/.exec(title)?.[1]))).toEqual(tokens.map(({ id }) => id));
  const row = await shown.first().innerText();
  const probability = Number(/([\d.]+)\s*%/.exec(row.replaceAll('\u202f', ' '))?.[1]) / 100;
  expect(probability).toBeCloseTo(next[0]?.probability ?? NaN, 2);
  expect(first, 'milliseconds to the first picture').toBeLessThan(1000);
  expect(live, 'milliseconds to the live model').toBeLessThan(3000);
});

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
