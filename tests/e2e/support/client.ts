import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { openBlank } from './blank.ts';
import { variant, type Variant } from './cases.ts';
import { packFiles } from './engine.ts';
import { Hub } from './hub.ts';
import { largeModel } from './large.ts';
import { expect, test as base } from './test.ts';

export { expect };

export const GQA = variant('llama-gqa');
export const GPT2 = variant('gpt2/model-q8_0.gguf');

/** The blank page with an engine and `llama-gqa` open in it, and a hub. */
export const test = base.extend<{ readonly blank: Page; readonly hub: Hub }>({
  blank: async ({ context, watch }, use) => {
    void watch;
    const page = await openBlank(context);
    await page.evaluate(
      async (packed) => {
        window.gb = await window.client.Glassbox.start({ device: 'cpu' });
        window.model = await window.gb.open(window.unpack(packed));
      },
      packFiles(GQA.files.map((file) => join(GQA.folder, file))),
    );
    await use(page);
  },
  hub: async ({}, use) => {
    const hub = await Hub.start();
    await use(hub);
    hub.stop();
  },
});

declare global {
  interface Window {
    /** The files given by `giveFiles`. */
    picked(): File[];
  }
}

/** Puts a model's files behind the hub, and returns the address of their folder. */
export function publish(hub: Hub, folder: string, { folder: from, files }: Variant): string {
  const base = folder.replace(/\/$/, '');
  for (const file of files) hub.add(`${base}/${file}`, readFileSync(join(from, file)));
  return hub.missing(base);
}

/** The open model goes on as the golden does: it is the one that it should be, and works. */
export async function expectGreedy(page: Page, { case: { prompt }, greedy }: Variant): Promise<void> {
  const ids = await page.evaluate(async (tokens) => {
    const ids: number[] = [];
    for await (const { id } of window.model.generate({ tokens, maxNewTokens: 8, sampler: { greedy: true } })) ids.push(id);
    return ids;
  }, [...prompt.ids_with_special]);
  expect(ids).toEqual(greedy.slice(0, 8));
}

/** Hands the large model's files to the page as a file picker does. */
export async function giveLarge(page: Page): Promise<void> {
  await giveFiles(page, largeModel());
}

/** Hands files to the page as a file picker does. */
export async function giveFiles(page: Page, paths: readonly string[]): Promise<void> {
  await page.evaluate(() => {
    const input = document.createElement('input');
    Object.assign(input, { type: 'file', multiple: true });
    document.body.append(input);
    window.picked = () => [...(input.files ?? [])];
  });
  await page.locator('input[type=file]').setInputFiles([...paths]);
}
