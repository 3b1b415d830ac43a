/** Files that must be refused, dropped on the page: each is told with a way out, and the page goes on with its model. */
import { BAD, cleanFolder, variant } from './support/cases.ts';
import { App } from './support/app.ts';
import { expect, test as base } from './support/test.ts';

const TOKENS = 4;

interface Working {
  readonly app: App;
  /** What the open model is called, and how it goes on. */
  readonly name: string;
  readonly text: readonly string[];
}

/** The page with a good model open, for all cases: none of them may spoil it for the next. */
const test = base.extend<object, { readonly working: Working }>({
  working: [
    async ({ shared }, use) => {
      const app = await App.open(await shared.context.newPage());
      await app.openByDrop(cleanFolder(variant('llama-gqa')));
      await app.generateGreedily(TOKENS);
      const text = await app.generate();
      expect(text).toHaveLength(TOKENS);
      await use({ app, name: await app.model.innerText(), text });
    },
    { scope: 'worker', timeout: 60_000 },
  ],
});

test('there are cases', () => {
  expect(BAD.length).toBeGreaterThanOrEqual(40);
});

for (const { name: title, error, path } of BAD) {
  test(`${title}: ${error}`, async ({ working: { app, name, text } }) => {
    await app.drop(path);
    await expect(app.errors).toHaveCount(1);
    const [message = '', hint = ''] = await app.errors.locator('p').allInnerTexts();
    expect(message.replace(/^Error: /, '')).toMatch(/\w+ \w+/);
    expect(hint).toMatch(/\w+ \w+.*\.$/s);
    // What only a programmer can read is no message for people.
    expect(`${message} ${hint}`).not.toMatch(/panicked|unwrap|undefined|\[object|RuntimeError|stopped unexpectedly/);
    expect(await app.model.innerText()).toBe(name);
    expect(await app.generate()).toEqual(text);
    await app.errors.getByRole('button', { name: /Dismiss/ }).click();
    await expect(app.errors).toHaveCount(0);
  });
}
