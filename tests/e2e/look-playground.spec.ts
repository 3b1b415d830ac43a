/**
 * Every panel, menu and dialog of the playground, in every size, theme and contrast: axe finds nothing, nothing runs out
 * of the window, and pictures of all of it are left in `results/screens`.
 */
import { App, TEXT } from './support/app.ts';
import { chatty, deeper, GOLDEN } from './support/panels.ts';
import { look } from './support/look.ts';
import { SITE } from './support/paths.ts';
import { expect, test } from './support/test.ts';

test.describe.configure({ mode: 'parallel' });

const DESKTOP = { width: 1440, height: 900 };
const LOOKS = {
  'desktop-light': { viewport: DESKTOP, colorScheme: 'light' },
  'desktop-dark': { viewport: DESKTOP, colorScheme: 'dark' },
  'phone-light': { viewport: { width: 360, height: 780 }, colorScheme: 'light', hasTouch: true },
  'phone-dark': { viewport: { width: 360, height: 780 }, colorScheme: 'dark', hasTouch: true },
  'contrast-light': { viewport: DESKTOP, colorScheme: 'light', contrast: 'more' },
  'contrast-dark': { viewport: DESKTOP, colorScheme: 'dark', contrast: 'more' },
  presenter: { viewport: { width: 1280, height: 720 }, colorScheme: 'light' },
} as const;

const WHOLE_TOUR = ['desktop-light', 'phone-dark'];

for (const [name, options] of Object.entries(LOOKS)) {
  test.describe(name, () => {
    test.use(options);
    test.slow();

    test.beforeEach(async ({ page }) => {
      if (name === 'presenter') await page.addInitScript(() => localStorage.setItem('glassbox.settings', '{"size":"presenter"}'));
    });

    test('the first visit, its tour, its menus and dialogs', async ({ page }) => {
      await page.goto(`${SITE}?device=cpu`);
      await expect(page.getByRole('button', { name: 'Generate', exact: true })).toBeEnabled();
      await expect(page.locator('gb-attention-grid[painted]')).toBeVisible();
      await look(page, `${name}-first`);
      await page.getByText('Examples', { exact: true }).click();
      await look(page, `${name}-examples`);
      await page.keyboard.press('Escape');
      for (const [button, dialog] of [
        ['Share', 'Keep and share'],
        ['Settings', 'Settings'],
      ] as const) {
        await page.getByRole('button', { name: button, exact: true }).click();
        await expect(page.getByRole('dialog', { name: dialog })).toBeVisible();
        await look(page, `${name}-${button.toLowerCase()}`);
        await page.keyboard.press('Escape');
      }
      await page.getByRole('button', { name: /Show me around/ }).click();
      const tour = page.locator('gb-tour').getByRole('dialog');
      for (let step = 1; step <= 6; step++) {
        await expect(tour).toContainText(`${step} of 6`);
        await expect(page.getByText('computing…')).toHaveCount(0);
        // Its box is the same in every step, and the page beneath it is looked at without it too.
        if (step === 1 || WHOLE_TOUR.includes(name)) await look(page, `${name}-tour-${step}`);
        await tour.getByRole('button', { name: step < 6 ? 'Next' : 'Done' }).click();
      }
      await expect(tour).toBeHidden();
    });

    test('every analysis', async ({ page }) => {
      const app = await App.open(page);
      await app.openByDrop(chatty());
      await app.write(TEXT);
      await page.getByRole('combobox', { name: 'colour by' }).selectOption('surprisal');
      await app.tokens.nth(3).click();
      await page.getByRole('button', { name: 'Switch this head off' }).click();
      await expect(page.getByText(/Changed by your edits/)).toBeVisible();
      const tabs = await page.getByRole('tab').allInnerTexts();
      expect(tabs).toHaveLength(9);
      for (const tab of tabs) {
        const panel = await deeper(page, tab);
        await expect(panel.getByText('computing…')).toHaveCount(0);
        if (tab === 'Logit lens') await panel.getByRole('list', { name: 'Pinned tokens' }).getByRole('button').first().click();
        if (tab === 'Branches') await panel.getByRole('button', { name: /^Go on with/ }).first().click();
        if (tab === 'Chat') await panel.getByRole('textbox', { name: 'Message' }).fill('Hello');
        if (tab === 'Distribution and sampler') await panel.getByRole('button', { name: /^Draw/ }).click();
        if (tab === 'Two prompts and patching') {
          const second = panel.getByRole('textbox', { name: 'Second prompt (source)' });
          await second.fill(GOLDEN.second.text);
          await second.press('Tab');
          await panel.getByRole('button', { name: 'Patch every cell' }).click();
        }
        await expect(panel.getByText('computing…')).toHaveCount(0);
        await look(page, `${name}-${tab.toLowerCase().replaceAll(/\W+/g, '-')}`);
      }
    });
  });
}
