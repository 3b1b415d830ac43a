/** What a model computes on and with: LoRA adapters against PEFT, the self-test, the choice of device and arithmetic. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import type { Locator } from '@playwright/test';
import { App } from './support/app.ts';
import { cleanFolder, variant } from './support/cases.ts';
import { packFiles } from './support/engine.ts';
import { FIXTURES } from './support/paths.ts';
import { deeper, expectNext, numbers, saved, type KeptJson } from './support/panels.ts';
import { best, distance, readGolden, rows, softmax, wanted, type HostTensor } from './support/tensors.ts';
import { expect, PAGE, test } from './support/test.ts';

/** A `case.toml` of kind `adapter`. */
interface AdapterCase {
  readonly base: string;
  readonly tolerance: number;
  readonly prompt: { readonly ids_with_special: readonly number[] };
  readonly greedy: { readonly ids: readonly number[] };
}

const FOLDER = join(FIXTURES, 'adapter-llama');
const CASE = parse(readFileSync(join(FOLDER, 'case.toml'), 'utf8')) as unknown as AdapterCase;
const GOLDEN = readGolden(join(FOLDER, 'golden.safetensors'));
const PEFT = ['adapter_config.json', 'adapter_model.safetensors'].map((file) => join(FOLDER, file));
const BASE = variant(CASE.base);
const QUANTISED = variant('llama-quantised/model-q8_0.gguf');

test('adapters are attached, scaled and taken off as PEFT does', async ({ engine }) => {
  await engine.variant(BASE);
  const tokens = [...CASE.prompt.ids_with_special];
  const logits = async (): Promise<HostTensor> => {
    const { tensors } = await engine.trace({ tokens, capture: ['logits'] });
    return wanted(tensors, 'logits');
  };
  const base = await logits();
  for (const files of [PEFT, [join(FOLDER, 'adapter.gguf')]]) {
    const attached = await engine.page.evaluate(async (packed) => window.model.attach(window.unpack(packed)), packFiles(files));
    const { id } = attached[0] ?? { id: -1 };
    expect(attached).toHaveLength(1);
    expect(distance(await logits(), wanted(GOLDEN, 'logits'))).toBeLessThan(CASE.tolerance);
    const { steps } = await engine.generate({ tokens, maxNewTokens: 8, sampler: { greedy: true } });
    expect(steps.map((step) => step.id)).toEqual(CASE.greedy.ids.slice(0, 8));
    await engine.page.evaluate((id) => window.model.scaleAdapter(id, 0.5), id);
    expect(distance(await logits(), wanted(GOLDEN, 'half.logits'))).toBeLessThan(CASE.tolerance);
    const left = await engine.page.evaluate((id) => window.model.detach(id), id);
    expect(left).toEqual([]);
    expect([...(await logits()).data]).toEqual([...base.data]);
  }
  const code = await engine.page.evaluate(() => window.model.detach(77).catch((error: { code: string }) => error.code));
  expect(code).toBe('no_such_adapter');
});

test('an adapter that is dropped goes to the open model, and is turned off again', { tag: PAGE }, async ({ page }) => {
  const app = await App.open(page);
  await app.openByDrop(cleanFolder(BASE));
  await app.write(BASE.case.prompt.text);
  const before = await app.candidates.first().innerText();
  await app.drop(...PEFT);
  const region = page.getByRole('region', { name: 'Adapters' });
  await expect(region).toContainText('LoRA');
  await app.idle();
  await expect.poll(() => app.candidates.first().innerText()).not.toBe(before);
  await region.getByRole('checkbox').uncheck();
  await app.idle();
  await expect.poll(() => app.candidates.first().innerText()).toBe(before);
  await region.getByRole('button', { name: /^Remove/ }).click();
  await expect(region).toHaveCount(0);
});

