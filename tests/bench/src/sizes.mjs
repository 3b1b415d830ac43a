// @ts-check
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';

const compress = promisify(brotliCompress);

/** Sizes after brotli at its highest level, as a host that compresses once would send. Kept by content, since it is slow. */
export class Sizes {
  #cache;

  /** @param {string} cache a folder */
  constructor(cache) {
    this.#cache = cache;
  }

  /** @param {string} path */
  async brotli(path) {
    const bytes = await readFile(path);
    const kept = join(this.#cache, createHash('sha256').update(bytes).digest('hex'));
    const known = await readFile(kept, 'utf8').catch(() => null);
    if (known !== null) return { raw: bytes.length, brotli: Number(known) };
    const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_SIZE_HINT, BROTLI_MAX_QUALITY } = constants;
    const params = { [BROTLI_PARAM_QUALITY]: BROTLI_MAX_QUALITY, [BROTLI_PARAM_SIZE_HINT]: bytes.length };
    const { length } = await compress(bytes, { params });
    await mkdir(this.#cache, { recursive: true });
    await writeFile(kept, String(length));
    return { raw: bytes.length, brotli: length };
  }
}
