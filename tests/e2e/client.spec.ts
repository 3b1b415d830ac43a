/** `glassbox.js` as others use it: addresses, stopping, streaming, and surviving the death of the worker. */
import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { openBlank, type Failed } from './support/blank.ts';
import { cleanFolder, variant, type Variant } from './support/cases.ts';
import { packFiles } from './support/engine.ts';
import { Hub, type Fault } from './support/hub.ts';
import { LARGE, largeModel } from './support/large.ts';
import { sum } from './support/tensors.ts';
import { expect, test as base } from './support/test.ts';

const GQA = variant('llama-gqa');
const GPT2 = variant('gpt2/model-q8_0.gguf');

const SAID: Readonly<Record<Fault, string>> = {
  'no-ranges': 'gives no ranges',
  'breaks-off': 'breaks off',
  'ends-early': 'ends the file early',
  changes: 'has another file meanwhile',
  'no-cors': 'does not allow it',
  stalls: 'has gone silent',
};

/** The blank page with an engine and `llama-gqa` open in it, and a hub. */
const test = base.extend<{ readonly blank: Page; readonly hub: Hub }>({
  blank: async ({ context, watch }, use) => {
    void watch;
    const page = await openBlank(context);
    await page.evaluate(
      async (packed) => {
        window.gb = await window.client.Glassbox.start({ device: 'cpu' });
        window.model = await window.gb.open(window.unpack(packed));
      },
      packFiles(GQA.files.map((file) => join(GQA.folder, file))),
    );
    await use(page);
  },
  hub: async ({}, use) => {
    const hub = await Hub.start();
    await use(hub);
    hub.stop();
  },
});

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
      window.model = await window.gb.open({ url });
      return window.model.info;
    }, hub.missing('/owner/gpt2/resolve/main/model-q8_0.gguf?download=true'));
    expect(info).toMatchObject({ architecture: 'gpt2', format: 'GGUF v3' });
    await expectGreedy(blank, GPT2);
    expectModest(hub);
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
      publish(hub, '/broken', GPT2);
      const error = await refusal(blank, hub.missing('/broken/model-q8_0.gguf'));
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

