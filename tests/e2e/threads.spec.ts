/** Several threads on the CPU: what they compute, and what happens where they cannot be had. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { App } from './support/app.ts';
import { readHouse } from './support/cases.ts';
import { HOUSE } from './support/paths.ts';
import { serveSite, stop } from './support/serve.ts';
import { distance, divergence, readGolden, wanted } from './support/tensors.ts';
import { expect, PAGE, test } from './support/test.ts';

const { folder, house } = readHouse();
const HUB = ['config.json', 'generation_config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
const GGUF = join(HOUSE, house.gguf.file);
const tokens = [...house.prompt.ids_with_special];

test.describe('three threads', () => {
  test('compute from f16 weights what transformers computes, and go on as it does', async ({ engine }) => {
    const info = await engine.files('house, threads', HUB.map((file) => join(HOUSE, file)), 'f32', 3);
    expect(info.threads).toBe(3);
    const golden = readGolden(join(folder, house.golden));
    const { tensors } = await engine.trace({ tokens, capture: ['logits'] });
    expect(distance(wanted(tensors, 'logits'), wanted(golden, 'logits'))).toBeLessThanOrEqual(house.tolerance.logits);
    const { steps } = await engine.generate({ tokens, maxNewTokens: house.greedy.ids.length, sampler: { greedy: true } });
    expect(steps.map(({ id }) => id)).toEqual(house.greedy.ids);
  });

  test('compute from 8-bit weights what transformers computes from those', async ({ engine }) => {
    const golden = readGolden(join(folder, house.gguf.golden));
    for (const [precision, nats] of [['f32', 1e-6], ['int16', 1e-4]] as const) {
      const info = await engine.files(`house.gguf, threads, ${precision}`, [GGUF], precision, 3);
      expect([info.threads, info.precision]).toEqual([3, precision]);
      const { tensors } = await engine.trace({ tokens, capture: ['logits'] });
      expect(divergence(wanted(golden, 'logits'), wanted(tensors, 'logits'))).toBeLessThanOrEqual(nats);
    }
  });

  test('hold their shares of the weights once more, and give them back with the model', async ({ engine }) => {
    const { page } = engine;
    await page.evaluate(() => {
      const told: number[] = [];
      Object.assign(window, { told });
      window.gb.on('memory', ({ helperBytes }) => told.push(helperBytes));
    });
    const last = (): Promise<number | undefined> => page.evaluate(() => (window as unknown as { told: number[] }).told.at(-1));
    const { weightBytes } = await engine.files('house.gguf, three', [GGUF], 'int16', 3);
    await expect.poll(last).toBeGreaterThan(0.5 * weightBytes);
    expect(await last()).toBeLessThan(weightBytes);
    const helpers = (): number => page.workers().filter((worker) => worker.url().includes('/helper.js')).length;
    const { threads } = await engine.files('house.gguf, one', [GGUF], 'int16', 1);
    expect(threads).toBe(1);
    await expect.poll(last).toBe(0);
    await expect.poll(helpers).toBe(0);
  });
});

test('a helper that cannot be loaded is done without', { tag: PAGE }, async ({ page, expectedErrors }) => {
  expectedErrors.push(/404/);
  const server = await serveSite('/', 0, true, 'helper.js');
  try {
    const app = await App.open(page, 'device=cpu', address(server));
    await app.openByDrop(GGUF);
    await chooseThreads(page);
    await app.pictured();
    await expect(app.status).not.toContainText('threads');
    await expect(app.status).toContainText('rounded to 16 bits');
  } finally {
    stop(server);
  }
});

test('a page whose host does not isolate it has one thread, and says so', { tag: PAGE }, async ({ page }) => {
  const server = await serveSite('/', 0, false);
  try {
    await page.goto(`${address(server)}?device=cpu`);
    await page.getByRole('button', { name: 'Settings' }).click();
    await expect(page.getByRole('combobox', { name: 'CPU threads' }).getByRole('option', { name: 'several' })).toBeDisabled();
    await expect(page.getByText(/Several threads need a page/)).toBeVisible();
  } finally {
    stop(server);
  }
});

test('threads are chosen in the settings, and the picture stays', { tag: PAGE }, async ({ page }) => {
  const app = await App.open(page);
  await app.openByDrop(GGUF);
  await app.write('Once upon a time there was a little dog');
  const ids = await app.ids();
  const first = await best(app);
  await chooseThreads(page);
  await expect(app.status).toContainText(/\d+ threads/);
  await app.pictured();
  expect(await app.ids()).toEqual(ids);
  expect(await best(app)).toBe(first);
});

async function chooseThreads(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByRole('combobox', { name: 'CPU threads' }).selectOption('several');
  await page.getByRole('button', { name: 'Close' }).click();
}

/** The most probable token with its probability; a logit's last digit depends on how much of the text was run at once. */
async function best(app: App): Promise<string> {
  return (await app.candidates.first().innerText()).split('%')[0] ?? '';
}

function address(server: Server): string {
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`;
}
