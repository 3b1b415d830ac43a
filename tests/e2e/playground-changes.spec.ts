/** What the page lets one change, as a person does it, and what becomes of the next token, against transformers. */
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { App, GQA, IDS, opened } from './support/app.ts';
import { candidates, cellOf, chatty, deeper, expectNext, GOLDEN, number, numbers } from './support/panels.ts';
import { best, readGolden, rows, softmax, wanted } from './support/tensors.ts';
import { expect, PAGE, test } from './support/test.ts';

// Of the longest files each test may go to either worker.
test.describe.configure({ mode: 'parallel' });

const ANALYSES = readGolden(join(GQA.folder, 'golden-analysis.safetensors'));

/** The most probable tokens after the last position of logits that torch computed. */
function last(name: string): { id: number; probability: number; logit: number }[] {
  const logits = rows(wanted(ANALYSES, name)).at(-1) ?? new Float32Array();
  const probabilities = softmax(logits);
  return best(logits, 20).map((id) => ({ id, probability: probabilities[id] ?? NaN, logit: logits[id] ?? NaN }));
}

test.describe('parts of the model', () => {
  test('are switched off one by one: MLP, attention, layer', async ({ page }) => {
    await opened(page);
    const panel = await deeper(page, 'Change the model');
    const row = panel.locator('tbody tr').first();
    for (const [button, golden] of [
      ['MLP', 'edited.mlp'],
      ['attn', 'edited.attention'],
      ['layer', 'edited.layer'],
    ] as const) {
      await row.getByRole('button', { name: new RegExp(`Switch off: ${button} 0$`) }).click();
      await expect(page.getByText(/Changed by your edits: KL/)).toHaveCount(2);
      await expectNext(page, last(golden));
      await page.getByRole('button', { name: 'Take all back' }).click();
      await expect(page.getByRole('region', { name: 'Changes to the model' })).toBeHidden();
    }
  });

  test('a layer that is off changes every token as torch says', async ({ page }) => {
    await opened(page);
    const panel = await deeper(page, 'Change the model');
    await panel.getByRole('button', { name: 'Switch off: layer 0', exact: true }).click();
    await expect(panel.getByText(/KL divergence of the next-token distribution/)).toBeVisible();
    const { rows: shown } = await numbers(panel, 'Divergence at every token');
    const divergence = Array.from(wanted(ANALYSES, 'divergence').data);
    expect(shown).toHaveLength(divergence.length);
    shown.forEach((row, i) => {
      expect.soft(Math.abs(Number(row[1]) - (divergence[i] ?? NaN)), `token ${i}`).toBeLessThan(2e-3);
    });
  });

  test('a head that is off is crossed out, and its ghost stays behind what is', async ({ page }) => {
    const app = await opened(page);
    await page.getByRole('combobox', { name: 'Head', exact: true }).selectOption('3');
    await page.getByRole('button', { name: 'Switch this head off' }).click();
    await expect(page.getByRole('columnheader', { name: 'Before' })).toBeVisible();
    const off = rows(wanted(readGolden(join(GQA.folder, GQA.golden)), 'edits.ablate.l0h3.logits')).at(-1) ?? new Float32Array();
    const probabilities = softmax(off);
    const before = softmax(rows(wanted(readGolden(join(GQA.folder, GQA.golden)), 'logits')).at(-1) ?? new Float32Array());
    const { columns, rows: shown } = await numbers(page, 'Next token');
    const [id, was] = [columns.indexOf('id'), columns.indexOf('Before')];
    for (const row of shown) {
      expect.soft(Math.abs(Number(row[3]) - (probabilities[Number(row[id])] ?? NaN))).toBeLessThan(2e-4);
      expect.soft(Math.abs(Number(row[was]) - (before[Number(row[id])] ?? NaN))).toBeLessThan(2e-4);
    }
    await app.grid.focus();
    for (const key of ['Home', 'End']) await page.keyboard.press(key);
    await expect(app.grid.getByRole('gridcell')).toHaveText(/switched off/);
  });

  test('one edge is cut from the cell that is locked', async ({ page }) => {
    const app = await opened(page);
    await page.getByRole('combobox', { name: 'Layer', exact: true }).selectOption('1');
    await page.getByRole('combobox', { name: 'Head', exact: true }).selectOption('2');
    await app.matrix.focus();
    for (const key of ['ArrowDown', ...Array<string>(6).fill('ArrowDown'), ...Array<string>(3).fill('ArrowRight'), 'Enter']) await page.keyboard.press(key);
    await page.getByRole('button', { name: 'Cut 6 → 3' }).click();
    await expect(page.getByRole('region', { name: 'Changes to the model' })).toContainText('1.2: 6 → 3 cut');
    await expect(page.getByText(/Changed by your edits/)).toBeVisible();
    const { rows: shown } = await numbers(page, 'Layer 1, head 2');
    expect(shown.find(([query, key]) => String(query).startsWith('6 ') && String(key).startsWith('3 '))?.[2]).toBe(0);
    await expectNext(page, last('edited.edge'));
  });
});

