/** What is shipped. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
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

test('the page states a strict Content-Security-Policy, and has nothing inline', () => {
  const page = readFileSync(join(DIST, 'index.html'), 'utf8');
  const policy = /<meta[^>]*http-equiv="?Content-Security-Policy"?[^>]*content="([^"]*)"/is.exec(page)?.[1] ?? '';
  const rules = new Map(policy.split(';').map((rule) => [rule.trim().split(/\s+/)[0] ?? '', rule.trim().split(/\s+/).slice(1)]));
  expect(rules.get('default-src')).toEqual(["'none'"]);
  expect(rules.get('script-src')).toEqual(["'self'", "'wasm-unsafe-eval'"]);
  expect(rules.get('style-src')).toEqual(["'self'"]);
  expect(rules.get('base-uri')).toEqual(["'none'"]);
  expect(rules.get('form-action')).toEqual(["'none'"]);
  expect(rules.get('require-trusted-types-for')).toEqual(["'script'"]);
  expect(page).not.toMatch(/<style|<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=/i);
});

test('all addresses are relative, so that any path of any host will do', () => {
  const page = readFileSync(join(DIST, 'index.html'), 'utf8');
  const addresses = [...page.matchAll(/\b(?:src|href)="?([^"\s>]+)/gi)].map(([, address]) => address);
  expect(addresses.length).toBeGreaterThanOrEqual(3);
  expect(addresses.filter((address) => !address?.startsWith('./'))).toEqual([]);
});
