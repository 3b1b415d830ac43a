/** What is shipped for others' code. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DIST } from './support/paths.ts';
import { expect, test } from './support/test.ts';

test('the types beside glassbox.js fit how these tests use it', async () => {
  expect(existsSync(join(DIST, 'glassbox.js'))).toBe(true);
  expect(existsSync(join(DIST, 'glassbox.d.ts'))).toBe(true);
  const compiler = join(import.meta.dirname, 'node_modules/typescript/bin/tsc');
  const check = promisify(execFile)(process.execPath, [compiler, '--noEmit', '--project', import.meta.dirname]);
  const { stdout } = await check.catch((error: unknown) => error as { stdout: string });
  expect(stdout).toBe('');
});