test('arithmetic and device are chosen in the settings, and the picture stays', { tag: PAGE }, async ({ page }) => {
  const app = await App.open(page);
  await app.openByDrop(cleanFolder(QUANTISED));
  await app.write('the and');
  const ids = await app.ids();
  await expect(app.status).toContainText(/rounded to \d+ bits/);
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByRole('combobox', { name: 'Arithmetic' }).selectOption('exact');
  await page.getByRole('button', { name: 'Close' }).click();
  await expect(app.status).toContainText('in f32');
  await app.pictured();
  expect(await app.ids()).toEqual(ids);
});

test.describe('on a first visit', () => {
  test.use({ newcomer: true });

  test('a device that gives wrong answers is left, in plain words', async ({ page, backend, expectedErrors }) => {
    expectedErrors.push(/computes wrongly/);
    await page.route('**/self-test/answers.json', async (route) => {
      const response = await route.fetch();
      const answers = (await response.json()) as { greedy: number[] };
      answers.greedy[0] = 1 + (answers.greedy[0] ?? 0);
      await route.fulfill({ json: answers });
    });
    if (backend === 'cpu') {
      // There is nothing to fall back to: it is said, and nothing is computed.
      await App.open(page);
      await expect(page.getByText(/This browser computes wrongly/)).toBeVisible();
      return;
    }
    const app = await App.open(page, 'device=auto&allow-software');
    await expect(app.status).toContainText(/computes wrongly.*runs on the CPU/);
    await app.openByDrop(cleanFolder(BASE));
    await expect(app.status).toContainText('CPU');
  });
});

test('a model goes where it should decode sooner', async ({ page, backend }) => {
  test.skip(backend === 'cpu', 'there is no GPU to choose');
  const app = await App.open(page, 'device=auto&allow-software');
  await app.openByDrop(cleanFolder(BASE));
  await expect(app.status).toContainText(/Measured on this machine: a token should take about [\d.]+ ms on the GPU, [\d.]+ ms on the CPU/);
  // What stands in for a GPU here is a program on the same cores.
  await expect(app.status).toContainText('CPU (wasm SIMD128)');
});

/** What the engine hands to WebGPU. */
interface Counts {
  readonly submit: number;
  readonly dispatchWorkgroups: number;
  readonly createBindGroup: number;
  readonly mapAsync: number;
}

test('a decoded token is one submission of work and one to read it back, at most a dozen launches a block, and binds nothing anew', async ({ engine, backend }) => {
  test.skip(backend === 'cpu', 'nothing is submitted');
  await engine.variant(BASE);
  const worker = engine.page.workers()[0];
  if (!worker) throw new Error('there is no worker');
  await worker.evaluate(() => {
    const counts = { submit: 0, dispatchWorkgroups: 0, createBindGroup: 0, mapAsync: 0 };
    const count = (prototype: object, name: keyof typeof counts): void => {
      const real = Reflect.get(prototype, name) as (...args: unknown[]) => unknown;
      Reflect.set(prototype, name, function (this: unknown, ...args: unknown[]) {
        counts[name] += 1;
        return real.apply(this, args);
      });
    };
    count(GPUQueue.prototype, 'submit');
    count(GPUComputePassEncoder.prototype, 'dispatchWorkgroups');
    count(GPUDevice.prototype, 'createBindGroup');
    count(GPUBuffer.prototype, 'mapAsync');
    Reflect.set(self, 'counts', counts);
  });
  const counted = async (maxNewTokens: number): Promise<Counts> => {
    await engine.generate({ tokens: [...BASE.case.prompt.ids_with_special], maxNewTokens, sampler: { greedy: true }, topN: 1 });
    return worker.evaluate(() => ({ ...(Reflect.get(self, 'counts') as Counts) }));
  };
  // The first run of a prompt is kept; the next two begin behind it. Each records its third decoded token once.
  const [none, few, many] = [await counted(8), await counted(8), await counted(24)];
  const each = (name: keyof Counts): number => (many[name] - 2 * few[name] + none[name]) / 16;
  const found = {
    submissions: each('submit'),
    launches: each('dispatchWorkgroups'),
    bindings: each('createBindGroup'),
    reads: each('mapAsync'),
  };
  console.log(`a decoded token of ${BASE.case.layers} blocks: ${JSON.stringify(found)}`);
  expect(found.submissions).toBeLessThanOrEqual(2);
  expect(found.launches).toBeLessThanOrEqual(12 * BASE.case.layers + 4);
  expect(found.reads).toBeLessThanOrEqual(1);
  expect(found.bindings, 'what was recorded is replayed').toBe(0);
});

