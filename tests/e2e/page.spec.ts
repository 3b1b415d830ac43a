/** The page, as a person uses it. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { App } from './support/app.ts';
import { openBlank } from './support/blank.ts';
import { cleanFolder, variant } from './support/cases.ts';
import { EngineInPage } from './support/engine.ts';
import { Hub } from './support/hub.ts';
import { LARGE, largeModel } from './support/large.ts';
import { serveSite, stop } from './support/serve.ts';
import { HAVE_STORIES, SCRATCH, STORIES } from './support/paths.ts';
import { best, readGolden, rows, softmax, type HostTensor } from './support/tensors.ts';
import { expect, test } from './support/test.ts';

const GQA = variant('llama-gqa');
const GPT2 = variant('gpt2/model-q8_0.gguf');
const { text: TEXT, ids_with_special: IDS } = GQA.case.prompt;

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
    expect(await app.ids()).toEqual([1, 403, 407]);
    await app.generateGreedily(3);
    expect(await app.generate()).toHaveLength(3);
  });

  test('that is too long for the model is refused in words', async ({ page }) => {
    const app = await opened(page);
    await app.prompt.fill('abcdefghij '.repeat(40));
    await expect(page.getByRole('alert')).toContainText(/this model holds 64/);
    await expect(page.getByRole('button', { name: 'Run', exact: true })).toBeDisabled();
    await app.write(TEXT);
    expect(await app.ids()).toEqual(IDS);
  });
});

test.describe('attention', () => {
  test('every cell says its exact weight', async ({ page, context, backend }) => {
    const blank = await openBlank(context);
    const engine = await EngineInPage.start(blank, backend);
    await engine.variant(GQA);
    const { tensors } = await engine.trace({ tokens: [...IDS], capture: ['pattern'] });
    await blank.close();
    const app = await opened(page);
    for (const { layer, head } of [
      { layer: 0, head: 0 },
      { layer: 1, head: 3 },
    ]) {
      await choose(page, 'Layer', layer);
      await choose(page, 'Head', head);
      const pattern = of(tensors, `blocks.${layer}.attn.hook_pattern`);
      const seen = await readCells(app);
      expect(seen.size, 'cells that were found under the pointer').toBeGreaterThan(40);
      for (const [cell, shown] of seen) {
        const [query = 0, key = 0] = cell.split(',').map(Number);
        const value = rows(pattern)[head * IDS.length + query]?.[key] ?? NaN;
        expect.soft(Number(shown.weight), `layer ${layer}, head ${head}, ${cell}`).toBeCloseTo(value, 6);
        expect.soft(shown.sum).toBeCloseTo(1, 5);
      }
    }
  });

  test('is that of transformers', async ({ page }) => {
    const app = await opened(page);
    const golden = of(readGolden(join(GQA.folder, GQA.golden)), 'blocks.1.attn.hook_pattern');
    await choose(page, 'Layer', 1);
    await choose(page, 'Head', 2);
    for (const [cell, { weight }] of await readCells(app)) {
      const [query = 0, key = 0] = cell.split(',').map(Number);
      const value = rows(golden)[2 * IDS.length + query]?.[key] ?? NaN;
      expect.soft(Math.abs(Number(weight) - value), cell).toBeLessThanOrEqual(1e-4);
    }
  });

  test('heads are previewed by pointing, locked by a click, released by Escape', async ({ page }) => {
    const app = await opened(page);
    const title = page.getByRole('heading', { name: /^Layer \d+, head \d+/ });
    await expect(title).toHaveText(/Layer 0, head 0/);
    const box = (await app.grid.locator('canvas').boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
    // The last head of the last layer, in the far corner.
    const corner = { x: box.x + box.width - 8, y: box.y + box.height - 8 };
    await page.mouse.move(corner.x, corner.y);
    await expect(title).toHaveText(/Layer 1, head 3/);
    await page.mouse.move(box.x + box.width + 200, 5);
    await expect(title).toHaveText(/Layer 0, head 0/);
    await page.mouse.click(corner.x, corner.y);
    await page.mouse.move(5, 5);
    await expect(title).toHaveText(/Layer 1, head 3.*locked/s);
    await page.keyboard.press('Escape');
    await expect(title).not.toHaveText(/locked/);
    await page.mouse.move(box.x + box.width - 8, box.y + 40);
    await expect(title).toHaveText(/Layer 0, head 3/);
  });

  test('can be read as a table', async ({ page }) => {
    await opened(page);
    await page.getByText('As a table').click();
    const table = page.getByRole('table', { name: /^Weights from query/ });
    await expect(table.locator('tbody tr')).toHaveCount(IDS.length);
    const golden = of(readGolden(join(GQA.folder, GQA.golden)), 'blocks.0.attn.hook_pattern');
    const shown = (await table.locator('tbody tr td:last-child').allInnerTexts()).map(Number);
    const last = rows(golden)[IDS.length - 1] ?? [];
    shown.forEach((weight, key) => {
      expect(Math.abs(weight - (last[key] ?? NaN))).toBeLessThanOrEqual(1e-4);
    });
  });
});

test.describe('the next token', () => {
  test('has the probabilities of transformers', async ({ page }) => {
    const app = await opened(page);
    const logits = rows(of(readGolden(join(GQA.folder, GQA.golden)), 'logits')).at(-1) ?? new Float32Array();
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
    await expect(page.getByText(/Stopped\./)).toBeVisible({ timeout: 2_000 });
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
    await app.drop(cleanFolder(GQA));
    await app.write(TEXT);
    expect(await app.ids()).toEqual(IDS);
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
    expect(await app.ids()).toEqual(IDS);
    await expect(app.errors).toHaveCount(0);
    await app.generateGreedily(3);
    await app.generate();
    await page.getByRole('button', { name: 'Add to prompt' }).click();
    await expect.poll(() => app.ids()).toEqual([...IDS, ...GQA.greedy.slice(0, 3)]);
  });
});

test('the page stays responsive while a long prompt is read', async ({ page }) => {
  const app = await App.open(page);
  await app.openByDrop(...largeModel());
  await page.getByRole('checkbox', { name: 'run as I type' }).uncheck();
  await app.prompt.fill(Array.from({ length: 1200 }, (_, i) => (i * 7) % LARGE.vocab).join(', '));
  await expect(app.tokens).toHaveCount(1200, { timeout: 20_000 });
  await page.evaluate(watchFrames);
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await expect(page.getByText('running…')).toBeVisible();
  await app.prompt.focus();
  await expect(page.getByText('running…')).toBeHidden({ timeout: 60_000 });
  const { worst, frames, took } = await page.evaluate(() => window.framesSeen());
  test.info().annotations.push({ type: 'frames', description: `${frames} in ${took.toFixed(0)} ms, worst gap ${worst.toFixed(0)} ms` });
  expect(took, 'the prompt took long enough to tell').toBeGreaterThan(300);
  expect(worst, 'longest time without a frame, in milliseconds').toBeLessThan(400);
  await app.pictured();
});

test('the status line tells device, model, speed and memory', async ({ page }) => {
  const app = await opened(page);
  const items = app.status.locator('dt');
  await expect(items).toHaveText(['Device', 'Model', 'Speed', 'Memory']);
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

test.describe('by keyboard alone', () => {
  test('a prompt is run, heads and cells are read, candidates are taken', async ({ page }) => {
    const app = await opened(page);
    await app.prompt.focus();
    await page.keyboard.press('Control+Enter');
    await app.pictured();
    await tabTo(page, app.grid);
    const title = page.getByRole('heading', { name: /^Layer \d+, head \d+/ });
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowRight']) await page.keyboard.press(key);
    await expect(title).toHaveText(/Layer 1, head 1/);
    await page.keyboard.press('Enter');
    await expect(title).toHaveText(/locked/);
    await tabTo(page, app.matrix);
    for (const key of ['ArrowDown', 'Control+End', 'ArrowUp', 'ArrowLeft']) await page.keyboard.press(key);
    const query = IDS.length - 2;
    await expect(app.reading).toContainText(`query ${query}`);
    await expect(app.reading).toContainText(`key ${query - 1}`);
    await expect(app.matrix.getByRole('gridcell')).toHaveText(new RegExp(`^Query ${query} .* to key ${query - 1} .*: [0-9.e-]+$`, 's'));
    await page.keyboard.press('Escape');
    await expect(app.reading).not.toContainText(`query ${query}`);
    const first = app.candidates.first().getByRole('button');
    await tabTo(page, first);
    await page.keyboard.press('Enter');
    await expect(app.tokens).toHaveCount(IDS.length + 1);
  });

  test('the dialog opens, keeps the focus, and closes', async ({ page }) => {
    await opened(page);
    const button = page.getByRole('button', { name: 'Open a model…' });
    await tabTo(page, button);
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Open a model' });
    await expect(dialog).toBeVisible();
    await expect(dialog.getByRole('button', { name: 'Choose files…' })).toBeFocused();
    await page.keyboard.press('Escape');
    await expect(dialog).toBeHidden();
    await expect(button).toBeFocused();
  });

  test('focus can be seen wherever it goes', async ({ page }) => {
    await opened(page);
    await page.locator('body').press('Tab');
    const unseen: string[] = [];
    for (let i = 0; i < 40; i++) {
      const plain = await page.evaluate(() => {
        let focused = document.activeElement;
        while (focused?.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement;
        if (!focused || focused === document.body) return null;
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(focused);
        const seen = (outlineStyle !== 'none' && Number.parseFloat(outlineWidth) >= 1) || boxShadow !== 'none';
        return seen ? null : `${focused.localName}${focused.id === '' ? '' : `#${focused.id}`}`;
      });
      if (plain !== null) unseen.push(plain);
      await page.keyboard.press('Tab');
    }
    expect(unseen).toEqual([]);
  });
});

test('nothing is asked of any other machine, and the engine is really fetched', async ({ page, watch }) => {
  const app = await opened(page);
  await app.generateGreedily(2);
  await app.generate();
  expect(watch.requests.some((address) => address.includes('glassbox-worker-cpu_bg.wasm'))).toBe(true);
  expect(watch.strayed).toEqual([]);
});

declare global {
  interface Window {
    framesSeen(): { frames: number; worst: number; took: number };
  }
}

/** The page with `llama-gqa` open and its golden's prompt read. */
async function opened(page: Page): Promise<App> {
  const app = await App.open(page);
  await app.openByDrop(cleanFolder(GQA));
  await app.write(TEXT);
  expect(await app.ids()).toEqual(IDS);
  return app;
}

