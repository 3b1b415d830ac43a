import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { SCREENS } from './paths.ts';
import { expect } from './test.ts';

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
/** Rules of these tags that axe leaves out unless they are asked for. */
const ASKED = ['target-size', 'label-content-name-mismatch', 'td-has-header', 'p-as-heading', 'css-orientation-lock', 'hidden-content'];

/** Takes a picture, and looks for what a picture does not show. */
export async function look(page: Page, name: string): Promise<void> {
  mkdirSync(SCREENS, { recursive: true });
  const path = join(SCREENS, `${name}.png`);
  // The status line stays at the foot of wide windows, where a picture of the whole page would show it in the middle.
  await page.screenshot({ path, fullPage: name.startsWith('phone') });
  const { scrollWidth, clientWidth } = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return { scrollWidth, clientWidth };
  });
  expect.soft(scrollWidth, `${name}: nothing runs out of the window`).toBeLessThanOrEqual(clientWidth);
  const rules = Object.fromEntries(ASKED.map((rule) => [rule, { enabled: true }]));
  // Without frames there is nothing that axe would have to put together in a page of its own, which takes twice as long.
  expect(page.frames()).toHaveLength(1);
  const { violations } = await new AxeBuilder({ page }).setLegacyMode().options({ runOnly: { type: 'tag', values: TAGS }, rules, resultTypes: ['violations'] }).analyze();
  const found = violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.flat().join(' ')}: ${failureSummary ?? ''}`),
  );
  expect.soft(found, `${name}: axe`).toEqual([]);
}
