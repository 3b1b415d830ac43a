// Bundles the page, the client and the worker entry into dist-ts/. Trunk copies them from there.
import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
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
  const models = { house: await houseModel() };
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
    define: { BUILD_ID: JSON.stringify(buildId), MODELS: JSON.stringify(models) },
    logLevel: 'warning',
  };
  await Promise.all([
    esbuild.build({ ...common, entryPoints: { glassbox: 'src/client/index.ts', worker: 'src/worker/worker.ts', helper: 'src/worker/helper.ts' } }),
    esbuild.build({ ...common, entryPoints: { app: 'src/pages/app.ts' }, plugins: [clientIsExternal] }),
    copyModels(outdir, models),
    // What every new device has to answer rightly.
    cp(join(root, 'self-test'), join(outdir, 'self-test'), { recursive: true }),
    bundleTypes(join(root, 'src/client/index.ts'), join(outdir, 'glassbox.d.ts')),
  ]);
  return { outdir, buildId };
}

/**
 * The model that comes with the site: the first folder of `models/` that holds one. The page loads its GGUF, else its
 * files as a hub has them, and shows its recorded picture (`recorded.json`, made by `record.mjs`) until then.
 */
export async function houseModel(folder = join(root, 'models')) {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const { name } of entries.filter((entry) => entry.isDirectory()).sort((a, b) => a.name.localeCompare(b.name))) {
    const files = await readdir(join(folder, name));
    const gguf = files.find((file) => file.endsWith('.gguf'));
    const hub = files.filter((file) => /^(config|tokenizer|tokenizer_config|generation_config)\.json$|\.safetensors$/.test(file));
    const load = gguf ? [gguf] : hub.some((file) => file.endsWith('.safetensors')) ? hub : [];
    if (load.length === 0) continue;
    const within = (file) => `${name}/${file}`;
    return { name, files: load.map(within), recorded: files.includes('recorded.json') ? within('recorded.json') : null };
  }
  return null;
}

/** Puts the models beside the bundles, with a manifest that says which one the page opens. */
async function copyModels(outdir, models) {
  const target = join(outdir, 'models');
  await mkdir(target, { recursive: true });
  if (models.house) await cp(join(root, 'models'), target, { recursive: true });
  await writeFile(join(target, 'manifest.json'), `${JSON.stringify(models)}\n`);
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