test.describe('stopping', () => {
  test('ends an opening whose server has gone silent, and the model before goes on at once', async ({ blank, hub }) => {
    hub.fault = 'stalls';
    publish(hub, '/slow', GPT2);
    const { error, waited } = await blank.evaluate(async (url) => {
      const controller = new AbortController();
      const opening = window.attempt(() => window.gb.open({ url }, { signal: controller.signal }).then(() => undefined));
      await new Promise((resolve) => setTimeout(resolve, 500));
      controller.abort();
      const outcome = await opening;
      const start = performance.now();
      await window.model.tokenize('now');
      return { error: outcome.error, waited: performance.now() - start };
    }, hub.missing('/slow/model-q8_0.gguf'));
    expect(error).toMatchObject({ name: 'AbortError' });
    expect(waited, 'milliseconds until the engine answered').toBeLessThan(5_000);
    await expectGreedy(blank, GQA);
  });

  test('at the very end of an opening leaves the model before', async ({ blank }) => {
    await giveLarge(blank);
    const error = await blank.evaluate(async () => {
      const controller = new AbortController();
      const { error } = await window.attempt(() =>
        window.gb
          .open(window.picked(), {
            signal: controller.signal,
            onProgress: ({ stage, done, total }) => {
              if (stage === 'weights' && done === total) controller.abort();
            },
          })
          .then(() => undefined),
      );
      return error;
    });
    expect(error).toMatchObject({ name: 'AbortError' });
    await expectGreedy(blank, GQA);
  });

  test('ends a trace in the middle of a long prompt', async ({ blank }) => {
    await giveLarge(blank);
    const { error, progress, waited } = await blank.evaluate(async (vocab) => {
      const model = await window.gb.open(window.picked());
      const controller = new AbortController();
      const progress: number[] = [];
      const { error } = await window.attempt(() =>
        model
          .trace({
            tokens: Array.from({ length: 2048 }, (_, i) => i % vocab),
            signal: controller.signal,
            onProgress: ({ done }) => {
              progress.push(done);
              if (progress.length === 2) controller.abort();
            },
          })
          .then(() => undefined),
      );
      const start = performance.now();
      await model.trace({ tokens: [1, 2, 3] });
      return { error, progress, waited: performance.now() - start };
    }, LARGE.vocab);
    expect(error).toMatchObject({ name: 'AbortError' });
    expect(progress.at(-1)).toBeLessThan(2048);
    expect(waited, 'milliseconds until the engine was free').toBeLessThan(5_000);
  });

  test('ends a generation by its signal, or by leaving the loop', async ({ blank }) => {
    const tokens = [...GQA.case.prompt.ids_with_special];
    const { error, left, count } = await blank.evaluate(async (prompt) => {
      const controller = new AbortController();
      let count = 0;
      const { error } = await window.attempt(async () => {
        for await (const step of window.model.generate({ tokens: prompt, maxNewTokens: 40, signal: controller.signal })) {
          count += 1;
          if (step.index === 2) controller.abort();
        }
      });
      const left: number[] = [];
      for await (const step of window.model.generate({ tokens: prompt, maxNewTokens: 40, sampler: { greedy: true } })) {
        left.push(step.id);
        if (left.length === 3) break;
      }
      return { error, left, count };
    }, tokens);
    expect(error).toMatchObject({ name: 'AbortError' });
    expect(count).toBeLessThan(40);
    expect(left).toEqual(GQA.greedy.slice(0, 3));
    await expectGreedy(blank, GQA);
  });

  test('refuses a signal that has fired already, and keeps its reason', async ({ blank }) => {
    const error = await blank.evaluate(async () => {
      const signal = AbortSignal.abort(new RangeError('changed my mind'));
      return (await window.attempt(() => window.model.tokenize('text', { signal }))).error;
    });
    expect(error).toMatchObject({ name: 'RangeError', message: 'changed my mind' });
  });
});

