import { test as base, expect, type BrowserContext } from '@playwright/test';
import { openBlank } from './blank.ts';
import { EngineInPage } from './engine.ts';
import { Watch } from './watch.ts';

export { expect };

/** What the model runs on; each is a project of `playwright.config.ts`. */
export type Backend = 'cpu' | 'webgpu';

interface TestFixtures {
  /** What the pages of the test's context did. It is looked at when the test ends. */
  readonly watch: Watch;
  /** Errors on the console that the test itself brings about. */
  readonly expectedErrors: RegExp[];
}

interface WorkerFixtures {
  readonly backend: Backend;
  /** A context for pages that several tests share. */
  readonly shared: { readonly context: BrowserContext; readonly watch: Watch };
  /** The engine, started once for all tests of a worker. */
  readonly engine: EngineInPage;
}

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

  expectedErrors: async ({}, use) => {
    await use([]);
  },

  watch: [
    async ({ context, expectedErrors }, use) => {
      const watch = new Watch(context);
      await use(watch);
      check(watch, expectedErrors);
    },
    { auto: true },
  ],
});

function check(watch: Watch, expected: readonly RegExp[]): void {
  expect(watch.strayed, 'requests to other machines').toEqual([]);
  const unexpected = watch.errors.filter((error) => !expected.some((pattern) => pattern.test(error)));
  expect(unexpected, 'errors on the console').toEqual([]);
}
