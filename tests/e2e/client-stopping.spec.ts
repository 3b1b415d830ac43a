/** `AbortSignal` stops anything long, and what was there before goes on. */
import { expect, expectGreedy, giveLarge, GPT2, GQA, publish, test } from './support/client.ts';
import { LARGE } from './support/large.ts';

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