test.describe('generating', () => {
  const sampler = { temperature: 0.8, topK: 40, topP: 0.9, minP: 0.01, repetitionPenalty: 1.1, seed: 7 };

  test('streams step by step, with every stage of the distribution', async ({ blank }) => {
    const { steps, arrivals, finish } = await generate(blank, 12, sampler, GQA.case.vocab);
    expect(steps.map(({ index }) => index)).toEqual(Array.from({ length: 12 }, (_, i) => i));
    expect(finish).toMatchObject({ reason: 'length', tokens: steps.map(({ id }) => id) });
    expect(arrivals, 'steps came before the end').toBeGreaterThan(1);
    for (const { id, text, raw, final, stages, token } of steps) {
      expect(token.id).toBe(id);
      expect(typeof text).toBe('string');
      expect(stages.map(({ name }) => name)).toEqual(['raw', 'repetition_penalty', 'temperature', 'top_k', 'top_p', 'min_p']);
      const kept = stages.map((stage) => stage.kept);
      expect(kept[0]).toBe(GQA.case.vocab);
      expect(kept).toEqual([...kept].sort((a, b) => b - a));
      expect(kept[3]).toBeLessThanOrEqual(sampler.topK);
      expect(stages.every(({ entropy }) => entropy >= 0)).toBe(true);
      // All of the vocabulary was asked for, so both distributions are whole.
      expect(raw).toHaveLength(GQA.case.vocab);
      expect(sum(raw.map(({ probability }) => probability))).toBeCloseTo(1, 4);
      expect(final).toHaveLength(kept.at(-1) ?? 0);
      expect(sum(final.map(({ probability }) => probability))).toBeCloseTo(1, 4);
      expect(final.map((candidate) => candidate.token.id)).toContain(id);
      expect(raw.map(({ rank }) => rank)).toEqual(raw.map((_, i) => i + 1));
    }
  });

  test('draws the same with the same seed, and otherwise with another', async ({ blank }) => {
    const ids = async (seed: number): Promise<number[]> =>
      (await generate(blank, 20, { ...sampler, temperature: 1.5, topK: 0, seed })).steps.map(({ id }) => id);
    const first = await ids(7);
    expect(await ids(7)).toEqual(first);
    expect(await ids(8)).not.toEqual(first);
  });

  test('ends where the context is full', async ({ blank }) => {
    const { steps, finish } = await generate(blank, 500, { greedy: true });
    expect(finish.reason).toBe('context');
    const { context, prompt } = GQA.case;
    expect(prompt.ids_with_special.length + steps.length).toBeGreaterThanOrEqual(context);
    expect(prompt.ids_with_special.length + steps.length).toBeLessThanOrEqual(context + 1);
  });

  test('gives text that joins to what the tokens say', async ({ blank }) => {
    const { steps } = await generate(blank, 20, { greedy: true });
    const bytes = Buffer.from(steps.flatMap(({ token }) => token.bytes));
    // Bytes that are no UTF-8 are written as <0x9C>; an unfinished character at the end is held back.
    const parts = steps.map(({ text }) => text).join('').split(/<0x([0-9A-F]{2})>/);
    const text = parts.map((part, i) => (i % 2 === 0 ? Buffer.from(part) : Buffer.from(part, 'hex')));
    expect(bytes.length - Buffer.concat(text).length).toBeLessThan(4);
    expect(bytes.subarray(0, Buffer.concat(text).length)).toEqual(Buffer.concat(text));
  });

  test('refuses settings that make no sense', async ({ blank }) => {
    for (const wrong of [{ temperature: -1 }, { topP: 0 }, { minP: 2 }, { repetitionPenalty: 0 }]) {
      const error = await blank.evaluate(
        async (given) =>
          (await window.attempt(() => window.model.generate({ tokens: [1], maxNewTokens: 1, sampler: given }).next())).error,
        wrong,
      );
      expect(error, JSON.stringify(wrong)).toMatchObject({ code: 'bad_sampler' });
      expect(error?.hint).not.toBe('');
    }
  });
});

test.describe('requests that cannot be met', () => {
  const wrong = [
    { title: 'no tokens', options: { tokens: [] as number[] }, code: 'no_tokens' },
    { title: 'a token outside the vocabulary', options: { tokens: [100_000] }, code: 'token_out_of_range' },
    { title: 'more tokens than the context', options: { tokens: Array<number>(1000).fill(1) }, code: 'context_full' },
    { title: 'a site that does not exist', options: { tokens: [1], capture: ['blocks.0.hook_nonsense'] }, code: 'unknown_site' },
    { title: 'a layer that does not exist', options: { tokens: [1], capture: ['blocks.9.attn.hook_pattern'] }, code: 'unknown_site' },
    {
      title: 'an edit of a head that does not exist',
      options: {
        tokens: [1],
        edits: [{ site: 'blocks.0.attn.hook_z', head: 99, action: { type: 'scale' as const, factor: 0 } }],
      },
      code: 'bad_edit',
    },
  ];
  for (const { title, options, code } of wrong) {
    test(`${title}`, async ({ blank }) => {
      const error = await blank.evaluate(
        async (given) => (await window.attempt(() => window.model.trace(given).then(() => undefined))).error,
        options,
      );
      expect(error).toMatchObject({ name: 'GlassboxError', code });
      expect(error?.hint).not.toBe('');
      await expectGreedy(blank, GQA);
    });
  }

  test('a tensor that was not captured', async ({ blank }) => {
    const error = await blank.evaluate(
      async () =>
        (
          await window.attempt(async () => {
            const trace = await window.model.trace({ tokens: [1], capture: ['resid_post'] });
            trace.tensor('logits');
          })
        ).error,
    );
    expect(error).toMatchObject({ code: 'no_such_tensor' });
    expect(error?.hint).toContain('blocks.0.hook_resid_post');
  });
});

