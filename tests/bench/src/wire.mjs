// @ts-check
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { brotli } from './brotli.mjs';

/** The bench's own files, which no visitor would load. */
const OURS = /[\\/]bench[\\/]page[\\/]/;

/**
 * What a visitor of a contestant downloads: the engine's files after brotli, and the model's as they are.
 *
 * @param {readonly string[]} files that the server sent
 * @param {string} models the models' folder
 * @param {string} cache
 * @returns {Promise<import('./results').Wire>}
 */
export async function wireSize(files, models, cache) {
  const engineFiles = [];
  let modelBytes = 0;
  for (const file of files) {
    if (file.startsWith(models)) modelBytes += (await stat(file)).size;
    else if (!OURS.test(file)) engineFiles.push({ name: basename(file), ...(await size(file, cache)) });
  }
  return { engineFiles, modelBytes };
}

/**
 * The files at the top of each build.
 *
 * @param {Readonly<Record<string, string>>} sites folders by name
 * @param {string} cache
 * @returns {Promise<import('./results').SiteSizes[]>}
 */
export async function siteSizes(sites, cache) {
  const found = [];
  for (const [name, folder] of Object.entries(sites)) {
    const entries = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isFile());
    const names = entries.map((entry) => entry.name).filter((file) => !/\.(map|d\.ts)$/.test(file));
    const files = [];
    for (const file of names.sort()) files.push({ name: file, ...(await size(join(folder, file), cache)) });
    found.push({ name, build: await buildOf(folder), files });
  }
  return found;
}

/**
 * The commit that a build names itself by, in the address of its worker.
 *
 * @param {string} folder
 */
async function buildOf(folder) {
  const client = await readFile(join(folder, 'glassbox.js'), 'utf8').catch(() => '');
  return /searchParams\.set\(\s*["']v["'],\s*["']([^"']+)["']/.exec(client)?.[1] ?? 'unknown';
}

/**
 * @param {string} file
 * @param {string} cache
 */
async function size(file, cache) {
  const { raw, brotli: compressed } = await brotli(file, cache);
  return { raw, brotli: compressed };
}
