/** `glassbox.js` as others use it: streaming, buffers, closing, and requests that cannot be met. */
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { cleanFolder, variant } from './support/cases.ts';
import { expect, expectGreedy, giveFiles, giveLarge, GPT2, GQA, test } from './support/client.ts';
import { packFiles } from './support/engine.ts';
import { largeModel } from './support/large.ts';
import { sum } from './support/tensors.ts';

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
          (
            await window.attempt(() => window.model.generate({ tokens: [1], maxNewTokens: 1, sampler: given }).next())
          ).error,
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
    { title: 'a layer that does not exist', options: { tokens: [1], capture: ['blocks.9.attn.hook_pattern'] }, code: 'absent_site' },
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
      const elements = shape.reduce((product, extent) => product * extent, 1);
      return { name, elements, length: data.length, own: data.buffer.byteLength / 4 };
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
