/** Opening models by their addresses, from servers good and bad. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import type { Failed } from './support/blank.ts';
import { readHouse, variant } from './support/cases.ts';
import { expect, expectGreedy, GPT2, GQA, publish, test } from './support/client.ts';
import type { Fault, Hub } from './support/hub.ts';
import { HOUSE } from './support/paths.ts';

const { house } = readHouse();
/** Three blocks long. */
const HOUSE_GGUF = readFileSync(join(HOUSE, house.gguf.file));

const SAID: Readonly<Record<Fault, string>> = {
  'no-ranges': 'gives no ranges',
  'breaks-off': 'breaks off',
  'ends-early': 'ends the file early',
  changes: 'has another file meanwhile',
  'no-cors': 'does not allow it',
  stalls: 'has gone silent',
};

test.describe('addresses', () => {
  test('open a folder of a hub by its address', async ({ blank, hub }) => {
    const folder = publish(hub, '/owner/llama-gqa/resolve/main', GQA);
    const info = await blank.evaluate(async (url) => {
      window.model = await window.gb.open({ url });
      return window.model.info;
    }, folder);
    expect(info).toMatchObject({ architecture: 'llama', parameters: GQA.case.parameters });
    expect(info.tokenizer).not.toBeNull();
    await expectGreedy(blank, GQA);
    expectModest(hub);
  });

  test('open one GGUF file by its address', async ({ blank, hub }) => {
    publish(hub, '/owner/gpt2/resolve/main', GPT2);
    const info = await blank.evaluate(async (url) => {
      window.model = await window.gb.open({ url }, { precision: 'f32' });
      return window.model.info;
    }, hub.missing('/owner/gpt2/resolve/main/model-q8_0.gguf?download=true'));
    expect(info).toMatchObject({ architecture: 'gpt2', format: 'GGUF v3' });
    await expectGreedy(blank, GPT2);
    expectModest(hub);
  });

  test('larger than a block are read on, once', async ({ blank, hub }) => {
    const url = hub.add('/house/model.gguf', HOUSE_GGUF);
    await blank.evaluate((url) => window.gb.open({ url }, { precision: 'f32' }).then((model) => Object.assign(window, { model })), url);
    const ids = await blank.evaluate(async (tokens) => {
      const run = window.model.generate({ tokens, maxNewTokens: 8, sampler: { greedy: true } });
      const ids: number[] = [];
      for await (const { id } of run) ids.push(id);
      return ids;
    }, [...house.prompt.ids_with_special]);
    expect(ids).toEqual(house.greedy.ids.slice(0, 8));
    const ranges = hub.seen.map(({ range }) => /^bytes=(\d+)-(\d+)$/.exec(range ?? '')?.slice(1).map(Number) ?? []);
    expect(ranges.length).toBeGreaterThan(1);
    expect(ranges.every((range) => range.length === 2)).toBe(true);
    const asked = ranges.reduce((sum, [first = 0, last = 0]) => sum + Math.min(last + 1, HOUSE_GGUF.length) - first, 0);
    // A tensor over the end of the first block is asked for whole, and those at the end of the file before their turn.
    expect(asked).toBeLessThan(1.3 * HOUSE_GGUF.length);
  });

  test('open shards by a list of addresses', async ({ blank, hub }) => {
    const sharded = variant('llama-sharded');
    const folder = publish(hub, '/sharded', sharded);
    await blank.evaluate(
      async (urls) => {
        window.model = await window.gb.open({ urls });
      },
      sharded.files.map((file) => `${folder}/${file}`),
    );
    await expectGreedy(blank, sharded);
    expectModest(hub);
  });

  test('open a folder with shards by its address', async ({ blank, hub }) => {
    const sharded = variant('llama-sharded');
    const folder = publish(hub, '/owner/sharded/resolve/main/', sharded);
    await blank.evaluate(async (url) => {
      window.model = await window.gb.open({ url });
    }, `${folder}/`);
    await expectGreedy(blank, sharded);
  });

  test('open from a server without ranges', async ({ blank, hub }) => {
    hub.fault = 'no-ranges';
    const folder = publish(hub, '/plain', GQA);
    await blank.evaluate(async (url) => {
      window.model = await window.gb.open({ url });
    }, folder);
    await expectGreedy(blank, GQA);
  });

  const refusals: readonly { readonly fault: Fault; readonly message: RegExp }[] = [
    { fault: 'breaks-off', message: /model-q8_0\.gguf/ },
    { fault: 'ends-early', message: /model-q8_0\.gguf/ },
    { fault: 'changes', message: /changed/ },
    { fault: 'no-cors', message: /could not be fetched/ },
  ];
  for (const { fault, message } of refusals) {
    test(`are refused where the server ${SAID[fault]}, and the model before stays`, async ({ blank, hub, expectedErrors }) => {
      // The browser itself reports what it could not load.
      expectedErrors.push(/net::ERR_|CORS policy/);
      hub.fault = fault;
      const error = await refusal(blank, hub.add('/broken/model-q8_0.gguf', HOUSE_GGUF));
      expect(error.name).toBe('GlassboxError');
      expect(error.message).toMatch(message);
      expect(error.hint).not.toBe('');
      await expectGreedy(blank, GQA);
    });
  }

  test('are refused where nothing is behind them', async ({ blank, hub, expectedErrors }) => {
    expectedErrors.push(/404/);
    const error = await refusal(blank, hub.missing('/nothing/model.gguf'));
    expect(error.code).toBe('http_status');
    expect(error.message).toContain('404');
    expect(error.hint).toMatch(/address/);
    await expectGreedy(blank, GQA);
  });

  test('are refused where they are none', async ({ blank }) => {
    for (const url of ['javascript:alert(1)', 'file:///etc/passwd', 'https://']) {
      expect(await refusal(blank, url)).toMatchObject({ code: 'bad_argument' });
    }
  });

  test('are asked for anonymously', async ({ blank, hub }) => {
    const folder = publish(hub, '/anonymous', GQA);
    await blank.evaluate((url) => window.gb.open({ url }).then(() => undefined), folder);
    expect(hub.seen.length).toBeGreaterThan(2);
    expect(hub.seen.filter(({ credentials, referrer }) => credentials || referrer)).toEqual([]);
  });
});

/** Weights are read by ranges, never whole at once. */
function expectModest(hub: Hub): void {
  const weights = hub.seen.filter(({ path }) => /\.(gguf|safetensors)$/.test(path));
  expect(weights.length).toBeGreaterThan(0);
  expect(weights.filter(({ range }) => range === undefined)).toEqual([]);
}

async function refusal(page: Page, url: string): Promise<Failed> {
  const { error } = await page.evaluate(
    (address) => window.attempt(() => window.gb.open({ url: address }).then(() => undefined)),
    url,
  );
  if (!error) throw new Error(`${url} was opened`);
  return error;
}
