// @ts-check
/**
 * Brotli at its highest level, as a host that compresses once would send it. Kept by content, since it is slow.
 *
 * Run with a cache folder and files it prints, for each, its size, its compressed size and where the compressed bytes lie.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { argv } from 'node:process';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';

const compress = promisify(brotliCompress);

/**
 * @param {string} path
 * @param {string} cache a folder
 * @returns {Promise<{ raw: number, brotli: number, kept: string }>}
 */
export async function brotli(path, cache) {
  const bytes = await readFile(path);
  const kept = join(cache, `${createHash('sha256').update(bytes).digest('hex')}.br`);
  const known = await stat(kept).catch(() => null);
  if (known) return { raw: bytes.length, brotli: known.size, kept };
  const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_LGWIN, BROTLI_PARAM_SIZE_HINT, BROTLI_MAX_QUALITY } = constants;
  const params = {
    [BROTLI_PARAM_QUALITY]: BROTLI_MAX_QUALITY,
    // The largest window that browsers accept.
    [BROTLI_PARAM_LGWIN]: 24,
    [BROTLI_PARAM_SIZE_HINT]: bytes.length,
  };
  const compressed = await compress(bytes, { params });
  await mkdir(cache, { recursive: true });
  // Under another name first, so that what is kept is whole.
  const part = `${kept}.${process.pid}`;
  await writeFile(part, compressed);
  await rename(part, kept);
  return { raw: bytes.length, brotli: compressed.length, kept };
}

if (argv[1] !== undefined && import.meta.url === pathToFileURL(argv[1]).href) {
  const [cache = '', ...files] = argv.slice(2);
  const found = [];
  for (const file of files) found.push(await brotli(file, cache));
  console.log(JSON.stringify(found));
}