test.describe('a layer with a convolution in the place of attention', () => {
  const HYBRID = variant('lfm2');

  test('says so, and the others are shown', { tag: PAGE }, async ({ page }) => {
    const app = await App.open(page);
    await app.openByDrop(cleanFolder(HYBRID));
    await app.write(HYBRID.case.prompt.text);
    // The layer that is shown first is one that has heads.
    await expect(page.getByRole('heading', { name: 'Layer 2, head 0' })).toBeVisible();
    const box = (await app.grid.locator('canvas').boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
    await page.mouse.click(box.x + box.width / 2, box.y + 40);
    await expect(page.getByText(/Layer 0 has a short convolution in the place of attention/).first()).toBeVisible();
    await expect(app.grid.getByRole('gridcell')).toHaveText('Layer 0, convolution, no heads');
    const { rows } = await numbers(page, 'Attention of all heads');
    expect(rows.map(([layer, head, , , , role]) => (head === '' ? `${layer}: ${role}` : `${layer}.${head}`))).toEqual(
      ['0: convolution, no heads', '1: convolution, no heads', '2.0', '2.1', '2.2', '2.3', '3: convolution, no heads'],
    );
    for (const tab of ['Logit lens', 'Down to the numbers', 'Norms, rotation, cache']) {
      await deeper(page, tab);
      await expect(page.getByText('computing…')).toHaveCount(0);
      await expect(app.errors).toHaveCount(0);
    }
  });

  test('is switched off as transformers says, and has its part in the logit', { tag: PAGE }, async ({ page }) => {
    const app = await App.open(page);
    await app.openByDrop(cleanFolder(HYBRID));
    await app.write(HYBRID.case.prompt.text);
    const panel = await deeper(page, 'Contributions');
    const parts = await beginning(panel, 'What each head and MLP adds');
    expect(parts.rows.map(([layer, column]) => `${layer} ${column}`)).toEqual(
      [0, 1, 2, 3].flatMap((layer) => [...(layer === 2 ? ['0', '1', '2', '3'] : ['conv']), 'MLP'].map((column) => `${layer} ${column}`)),
    );
    const strongest = await beginning(panel, 'Strongest parts');
    const convolution = strongest.rows.find(([name]) => name === 'convolution 0');
    expect(convolution?.[1]).toBe(parts.rows[0]?.[2]);
    const golden = rows(wanted(readGolden(join(HYBRID.folder, HYBRID.golden)), 'edits.ablate.l0.logits')).at(-1) ?? new Float32Array();
    const probabilities = softmax(golden);
    const off = best(golden, 20).map((id) => ({ id, probability: probabilities[id] ?? NaN, logit: golden[id] ?? NaN }));
    await (await deeper(page, 'Change the model')).getByRole('button', { name: 'Switch off: convolution 0' }).click();
    await expect(page.getByRole('region', { name: 'Changes to the model' })).toContainText('convolution of layer 0 off');
    await expectNext(page, off);
    await expect(app.errors).toHaveCount(0);
  });
});

/** The numbers of the picture whose name begins so. */
async function beginning(panel: Locator, start: string): Promise<KeptJson> {
  const button = panel.getByRole('button', { name: new RegExp(`^Keep “${start}.* as JSON$`) });
  return JSON.parse((await saved(button)).toString('utf8')) as KeptJson;
}