test('tensors are moved out of the worker, not copied', async ({ blank }) => {
  const worker = blank.workers()[0];
  expect(worker).toBeDefined();
  await worker?.evaluate(() => {
    const scope = self as unknown as { postMessage(message: unknown, transfer: ArrayBuffer[]): void; left: number[] };
    const post = scope.postMessage.bind(scope);
    scope.left = [];
    scope.postMessage = (message, transfer) => {
      post(message, transfer);
      scope.left.push(...transfer.map(({ byteLength }) => byteLength));
    };
  });
  const shapes = await blank.evaluate(async () => {
    const trace = await window.model.trace({ tokens: [1, 2, 3], capture: ['logits', 'pattern'] });
    return trace.names.map((name) => {
      const { shape, data } = trace.tensor(name);
      return { name, elements: shape.reduce((product, extent) => product * extent, 1), length: data.length, own: data.buffer.byteLength / 4 };
    });
  });
  expect(shapes.length).toBe(GQA.case.layers + 1);
  for (const { elements, length, own } of shapes) expect([length, own]).toEqual([elements, elements]);
  const left = await worker?.evaluate(() => (self as unknown as { left: number[] }).left);
  expect(left).toEqual(shapes.map(() => 0));
});

test('a model that was replaced or closed says so', async ({ blank }) => {
  const { replaced, closed } = await blank.evaluate(
    async (packed) => {
      const before = window.model;
      window.model = await window.gb.open(window.unpack(packed));
      const replaced = await window.attempt(() => before.tokenize('text'));
      await window.model.close();
      const closed = await window.attempt(() => window.model.tokenize('text'));
      return { replaced: { ...replaced, is: before.closed }, closed: { ...closed, is: window.model.closed } };
    },
    packFiles([join(GPT2.folder, 'model-q8_0.gguf')]),
  );
  expect(replaced).toMatchObject({ is: true, error: { code: 'model_closed' } });
  expect(closed).toMatchObject({ is: true, error: { code: 'model_closed' } });
});

test('opening one model after the other does not pile up memory', async ({ blank }) => {
  await giveLarge(blank);
  const bytes = await blank.evaluate(async () => {
    const seen: number[] = [];
    const stop = window.gb.on('memory', ({ wasmBytes }) => seen.push(wasmBytes));
    for (let times = 0; times < 8; times++) await window.gb.open(window.picked());
    stop();
    return seen;
  });
  const weights = statSync(largeModel().at(-1) ?? '').size;
  const growth = (bytes.at(-1) ?? Infinity) - (bytes[0] ?? 0);
  // The second is opened while the first is still there; after that, what is freed is used again.
  expect(growth).toBeLessThan(2 * weights);
});

test('a file that is gone by the time it is read is told of', async ({ blank, expectedErrors }) => {
  expectedErrors.push(/ERR_FILE_NOT_FOUND|ERR_UPLOAD_FILE_CHANGED/);
  const gpt2 = variant('gpt2');
  const folder = cleanFolder(gpt2, 'gone');
  await giveFiles(blank, gpt2.files.map((file) => join(folder, file)));
  rmSync(join(folder, 'model.safetensors'));
  const error = await blank.evaluate(
    async () => (await window.attempt(() => window.gb.open(window.picked()).then(() => undefined))).error,
  );
  expect(error?.name).toBe('GlassboxError');
  expect(error?.message).toContain('model.safetensors');
  expect(error?.hint).not.toBe('');
  await expectGreedy(blank, GQA);
});

test('stopping the engine rejects what is pending', async ({ blank }) => {
  const error = await blank.evaluate(async () => {
    const pending = window.attempt(() => window.model.trace({ tokens: [1, 2, 3] }).then(() => undefined));
    window.gb.stop();
    return (await pending).error;
  });
  expect(error).toMatchObject({ code: 'stopped' });
  await expect.poll(() => blank.workers().length).toBe(0);
});

