/** What the page shows of attention. */
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { GQA, IDS, opened, type App } from './support/app.ts';
import { openBlank } from './support/blank.ts';
import { EngineInPage } from './support/engine.ts';
import { readGolden, rows, wanted } from './support/tensors.ts';
import { expect, test } from './support/test.ts';

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
      const pattern = wanted(tensors, `blocks.${layer}.attn.hook_pattern`);
      const seen = await readCells(app);
      expect(seen.size, 'cells that were found under the pointer').toBeGreaterThan(40);
      for (const [cell, shown] of seen) {
        const [query = 0, key = 0] = cell.split(',').map(Number);
        const value = rows(pattern)[head * IDS.length + query]?.[key] ?? NaN;
        expect.soft(Number(shown.weight), `layer ${layer}, head ${head}, ${cell}`).toBeCloseTo(value, 5);
        expect.soft(shown.sum).toBeCloseTo(1, 5);
      }
    }
  });

  test('is that of transformers', async ({ page }) => {
    const app = await opened(page);
    const golden = wanted(readGolden(join(GQA.folder, GQA.golden)), 'blocks.1.attn.hook_pattern');
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
    await page.locator('gb-figure', { has: page.locator('gb-attention-matrix') }).getByRole('button', { name: 'As a table' }).click();
    const table = page.getByRole('table', { name: 'Layer 0, head 0' });
    const golden = rows(wanted(readGolden(join(GQA.folder, GQA.golden)), 'blocks.0.attn.hook_pattern'));
    // Row by row, as far as a query looks: the first page of them.
    const cells = IDS.flatMap((_, query) => Array.from({ length: query + 1 }, (__, key) => golden[query]?.[key] ?? NaN));
    const shown = (await table.locator('tbody tr td:last-child').allInnerTexts()).map(Number);
    expect(shown.length).toBe(Math.min(50, cells.length));
    shown.forEach((weight, at) => {
      expect(Math.abs(weight - (cells[at] ?? NaN))).toBeLessThanOrEqual(1e-4);
    });
  });
});

async function choose(page: Page, label: 'Layer' | 'Head', value: number): Promise<void> {
  await page.getByRole('combobox', { name: label, exact: true }).selectOption(String(value));
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
