/** What the page shows of the analyses, compared with what transformers gives and with itself. */
import type { Page } from '@playwright/test';
import { GQA, IDS, opened } from './support/app.ts';
import { expect, test } from './support/test.ts';

/** Opens an analysis beneath the bench and gives its panel. */
async function deeper(page: Page, name: string): Promise<ReturnType<Page['locator']>> {
  await page.getByRole('tab', { name, exact: true }).click();
  const panel = page.getByRole('tabpanel', { name });
  await expect(panel).toBeVisible();
  return panel;
}

/** A number as the page writes it: a true minus, thin spaces, a percent sign. */
function number(text: string): number {
  const plain = text.replace('−', '-').replaceAll(/[\u202f\s]/g, '');
  return plain.endsWith('%') ? Number(plain.slice(0, -1)) / 100 : Number(plain);
}

test.describe('the analyses', () => {
  test('expect each token as probable as the sampler would draw it', async ({ page }) => {
    const app = await opened(page);
    await page.getByRole('combobox', { name: 'colour by' }).selectOption('probability');
    await app.tokens.last().click();
    const card = page.locator('gb-token-card');
    await expect(card).toContainText('Surprisal');
    const [probability, , surprisal] = await card.locator('dd').allInnerTexts();
    expect(-Math.log2(number(probability ?? ''))).toBeCloseTo(number((surprisal ?? '').replace('bit', '')), 1);
  });

  test('add up: the parts sum to the logit that the model computed', async ({ page }) => {
    const app = await opened(page);
    const first = app.candidates.first().locator('td').last();
    const logit = number(await first.innerText());
    const panel = await deeper(page, 'Contributions');
    const sentence = panel.getByText(/All parts of/);
    await expect(sentence).toBeVisible();
    const [, sum = '', total = ''] = /sum to ([−\d.]+); the model computed ([−\d.]+)\./.exec(await sentence.innerText()) ?? [];
    expect(number(total)).toBeCloseTo(logit, 2);
    expect(Math.abs(number(sum) - number(total))).toBeLessThanOrEqual(0.002);
  });

  test('of one cell give the weight that the matrix shows', async ({ page }) => {
    await opened(page);
    const panel = await deeper(page, 'Down to the numbers');
    const steps = panel.getByRole('region', { name: /^Scores and weights/ });
    await expect(steps.getByRole('row')).toHaveCount(IDS.length + 1);
    const weights = (await steps.locator('tbody tr td:nth-of-type(3)').allInnerTexts()).map(number);
    expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 4);
    await expect(panel.getByText(/Softmax over \d+ keys makes of/)).toBeVisible();
  });

  test('of the lens end in what the model says', async ({ page }) => {
    const app = await opened(page);
    const best = await app.candidates.first().locator('bdi').innerText();
    const panel = await deeper(page, 'Logit lens');
    const map = panel.getByRole('grid', { name: /^Logit lens/ });
    await expect(map).toBeVisible();
    await map.focus();
    // The last layer is the first row, the last token the last column.
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('End');
    await expect(map.getByRole('gridcell')).toContainText(best);
  });

  test('show every stage of the sampler, and draw as often as asked', async ({ page }) => {
    await opened(page);
    const panel = await deeper(page, 'Distribution and sampler');
    const table = panel.getByRole('table', { name: 'The sampler, stage by stage' });
    await expect(table.getByRole('columnheader', { name: 'Top-k' })).toBeVisible();
    await panel.getByRole('button', { name: /^Draw/ }).click();
    await expect(panel.getByText(/draws with seed 1 gave/)).toBeVisible();
    const drawn = (await table.locator('tbody tr td:last-child').allInnerTexts()).map(number);
    expect(drawn.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(1000);
    expect(Math.max(...drawn)).toBeGreaterThan(0);
  });
});

test.describe('changes', () => {
  test('are made by a click, shown against before, listed, and undone', async ({ page }) => {
    const app = await opened(page);
    const before = await app.candidates.allInnerTexts();
    await page.getByRole('button', { name: 'Switch this head off' }).click();
    await expect(page.getByText(/Changed by your edits: KL/)).toBeVisible();
    const list = page.getByRole('region', { name: 'Changes to the model' });
    await expect(list).toContainText('head 0.0 off');
    await expect(page.getByRole('columnheader', { name: 'Before' })).toBeVisible();
    await page.waitForTimeout(600);
    await page.getByRole('button', { name: 'Undo' }).click();
    await expect(list).toBeHidden();
    await expect.poll(() => app.candidates.allInnerTexts()).toEqual(before);
  });

  test('and all else on the page are part of the link', async ({ page, context }) => {
    const app = await opened(page);
    await page.getByRole('button', { name: 'Arcs' }).click();
    await page.getByRole('button', { name: 'Share' }).click();
    const link = await page.getByRole('textbox', { name: /^Link to this page/ }).inputValue();
    expect(new URL(link).hash).toMatch(/^#v1=[\w-]+$/);
    await page.keyboard.press('Escape');
    const other = await context.newPage();
    await other.goto(link.replace('#', '?device=cpu#'));
    // The files are the reader's own, so the page asks for them again.
    await expect(other.getByText(/from files of yours/)).toBeVisible();
    await other.close();
    expect(await app.ids()).toEqual(IDS);
    expect(GQA.greedy.length).toBeGreaterThan(0);
  });
});

test.describe('pictures', () => {
  for (const format of ['SVG', 'PNG', 'CSV', 'JSON'] as const) {
    test(`are kept as ${format}, with what they are of`, async ({ page }) => {
      await opened(page);
      const download = page.waitForEvent('download');
      await page.getByRole('button', { name: `Keep “Layer 0, head 0” as ${format}` }).click();
      const file = await (await download).createReadStream();
      const chunks: Buffer[] = [];
      for await (const chunk of file) chunks.push(chunk as Buffer);
      const bytes = Buffer.concat(chunks);
      if (format === 'PNG') expect(bytes.subarray(1, 4).toString()).toBe('PNG');
      else expect(bytes.toString('utf8')).toContain('Layer 0, head 0');
      if (format === 'JSON') {
        const { rows, tokens } = JSON.parse(bytes.toString('utf8')) as { rows: unknown[]; tokens: number[] };
        expect([tokens, rows.length]).toEqual([[...IDS], (IDS.length * (IDS.length + 1)) / 2]);
      }
    });
  }
});

test('the page speaks German where it is asked to, and remembers', async ({ page }) => {
  await opened(page);
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByRole('combobox', { name: 'Language' }).selectOption('de');
  await expect(page.getByRole('heading', { name: 'Nächstes Token' })).toBeVisible();
  await expect(page.locator('html')).toHaveAttribute('lang', 'de');
  await page.reload();
  await expect(page.getByRole('button', { name: 'Einstellungen' })).toBeVisible();
});