test('without a GPU, `gpu` is refused and `auto` says why it took the CPU', async ({ blank }) => {
  const { refused, device } = await blank.evaluate(async () => {
    const refused = await window.attempt(() => window.client.Glassbox.start({ device: 'gpu' }).then(() => undefined));
    const auto = await window.client.Glassbox.start();
    const { device } = auto;
    auto.stop();
    return { refused, device };
  });
  expect(refused.error).toMatchObject({ code: 'no_gpu' });
  expect(refused.error?.hint).not.toBe('');
  expect(device.kind).toBe('cpu');
  expect(device.reason).toMatch(/WebGPU/);
});

test.describe('a worker that dies', () => {
  test('rejects everything pending, comes back, and has the model open again', async ({ blank }) => {
    await listen(blank);
    await trapAtNextMessage(blank);
    const outcomes = await blank.evaluate(async (tokens) => {
      return Promise.all([
        window.attempt(() => window.model.trace({ tokens }).then(() => undefined)),
        window.attempt(() => window.model.tokenize('text').then(() => undefined)),
        window.attempt(() => window.model.generate({ tokens, maxNewTokens: 50 }).next().then(() => undefined)),
      ]);
    }, [...GQA.case.prompt.ids_with_special]);
    for (const { error } of outcomes) {
      expect(error).toMatchObject({ name: 'GlassboxError', code: 'worker_died' });
      expect(error?.hint).not.toBe('');
    }
    await expect.poll(() => heard(blank)).toEqual(['died', 'restored']);
    await expectGreedy(blank, GQA);
  });

  test('at rest comes back as well, more than once', async ({ blank }) => {
    await listen(blank);
    for (const times of [1, 2]) {
      await trap(blank);
      await expect.poll(() => heard(blank)).toEqual(Array(times).fill(['died', 'restored']).flat());
      await expectGreedy(blank, GQA);
    }
  });

  test('by hanging is given up after an abort', async ({ blank }) => {
    const packed = packFiles(GQA.files.map((file) => join(GQA.folder, file)));
    await blank.evaluate(async (files) => {
      window.gb.stop();
      window.gb = await window.client.Glassbox.start({ device: 'cpu', patience: { abortMs: 700, probeMs: 700 } });
      window.model = await window.gb.open(window.unpack(files));
    }, packed);
    await listen(blank);
    await expect.poll(() => blank.workers().length).toBe(1);
    await blank.workers()[0]?.evaluate(() => {
      const hang = (): void => {
        for (;;);
      };
      self.addEventListener('message', hang, { capture: true });
    });
    const error = await blank.evaluate(async () => {
      const controller = new AbortController();
      // A trace waits at least once for the event loop, which does not turn any more.
      const work = window.attempt(() => window.model.trace({ tokens: [1, 2], signal: controller.signal }).then(() => undefined));
      setTimeout(() => {
        controller.abort();
      }, 200);
      return (await work).error;
    });
    expect(error).toMatchObject({ name: 'AbortError' });
    await expect.poll(() => heard(blank), { timeout: 15_000 }).toEqual(['died', 'restored']);
    await expectGreedy(blank, GQA);
  });

  test('whose model is gone meanwhile says so, and opens others', async ({ blank, hub, expectedErrors }) => {
    expectedErrors.push(/404/);
    const folder = publish(hub, '/gone', GQA);
    await blank.evaluate(async (url) => {
      window.model = await window.gb.open({ url });
    }, folder);
    hub.clear();
    await listen(blank);
    await trap(blank);
    await expect.poll(() => heard(blank)).toContain('lost');
    const { error } = await blank.evaluate(() => window.attempt(() => window.model.tokenize('text')));
    expect(error).toMatchObject({ code: 'model_closed' });
    await blank.evaluate(
      async (packed) => {
        window.model = await window.gb.open(window.unpack(packed));
      },
      packFiles([join(GPT2.folder, 'model-q8_0.gguf')]),
    );
    await expectGreedy(blank, GPT2);
  });
});

