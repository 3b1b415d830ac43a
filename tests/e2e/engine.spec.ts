/**
 * The engine in the browser against HF transformers, through `glassbox.js`: every fixture in every form, with activations as
 * they are. What comes of rounding them is in `modules.spec.ts`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EditSpec } from 'glassbox';
import { readHouse, VARIANTS, variant } from './support/cases.ts';
import type { EngineInPage } from './support/engine.ts';
import { HAVE_STORIES, HOUSE, STORIES } from './support/paths.ts';
import { best, distance, divergence, readGolden, rows, softmax, sum, wanted, type HostTensor } from './support/tensors.ts';
import { expect, test } from './support/test.ts';

/** Weights of 16 bits on a GPU, whose kernels widen them: the same in nats. */
const HALVES = 1e-3;
/** Hidden states are not bounded as probabilities are; the goldens' logits have the same tolerance. */
const RESIDUAL = 1e-3;
const ROW_SUM = 1e-3;
/** Here angles depend on the length of the whole: a longer prompt computes other values at the same positions. */
const TURNS_ANEW = ['llama-dynamic', 'phi3-longrope'];

const PATTERN = /^blocks\.\d+\.attn\.hook_pattern$/;

test('runs on the device that was asked for, and says why', ({ engine, backend }) => {
  const { kind, name, reason, software } = engine.device;
  expect(kind).toBe(backend === 'webgpu' ? 'gpu' : 'cpu');
  expect(software).toBe(backend === 'webgpu');
  expect(name).not.toBe('');
  expect(reason).toMatch(/asked for/);
});

for (const one of VARIANTS) {
  const { case: described, gguf } = one;
  const tokens = [...described.prompt.ids_with_special];
  const golden = readGolden(join(one.folder, one.golden));
  // Blocks with a convolution have no attention to capture.
  const exists = (name: string): boolean => !PATTERN.test(name) || golden.has(name);

  test.describe(one.title, () => {
    test('says what the model is', async ({ engine }) => {
      const info = await engine.variant(one);
      expect(info).toMatchObject({
        architecture: described.architecture,
        parameters: described.parameters,
        layers: described.layers,
        heads: described.heads,
        kvHeads: described.kv_heads,
        headDim: described.head_dim,
        hidden: described.hidden,
        vocab: described.vocab,
        context: described.context,
      });
      expect(info.format).toMatch(gguf ? new RegExp(`^GGUF v${gguf.version}$`) : /^safetensors$/i);
      if (gguf) expect(Object.keys(info.dtypes)).toContain(gguf.dtype);
      expect(info.tokenizer).not.toBeNull();
      expect(info.weightBytes).toBeGreaterThan(0);
      const weights = one.files.filter((file) => /\.(gguf|safetensors)$/.test(file));
      expect(info.files.map(({ name }) => name)).toEqual(expect.arrayContaining(weights));
    });

    test('splits the prompt into the same tokens', async ({ engine }) => {
      await engine.variant(one);
      const { text, ids, ids_with_special } = described.prompt;
      const plain = await engine.tokenize(text, false);
      expect(plain.map(({ id }) => id)).toEqual(ids);
      // By bytes, because a character may be split over tokens.
      expect(Buffer.from(plain.flatMap(({ bytes }) => bytes)).toString('utf8')).toBe(text);
      const special = await engine.tokenize(text, true);
      expect(special.map(({ id }) => id)).toEqual(ids_with_special);
    });

    test('computes the same logits, attention and hidden states', async ({ engine, backend }) => {
      const { dtypes } = await engine.variant(one);
      const capture = [...golden.keys()].filter((name) => !name.startsWith('edits.'));
      const { tensors } = await engine.trace({ tokens, capture });
      expect([...tensors.keys()].sort()).toEqual([...capture].sort());
      for (const [name, tensor] of tensors) {
        const { logits, pattern } = described.tolerance;
        const tolerance = name === 'logits' ? logits : PATTERN.test(name) ? pattern : RESIDUAL;
        expect.soft(distance(tensor, wanted(golden, name)), name).toBeLessThanOrEqual(tolerance);
        if (PATTERN.test(name)) expectAttention(tensor, name);
      }
      const halves = backend === 'webgpu' && ('F16' in dtypes || 'BF16' in dtypes);
      if (halves) expect(divergence(wanted(golden, 'logits'), wanted(tensors, 'logits'))).toBeLessThanOrEqual(HALVES);
    });

    test('captures by kind, and nothing that was not asked for', async ({ engine }) => {
      await engine.variant(one);
      const { tensors } = await engine.trace({ tokens, capture: ['pattern', 'resid_post'] });
      const layers = Array.from({ length: described.layers }, (_, i) => i);
      const names = layers.flatMap((i) => [`blocks.${i}.attn.hook_pattern`, `blocks.${i}.hook_resid_post`]).filter(exists);
      expect([...tensors.keys()]).toEqual(names);
      const bare = await engine.trace({ tokens, capture: [] });
      expect([...bare.tensors.keys()]).toEqual([]);
      expectNext(bare.next, golden, described.tolerance.logits);
    });

    test('goes on with the same tokens, and cached as uncached', async ({ engine }) => {
      await engine.variant(one);
      const greedy = [...one.greedy];
      const { steps, finish } = await engine.generate({ tokens, maxNewTokens: greedy.length, sampler: { greedy: true } });
      expect(steps.map(({ id }) => id)).toEqual(greedy);
      expect(finish).toMatchObject({ reason: 'length', tokens: greedy });
      if (TURNS_ANEW.includes(described.name)) return;
      const whole = await engine.trace({ tokens: [...tokens, ...greedy.slice(0, -1)], capture: ['logits'] });
      const logits = rows(wanted(whole.tensors, 'logits')).slice(tokens.length - 1);
      expect(logits).toHaveLength(greedy.length);
      for (const { index, raw } of steps) {
        const apart = raw.map(({ token, logit }) => Math.abs(logit - (logits[index]?.[token.id] ?? NaN)));
        expect.soft(Math.max(...apart), `step ${index}`).toBeLessThanOrEqual(described.tolerance.logits);
      }
    });

    // Only the hub's form has goldens of ablated heads.
    for (const { layer, head, logits } of gguf ? [] : (described.ablate ?? [])) {
      const site = head === undefined ? `blocks.${layer}.hook_attn_out` : `blocks.${layer}.attn.hook_z`;
      const what = head === undefined ? `all that layer ${layer} mixes` : `head ${head} of layer ${layer}`;
      const expectAblated = async (engine: EngineInPage, edit: EditSpec): Promise<void> => {
        await engine.variant(one);
        const { tensors } = await engine.trace({ tokens, capture: ['logits'], edits: [edit] });
        const found = wanted(tensors, 'logits');
        expect(distance(found, wanted(golden, logits))).toBeLessThanOrEqual(described.tolerance.logits);
        expect(distance(found, wanted(golden, 'logits')), 'it matters').toBeGreaterThan(10 * described.tolerance.logits);
      };

      test(`switches ${what} off by scaling`, async ({ engine }) => {
        await expectAblated(engine, { site, head: head ?? null, action: { type: 'scale', factor: 0 } });
      });

      test(`switches ${what} off by replacing`, async ({ engine }) => {
        const shape = head === undefined ? [tokens.length, described.hidden] : [tokens.length, 1, described.head_dim];
        const data = Array<number>(shape.reduce((product, size) => product * size)).fill(0);
        await expectAblated(engine, { site, head: head ?? null, positions: [0, tokens.length], action: { type: 'replace', shape, data } });
      });
    }
  });
}

