// @ts-check
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';

/** What the machine is. */
export function hardware() {
  const [first] = os.cpus();
  return {
    cpu: first?.model ?? 'unknown',
    cores: os.cpus().length,
    memoryBytes: os.totalmem(),
    system: `${os.type()} ${os.release()} ${os.arch()}`,
  };
}

/**
 * How busy the machine's cores are with what is not ours, as a share of one core, over a while in which we do nothing.
 *
 * @param {number} ms
 */
export async function busyCores(ms) {
  const before = times();
  await new Promise((resolve) => setTimeout(resolve, ms));
  const after = times();
  const total = after.total - before.total;
  return total > 0 ? ((after.busy - before.busy) / total) * os.cpus().length : 0;
}

function times() {
  let busy = 0;
  let total = 0;
  for (const { times: of } of os.cpus()) {
    const sum = of.user + of.nice + of.sys + of.irq + of.idle;
    total += sum;
    busy += sum - of.idle;
  }
  return { busy, total };
}

/**
 * The commit that a folder is at, with a plus sign where files differ from it.
 *
 * @param {string} folder
 */
export function commit(folder) {
  try {
    const git = (/** @type {string[]} */ ...given) => execFileSync('git', given, { cwd: folder, encoding: 'utf8' }).trim();
    return git('rev-parse', '--short=12', 'HEAD') + (git('status', '--porcelain') === '' ? '' : '+');
  } catch {
    return 'unknown';
  }
}

/**
 * The version of an installed package.
 *
 * @param {URL} modules
 * @param {string} name
 */
export function version(modules, name) {
  return /** @type {string} */ (JSON.parse(readFileSync(new URL(`${name}/package.json`, modules), 'utf8')).version);
}
