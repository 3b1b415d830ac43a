/** `glassbox.js` survives the death of its worker. */
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { expect, expectGreedy, GPT2, GQA, publish, test } from './support/client.ts';
import { packFiles } from './support/engine.ts';

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
        window.model = await window.gb.open(window.unpack(packed), { precision: 'f32' });
      },
      packFiles([join(GPT2.folder, 'model-q8_0.gguf')]),
    );
    await expectGreedy(blank, GPT2);
  });
});

declare global {
  interface Window {
    heard: string[];
  }
}

/** Keeps what the engine tells of its worker's life in `window.heard`. */
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
