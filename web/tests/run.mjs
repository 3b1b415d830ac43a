// Bundles the tests as the page is bundled and runs them with Node's own runner: `npm test [-- name…]`.
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';

const web = fileURLToPath(new URL('..', import.meta.url));
const wanted = process.argv.slice(2);
const names = (await readdir(join(web, 'tests'))).filter(
  (name) => name.endsWith('.test.ts') && (wanted.length === 0 || wanted.some((word) => name.includes(word))),
);

// A folder of its own for every run, so that two can go on side by side.
const cache = join(web, 'node_modules/.cache');
await mkdir(cache, { recursive: true });
const out = await mkdtemp(join(cache, 'glassbox-tests-'));
const common = {
  absWorkingDir: web,
  bundle: true,
  format: 'esm',
  platform: 'node',
  // Lit has a build of its own for servers; the tests are for the one browsers get.
  conditions: ['browser'],
  external: ['happy-dom'],
  target: 'node20',
  sourcemap: 'inline',
  outdir: out,
};
await esbuild.build({ ...common, entryPoints: names.map((name) => `tests/${name}`) });
// The worker entry imports its modules from beside itself.
await esbuild.build({
  ...common,
  entryPoints: {
    worker: 'src/worker/worker.ts',
    'glassbox-worker-cpu': 'tests/fake/host.ts',
    'glassbox-worker-cpu-relaxed': 'tests/fake/host.ts',
    'glassbox-worker-gpu': 'tests/fake/refusing.ts',
  },
});
await writeFile(join(out, 'package.json'), '{"type":"module"}');

const files = names.map((name) => join(out, `${basename(name, '.ts')}.js`));
const { status } = spawnSync(process.execPath, ['--enable-source-maps', '--test', '--test-reporter=spec', ...files], { stdio: 'inherit' });
await rm(out, { recursive: true, force: true });
process.exit(status ?? 1);
