/**
 * Playwright's global setup: serves the built site where `cargo xtask test` does not. Like that server it sends the
 * page's Content-Security-Policy as a header, because workers do not inherit the one in the page.
 */
import { readFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { DIST, OWN_PORT } from './paths.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.wasm': 'application/wasm',
  '.svg': 'image/svg+xml',
};

export default async function serve(): Promise<(() => void) | undefined> {
  if (process.env['GLASSBOX_URL'] !== undefined) return undefined;
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
    void answer(normalize(path === '/' ? '/index.html' : path), response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(OWN_PORT, '127.0.0.1', resolve);
  });
  return () => {
    server.closeAllConnections();
    server.close();
  };
}

async function answer(name: string, response: ServerResponse): Promise<void> {
  try {
    const [body, page] = await Promise.all([readFile(join(DIST, name)), readFile(join(DIST, 'index.html'), 'utf8')]);
    const policy = /http-equiv="?Content-Security-Policy"?\s+content="([^"]*)"/i.exec(page)?.[1];
    response.writeHead(200, {
      'Content-Type': TYPES[extname(name)] ?? 'application/octet-stream',
      'Content-Length': body.length,
      'Content-Security-Policy': policy ?? "default-src 'none'",
      'Cache-Control': 'no-cache',
    });
    response.end(body);
  } catch {
    response.writeHead(404).end();
  }
}
