// @ts-check
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize, sep } from 'node:path';

/** @type {Readonly<Record<string, string>>} */
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

const ISOLATED = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

/**
 * Serves several folders under one origin, with byte ranges, and keeps a list of the files that were asked for.
 *
 * The pages are cross-origin isolated only on demand, so that no engine can start threads elsewhere. No Content-Security-Policy is sent: the workers
 * run through a script that counts their memory.
 */
export class Server {
  /** Whether pages are sent so that workers may share memory. */
  isolated = false;
  /** @type {Set<string>} */
  #asked = new Set();
  /** @type {import('node:http').Server} */
  #server;
  /** @type {Readonly<Record<string, string>>} */
  #folders;

  /** @param {Readonly<Record<string, string>>} folders paths by the first part of the address */
  constructor(folders) {
    this.#folders = folders;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((/** @type {unknown} */ error) => {
        if (!response.headersSent) response.writeHead(404);
        response.end(String(error));
      });
    });
  }

  /** @returns {Promise<string>} its address, with a slash at the end */
  async start() {
    await new Promise((resolve) => {
      this.#server.listen(0, '127.0.0.1', () => resolve(undefined));
    });
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the server has no port');
    return `http://127.0.0.1:${address.port}/`;
  }

  /** Paths of the files that were sent since the last call. */
  asked() {
    const files = [...this.#asked];
    this.#asked.clear();
    return files;
  }

  stop() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /**
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   */
  async #answer(request, response) {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const [, folder = '', ...rest] = normalize(decodeURIComponent(pathname)).split(sep);
    const root = this.#folders[folder];
    if (root === undefined) throw new Error(`${pathname}: no such folder`);
    const file = join(root, ...rest);
    const { size } = await stat(file);
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const start = range ? Number(range[1]) : 0;
    const end = Math.min(range?.[2] ? Number(range[2]) : size - 1, size - 1);
    this.#asked.add(file);
    response.writeHead(range ? 206 : 200, {
      'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream',
      'Content-Length': end - start + 1,
      'Accept-Ranges': 'bytes',
      'Cache-Control': 'no-store',
      ETag: `"${size}"`,
      ...(this.isolated ? ISOLATED : {}),
      ...(range ? { 'Content-Range': `bytes ${start}-${end}/${size}` } : {}),
    });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    createReadStream(file, { start, end, highWaterMark: 1 << 20 }).pipe(response);
  }
}
