/** What is kept: files of every kind, links, and what a reload brings back. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Locator, Page } from '@playwright/test';
import { App, deviceQuery, GQA, IDS, opened, TEXT } from './support/app.ts';
import { cleanFolder } from './support/cases.ts';
import { Hub } from './support/hub.ts';
import { HOUSE, SITE } from './support/paths.ts';
import { candidates, deeper, keep, numbers, saved, type KeptJson } from './support/panels.ts';
import { distance, floats, readGolden, rows, wanted, type HostTensor } from './support/tensors.ts';
import { expect, PAGE, test } from './support/test.ts';

// Of the longest files each test may go to either worker.
test.describe.configure({ mode: 'parallel' });

const GOLDEN = readGolden(join(GQA.folder, GQA.golden));
const HEAD = 'Layer 0, head 0';

test.describe('a picture', () => {
  test('is kept as SVG that stands alone: every weight a square, and what it is of', { tag: PAGE }, async ({ page, context }) => {
    const blank = await context.newPage();
    await opened(page);
    const text = (await keep(page, HEAD, 'SVG')).toString('utf8');
    const { root, squares, words, foreign } = await blank.evaluate((source) => {
      const parsed = new DOMParser().parseFromString(source, 'image/svg+xml');
      const all = [...parsed.querySelectorAll('*')];
      return {
        root: parsed.documentElement.localName,
        squares: all.filter(({ localName }) => localName === 'rect').length,
        words: all.filter(({ localName }) => localName === 'text').map(({ textContent }) => textContent),
        foreign: all.filter(({ localName }) => !['svg', 'rect', 'text'].includes(localName)).length,
      };
    }, text);
    expect([root, foreign]).toEqual(['svg', 0]);
    // One behind all of them.
    expect(squares).toBe(1 + (IDS.length * (IDS.length + 1)) / 2);
    expect(words).toContain(HEAD);
    expect(words.join(' ')).toMatch(/Model .*, fingerprint [0-9a-f]{16}.*Prompt: .*Seed 1, 0 changes/s);
  });

  test('is kept as PNG, three pixels to one of the page', { tag: PAGE }, async ({ page }) => {
    await opened(page);
    const svg = (await keep(page, HEAD, 'SVG')).toString('utf8');
    const png = await keep(page, HEAD, 'PNG');
    expect(png.subarray(0, 8)).toEqual(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]));
    const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
    const size = (name: string): number => Number(new RegExp(`<svg[^>]* ${name}="([\\d.]+)"`).exec(svg)?.[1]);
    expect(Math.abs(width - 3 * size('width'))).toBeLessThanOrEqual(3);
    expect(Math.abs(height - 3 * size('height'))).toBeLessThanOrEqual(3);
  });

  test('is kept as CSV and JSON with the weights of transformers', async ({ page }) => {
    await opened(page);
    const pattern = rows(wanted(GOLDEN, 'blocks.0.attn.hook_pattern'));
    const lines = (await keep(page, HEAD, 'CSV')).toString('utf8').split('\r\n');
    expect(lines[0]).toBe(`# ${HEAD}`);
    const cells = lines.slice(lines.indexOf('Query,Key,Weight') + 1).filter((line) => line !== '');
    expect(cells).toHaveLength((IDS.length * (IDS.length + 1)) / 2);
    for (const line of cells) {
      const [, query = '', key = '', weight = ''] = /^"?(\d+) .*?"?,"?(\d+) .*?"?,([\d.e-]+)$/.exec(line) ?? [];
      expect.soft(Math.abs(Number(weight) - (pattern[Number(query)]?.[Number(key)] ?? NaN)), line).toBeLessThanOrEqual(1e-4);
    }
    const { tokens, fingerprint, changes, rows: found } = await numbers(page, HEAD);
    expect([tokens, changes, found.length]).toEqual([[...IDS], [], cells.length]);
    expect(fingerprint).toMatch(/^[0-9a-f]{64}$/);
  });

  test('of every panel can be kept, and its table has as many rows as its CSV', async ({ page }) => {
    await opened(page);
    // A browser asks before it saves more than a few files: here they are caught on their way.
    await page.evaluate(() => {
      window.caught = [];
      URL.createObjectURL = (blob) => {
        if (blob instanceof Blob) window.caught.push(blob);
        return 'data:,';
      };
      HTMLAnchorElement.prototype.click = () => undefined;
    });
    for (const tab of ['Distribution and sampler', 'Logit lens', 'Contributions', 'Down to the numbers', 'Branches', 'Norms, rotation, cache']) {
      const panel = await deeper(page, tab);
      await expect(panel.getByText('computing…')).toHaveCount(0);
      const names = await panel.getByRole('button', { name: /^Keep “.*” as JSON$/ }).evaluateAll((found) => found.map((one) => /“(.*)”/.exec(one.getAttribute('aria-label') ?? '')?.[1] ?? ''));
      expect(names.length, tab).toBeGreaterThan(0);
      for (const name of names) {
        const [json, csv, svg] = await files(panel, name);
        const { rows: found, columns } = JSON.parse(json) as KeptJson;
        const lines = csv.trimEnd().split('\r\n').filter((line) => !line.startsWith('#'));
        expect.soft(lines.length - 1, `${tab}: ${name}`).toBe(found.length);
        expect.soft(found.every((row) => row.length === columns.length), `${tab}: ${name}`).toBe(true);
        expect.soft(svg, `${tab}: ${name}`).toMatch(/^<svg .*<\/svg>$/s);
      }
    }
    for (const name of ['Tokens of the prompt', 'Attention of all heads', 'Next token']) {
      const [json] = await files(page, name);
      expect((JSON.parse(json) as KeptJson).rows.length, name).toBeGreaterThan(5);
    }
  });
});

test('the whole run is kept as safetensors with the numbers of transformers', async ({ page }) => {
  await opened(page);
  await page.getByRole('button', { name: 'Share' }).click();
  const dialog = page.getByRole('dialog', { name: 'Keep and share' });
  await dialog.getByRole('checkbox', { name: /^z / }).check();
  const bytes = await saved(dialog.getByRole('button', { name: 'Save the trace' }));
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, start)) as Record<string, { shape: number[]; data_offsets: [number, number] }> & { __metadata__: Record<string, string> };
  const tensor = (name: string): HostTensor => {
    const { shape, data_offsets: [from, to] } = header[name] ?? { shape: [], data_offsets: [0, 0] };
    return { shape, data: floats(bytes.subarray(start + from, start + to)) };
  };
  for (const name of ['logits', 'blocks.0.attn.hook_pattern', 'blocks.1.attn.hook_pattern', 'blocks.0.hook_resid_post', 'blocks.1.hook_resid_post', 'blocks.0.attn.hook_z']) {
    expect.soft(distance(tensor(name), wanted(GOLDEN, name)), name).toBeLessThan(1e-3);
  }
  expect(header.__metadata__['seed']).toBe('1');
  expect(header.__metadata__['link']).toContain('#v1=');
});

test.describe('a link', () => {
  test('of the site’s own model restores the same picture: text, head, changes, analysis, tree, generation', async ({ page, context }) => {
    await house(page);
    const app = App.attach(page);
    await app.write('Tom had a red ball. Then Tom');
    await page.getByRole('combobox', { name: 'Layer', exact: true }).selectOption('2');
    await page.getByRole('combobox', { name: 'Head', exact: true }).selectOption('1');
    await page.getByRole('button', { name: 'Switch this head off' }).click();
    await expect(page.getByText(/Changed by your edits/)).toBeVisible();
    await app.matrix.focus();
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowRight', 'Enter']) await page.keyboard.press(key);
    await page.getByRole('combobox', { name: 'colour by' }).selectOption('surprisal');
    await app.generateGreedily(5);
    const text = await app.generate();
    const branches = await deeper(page, 'Branches');
    await branches.getByRole('button', { name: /^Go on with/ }).nth(2).click();
    await branches.getByRole('button', { name: 'Take in what was generated' }).click();
    await expect(branches.locator('gb-branch-tree small')).toHaveCount(1 + text.length);
    const parts = await deeper(page, 'Contributions');
    await parts.getByRole('combobox', { name: 'less that of' }).selectOption({ index: 2 });
    await parts.getByRole('button', { name: /^Which words it pushes/ }).first().or(parts.locator('gb-bar-list button').first()).first().click();
    await expect(parts.getByRole('heading', { name: /^What .* pushes$/ })).toBeVisible();
    await expect(parts.getByText('computing…')).toHaveCount(0);
    await app.idle();
    const before = await seen(page);
    await page.getByRole('button', { name: 'Share' }).click();
    const link = await page.getByRole('textbox', { name: /^Link to this page/ }).inputValue();
    expect(new URL(link).hash).toMatch(/^#v1=[\w-]+$/);
    await page.keyboard.press('Escape');

    const other = await context.newPage();
    await other.goto(onDevice(link));
    const again = App.attach(other);
    await expect(again.generated).toHaveCount(text.length);
    await expect(other.getByRole('heading', { name: /^What .* pushes$/ })).toBeVisible();
    await expect.poll(() => seen(other)).toEqual(before);
    // Activations are rounded to 16 bits, and a run that goes on from another rounds in another place.
    const [one, two] = [await candidates(page), await candidates(other)];
    one.forEach(({ id, probability }, i) => {
      expect.soft(two[i]?.id).toBe(id);
      expect.soft(Math.abs((two[i]?.probability ?? NaN) / probability - 1)).toBeLessThan(1e-3);
    });
    const tree = await deeper(other, 'Branches');
    await expect(tree.locator('gb-branch-tree small')).toHaveCount(1 + text.length);
    await other.close();
  });

  test('to files of the reader’s own says which, and goes on when they are dropped', async ({ page, browser }) => {
    const app = await opened(page);
    await page.getByRole('button', { name: 'Arcs' }).click();
    await page.getByRole('button', { name: 'Switch this head off' }).click();
    await expect(page.getByText(/Changed by your edits/)).toBeVisible();
    await page.getByRole('button', { name: 'Share' }).click();
    await expect(page.getByText(/needs the same model files/)).toBeVisible();
    const link = await page.getByRole('textbox', { name: /^Link to this page/ }).inputValue();
    await page.keyboard.press('Escape');
    const before = await candidates(page);
    const context = await browser.newContext();
    const other = await context.newPage();
    await other.goto(onDevice(link));
    await expect(other.getByText(/from files of yours/)).toBeVisible();
    const again = App.attach(other);
    await again.drop(cleanFolder(GQA));
    await expect(other.getByRole('region', { name: 'Changes to the model' })).toContainText('head 0.0 off');
    await expect(other.getByRole('button', { name: 'Arcs' })).toHaveAttribute('aria-pressed', 'true');
    await again.idle();
    await expect.poll(() => candidates(other)).toEqual(before);
    expect(await again.ids()).toEqual(await app.ids());
    await context.close();
  });
});

test('a link to files of another machine asks nothing of it before the reader agrees', async ({ page, backend }) => {
  const hub = await Hub.start();
  try {
    const url = hub.add('/owner/model/resolve/main/model.gguf', readFileSync(join(GQA.folder, 'model-f32.gguf')));
    const app = await App.open(page);
    const field = page.getByRole('textbox', { name: /address/ });
    await field.fill(url);
    await field.press('Enter');
    await app.pictured();
    await app.write(TEXT);
    await page.getByRole('button', { name: 'Share' }).click();
    const link = await page.getByRole('textbox', { name: /^Link to this page/ }).inputValue();
    await page.evaluate(() => {
      localStorage.clear();
    });
    await page.goto('about:blank');
    const asked = hub.seen.length;
    await page.goto(onDevice(link));
    await expect(page.getByText(`This link wants model files from ${new URL(url).host}.`)).toBeVisible();
    await expect(app.status).toContainText(backend === 'webgpu' ? 'GPU' : 'CPU');
    expect(hub.seen.length, 'requests before the answer').toBe(asked);
    await page.getByRole('button', { name: 'Fetch them' }).click();
    await app.pictured();
    expect(await app.ids()).toEqual(IDS);
    expect(hub.seen.length).toBeGreaterThan(asked);
    await expect(page.getByText(/This link wants/)).toHaveCount(0);
  } finally {
    hub.stop();
  }
});

test.describe('a reload', () => {
  test('finds the files that were dropped, the prompt and the changes', async ({ page }) => {
    const app = await opened(page);
    await page.getByRole('button', { name: 'Switch this head off' }).click();
    await expect(page.getByText(/Changed by your edits/)).toBeVisible();
    await expect(app.status).toContainText('kept for a reload');
    await app.idle();
    const before = await candidates(page);
    await page.goto(`${SITE}?${deviceQuery()}`);
    await expect(app.model).toHaveText(/\S/);
    await expect(page.getByRole('region', { name: 'Changes to the model' })).toContainText('head 0.0 off');
    await app.pictured();
    expect(await app.ids()).toEqual(IDS);
    await expect.poll(() => candidates(page)).toEqual(before);
    await expect(app.errors).toHaveCount(0);
  });

  test('finds nothing where the reader had it forgotten, and says so', { tag: PAGE }, async ({ page }) => {
    const app = await opened(page);
    await expect(app.status).toContainText('kept for a reload');
    await page.getByRole('button', { name: 'Settings' }).click();
    const dialog = page.getByRole('dialog', { name: 'Settings' });
    await expect(dialog.getByText(/Kept now: .+, [\d.]+\s.B\./)).toBeVisible();
    await dialog.getByRole('button', { name: 'Forget it' }).click();
    await expect(dialog.getByText('Nothing is kept now.')).toBeVisible();
    await dialog.getByRole('combobox', { name: 'Model files' }).selectOption('drop');
    await page.goto(`${SITE}?${deviceQuery()}`);
    await expect(page.getByText(/from files of yours/)).toBeVisible();
    await app.drop(cleanFolder(GQA));
    await expect(app.model).toHaveText(/\S/);
    await app.pictured();
    expect(await app.ids()).toEqual(IDS);
    await expect(app.prompt).toHaveValue(TEXT);
    await expect(app.status).not.toContainText('kept for a reload');
  });
});

declare global {
  interface Window {
    caught: Blob[];
  }
}

/** A picture as JSON, CSV and SVG, where files are caught. */
async function files(within: Page | Locator, name: string): Promise<readonly [json: string, csv: string, svg: string]> {
  const page = 'page' in within ? within.page() : within;
  await page.evaluate(() => (window.caught = []));
  for (const format of ['JSON', 'CSV', 'SVG']) await within.getByRole('button', { name: `Keep “${name}” as ${format}`, exact: true }).click();
  await expect.poll(() => page.evaluate(() => window.caught.length)).toBe(3);
  const [json = '', csv = '', svg = ''] = await page.evaluate(() => Promise.all(window.caught.map((blob) => blob.text())));
  return [json, csv, svg];
}