async function choose(page: Page, label: 'Layer' | 'Head', value: number): Promise<void> {
  await page.getByRole('combobox', { name: label, exact: true }).selectOption(String(value));
}

function of(tensors: ReadonlyMap<string, HostTensor>, name: string): HostTensor {
  const tensor = tensors.get(name);
  if (!tensor) throw new Error(`no tensor ${name}`);
  return tensor;
}

/** Points at places all over the large head and reads what the page says of the cells there, by "query,key". */
async function readCells(app: App): Promise<ReadonlyMap<string, { readonly weight: string; readonly sum: number }>> {
  const box = (await app.matrix.locator('canvas').boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
  const seen = new Map<string, { weight: string; sum: number }>();
  const places = 14;
  for (let down = 0; down < places; down++) {
    for (let across = 0; across <= down; across++) {
      const x = box.x + box.width * (0.98 - (0.8 * (places - 1 - across)) / places);
      const y = box.y + box.height * (0.98 - (0.8 * (places - 1 - down)) / places);
      await app.page.mouse.move(x, y);
      const said = await app.reading.evaluate(async (element) => {
        await new Promise(requestAnimationFrame);
        return element.shadowRoot?.textContent ?? '';
      });
      const text = said.replace(/\s+/g, ' ');
      const cell = /query (\d+) .* key (\d+) /.exec(text);
      const value = /([\d.e-]+) of a row sum of ([\d.]+)/.exec(text);
      if (cell && value) seen.set(`${cell[1]},${cell[2]}`, { weight: value[1] ?? '', sum: Number(value[2]) });
    }
  }
  return seen;
}

/** Presses Tab until something has the focus. */
async function tabTo(page: Page, target: ReturnType<Page['locator']>): Promise<void> {
  for (let i = 0; i < 60; i++) {
    if (await target.evaluate((element) => (element.getRootNode() as Document | ShadowRoot).activeElement === element)) return;
    await page.keyboard.press('Tab');
  }
  await expect(target).toBeFocused();
}

/** Runs in the page: measures the time between frames until `framesSeen` is called. */
function watchFrames(): void {
  const start = performance.now();
  let last = start;
  let frames = 0;
  let worst = 0;
  let on = true;
  const tick = (now: number): void => {
    worst = Math.max(worst, now - last);
    last = now;
    frames += 1;
    if (on) requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
  window.framesSeen = () => {
    on = false;
    return { frames, worst, took: performance.now() - start };
  };
}
