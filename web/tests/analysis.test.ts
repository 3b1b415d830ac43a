import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ablate, patch, steer } from '../src/client/index.js';
import type { Event } from '../src/client/protocol.gen.js';
import { last, rejectsWith, settle, token, withModel } from './fake/client.js';

const meta = (name: string, dtype: 'f32' | 'u32' | 'u8', shape: number[]) => ({ name, dtype, shape });
const floats = (...values: number[]): ArrayBuffer => Float32Array.from(values).buffer;
const uints = (...values: number[]): ArrayBuffer => Uint32Array.from(values).buffer;

describe('analysis', () => {
  test('lens rows come as they are computed, and together at the end', async () => {
    const { worker, model } = await withModel();
    const seen: string[] = [];
    const asked = model.analysis.lens({ tokens: [1, 2], top: 1, pinned: [9], onRow: ({ site }) => seen.push(site) });
    await settle();
    const { id, request } = last(worker.of('lens'));
    assert.deepEqual(request.sites, ['resid_post']);
    assert.deepEqual(request.run, { input: { type: 'tokens', tokens: [1, 2] }, edits: [] });
    const row: Event = {
      type: 'lens_row',
      site: 'blocks.0.hook_resid_post',
      layer: 0,
      positions: [0, 2],
      tokens: [token(5), token(6)],
      arrays: [
        meta('ids', 'u32', [2, 1]),
        meta('logits', 'f32', [2, 1]),
        meta('probabilities', 'f32', [2, 1]),
        meta('entropy', 'f32', [2]),
        meta('pinned_logits', 'f32', [2, 1]),
        meta('pinned_probabilities', 'f32', [2, 1]),
        meta('pinned_ranks', 'u32', [2, 1]),
      ],
    };
    worker.reply(id, row, [uints(5, 6), floats(1, 2), floats(0.5, 0.25), floats(1, 2), floats(0, 0), floats(0.1, 0.2), uints(7, 8)]);
    assert.deepEqual(seen, ['blocks.0.hook_resid_post']);
    worker.reply(id, { type: 'lens_done', tokens: [token(1), token(2)], pinned: [token(9)] });
    const { rows, pinned } = await asked;
    assert.equal(pinned[0]?.id, 9);
    assert.deepEqual([...(rows[0]?.pinnedRanks.data ?? [])], [7, 8]);
    assert.equal(rows[0]?.tokens.get(6)?.text, 't6');
  });

  test('refuses arrays that are missing or do not fit', async () => {
    const { worker, model } = await withModel();
    const asked = model.analysis.norms({ tokens: [1] });
    await settle();
    worker.reply(last(worker.of('norms')).id, { type: 'arrays', arrays: [meta('resid_pre', 'f32', [2, 2])] }, [floats(1)]);
    await assert.rejects(asked, rejectsWith('protocol'));
    const again = model.analysis.norms({ tokens: [1] });
    await settle();
    worker.reply(last(worker.of('norms')).id, { type: 'arrays', arrays: [] }, []);
    await assert.rejects(again, rejectsWith('protocol'));
  });

  test('a sweep tells its rows and where it began', async () => {
    const { worker, model } = await withModel();
    const rows: number[][] = [];
    const run = { tokens: [1, 2] };
    const asked = model.analysis.sweep({
      source: run,
      target: { tokens: [1, 3], edits: ablate.head(0, 1) },
      token: 4,
      onRow: ({ metric }) => rows.push([...metric.data]),
    });
    await settle();
    const { id, request } = last(worker.of('sweep'));
    assert.equal(request.kind, 'resid_pre');
    assert.equal(request.target.edits.length, 1);
    worker.reply(id, { type: 'sweep_row', layer: 0, arrays: [meta('metric', 'f32', [2])] }, [floats(1, 2)]);
    const arrays = [meta('metric', 'f32', [1, 2]), meta('recovered', 'f32', [1, 2])];
    worker.reply(id, { type: 'sweep_done', origin: [0, 0], source: 2, target: 1, arrays }, [floats(1, 2), floats(0, 1)]);
    const { recovered, origin } = await asked;
    assert.deepEqual([rows, [...recovered.data], origin], [[[1, 2]], [0, 1], { layer: 0, position: 0 }]);
  });

  test('says what this version cannot do', async () => {
    const { worker, model } = await withModel();
    const asked = model.analysis.fingerprint();
    await settle();
    worker.reply(last(worker.sent).id, { type: 'failed', error: { code: 'unsupported', message: 'No.', hint: 'Use a newer one.' } });
    await assert.rejects(asked, rejectsWith('unsupported'));
  });
});

describe('edits', () => {
  test('name the sites of what they switch off', () => {
    assert.deepEqual(
      [...ablate.head(3, 1), ...ablate.layer(2)].map(({ site, head = null }) => [site, head]),
      [
        ['blocks.3.attn.hook_z', 1],
        ['blocks.2.hook_attn_out', null],
        ['blocks.2.hook_mlp_out', null],
      ],
    );
    const [masked] = ablate.edge({ layer: 1, head: 2, query: 6, key: 3 });
    assert.deepEqual(masked, {
      site: 'blocks.1.attn.hook_attn_scores',
      head: 2,
      positions: [6, 7],
      keys: [3, 4],
      action: { type: 'mask' },
    });
    const [cut] = ablate.edge({ layer: 1, query: 6, key: 3, renormalise: false });
    assert.equal(cut?.site, 'blocks.1.attn.hook_pattern');
    assert.deepEqual(cut.action, { type: 'scale', factor: 0 });
  });

  test('carry the prompts that their values come from', () => {
    const site = 'blocks.1.hook_resid_pre';
    const patched = patch({ source: { tokens: Uint32Array.of(1, 2) }, site, position: 1 });
    assert.deepEqual(patched.action, { type: 'patch', source: { type: 'tokens', tokens: [1, 2] }, from: null });
    const steered = steer({ towards: { prompt: 'joy' }, away: { prompt: 'grief', special: false }, site, strength: 2 });
    assert.deepEqual(JSON.parse(JSON.stringify(steered)), {
      site,
      positions: null,
      action: {
        type: 'steer',
        towards: { type: 'text', text: 'joy', special: true },
        away: { type: 'text', text: 'grief', special: false },
        strength: 2,
      },
    });
  });
});
