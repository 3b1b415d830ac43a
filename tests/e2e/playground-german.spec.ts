/** The page in German: nothing of the English catalogue is left on any panel, and errors are told in German too. */
import type { Page } from '@playwright/test';
import { App, TEXT } from './support/app.ts';
import { BAD } from './support/cases.ts';
import { chatty, GOLDEN } from './support/panels.ts';
import { SITE } from './support/paths.ts';
import { expect, test } from './support/test.ts';
import { de } from '../../web/src/views/text-de.ts';
import { en } from '../../web/src/views/text-en.ts';

test.use({ locale: 'de-DE' });

/** English texts without places to fill in, long enough to be nobody else's words. */
const ENGLISH = Object.entries(en).flatMap(([key, text]) => {
  const german = de[key as keyof typeof en];
  return text.length >= 14 && !text.includes('{') && text !== german && !Object.values(de).some((other) => other.includes(text)) ? [text] : [];
});

test('is German to the last panel, menu, dialog and label', async ({ page }) => {
  test.slow();
  const app = new German(page);
  await app.begin();
  expect(ENGLISH.length).toBeGreaterThan(150);
  const found = new Set<string>();
  const read = async (): Promise<void> => {
    const words = await page.evaluate(everyWord);
    for (const text of ENGLISH) if (words.some((word) => word.includes(text))) found.add(text);
  };
  await read();
  await page.getByRole('button', { name: de['head.off'] }).click();
  await expect(page.getByRole('region', { name: de['change.active'] })).toBeVisible();
  const tabs = await page.getByRole('tab').all();
  expect(tabs).toHaveLength(9);
  for (const tab of tabs) {
    await tab.click();
    const panel = page.getByRole('tabpanel');
    await expect(panel.getByText(de['deep.computing'])).toHaveCount(0);
    const second = panel.getByRole('textbox', { name: de['patch.source'] });
    if (await second.isVisible()) {
      await second.fill(GOLDEN.second.text);
      await second.press('Tab');
      await panel.getByRole('button', { name: de['sweep.run'] }).click();
      await expect(panel.getByText(de['deep.computing'])).toHaveCount(0);
    }
    const draw = panel.getByRole('button', { name: /^1\D?000/ });
    if (await draw.isVisible()) await draw.click();
    await read();
  }
  for (const name of [de['share.open'], de['settings.open'], de['app.openModel']]) {
    await page.getByRole('button', { name, exact: true }).click();
    await expect(page.getByRole('dialog')).toBeVisible();
    await read();
    await page.keyboard.press('Escape');
  }
  await page.getByText(de['example.title'], { exact: true }).click();
  await read();
  await page.getByRole('button', { name: new RegExp(`^${de['tour.start']}`) }).click();
  for (let step = 0; step < 6; step++) {
    await expect(page.locator('gb-tour')).toContainText(de['tour.step'].replace('{step}', String(step + 1)).replace('{all}', '6'));
    await read();
    await page.locator('gb-tour').getByRole('button', { name: step < 5 ? de['table.after'] : de['tour.done'] }).click();
  }
  expect([...found]).toEqual([]);
});

test('errors are told in German, with the engine’s own words beneath', async ({ page }) => {
  const app = new German(page);
  await app.begin();
  await app.app.drop(BAD.find(({ name }) => name === 'gguf-html')?.path ?? '');
  const error = page.locator('gb-notices li.error');
  await expect(error).toContainText('Die Datei ist eine Webseite.');
  await expect(error.locator('.hint')).toContainText('Nimm den Download-Link der Datei');
  await expect(error.locator('.original q')).toHaveAttribute('lang', 'en');
  await expect(error.locator('.original')).toContainText(/is a web page/);
  await expect(page.locator('footer')).toContainText('Die CPU wurde verlangt.');
});

/** The page in German, with a model that has a chat template. */
class German {
  readonly app: App;

  constructor(private readonly page: Page) {
    this.app = App.attach(page);
  }

  async begin(): Promise<void> {
    const { page } = this;
    await page.goto(`${SITE}?device=cpu&empty`);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(de['welcome.title']);
    await this.app.drop(chatty());
    await expect(page.locator('gb-attention-grid[painted]')).toBeVisible();
    await page.getByRole('textbox', { name: de['prompt.title'] }).fill(TEXT);
    await this.app.idle();
  }
}

/** Runs in the page: every text and every label in it, shadow roots included. */
function everyWord(): string[] {
  const words: string[] = [];
  const walk = (root: ParentNode): void => {
    for (const element of root.querySelectorAll('*')) {
      if (['STYLE', 'SCRIPT', 'Q'].includes(element.tagName)) continue;
      for (const node of element.childNodes) if (node.nodeType === Node.TEXT_NODE) words.push(node.textContent ?? '');
      for (const name of ['aria-label', 'title', 'placeholder', 'name', 'caption']) words.push(element.getAttribute(name) ?? '');
      if (element.shadowRoot) walk(element.shadowRoot);
    }
  };
  walk(document);
  return words;
}