test('steering by two texts turns the model as torch says', async ({ page }) => {
  await opened(page);
  const { towards, away, layer, strength, next } = GOLDEN.steer;
  const panel = await deeper(page, 'Change the model');
  await panel.getByRole('textbox', { name: 'Towards' }).fill(towards);
  await panel.getByRole('textbox', { name: /^Away from/ }).fill(away);
  await panel.getByRole('spinbutton', { name: 'Layer' }).fill(String(layer));
  await panel.getByRole('spinbutton', { name: 'Strength' }).fill(String(strength));
  await panel.getByRole('button', { name: 'Steer', exact: true }).click();
  await expect(page.getByRole('region', { name: 'Changes to the model' })).toContainText(`layer ${layer} + ${strength} × (“${towards}” − “${away}”)`);
  await expectNext(page, next);
});

test.describe('two prompts', () => {
  test('stand side by side, with what differs, and what each says next', async ({ page }) => {
    await opened(page);
    const panel = await deeper(page, 'Two prompts and patching');
    await writeSecond(page);
    const { next } = GOLDEN.second;
    const table = panel.getByRole('table', { name: 'Candidates for the next token' }).first();
    await expect(table.locator('tbody tr')).toHaveCount(10);
    const ids = await table.locator('tbody bdi').evaluateAll((found) => found.map((one) => Number(/id (\d+)/.exec(one.getAttribute('title') ?? '')?.[1])));
    expect(ids).toEqual(next.slice(0, 10).map(({ id }) => id));
    const shown = (await table.locator('tbody td:nth-of-type(3)').allInnerTexts()).map(number);
    shown.forEach((probability, i) => {
      expect.soft(Math.abs(probability / (next[i]?.probability ?? NaN) - 1)).toBeLessThan(0.007);
    });
    // Only the one token that differs is shaded.
    const strip = panel.getByRole('listbox', { name: 'Tokens' }).first().getByRole('option');
    const shaded = await strip.evaluateAll((options) => options.flatMap((option, i) => ((option.getAttribute('style') ?? '').includes('--shade') ? [i] : [])));
    expect(shaded).toEqual(GOLDEN.second.ids.flatMap((id, i) => (id === IDS[i] ? [] : [i])));
  });

  test('a cell is dragged from the one onto the other', async ({ page }) => {
    await opened(page);
    const panel = await deeper(page, 'Two prompts and patching');
    await writeSecond(page);
    const { layer, position, next } = GOLDEN.patch;
    const from = await cellOf(panel.locator('gb-patch-grid #source'), layer, position);
    await page.mouse.move(from.x, from.y);
    await page.mouse.down();
    await expect(panel.getByText(`Holding layer ${layer}, token ${position}`)).toBeVisible();
    const to = await cellOf(panel.locator('gb-patch-grid #target'), 0, position);
    await page.mouse.move(to.x, to.y, { steps: 8 });
    await page.mouse.up();
    await expect(page.getByRole('region', { name: 'Changes to the model' })).toContainText(`resid_pre of layer ${layer} at ${position} from ${position}`);
    await expectNext(page, next);
  });

  test('a cell is patched by keyboard too, and taken back', async ({ page }) => {
    await opened(page);
    const panel = await deeper(page, 'Two prompts and patching');
    await writeSecond(page);
    const plain = await candidates(page);
    const { layer, position, next } = GOLDEN.patch;
    const [source, target] = [panel.getByRole('grid', { name: /^Source/ }), panel.getByRole('grid', { name: /^Target/ })];
    await source.focus();
    for (const key of ['ArrowDown', ...Array<string>(layer).fill('ArrowDown'), ...Array<string>(position).fill('ArrowRight'), 'Enter']) await page.keyboard.press(key);
    await target.focus();
    for (const key of ['ArrowDown', ...Array<string>(position).fill('ArrowRight'), 'Enter']) await page.keyboard.press(key);
    await expectNext(page, next);
    await page.getByRole('button', { name: /^Take back: resid_pre/ }).click();
    await expect.poll(() => candidates(page)).toEqual(plain);
  });

  test('a sweep brings back what torch says, cell by cell', async ({ page }) => {
    await opened(page);
    const panel = await deeper(page, 'Two prompts and patching');
    await writeSecond(page);
    await panel.getByRole('button', { name: 'Patch every cell' }).click();
    await expect(panel.getByText(/100\s% is as in the source/)).toBeVisible();
    const { rows: shown } = await numbers(panel, 'Effect of patching each cell');
    const { recovered } = GOLDEN.sweep;
    expect(shown).toHaveLength(recovered.flat().length);
    shown.forEach((row, i) => {
      expect.soft(Math.abs(Number(row[2]) - (recovered.flat()[i] ?? NaN)), `${row[0]}, ${row[1]}`).toBeLessThan(2e-3);
    });
  });
});