test('computes GGUF as safetensors, where both hold the same weights', async ({ engine }) => {
  const one = variant('llama-gqa');
  const tokens = [...one.case.prompt.ids_with_special];
  await engine.variant(one);
  const hub = await engine.trace({ tokens, capture: ['logits'] });
  await engine.variant(variant('llama-gqa/model-f32.gguf'));
  const gguf = await engine.trace({ tokens, capture: ['logits'] });
  expect(distance(wanted(gguf.tensors, 'logits'), wanted(hub.tensors, 'logits'))).toBeLessThanOrEqual(1e-5);
});

test.describe('stories260K, trained weights without a tokenizer', () => {
  test.skip(!HAVE_STORIES, 'the weights do not lie beside the project');
  const golden = JSON.parse(readFileSync(join(import.meta.dirname, 'goldens/stories260K.json'), 'utf8')) as StoriesGolden;
  const files = ['config.json', 'generation_config.json', 'model.safetensors'].map((file) => join(STORIES, file));

  test('computes and goes on as transformers does', async ({ engine }) => {
    const info = await engine.files('stories260K', files);
    expect(info).toMatchObject({ architecture: 'llama', layers: 5, heads: 8, kvHeads: 4, vocab: 512, tokenizer: null });
    const { tokens, greedy } = golden;
    const trace = await engine.trace({ tokens, capture: ['pattern', 'resid_post'] });
    golden.next.forEach(({ id, logit }, rank) => {
      expect(trace.next[rank]?.token.id).toBe(id);
      expect(Math.abs((trace.next[rank]?.logit ?? NaN) - logit)).toBeLessThanOrEqual(1e-3);
    });
    for (const { layer, head, lastRow } of golden.pattern) {
      const pattern = wanted(trace.tensors, `blocks.${layer}.attn.hook_pattern`);
      expectAttention(pattern, `layer ${layer}`);
      const row = rows(pattern)[head * tokens.length + tokens.length - 1] ?? [];
      lastRow.forEach((weight, key) => {
        expect(Math.abs((row[key] ?? NaN) - weight)).toBeLessThanOrEqual(1e-4);
      });
    }
    for (const { layer, last } of golden.residPost) {
      const row = rows(wanted(trace.tensors, `blocks.${layer}.hook_resid_post`)).at(-1) ?? [];
      last.forEach((value, i) => {
        expect(Math.abs((row[i] ?? NaN) - value)).toBeLessThanOrEqual(1e-3);
      });
    }
    const { steps } = await engine.generate({ tokens, maxNewTokens: greedy.length, sampler: { greedy: true } });
    expect(steps.map(({ id }) => id)).toEqual(greedy);
    expect(steps.every(({ text }) => text === '')).toBe(true);
  });

  test('refuses text, and says what to do', async ({ engine }) => {
    await engine.files('stories260K', files);
    const { error } = await engine.page.evaluate(() => window.attempt(() => window.model.tokenize('Once upon a time')));
    expect(error).toMatchObject({ name: 'GlassboxError', code: 'no_tokenizer' });
    expect(error?.hint).toMatch(/token ids/);
  });
});

