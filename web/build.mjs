// Bundles the page, the client and the worker entry into dist-ts/. Trunk copies them from there.
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as esbuild from 'esbuild';
import { bundleTypes } from './build-types.mjs';

const root = dirname(fileURLToPath(import.meta.url));

/** The page uses the client exactly as anyone else does: as the module glassbox.js beside it. */
const clientIsExternal = {
  name: 'client-is-external',
  setup(build) {
    build.onResolve({ filter: /\/client\/index\.js$/ }, () => ({ path: './glassbox.js', external: true }));
  },
};

/** @param {string} outdir where the bundles go */
export async function buildSite(outdir = join(root, 'dist-ts')) {
  await rm(outdir, { recursive: true, force: true });
  await mkdir(outdir, { recursive: true });
  const buildId = process.env.GLASSBOX_BUILD || (await hashSources());
  const common = {
    absWorkingDir: root,
    bundle: true,
    format: 'esm',
    target: 'es2022',
    outdir,
    minify: true,
    // Maps are for whoever debugs; the site does without them.
    sourcemap: 'external',
    legalComments: 'eof',
    define: { BUILD_ID: JSON.stringify(buildId), MODELS: JSON.stringify(await readModels()) },
    logLevel: 'warning',
  };
  await Promise.all([
    esbuild.build({ ...common, entryPoints: { glassbox: 'src/client/index.ts', worker: 'src/worker/worker.ts' } }),
    esbuild.build({ ...common, entryPoints: { app: 'src/pages/app.ts' }, plugins: [clientIsExternal] }),
    bundleTypes(join(root, 'src/client/index.ts'), join(outdir, 'glassbox.d.ts')),
  ]);
  return { outdir, buildId };
}

/** What comes with the site, as `models/manifest.json` has it; null where there is none. */
async function readModels() {
  try {
    return JSON.parse(await readFile(join(root, 'models/manifest.json'), 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
}

/** Names a build by its sources where the caller gives no name, so that equal sources give equal bytes. */
async function hashSources() {
  const hash = createHash('sha256');
  const files = await readdir(join(root, 'src'), { recursive: true, withFileTypes: true });
  for (const file of files.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)).sort()) {
    hash.update(await readFile(file));
  }
  return hash.digest('hex').slice(0, 12);
}

if (process.argv[1] && import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
  const { outdir } = await buildSite();
  for (const name of await readdir(outdir)) {
    if (name.endsWith('.js')) console.log(`${name} ${(await readFile(join(outdir, name))).length} bytes`);
  }
}
