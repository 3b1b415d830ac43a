import { test as base, expect, type BrowserContext } from '@playwright/test';
import { openBlank } from './blank.ts';
import { EngineInPage } from './engine.ts';
import { SITE } from './paths.ts';
import { Watch } from './watch.ts';

export { expect };

/** Tag of tests that the device has no part in: they run on the CPU alone. */
export const PAGE = '@page';

/** What the model runs on; each is a project of `playwright.config.ts`. */
export type Backend = 'cpu' | 'webgpu';

interface TestFixtures {
  /** What the pages of the test's context did. It is looked at when the test ends. */
  readonly watch: Watch;
  /** Errors on the console that the test itself brings about. */
  readonly expectedErrors: RegExp[];
  /** Whether this is the first visit, on which the page tests the device; else it knows it from an earlier test. */
  readonly newcomer: boolean;
  readonly acquaintance: void;
}

interface WorkerFixtures {
  readonly backend: Backend;
  /** A context for pages that several tests share. */
  readonly shared: { readonly context: BrowserContext; readonly watch: Watch };
  /** The engine, started once for all tests of a worker. */
  readonly engine: EngineInPage;
  /** What pages of this worker have found out about the device. */
  readonly device: { known: string | null };
}

/** Where the page keeps what it has found out about devices. */
const DEVICES = 'glassbox.devices';

/** Tests whose pages may not print errors, break their own policy, or talk to any other machine. */
export const test = base.extend<TestFixtures, WorkerFixtures>({
  backend: ['cpu', { scope: 'worker', option: true }],

  shared: [
    async ({ browser }, use) => {
      const context = await browser.newContext();
      const watch = new Watch(context);
      await use({ context, watch });
      await context.close();
      check(watch, []);
    },
    { scope: 'worker' },
  ],

  engine: [
    async ({ shared, backend }, use) => {
      const page = await openBlank(shared.context);
      await use(await EngineInPage.start(page, backend));
    },
    { scope: 'worker', timeout: 120_000 },
  ],

  device: [
    async ({}, use) => {
      await use({ known: null });
    },
    { scope: 'worker' },
  ],

  expectedErrors: async ({}, use) => {
    await use([]);
  },

  newcomer: [false, { option: true }],

  acquaintance: [
    async ({ context, device, newcomer }, use) => {
      if (!newcomer && device.known !== null) await context.addInitScript(remind, [DEVICES, device.known] as const);
      await use();
      if (newcomer || device.known !== null) return;
      for (const page of context.pages().filter((page) => page.url().startsWith(SITE))) {
        device.known ??= await page.evaluate((key) => localStorage.getItem(key), DEVICES).catch(() => null);
      }
    },
    { auto: true },
  ],

  watch: [
    async ({ context, expectedErrors }, use) => {
      const watch = new Watch(context);
      await use(watch);
      check(watch, expectedErrors);
    },
    { auto: true },
  ],
});

/** Runs in each page before its own scripts. */
function remind([key, known]: readonly [string, string]): void {
  if (location.protocol !== 'about:' && localStorage.getItem(key) === null) localStorage.setItem(key, known);
}

function check(watch: Watch, expected: readonly RegExp[]): void {
  expect(watch.strayed, 'requests to other machines').toEqual([]);
  const unexpected = watch.errors.filter((error) => !expected.some((pattern) => pattern.test(error)));
  expect(unexpected, 'errors on the console').toEqual([]);
}
