// Serves the page with the fake host in place of the wasm modules: to work on the page before or without the engine.
import { createReadStream } from 'node:fs';
import { cp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join, normalize, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as esbuild from 'esbuild';
import { buildSite } from '../../build.mjs';

const web = fileURLToPath(new URL('../..', import.meta.url));
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

/** The modules that browsers without a GPU load. */
const MODULES = ['glassbox-worker-cpu', 'glassbox-worker-cpu-relaxed'];

/** Builds the site with the fake host into a folder. */
export async function buildPreview(folder) {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await buildSite(folder);
  const page = await readFile(join(web, 'index.html'), 'utf8');
  await writeFile(join(folder, 'index.html'), page.replace(/<link\s+data-trunk[^>]*>/g, ''));
  await cp(join(web, 'page.css'), join(folder, 'page.css'));
  await cp(join(web, 'assets/favicon.svg'), join(folder, 'favicon.svg'));
  await esbuild.build({
    entryPoints: Object.fromEntries(MODULES.map((name) => [name, join(web, 'tests/fake/host.ts')])),
    outdir: folder,
    bundle: true,
    format: 'esm',
    target: 'es2022',
  });
  for (const name of MODULES) await writeFile(join(folder, `${name}_bg.wasm`), '');
}

/** Serves a folder; resolves with the server once it listens. */
export function serve(folder, port) {
  const server = createServer((request, response) => {
    void answer(folder, request, response);
  });
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server)));
}

async function answer(folder, request, response) {
  const { pathname } = new URL(request.url, 'http://localhost');
  const path = join(folder, normalize(pathname === '/' ? '/index.html' : pathname));
  const found = await stat(path).then((entry) => entry.isFile(), () => false);
  if (!path.startsWith(folder) || !found) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' });
  createReadStream(path).pipe(response);
}

if (process.argv[1] && import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
  const folder = join(tmpdir(), 'glassbox-preview');
  await buildPreview(folder);
  const server = await serve(folder, Number(process.env.PORT ?? 8099));
  console.log(`http://127.0.0.1:${server.address().port}/`);
}
