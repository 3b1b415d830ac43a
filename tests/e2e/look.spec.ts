/**
 * How the page looks and reads in every state, by day and by night, on a desk and in a hand: axe finds nothing, nothing
 * runs out of the window, and pictures of all of it are left in `results/screens`.
 */
import type { Page } from '@playwright/test';
import { App } from './support/app.ts';
import { BAD, cleanFolder, variant } from './support/cases.ts';
import { look } from './support/look.ts';
import { HAVE_STORIES, STORIES } from './support/paths.ts';
import { expect, test } from './support/test.ts';

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
        await page.locator('gb-figure', { has: page.locator('gb-attention-matrix') }).getByRole('button', { name: 'As a table' }).click();
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
