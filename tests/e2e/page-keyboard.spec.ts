/** The page without a mouse. */
import type { Locator, Page } from '@playwright/test';
import { IDS, opened } from './support/app.ts';
import { SITE } from './support/paths.ts';
import { expect, test } from './support/test.ts';

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
    const said = new RegExp(`^Query ${query} .* to key ${query - 1} .*: [0-9.e-]+$`, 's');
    await expect(app.matrix.getByRole('gridcell')).toHaveText(said);
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

  test('the tour is walked and left, and the focus stays with it', async ({ page }) => {
    await page.goto(`${SITE}?device=cpu`);
    const start = page.getByRole('button', { name: /Show me around/ });
    await expect(start).toBeEnabled();
    await start.focus();
    await page.keyboard.press('Enter');
    const tour = page.locator('gb-tour').getByRole('dialog');
    await expect(tour.getByRole('heading')).toBeFocused();
    await expect(start).toBeHidden();
    await tabTo(page, tour.getByRole('button', { name: 'Next' }));
    await page.keyboard.press('Enter');
    await expect(tour).toContainText('2 of 6');
    await expect(tour.getByRole('heading')).toBeFocused();
    await page.keyboard.press('Escape');
    await expect(tour).toBeHidden();
    await expect(page.getByText('Examples', { exact: true })).toBeFocused();
  });

  test('focus can be seen wherever it goes', async ({ page }) => {
    await opened(page);
    await page.locator('body').press('Tab');
    const unseen: string[] = [];
    for (let i = 0; i < 90; i++) {
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

/** Presses Tab until something has the focus. */
async function tabTo(page: Page, target: Locator): Promise<void> {
  for (let i = 0; i < 120; i++) {
    if (await target.evaluate((element) => (element.getRootNode() as Document | ShadowRoot).activeElement === element)) return;
    await page.keyboard.press('Tab');
  }
  await expect(target).toBeFocused();
}
