/** What the page shows of the analyses, compared with what transformers gives and with itself. */
import { IDS, opened } from './support/app.ts';
import { deeper, number } from './support/panels.ts';
import { expect, PAGE, test } from './support/test.ts';

// Of the longest files each test may go to either worker.
test.describe.configure({ mode: 'parallel' });

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
    await app.idle();
    await page.getByRole('button', { name: 'Undo' }).click();
    await expect(list).toBeHidden();
    await expect.poll(() => app.candidates.allInnerTexts()).toEqual(before);
  });
});

test('the page speaks German where it is asked to, and remembers', { tag: PAGE }, async ({ page }) => {
  await opened(page);
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByRole('combobox', { name: 'Language' }).selectOption('de');
  await expect(page.getByRole('heading', { name: 'Nächstes Token' })).toBeVisible();
  await expect(page.locator('html')).toHaveAttribute('lang', 'de');
  await page.reload();
  await expect(page.getByRole('button', { name: 'Einstellungen' })).toBeVisible();
});
