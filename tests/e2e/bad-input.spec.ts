/** Files that must be refused, dropped on the page: each is told with a way out, and the page goes on with its model. */
import { BAD, cleanFolder, variant } from './support/cases.ts';
import { App } from './support/app.ts';
import { expect, test as base } from './support/test.ts';

const TOKENS = 4;

/** How the page words each kind of error of the fixtures. */
const WORDING: Readonly<Record<string, RegExp>> = {
  '8-bit weights without their scale': /its scale cannot be used/,
  'Git LFS pointer, not weights': /git-LFS pointer/,
  'ONNX model': /is an ONNX graph/,
  // It goes to the model that is open.
  'adapter without its model': /The adapter's .* is not valid: it holds no matrices/,
  'archive, not weights': /is a zip archive/,
  'bad metadata': /metadata key|general\.alignment/,
  'big-endian GGUF file': /big-endian/,
  'config.json is not JSON': /config\.json is not valid/,
  'empty file': /empty file/,
  'header is not JSON': /header of .* is not valid/,
  'header longer than the file': /header of .* takes \d+ bytes/,
  'impossible configuration': /configuration is wrong at "\w+"/,
  'misaligned tensor': /tensor .* is at offset \d+/,
  'missing file': /missing|No model weights among/,
  'missing metadata': /"llama\.block_count": it is missing/,
  // A tensor taken out of a GGUF file leaves a hole; a layer too many asks for tensors that are not there.
  'missing tensor': /is not in the checkpoint|is at offset \d+|"num_hidden_layers"/,
  'not a GGUF file': /does not start with GGUF/,
  'overlapping tensors': /inside the tensor before it|tensors before it end at/,
  'parts of different models': /does not belong to the other parts/,
  'pickled weights': /Python pickle/,
  'tensor outside the file': /tensors? before it ends? at/,
  'tensor size and shape disagree': /takes \d+ bytes|too large to exist|before its start/,
  'tensor size overflows': /too large to exist/,
  // Lengths that no file has are refused before the file is found to be shorter.
  'truncated file': /is cut off|at most \d+ is accepted/,
  'unknown GGUF version': /is GGUF version 9/,
  'unknown architecture': /architecture "llamma" is not known/,
  'unknown tensor type': /is stored as .*not supported/,
  'unsafe file name': /only files in the same folder/,
  'web page, not weights': /is a web page/,
  'weights packed for other software': /quantised with \w+, which is not supported/,
  'wrong tensor shape': /has shape .* asks for/,
};

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
    const said = await app.errors.locator('p').allTextContents();
    const [message = '', hint = ''] = said.map((text) => text.replace(/\s+/g, ' ').trim());
    expect(WORDING[error], `wording of "${error}"`).toBeDefined();
    expect(message).toMatch(WORDING[error] ?? '');
    expect(hint).toMatch(/\w+ \w+.*\.$/);
    // What only a programmer can read is no message for people.
    expect(`${message} ${hint}`).not.toMatch(/panicked|unwrap|undefined|\[object|RuntimeError|stopped unexpectedly/);
    expect(await app.model.innerText()).toBe(name);
    expect(await app.generate()).toEqual(text);
    await app.errors.getByRole('button', { name: /Dismiss/ }).click();
    await expect(app.errors).toHaveCount(0);
  });
}
