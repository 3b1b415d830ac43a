import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, type Download, type Locator, type Page } from '@playwright/test';
import { GQA } from './app.ts';
import { cleanFolder } from './cases.ts';

/** What transformers says of the changes that the page can make (`goldens/page.py`). */
export interface PageGolden {
  readonly second: { readonly text: string; readonly ids: readonly number[]; readonly next: readonly Ranked[] };
  readonly patch: { readonly layer: number; readonly position: number; readonly next: readonly Ranked[] };
  readonly sweep: { readonly token: number; readonly against: number; readonly ends: readonly number[]; readonly recovered: readonly (readonly number[])[] };
  readonly steer: { readonly towards: string; readonly away: string; readonly layer: number; readonly strength: number; readonly next: readonly Ranked[] };
  readonly branch: { readonly ids: readonly number[]; readonly probabilities: readonly number[]; readonly log: number };
  readonly chat: {
    readonly template: string;
    readonly messages: readonly { readonly role: string; readonly content: string }[];
    readonly text: string;
    readonly ids: readonly number[];
    readonly next: readonly Ranked[];
  };
}

export interface Ranked {
  readonly id: number;
  readonly probability: number;
  readonly logit: number;
}

export const GOLDEN = JSON.parse(readFileSync(join(import.meta.dirname, '../goldens/page.json'), 'utf8')) as PageGolden;

/** A picture's numbers as the page keeps them: the JSON beside it. */
export interface KeptJson {
  readonly title: string;
  readonly model: string;
  readonly fingerprint: string;
  readonly tokens: readonly number[];
  readonly changes: readonly unknown[];
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

/** A folder with `llama-gqa` and a chat template, which no fixture has. */
export function chatty(): string {
  const folder = cleanFolder(GQA, 'chatty');
  const path = join(folder, 'tokenizer_config.json');
  const config = JSON.parse(readFileSync(path, 'utf8')) as object;
  writeFileSync(path, JSON.stringify({ ...config, chat_template: GOLDEN.chat.template }));
  return folder;
}

/** Opens an analysis beneath the bench and gives its panel. */
export async function deeper(page: Page, name: string): Promise<Locator> {
  await page.getByRole('tab', { name, exact: true }).click();
  const panel = page.getByRole('tabpanel', { name });
  await expect(panel).toBeVisible();
  return panel;
}

/** A number as the page writes it: a true minus, thin spaces, a percent sign. */
export function number(text: string): number {
  const plain = text.replace('−', '-').replaceAll(/[\u202f\s]/g, '');
  return plain.endsWith('%') ? Number(plain.slice(0, -1)) / 100 : Number(plain);
}

/** Keeps a picture as a file, as a reader does, and gives its bytes. */
export async function keep(within: Page | Locator, name: string, format: 'SVG' | 'PNG' | 'CSV' | 'JSON'): Promise<Buffer> {
  const button = within.getByRole('button', { name: `Keep “${name}” as ${format}`, exact: true });
  return saved(button);
}

/** Presses a button that gives a file. */
export async function saved(button: Locator): Promise<Buffer> {
  const download = button.page().waitForEvent('download');
  await button.click();
  return bytesOf(await download);
}

async function bytesOf(download: Download): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** The numbers of a picture. */
export async function numbers(within: Page | Locator, name: string): Promise<KeptJson> {
  return JSON.parse((await keep(within, name, 'JSON')).toString('utf8')) as KeptJson;
}

/** The next-token candidates in full: what the page has of each. */
export async function candidates(page: Page): Promise<{ id: number; probability: number }[]> {
  const { columns, rows } = await numbers(page, 'Next token');
  const [id, probability] = [columns.indexOf('id'), 3];
  return rows.map((row) => ({ id: Number(row[id]), probability: Number(row[probability]) }));
}

/** Holds the page's candidates against transformers': the same tokens in the same order, equally probable. */
export async function expectNext(page: Page, wanted: readonly Ranked[]): Promise<void> {
  await expect.poll(async () => (await candidates(page)).slice(0, 8).map(({ id }) => id)).toEqual(wanted.slice(0, 8).map(({ id }) => id));
  for (const { id, probability } of await candidates(page)) {
    const other = wanted.find((one) => one.id === id);
    if (other) expect.soft(Math.abs(probability - other.probability), `probability of ${id}`).toBeLessThan(2e-4);
  }
}

/** The middle of a cell of a heat map, in the window. */
export async function cellOf(map: Locator, row: number, column: number): Promise<{ x: number; y: number }> {
  await map.scrollIntoViewIfNeeded();
  return map.evaluate(
    (element, wanted) => {
      const heat = element as HTMLElement & { cellAt(event: MouseEvent): { row: number; column: number } | null };
      const box = heat.shadowRoot?.querySelector('canvas')?.getBoundingClientRect() ?? new DOMRect();
      const hits: { x: number; y: number }[] = [];
      for (let y = box.top; y < box.bottom; y += 2) {
        for (let x = box.left; x < box.right; x += 2) {
          const cell = heat.cellAt(new MouseEvent('pointermove', { clientX: x, clientY: y }));
          if (cell?.row === wanted.row && cell.column === wanted.column) hits.push({ x, y });
        }
      }
      const middle = hits[Math.floor(hits.length / 2)];
      if (!middle) throw new Error(`there is no cell ${wanted.row}, ${wanted.column}`);
      return middle;
    },
    { row, column },
  );
}