test.describe('the house model', () => {
  const { folder, house } = readHouse();
  const tokens = [...house.prompt.ids_with_special];
  const files = ['config.json', 'generation_config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];

  test('computes and goes on as transformers does', async ({ engine }) => {
    await engine.files('house', files.map((file) => join(HOUSE, file)));
    const split = await engine.tokenize(house.prompt.text, true);
    expect(split.map(({ id }) => id)).toEqual(tokens);
    const golden = readGolden(join(folder, house.golden));
    const capture = [...golden.keys()].filter((name) => name !== 'tokens');
    const { tensors } = await engine.trace({ tokens, capture });
    for (const name of capture) {
      const found = wanted(tensors, name);
      const expected = wanted(golden, name);
      const limit = PATTERN.test(name) ? house.tolerance.pattern : house.tolerance.logits;
      // Sums in the residual stream grow with its size.
      const size = Math.max(1, ...Array.from(expected.data, Math.abs));
      expect.soft(distance(found, expected), name).toBeLessThanOrEqual(limit * size);
      if (PATTERN.test(name)) expectAttention(found, name);
    }
    const { steps } = await engine.generate({ tokens, maxNewTokens: house.greedy.ids.length, sampler: { greedy: true } });
    expect(steps.map(({ id }) => id)).toEqual(house.greedy.ids);
    expect(steps.map(({ text }) => text).join('')).toBe(house.greedy.text);
  });

  test('computes from its GGUF file, which the page opens, what transformers computes from those weights', async ({ engine }) => {
    await engine.files('house.gguf', [join(HOUSE, house.gguf.file)]);
    const golden = readGolden(join(folder, house.gguf.golden));
    const { tensors } = await engine.trace({ tokens, capture: ['logits'] });
    expect(divergence(wanted(golden, 'logits'), wanted(tensors, 'logits'))).toBeLessThanOrEqual(1e-6);
  });
});

interface StoriesGolden {
  readonly tokens: number[];
  readonly greedy: number[];
  readonly next: readonly { readonly id: number; readonly logit: number }[];
  readonly pattern: readonly { readonly layer: number; readonly head: number; readonly lastRow: readonly number[] }[];
  readonly residPost: readonly { readonly layer: number; readonly last: readonly number[] }[];
}

/** Attention is a distribution over the past: rows sum to 1, and the future has no weight at all. */
function expectAttention(pattern: HostTensor, name: string): void {
  const size = pattern.shape.at(-1) ?? 0;
  rows(pattern).forEach((row, i) => {
    const query = i % size;
    expect.soft(Math.abs(sum(row) - 1), `${name}: sum of row ${query}`).toBeLessThanOrEqual(ROW_SUM);
    expect.soft(sum(row.subarray(query + 1)), `${name}: future of row ${query}`).toBe(0);
  });
}

/** The candidates are the best logits of the last position with their softmax over the whole vocabulary. */
function expectNext(
  next: readonly { token: { id: number }; logit: number; probability: number; rank: number }[],
  golden: ReadonlyMap<string, HostTensor>,
  tolerance: number,
): void {
  const last = rows(wanted(golden, 'logits')).at(-1) ?? new Float32Array();
  const probabilities = softmax(last);
  expect(next.length).toBeGreaterThanOrEqual(20);
  expect(next.map(({ rank }) => rank)).toEqual(next.map((_, i) => i + 1));
  expect(next[0]?.token.id).toBe(best(last, 1)[0]);
  for (const { token, logit, probability } of next) {
    expect.soft(Math.abs(logit - (last[token.id] ?? NaN))).toBeLessThanOrEqual(tolerance);
    expect.soft(Math.abs(probability - (probabilities[token.id] ?? NaN))).toBeLessThanOrEqual(tolerance);
  }
}