test('undo and redo go through changes of every kind, and back', async ({ page }) => {
  const app = await opened(page);
  const list = page.getByRole('region', { name: 'Changes to the model' });
  const first = await app.candidates.allInnerTexts();
  await page.getByRole('button', { name: 'Switch this head off' }).click();
  await expect(list).toBeVisible();
  // The list is there before the run is.
  await expect(page.getByText(/Changed by your edits/)).toBeVisible();
  await app.idle();
  const second = await app.candidates.allInnerTexts();
  await page.getByRole('button', { name: 'Arcs' }).click();
  // What is only looked at otherwise is a step once it has stayed so for a moment.
  await page.waitForTimeout(600);
  await app.candidates.first().getByRole('button').click();
  await expect(app.tokens).toHaveCount(IDS.length + 1);
  await app.idle();
  await page.locator('body').press('Control+z');
  await expect(app.tokens).toHaveCount(IDS.length);
  await expect(page.getByRole('button', { name: 'Arcs' })).toHaveAttribute('aria-pressed', 'true');
  await app.idle();
  await page.locator('body').press('Control+z');
  await expect(page.getByRole('button', { name: 'Matrix' })).toHaveAttribute('aria-pressed', 'true');
  await expect.poll(() => app.candidates.allInnerTexts()).toEqual(second);
  await page.locator('body').press('Control+z');
  await expect(list).toBeHidden();
  await expect.poll(() => app.candidates.allInnerTexts()).toEqual(first);
  for (let i = 0; i < 3; i++) {
    await app.idle();
    await page.locator('body').press('Control+Shift+z');
  }
  await expect(app.tokens).toHaveCount(IDS.length + 1);
  await expect(list).toContainText('head 0.0 off');
  await expect(page.getByRole('button', { name: 'Redo' })).toBeDisabled();
});

