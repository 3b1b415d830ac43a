/** The page on WebGPU, computed by a software adapter. */
import { App } from './support/app.ts';
import { cleanFolder, variant } from './support/cases.ts';
import { expect, test } from './support/test.ts';

const GQA = variant('llama-gqa');

// Each begins with the self-test, as on a first visit.
test.use({ newcomer: true });

test('a model is opened, pictured and goes on as transformers does', async ({ page, watch }) => {
  const app = await App.open(page, 'device=gpu&allow-software');
  await app.openByDrop(cleanFolder(GQA));
  await expect(app.status).toContainText('GPU');
  await app.write(GQA.case.prompt.text);
  await expect.poll(() => app.ids()).toEqual(GQA.case.prompt.ids_with_special);
  await app.generateGreedily(4);
  await app.generate();
  await page.getByRole('button', { name: 'Add to prompt' }).click();
  await expect.poll(() => app.ids()).toEqual([...GQA.case.prompt.ids_with_special, ...GQA.greedy.slice(0, 4)]);
  await expect(app.status).toContainText(/on the GPU/);
  expect(watch.requests.some((address) => address.includes('glassbox-worker-gpu_bg.wasm'))).toBe(true);
});

test('a software adapter is not taken for a GPU unless asked for', async ({ page, watch }) => {
  const app = await App.open(page, '');
  await expect(app.status).toContainText('CPU');
  await expect(app.status).toContainText(/software/);
  await app.openByDrop(cleanFolder(GQA));
  expect(watch.requests.filter((address) => address.includes('glassbox-worker-gpu'))).toEqual([]);
});

test('a GPU worker that dies comes back', async ({ page }) => {
  const app = await App.open(page, 'device=gpu&allow-software');
  await app.openByDrop(cleanFolder(GQA));
  await page.workers()[0]?.evaluate(() => {
    setTimeout(() => {
      throw new WebAssembly.RuntimeError('unreachable');
    });
  });
  await expect(page.getByText(/started again, and .* is open again/)).toBeVisible({ timeout: 60_000 });
  await app.generateGreedily(2);
  expect(await app.generate()).toHaveLength(2);
});
