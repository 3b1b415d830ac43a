import { readFile } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { DIST } from './paths.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.wasm': 'application/wasm',
  '.svg': 'image/svg+xml',
};

/** As `cargo xtask serve` sends them: workers of a page without them cannot share memory. */
const ISOLATED = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'cross-origin',
};

/** Playwright's global setup: serves the built site on a free port where `cargo xtask test` does not. */
export default async function setup(): Promise<(() => void) | undefined> {
  if (process.env['GLASSBOX_URL'] !== undefined) return undefined;
  const server = await serveSite('/', 0, true);
  // The test processes start after this, with this environment.
  process.env['GLASSBOX_URL'] = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return () => {
    stop(server);
  };
}

/**
 * Serves the built site under a path that ends in a slash; port 0 takes a free one.
 *
 * With `header` the page's Content-Security-Policy is sent as a header too, as `cargo xtask serve` does: workers do not
 * inherit the one in the page. Without, and without media types for wasm, it is the plainest host there is. One file may be
 * missing.
 */
export async function serveSite(under: string, port: number, header: boolean, missing?: string): Promise<Server> {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
    if (!path.startsWith(under) || path.slice(under.length) === missing) {
      response.writeHead(404).end();
      return;
    }
    const name = path.slice(under.length);
    void answer(normalize(`/${name === '' ? 'index.html' : name}`), response, header);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return server;
}

export function stop(server: Server): void {
  server.closeAllConnections();
  server.close();
}

async function answer(name: string, response: ServerResponse, header: boolean): Promise<void> {
  try {
    const [body, page] = await Promise.all([readFile(join(DIST, name)), readFile(join(DIST, 'index.html'), 'utf8')]);
    const policy = /http-equiv="?Content-Security-Policy"?\s+content="([^"]*)"/i.exec(page)?.[1] ?? "default-src 'none'";
    const plain = !header && extname(name) === '.wasm';
    response.writeHead(200, {
      'Content-Type': plain ? 'application/octet-stream' : (TYPES[extname(name)] ?? 'application/octet-stream'),
      'Content-Length': body.length,
      'Cache-Control': 'no-cache',
      ...(header ? { 'Content-Security-Policy': policy, ...ISOLATED } : {}),
    });
    response.end(body);
  } catch {
    response.writeHead(404).end();
  }
}
