/** The page, as a person uses it. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, GQA, IDS, opened, TEXT } from './support/app.ts';
import { cleanFolder, variant } from './support/cases.ts';
import { Hub } from './support/hub.ts';
import { largeModel } from './support/large.ts';
import { HAVE_STORIES, SCRATCH, STORIES } from './support/paths.ts';
import { serveSite, stop } from './support/serve.ts';
import { best, readGolden, rows, softmax, wanted } from './support/tensors.ts';
import { expect, test } from './support/test.ts';

const GPT2 = variant('gpt2/model-q8_0.gguf');

test.describe('opening a model', () => {
  test('by the file picker', async ({ page }) => {
    const app = await App.open(page);
    const chooser = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: 'Choose files…' }).click();
    await (await chooser).setFiles(GQA.files.map((file) => join(GQA.folder, file)));
    await app.pictured();
    await expect(app.model).toHaveText(/\S/);
  });

  test('by the folder picker', async ({ page }) => {
    const app = await App.open(page);
    const chooser = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: 'Choose a folder…' }).click();
    await (await chooser).setFiles(cleanFolder(GQA));
    await app.pictured();
    await expect(app.model).toHaveText(/\S/);
  });

  test('by dropping a .gguf file', async ({ page }) => {
    const app = await App.open(page);
    await app.drop(join(GPT2.folder, 'model-q8_0.gguf'));
    await expect(page.locator('header')).toContainText('GGUF v3');
    await expect(page.locator('header')).toContainText('Q8_0');
    await app.write(GPT2.case.prompt.text);
  });

  test('by dropping a folder', async ({ page }) => {
    const app = await App.open(page);
    await app.openByDrop(cleanFolder(variant('llama-sharded')));
    await expect(page.locator('header')).toContainText(/safetensors/i);
    await expect(page.locator('header')).toContainText('2 layers × 2 heads');
  });

  test('by its address, with progress in bytes that can be cancelled', async ({ page }) => {
    const hub = await Hub.start();
    try {
      const app = await App.open(page);
      const url = hub.add('/owner/model/resolve/main/model-q8_0.gguf', readFileSync(join(GPT2.folder, 'model-q8_0.gguf')));
      const field = page.getByRole('textbox', { name: /address/ });
      hub.fault = 'stalls';
      await field.fill(url);
      await field.press('Enter');
      const bar = page.getByRole('progressbar', { name: /model-q8_0\.gguf/ });
      await expect(bar).toBeVisible();
      await page.getByRole('button', { name: 'Cancel' }).click();
      await expect(bar).toBeHidden();
      await expect(app.errors).toHaveCount(0);
      hub.fault = null;
      await page.getByRole('button', { name: 'Open', exact: true }).click();
      await expect(page.locator('header')).toContainText('GGUF v3');
      await app.write(GPT2.case.prompt.text);
    } finally {
      hub.stop();
    }
  });

  test('while another is open, from the dialog', async ({ page }) => {
    const app = await App.open(page);
    await app.openByDrop(cleanFolder(GQA));
    await page.getByRole('button', { name: 'Open a model…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Open a model' });
    const chooser = page.waitForEvent('filechooser');
    await dialog.getByRole('button', { name: 'Choose files…' }).click();
    await (await chooser).setFiles(join(GPT2.folder, 'model-q8_0.gguf'));
    await expect(dialog).toBeHidden();
    await expect(page.locator('header')).toContainText('GGUF v3');
    await app.write(GPT2.case.prompt.text);
  });

  test('under any path of a plain host', async ({ page }) => {
    const server = await serveSite('/some/deep/path/', 0, false);
    try {
      const { port } = server.address() as { port: number };
      const app = await App.open(page, 'device=cpu', `http://localhost:${port}/some/deep/path/`);
      await app.openByDrop(cleanFolder(GQA));
    } finally {
      stop(server);
    }
  });
});

test.describe('the prompt', () => {
  test('is shown as tokens while it is typed', async ({ page }) => {
    const app = await opened(page);
    await app.prompt.fill('');
    await expect(app.tokens).toHaveCount(GQA.case.prompt.ids_with_special.length - GQA.case.prompt.ids.length);
    await page.getByRole('checkbox', { name: 'run as I type' }).uncheck();
    await app.prompt.pressSequentially(TEXT, { delay: 20 });
    await expect.poll(() => app.ids()).toEqual(IDS);
    await expect(page.getByText(`${IDS.length} tokens`, { exact: true })).toBeVisible();
  });

  test('of a model without a tokenizer is token ids, checked as they are typed', async ({ page }) => {
    test.skip(!HAVE_STORIES, 'the weights do not lie beside the project');
    const app = await App.open(page);
    await app.openByDrop(STORIES);
    await expect(page.getByText(/without a tokenizer/)).toBeVisible();
    await app.prompt.fill('1, 999');
    await expect(page.getByRole('alert')).toContainText('There is no token 999');
    await expect(page.getByRole('button', { name: 'Run', exact: true })).toBeDisabled();
    await app.write('1, 403, 407');
    await expect.poll(() => app.ids()).toEqual([1, 403, 407]);
    await app.generateGreedily(3);
    expect(await app.generate()).toHaveLength(3);
  });

  test('that is too long for the model is refused in words', async ({ page }) => {
    const app = await opened(page);
    await app.prompt.fill('abcdefghij '.repeat(40));
    await expect(page.getByRole('alert')).toContainText(/this model holds 64/);
    await expect(page.getByRole('button', { name: 'Run', exact: true })).toBeDisabled();
    await app.write(TEXT);
    await expect.poll(() => app.ids()).toEqual(IDS);
  });
});

test.describe('the next token', () => {
  test('has the probabilities of transformers', async ({ page }) => {
    const app = await opened(page);
    const logits = rows(wanted(readGolden(join(GQA.folder, GQA.golden)), 'logits')).at(-1) ?? new Float32Array();
    const probabilities = softmax(logits);
    const shown = await app.candidates.evaluateAll((found) =>
      found.map((row) => ({
        id: Number(/id (\d+)/.exec(row.querySelector('button')?.title ?? '')?.[1] ?? NaN),
        cells: [...row.querySelectorAll('td')].map((cell) => cell.textContent.trim()),
      })),
    );
    expect(shown.map(({ id }) => id)).toEqual(best(logits, shown.length));
    expect(shown.length).toBeGreaterThanOrEqual(10);
    shown.forEach(({ id, cells }, index) => {
      const [rank, , percent, logit] = cells;
      expect(Number(rank)).toBe(index + 1);
      const probability = probabilities[id] ?? NaN;
      // Three significant digits, of a logit that may be 0.001 off.
      expect.soft(Math.abs(Number.parseFloat(percent ?? '') / 100 / probability - 1), `id ${id}: ${percent}`).toBeLessThan(0.007);
      expect.soft(Math.abs(Number(logit?.replace('−', '-')) - (logits[id] ?? NaN)), `id ${id}`).toBeLessThanOrEqual(0.0016);
    });
  });

  test('is appended by a click', async ({ page }) => {
    const app = await opened(page);
    const first = app.candidates.first().getByRole('button');
    const id = Number(/id (\d+)/.exec((await first.getAttribute('title')) ?? '')?.[1]);
    expect(id).toBe(GQA.greedy[0]);
    await first.click();
    await expect.poll(() => app.ids()).toEqual([...IDS, id]);
    await app.pictured();
    const second = await app.candidates.first().getByRole('button').getAttribute('title');
    expect(second).toContain(`id ${GQA.greedy[1]})`);
  });
});

test.describe('generating', () => {
  test('greedily gives what transformers gives, and it can be added to the prompt', async ({ page }) => {
    const app = await opened(page);
    await app.generateGreedily(6);
    expect(await app.generate()).toHaveLength(6);
    await page.getByRole('button', { name: 'Add to prompt' }).click();
    await expect.poll(() => app.ids()).toEqual([...IDS, ...GQA.greedy.slice(0, 6)]);
  });

  test('shows how each token was drawn', async ({ page }) => {
    const app = await opened(page);
    await app.generate();
    await app.generated.nth(2).hover();
    await expect(page.getByText('generated token 3')).toBeVisible();
    const table = page.getByRole('table', { name: /raw and as the sampler drew/ });
    await expect(table.locator('tr.drawn')).toHaveCount(1);
    await expect(table.getByRole('columnheader', { name: 'Sampled' })).toBeVisible();
  });

  test('streams, stops when told, and the page stays alive meanwhile', async ({ page }) => {
    const app = await App.open(page);
    await app.openByDrop(...largeModel());
    await app.generateGreedily(2000);
    await page.getByRole('button', { name: 'Generate', exact: true }).click();
    await expect.poll(() => app.generated.count(), { timeout: 20_000 }).toBeGreaterThan(3);
    const early = await app.generated.count();
    await expect.poll(() => app.generated.count(), { timeout: 20_000 }).toBeGreaterThan(early);
    await page.getByRole('button', { name: 'Stop generating' }).click();
    await expect(page.getByText(/Stopped\./)).toBeVisible({ timeout: 5_000 });
    const count = await app.generated.count();
    expect(count).toBeLessThan(2000);
    await page.waitForTimeout(500);
    expect(await app.generated.count()).toBe(count);
    await expect(app.status).toContainText(/decode .* a token/);
  });
});

test.describe('what goes wrong', () => {
  test('a device that is not there is named, with a way out', async ({ page }) => {
    const app = await App.open(page, 'device=gpu');
    await expect(app.errors).toHaveCount(1);
    await expect(app.errors).toContainText(/WebGPU/);
    await expect(app.errors.locator('.hint')).toHaveText(/\w/);
  });

  test('weights that are no numbers are told of, not drawn', async ({ page }) => {
    const folder = cleanFolder(GQA, 'not-finite');
    const weights = readFileSync(join(folder, 'model.safetensors'));
    weights.fill(0xff, weights.length - 4);
    writeFileSync(join(folder, 'model.safetensors'), weights);
    const app = await App.open(page);
    await app.drop(folder);
    await expect(app.errors).toContainText(/not finite/);
    await expect(app.errors.locator('.hint')).toHaveText(/NaN/);
    await app.openByDrop(cleanFolder(GQA));
    await app.write(TEXT);
    await expect.poll(() => app.ids()).toEqual(IDS);
  });

  test('a name full of markup is shown as it is written', async ({ page }) => {
    const folder = join(SCRATCH, 'markup');
    mkdirSync(folder, { recursive: true });
    const bytes = readFileSync(join(GQA.folder, 'model-f32.gguf'));
    const key = 'general.name';
    const at = bytes.indexOf(key) + key.length + 4;
    const length = Number(bytes.readBigUInt64LE(at));
    const name = '<b>\u202e</b>'.padEnd(length - 2, '.');
    expect(bytes.write(name, at + 8)).toBe(length);
    writeFileSync(join(folder, 'model.gguf'), bytes);
    const app = await App.open(page);
    await app.openByDrop(join(folder, 'model.gguf'));
    await expect(app.model).toContainText('<b>');
    // What turns the order of the text around is shown by its number.
    await expect(app.status).toContainText('⟨202E⟩');
    await expect(page.locator('header b')).toHaveCount(0);
  });

  test('a second model that is dropped while the first is opened is the one that stays', async ({ page }) => {
    const app = await App.open(page);
    await app.drop(...largeModel());
    await app.openByDrop(cleanFolder(GQA));
    await app.write(TEXT);
    await expect.poll(() => app.ids()).toEqual(IDS);
    await expect(app.errors).toHaveCount(0);
    await app.generateGreedily(3);
    await app.generate();
    await page.getByRole('button', { name: 'Add to prompt' }).click();
    await expect.poll(() => app.ids()).toEqual([...IDS, ...GQA.greedy.slice(0, 3)]);
  });
});

test('the status line tells device, model, speed and memory', async ({ page }) => {
  const app = await opened(page);
  const items = app.status.locator('dt');
  await expect(items).toHaveText(['Device', 'Model', 'Speed', 'Arithmetic', 'Memory']);
  await expect(app.status).toContainText('CPU');
  await expect(app.status).toContainText('The CPU was asked for.');
  await expect(app.status).toContainText(/prefill [\d.\u202f]+\u202ftok\/s/);
  await expect(app.status).toContainText(/[\d.]+\u202fMB/);
});

test('a dead engine is told of and comes back with the model', async ({ page }) => {
  const app = await opened(page);
  await page.workers()[0]?.evaluate(() => {
    setTimeout(() => {
      throw new WebAssembly.RuntimeError('unreachable');
    });
  });
  await expect(page.getByText(/started again, and .* is open again/)).toBeVisible();
  await app.generateGreedily(4);
  expect(await app.generate()).toHaveLength(4);
});

test('nothing is asked of any other machine, and the engine is really fetched', async ({ page, watch }) => {
  const app = await opened(page);
  await app.generateGreedily(2);
  await app.generate();
  expect(watch.requests.some((address) => address.includes('glassbox-worker-cpu-relaxed_bg.wasm'))).toBe(true);
  expect(watch.strayed).toEqual([]);
});
