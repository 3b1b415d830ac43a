// @ts-check
/** This project, through its public client. */

/**
 * @param {import('./types').Settings} settings
 * @returns {Promise<import('./types').Contestant>}
 */
export async function open({ site, backend, threads, model }) {
  /** @type {typeof import('glassbox')} */
  const { Glassbox } = await import(new URL('glassbox.js', site).href);
  const device = backend === 'webgpu' ? 'gpu' : 'cpu';
  const started = performance.now();
  const gb = await Glassbox.start({ device, allowSoftware: true });
  const opened = performance.now();
  const open = await gb.open({ urls: model }, { threads });
  const loaded = performance.now();
  const { layers } = open.info;
  if (open.info.threads !== threads) throw new Error(`${open.info.threads} threads instead of ${threads}`);

  return {
    about: `${gb.version}, ${gb.device.name}`,
    startMs: opened - started,
    loadMs: loaded - opened,
    async *generate({ ids }, count) {
      for await (const { id } of open.generate({ tokens: ids, maxNewTokens: count, sampler: { greedy: true }, topN: 1 })) {
        yield id;
      }
    },
    async logits({ ids }) {
      const { shape, data } = (await open.trace({ tokens: ids, capture: ['logits'] })).tensor('logits');
      return data.slice(-(shape.at(-1) ?? 0));
    },
    looks: {
      plain: ({ ids }) => open.trace({ tokens: ids }),
      'patterns and residuals': (_, { ids }) => open.trace({ tokens: ids, capture: ['pattern', 'resid_post'] }),
      // What the plain pass left may be used again: that is what a reader sees who switches a head off.
      'head of block 0 ablated': ({ ids }) => open.trace({ tokens: ids, edits: [ablation(0)] }),
      [`head of block ${layers - 1} ablated`]: ({ ids }) => open.trace({ tokens: ids, edits: [ablation(layers - 1)] }),
    },
  };
}

/** @param {number} block */
function ablation(block) {
  return { site: `blocks.${block}.attn.hook_z`, head: 0, action: { type: /** @type {const} */ ('scale'), factor: 0 } };
}