/** A link, opened with the device of the project. */
function onDevice(link: string): string {
  return link.replace('#', `?${deviceQuery()}#`);
}

/** The page with the model that comes with the site. */
async function house(page: Page): Promise<void> {
  expect(HOUSE).toContain('glassbox-stories');
  await page.goto(`${SITE}?${deviceQuery()}`);
  await expect(page.locator('header strong')).toHaveText(/stories/);
  await expect(page.getByRole('button', { name: 'Generate', exact: true })).toBeEnabled();
}

/** All that a person sees of the state: words, what is chosen, and of figures where they stand. */
async function seen(page: Page): Promise<unknown> {
  const app = App.attach(page);
  return {
    ids: await app.ids(),
    head: await page.getByRole('heading', { name: /^Layer \d+, head \d+/ }).innerText(),
    reading: (await app.reading.innerText()).replace(/\s+/g, ' ').replaceAll(/\d\.\d+/g, '#'),
    changes: await page.getByRole('region', { name: 'Changes to the model' }).innerText(),
    generated: await app.generated.allTextContents(),
    measure: await page.getByRole('combobox', { name: 'colour by' }).inputValue(),
    tab: await page.getByRole('tab', { selected: true }).innerText(),
    panel: (await page.getByRole('tabpanel').innerText()).replace(/\s+/g, ' ').replaceAll(/[\d.]+/g, '#'),
    options: await page.getByRole('tabpanel').getByRole('combobox').evaluateAll((all) => all.map((one) => (one as HTMLSelectElement).value)),
  };
}
