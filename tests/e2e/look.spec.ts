/**
 * How the page looks and reads in every state, by day and by night, on a desk and in a hand: axe finds nothing, nothing
 * runs out of the window, and pictures of all of it are left in `results/screens`.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { App } from './support/app.ts';
import { BAD, cleanFolder, variant } from './support/cases.ts';
import { HAVE_STORIES, SCREENS, STORIES } from './support/paths.ts';
import { expect, test } from './support/test.ts';

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
const SIZES = {
  desktop: { width: 1440, height: 900 },
  phone: { width: 360, height: 780 },
} as const;

for (const [size, viewport] of Object.entries(SIZES)) {
  for (const colorScheme of ['light', 'dark'] as const) {
    test.describe(`${size}, ${colorScheme}`, () => {
      test.use({ viewport, colorScheme, hasTouch: size === 'phone' });

      test('before a model is open', async ({ page }) => {
        const app = await App.open(page);
        await expect(app.status).toContainText('CPU');
        await look(page, `${size}-${colorScheme}-welcome`);
        await app.drop(BAD.find(({ name }) => name === 'hub-lfs-pointer')?.path ?? '');
        await expect(app.errors).toHaveCount(1);
        await look(page, `${size}-${colorScheme}-welcome-error`);
      });

      test('with a model', async ({ page }) => {
        const app = await App.open(page);
        await app.openByDrop(cleanFolder(variant('llama-gqa')));
        await app.write('Once upon a time, there was a little girl.');
        await look(page, `${size}-${colorScheme}-model`);
        await readCell(page, app, size === 'phone');
        await page.getByRole('button', { name: 'As a table' }).first().click();
        await look(page, `${size}-${colorScheme}-attention`);
        await app.drop(BAD.find(({ name }) => name === 'gguf-html')?.path ?? '');
        await expect(app.errors).toHaveCount(1);
        await look(page, `${size}-${colorScheme}-error`);
        await page.getByRole('button', { name: 'Open a model…' }).click();
        await look(page, `${size}-${colorScheme}-dialog`);
        await page.keyboard.press('Escape');
      });

      test('with generated text', async ({ page }) => {
        const app = await App.open(page);
        if (HAVE_STORIES) await app.openByDrop(STORIES);
        else await app.openByDrop(cleanFolder(variant('llama-tied')));
        await app.generate();
        await page.locator('gb-generate-panel summary').click();
        await app.generated.nth(4).click();
        // Where panels are stacked, what was tapped is explained beneath it.
        await expect(page.locator('gb-generate-panel gb-candidate-table')).toBeVisible({ visible: size === 'phone' });
        await look(page, `${size}-${colorScheme}-generated`);
      });
    });
  }
}

/** Locks a head and a cell, by finger or by mouse. */
async function readCell(page: Page, app: App, touch: boolean): Promise<void> {
  for (const part of [app.grid, app.matrix]) {
    const canvas = part.locator('canvas');
    await canvas.scrollIntoViewIfNeeded();
    const { x, y, width, height } = (await canvas.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
    const at = [x + width * 0.6, y + height * 0.9] as const;
    await (touch ? page.touchscreen.tap(...at) : page.mouse.click(...at));
  }
  await expect(app.reading).toContainText(/of a row sum of/);
}

/** Takes a picture, and looks for what a picture does not show. */
async function look(page: Page, name: string): Promise<void> {
  mkdirSync(SCREENS, { recursive: true });
  const path = join(SCREENS, `${name}.png`);
  // The status line stays at the foot of wide windows, where a picture of the whole page would show it in the middle.
  await page.screenshot({ path, fullPage: name.startsWith('phone') });
  const { scrollWidth, clientWidth } = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return { scrollWidth, clientWidth };
  });
  expect.soft(scrollWidth, `${name}: nothing runs out of the window`).toBeLessThanOrEqual(clientWidth);
  const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
  const found = violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.flat().join(' ')}: ${failureSummary ?? ''}`),
  );
  expect.soft(found, `${name}: axe`).toEqual([]);
}