test('a branch keeps both ways, each as probable as torch says', async ({ page }) => {
  await opened(page);
  const panel = await deeper(page, 'Branches');
  const { ids, probabilities, log } = GOLDEN.branch;
  const offers = panel.getByRole('button', { name: /^Go on with/ });
  await offers.nth(1).click();
  await panel.getByRole('button', { name: '8 tokens on, most probable' }).click();
  await expect(panel.getByRole('button', { name: '8 tokens on, most probable' })).toBeEnabled();
  await panel.getByRole('button', { name: 'The prompt' }).click();
  await expect(panel.getByRole('heading', { name: /What comes after The prompt/ })).toBeVisible();
  await expect(offers.first()).toContainText(/./);
  await offers.first().click();
  const { columns, rows: shown } = await numbers(panel, 'Tree of continuations');
  const probability = columns.indexOf('Probability');
  expect(shown).toHaveLength(2);
  const [long, short] = shown;
  // Of nine tokens torch has the first five; the whole is what each of them leaves.
  const nine = Number(long?.[probability]);
  expect(nine).toBeGreaterThan(0);
  expect(nine).toBeLessThan(Math.exp(log));
  const top = softmax(rows(wanted(readGolden(join(GQA.folder, GQA.golden)), 'logits')).at(-1) ?? new Float32Array());
  expect(Math.abs(Number(short?.[probability]) - Math.max(...top))).toBeLessThan(2e-4);
  const each = (await panel.locator('gb-branch-tree small').allInnerTexts()).map(number);
  probabilities.forEach((probability, i) => {
    expect.soft(Math.abs((each[i] ?? NaN) / probability - 1), `token ${ids[i]}`).toBeLessThan(0.007);
  });
  // The tree is still there when one comes back to it.
  await deeper(page, 'Logit lens');
  await deeper(page, 'Branches');
  await expect(panel.locator('gb-branch-tree small')).toHaveCount(each.length);
});

test.describe('a chat', () => {
  test('is written by the model’s own template, becomes the prompt, and goes on', async ({ page }) => {
    const { messages, text, ids, next } = GOLDEN.chat;
    const app = await App.open(page);
    await app.openByDrop(chatty());
    const panel = await deeper(page, 'Chat');
    await panel.getByRole('button', { name: 'Add a message' }).click();
    for (const [i, { role, content }] of messages.entries()) {
      await panel.getByRole('combobox', { name: 'Who speaks' }).nth(i).selectOption(role);
      await panel.getByRole('textbox', { name: 'Message' }).nth(i).fill(content);
    }
    await expect(panel.locator('pre')).toHaveText(text);
    await panel.getByRole('button', { name: 'Make it the prompt' }).click();
    await expect.poll(() => app.ids()).toEqual(ids);
    await app.pictured();
    await expectNext(page, next);
    await app.generateGreedily(3);
    const said = (await app.generate()).join('');
    await panel.getByRole('button', { name: 'Take what was generated as the answer' }).click();
    await expect(panel.getByRole('textbox', { name: 'Message' })).toHaveCount(messages.length + 2);
    expect(said.length).toBeGreaterThan(0);
    await expect(panel.getByRole('combobox', { name: 'Who speaks' }).nth(messages.length)).toHaveValue('assistant');
  });

  test('is not offered by a model without a template', { tag: PAGE }, async ({ page }) => {
    await opened(page);
    await expect(page.getByRole('tab', { name: 'Branches' })).toBeVisible();
    await expect(page.getByRole('tab', { name: 'Chat' })).toHaveCount(0);
  });
});

/** Writes the second prompt and waits for what it says. */
async function writeSecond(page: Page): Promise<void> {
  const field = page.getByRole('textbox', { name: 'Second prompt (source)' });
  await field.fill(GOLDEN.second.text);
  await field.press('Tab');
  await expect(page.getByRole('heading', { name: 'Patch sweep' })).toBeVisible();
}
