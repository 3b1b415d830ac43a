import { expect, test, type Locator, type Page } from '@playwright/test';
import { cleanFolder, variant } from './cases.ts';
import { SITE } from './paths.ts';
import type { Backend } from './test.ts';

/** The page as a person sees it. */
export class App {
  readonly prompt: Locator;
  readonly tokens: Locator;
  /** Name of the open model, in the header. */
  readonly model: Locator;
  readonly errors: Locator;
  readonly grid: Locator;
  readonly matrix: Locator;
  /** What is said of the attention cell that is pointed at. */
  readonly reading: Locator;
  readonly candidates: Locator;
  readonly generated: Locator;
  readonly status: Locator;

  private constructor(readonly page: Page) {
    this.prompt = page.getByRole('textbox', { name: /^Prompt/ });
    this.tokens = page.getByRole('listbox', { name: 'Tokens of the prompt' }).getByRole('option');
    this.model = page.locator('header strong');
    this.errors = page.getByRole('list', { name: 'Messages' }).locator('li.error');
    this.grid = page.getByRole('grid', { name: /^Attention of \d+ layers/ });
    this.matrix = page.getByRole('grid', { name: /^Attention of this head/ });
    this.reading = page.locator('gb-attention-reading');
    this.candidates = page.getByRole('table', { name: 'Candidates for the next token' }).locator('tbody tr');
    this.generated = page.getByRole('listbox', { name: 'Generated tokens' }).getByRole('option');
    this.status = page.locator('footer');
  }

  /** A page that has been opened otherwise. */
  static attach(page: Page): App {
    return new App(page);
  }

  static async open(page: Page, query = deviceQuery(), site = SITE): Promise<App> {
    const app = new App(page);
    // Tests bring their own models.
    await page.goto(`${site}?${query}&empty`);
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
    return app;
  }

  /**
   * Drops files or folders on the page, as the operating system does. Chromium sometimes loses a drag that comes while
   * it lays the page out: what did not arrive is dropped again, as a hand would.
   */
  async drop(...paths: readonly string[]): Promise<void> {
    const session = await this.page.context().newCDPSession(this.page);
    const data = { items: [], files: [...paths], dragOperationsMask: 1 };
    await expect(async () => {
      await this.page.evaluate(() => {
        const mark = (): void => document.documentElement.setAttribute('data-dropped', '');
        document.documentElement.removeAttribute('data-dropped');
        window.addEventListener('drop', mark, { capture: true, once: true });
      });
      for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
        await session.send('Input.dispatchDragEvent', { type, x: 200, y: 200, data });
      }
      await expect(this.page.locator('html[data-dropped]')).toBeAttached({ timeout: 2_000 });
    }).toPass();
    await session.detach();
  }

  /** Drops a model and waits for the picture of its first prompt. */
  async openByDrop(...paths: readonly string[]): Promise<void> {
    await this.drop(...paths);
    await this.pictured();
  }

  /** Waits until what is shown belongs to the prompt as it is. */
  async pictured(): Promise<void> {
    await expect(this.page.locator('gb-attention-grid[painted]')).toBeVisible();
    await expect(this.candidates.first()).toBeVisible();
    await this.idle();
  }

  /** Waits until the model is not at work on the prompt. */
  async idle(): Promise<void> {
    // A run begins a moment after the last change of the prompt, and is told of from that change on.
    await expect(this.page.locator('gb-prompt-panel:not([busy])')).toBeAttached();
  }

  /** Types a prompt and waits for its picture. */
  async write(text: string): Promise<void> {
    await this.prompt.fill(text);
    await this.pictured();
  }

  /** Ids in the token strip. */
  async ids(): Promise<number[]> {
    const titles = await this.tokens.evaluateAll((items) => items.map((item) => item.getAttribute('title') ?? ''));
    return titles.map((title) => Number(/\bid (\d+)/.exec(title)?.[1] ?? NaN));
  }

  /** Sets how generation goes: greedily, and at most so many tokens. */
  async generateGreedily(count: number): Promise<void> {
    const summary = this.page.locator('gb-generate-panel summary');
    await summary.click();
    await this.page.getByRole('checkbox', { name: /^Greedy/ }).check();
    const field = this.page.getByRole('spinbutton', { name: /^New tokens/ });
    await field.fill(String(count));
    await field.blur();
    await summary.click();
  }

  /** Generates to the end and returns the text of the tokens. */
  async generate(): Promise<string[]> {
    await this.page.getByRole('button', { name: 'Generate', exact: true }).click();
    await expect(this.page.getByText(/Point at a token to see how it was drawn/)).toBeVisible();
    return this.generated.allTextContents();
  }
}

/** Asks for the device of the project that a test belongs to. */
export function deviceQuery(): string {
  const { backend } = test.info().project.use as { readonly backend?: Backend };
  return backend === 'webgpu' ? 'device=gpu&allow-software' : 'device=cpu';
}

/** The model that most tests of the page look into, with the prompt of its golden. */
export const GQA = variant('llama-gqa');
export const { text: TEXT, ids_with_special: IDS } = GQA.case.prompt;

/** The page with `llama-gqa` open and its golden's prompt read. */
export async function opened(page: Page): Promise<App> {
  const app = await App.open(page);
  await app.drop(cleanFolder(GQA));
  // Nobody waits for the picture of a text that is not theirs, only for the text.
  await expect(app.tokens.first()).toBeVisible();
  await app.write(TEXT);
  expect(await app.ids()).toEqual(IDS);
  return app;
}
