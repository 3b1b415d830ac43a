// @ts-check
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

export const HELP = `Usage: cargo xtask bench [OPTIONS]

  --rounds N         rounds over all contestants (default 5)
  --long-rounds N    of which so many with the long prompts too (default 3)
  --gpu-rounds N     rounds over those on WebGPU (default 3)
  --backend NAME     wasm or webgpu; both if left out
  --only TEXT        contestants whose name holds TEXT; can be repeated
  --dist [NAME=]DIR  a build of this project (default dist/); given twice, the two are compared with each other alone
  --real-gpu         WebGPU on the machine's own adapter, with the large model
  --wait-idle N      wait at most so many seconds before each round until the machine is idle (default 0)
  --out FILE         where the results go (default tests/bench/results/DATE-COMMIT.json)
  --no-report        leave RESULTS.md as it is
  --report FILE      only write RESULTS.md from these results
`;

/**
 * @typedef {object} Options
 * @property {number} rounds
 * @property {number} longRounds
 * @property {number} gpuRounds
 * @property {('wasm' | 'webgpu')[]} backends
 * @property {string[]} only
 * @property {Record<string, string>} sites folders by name
 * @property {boolean} realGpu
 * @property {number} waitIdleMs
 * @property {string | undefined} out
 * @property {boolean} report
 * @property {string | undefined} reportOnly
 */

/**
 * @param {readonly string[]} given
 * @param {{ here: string, dist: string }} folders where relative paths start, and the build if none is named
 * @returns {Options | null} null where help was asked for
 */
export function parse(given, { here, dist }) {
  const { values } = parseArgs({
    args: [...given],
    options: {
      rounds: { type: 'string', default: '5' },
      'long-rounds': { type: 'string', default: '3' },
      'gpu-rounds': { type: 'string', default: '3' },
      backend: { type: 'string' },
      only: { type: 'string', multiple: true, default: [] },
      dist: { type: 'string', multiple: true, default: [] },
      'real-gpu': { type: 'boolean', default: false },
      'wait-idle': { type: 'string', default: '0' },
      out: { type: 'string' },
      'no-report': { type: 'boolean', default: false },
      report: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return null;
  return {
    rounds: count('--rounds', values.rounds, 1),
    longRounds: count('--long-rounds', values['long-rounds'], 0),
    gpuRounds: count('--gpu-rounds', values['gpu-rounds'], 1),
    backends: backends(values.backend),
    only: values.only,
    sites: sites(values.dist, here, dist),
    realGpu: values['real-gpu'],
    waitIdleMs: 1000 * count('--wait-idle', values['wait-idle'], 0),
    out: values.out === undefined ? undefined : resolve(here, values.out),
    report: !values['no-report'],
    reportOnly: values.report === undefined ? undefined : resolve(here, values.report),
  };
}

/**
 * @param {string} name
 * @param {string} text
 * @param {number} least
 */
function count(name, text, least) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least) throw new Error(`${name} takes a number from ${least} on, not '${text}'`);
  return value;
}

/**
 * @param {string | undefined} name
 * @returns {('wasm' | 'webgpu')[]}
 */
function backends(name) {
  if (name === undefined) return ['wasm', 'webgpu'];
  if (name !== 'wasm' && name !== 'webgpu') throw new Error(`--backend takes wasm or webgpu, not '${name}'`);
  return [name];
}

/**
 * @param {readonly string[]} given
 * @param {string} here
 * @param {string} dist
 */
function sites(given, here, dist) {
  if (given.length === 0) return { dist };
  if (given.length > 2) throw new Error('--dist is given once or twice');
  const unnamed = given.length === 1 ? ['dist'] : ['before', 'after'];
  const pairs = given.map((text, index) => {
    const [, name, folder = ''] = /^(?:([\w-]+)=)?(.+)$/.exec(text) ?? [];
    return [name ?? unnamed[index] ?? '', resolve(here, folder)];
  });
  if (new Set(pairs.map(([name]) => name)).size < pairs.length) throw new Error('the two --dist need different names');
  return Object.fromEntries(pairs);
}
