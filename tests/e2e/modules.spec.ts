/** Quantised weights in the modules for the CPU, as browsers of every kind load and run them. */
import { chromium } from '@playwright/test';
import { join } from 'node:path';
import { openBlank } from './support/blank.ts';
import { VARIANTS } from './support/cases.ts';
import { EngineInPage } from './support/engine.ts';
import { divergence, readGolden, wanted } from './support/tensors.ts';
import { expect, test } from './support/test.ts';

/** In nats, where some activations are rounded to 8 bits, and where all are to 16. */
const MOST: Readonly<Record<string, number>> = { int8: 1e-3, int16: 1e-4 };

interface Kind {
  readonly name: string;
  readonly flags: readonly string[];
  readonly relaxed: boolean;
  /** What activations may be rounded to. */
  readonly precisions: readonly string[];
}

const KINDS: readonly Kind[] = [
  // The machine may be one of the next kind.
  { name: 'relaxed SIMD', flags: [], relaxed: true, precisions: ['int8', 'int16'] },
  // There bytes are no faster, and sums of two products would be cut off at 16 bits.
  { name: 'relaxed SIMD on older x86', flags: ['--js-flags=--no-enable-avx-vnni'], relaxed: true, precisions: ['int16'] },
  { name: 'no relaxed SIMD', flags: [], relaxed: false, precisions: ['int16'] },
];

for (const { name, flags, relaxed, precisions } of KINDS) {
  test(`quantised weights give their distribution with ${name}`, async ({ launchOptions }) => {
    const browser = await chromium.launch({ ...launchOptions, args: [...(launchOptions.args ?? []), ...flags] });
    try {
      const context = await browser.newContext();
      const loaded: string[] = [];
      await context.route(/glassbox-worker-cpu/, async (route) => {
        const url = route.request().url();
        // No flag turns relaxed SIMD off, so the module that would be asked for then comes in its place.
        const given = relaxed ? url : url.replace('-relaxed', '');
        loaded.push(given);
        await route.fulfill({ response: await route.fetch({ url: given }) });
      });
      const engine = await EngineInPage.start(await openBlank(context), 'cpu');
      expect(loaded.some((url) => url.includes('-relaxed_bg.wasm'))).toBe(relaxed);
      const quantised = VARIANTS.filter(({ gguf }) => gguf?.dtype.startsWith('Q'));
      expect(quantised.length).toBeGreaterThanOrEqual(3);
      for (const variant of quantised) {
        const { precision } = await engine.variant(variant, 'int8');
        expect(precisions).toContain(precision);
        const tokens = [...variant.case.prompt.ids_with_special];
        const { tensors } = await engine.trace({ tokens, capture: ['logits'] });
        const expected = wanted(readGolden(join(variant.folder, variant.golden)), 'logits');
        expect.soft(divergence(expected, wanted(tensors, 'logits')), variant.title).toBeLessThanOrEqual(MOST[precision] ?? 0);
        // Of these models' next tokens some are so near to each other that eight bits exchange them.
        if (precision !== 'int16') continue;
        const greedy = [...variant.greedy];
        const { steps } = await engine.generate({ tokens, maxNewTokens: greedy.length, sampler: { greedy: true } });
        expect.soft(steps.map(({ id }) => id), variant.title).toEqual(greedy);
      }
    } finally {
      await browser.close();
    }
  });
}