declare global {
  interface Window {
    heard: string[];
    /** The files given by `giveFiles`. */
    picked(): File[];
  }
}

/** Puts a model's files behind the hub, and returns the address of their folder. */
function publish(hub: Hub, folder: string, { folder: from, files }: Variant): string {
  const base = folder.replace(/\/$/, '');
  for (const file of files) hub.add(`${base}/${file}`, readFileSync(join(from, file)));
  return hub.missing(base);
}

/** Weights are read by ranges, never whole at once. */
function expectModest(hub: Hub): void {
  const weights = hub.seen.filter(({ path }) => /\.(gguf|safetensors)$/.test(path));
  expect(weights.length).toBeGreaterThan(1);
  expect(weights.filter(({ range }) => range === undefined)).toEqual([]);
}

async function refusal(page: Page, url: string): Promise<Failed> {
  const { error } = await page.evaluate((address) => window.attempt(() => window.gb.open({ url: address }).then(() => undefined)), url);
  if (!error) throw new Error(`${url} was opened`);
  return error;
}

/** The open model goes on as the golden does: it is the one that it should be, and works. */
async function expectGreedy(page: Page, { case: { prompt }, greedy }: Variant): Promise<void> {
  const ids = await page.evaluate(async (tokens) => {
    const ids: number[] = [];
    for await (const { id } of window.model.generate({ tokens, maxNewTokens: 8, sampler: { greedy: true } })) ids.push(id);
    return ids;
  }, [...prompt.ids_with_special]);
  expect(ids).toEqual(greedy.slice(0, 8));
}

/** Generates from the prompt of `llama-gqa`; `arrivals` counts the turns of the event loop in which steps came. */
async function generate(page: Page, maxNewTokens: number, sampler: object, topN = 1) {
  return page.evaluate(
    async (given) => {
      const run = window.model.generate(given);
      const steps = [];
      let arrivals = 0;
      let turn = false;
      for (;;) {
        const next = await run.next();
        if (next.done) return { steps, arrivals, finish: next.value };
        if (!turn) {
          turn = true;
          arrivals += 1;
          setTimeout(() => (turn = false));
        }
        const { index, id, token, text, top, stages } = next.value;
        steps.push({ index, id, token, text, raw: top.raw, final: top.final, stages });
      }
    },
    { tokens: [...GQA.case.prompt.ids_with_special], maxNewTokens, sampler, topN },
  );
}

/** Hands the large model's files to the page as a file picker does. */
async function giveLarge(page: Page): Promise<void> {
  await giveFiles(page, largeModel());
}

async function giveFiles(page: Page, paths: readonly string[]): Promise<void> {
  await page.evaluate(() => {
    const input = document.createElement('input');
    Object.assign(input, { type: 'file', multiple: true });
    document.body.append(input);
    window.picked = () => [...(input.files ?? [])];
  });
  await page.locator('input[type=file]').setInputFiles([...paths]);
}

async function listen(page: Page): Promise<void> {
  await page.evaluate(() => {
    window.heard = [];
    for (const name of ['died', 'restored', 'lost'] as const) window.gb.on(name, () => window.heard.push(name));
  });
}

function heard(page: Page): Promise<string[]> {
  return page.evaluate(() => window.heard);
}

/** Makes the worker throw what a trap in wasm throws, before it has finished a trace that it is sent next. */
async function trapAtNextMessage(page: Page): Promise<void> {
  await page.workers()[0]?.evaluate(() => {
    const throwIt = (): void => {
      throw new WebAssembly.RuntimeError('unreachable');
    };
    self.addEventListener('message', throwIt, { capture: true });
  });
}

/** Makes the worker throw what a trap in wasm throws, with nothing to do. */
async function trap(page: Page): Promise<void> {
  await page.workers()[0]?.evaluate(() => {
    setTimeout(() => {
      throw new WebAssembly.RuntimeError('unreachable');
    });
  });
}
