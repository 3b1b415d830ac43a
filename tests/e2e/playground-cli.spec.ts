/** What the page computes and what the command line computes, tensor by tensor. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Page } from '@playwright/test';
import { GQA, IDS, opened } from './support/app.ts';
import { candidates, saved } from './support/panels.ts';
import { SCRATCH } from './support/paths.ts';
import { distance, readGolden, rows, softmax, wanted, type HostTensor } from './support/tensors.ts';
import { expect, test } from './support/test.ts';

/** The program that `cargo test` has built. */
const TARGET = process.env['CARGO_TARGET_DIR'] ?? resolve(import.meta.dirname, '../../target');
const CLI = process.env['GLASSBOX_CLI'] ?? join(TARGET, 'debug/glassbox');

const KINDS = ['logits', 'pattern', 'resid_post', 'z'];

test.skip(!existsSync(CLI), 'the command line is not built');

for (const { what, ablate } of [
  { what: 'as it is', ablate: [] },
  { what: 'with a head off', ablate: ['--ablate', '0.0'] },
]) {
  test(`a trace that is saved is that of “glassbox trace”, and so are the probabilities, of a model ${what}`, async ({ page }) => {
    await opened(page);
    if (ablate.length > 0) {
      await page.getByRole('button', { name: 'Switch this head off' }).click();
      await expect(page.getByText(/Changed by your edits/)).toBeVisible();
    }
    const folder = scratch();
    const path = join(folder, 'cli.safetensors');
    execFileSync(CLI, ['trace', GQA.folder, '--tokens', IDS.join(','), '--capture', KINDS.join(','), ...ablate, '--out', path]);
    const told = readGolden(path);
    const shown = await savedTrace(page, join(folder, 'page.safetensors'));
    for (const name of ['logits', ...[0, 1].flatMap((layer) => ['attn.hook_pattern', 'attn.hook_z', 'hook_resid_post'].map((hook) => `blocks.${layer}.${hook}`))]) {
      expect.soft(distance(wanted(shown, name), wanted(told, name)), name).toBeLessThan(1e-3);
    }
    const probabilities = softmax(rows(wanted(told, 'logits')).at(-1) ?? new Float32Array());
    const next = await candidates(page);
    expect(next.length).toBeGreaterThanOrEqual(10);
    for (const { id, probability } of next) expect.soft(Math.abs(probability - (probabilities[id] ?? NaN)), `probability of ${id}`).toBeLessThan(2e-4);
  });
}

function scratch(): string {
  mkdirSync(SCRATCH, { recursive: true });
  return mkdtempSync(join(SCRATCH, 'trace-'));
}

/** Saves the run as a reader does, and reads the file. */
async function savedTrace(page: Page, path: string): Promise<ReadonlyMap<string, HostTensor>> {
  await page.getByRole('button', { name: 'Share' }).click();
  const dialog = page.getByRole('dialog', { name: 'Keep and share' });
  await dialog.getByRole('checkbox', { name: /^z / }).check();
  writeFileSync(path, await saved(dialog.getByRole('button', { name: 'Save the trace' })));
  await page.keyboard.press('Escape');
  return readGolden(path);
}
