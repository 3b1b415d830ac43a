import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a server does that is not as it should be. */
export type Fault =
  /** Answers ranges with the whole file. */
  | 'no-ranges'
  /** Breaks the connection in the middle of a body. */
  | 'breaks-off'
  /** Ends a body early, as if that were all. */
  | 'ends-early'
  /** Has another file, with another ETag, after the first request. */
  | 'changes'
  /** Does not let other sites read what it sends. */
  | 'no-cors'
  /** Never ends a body of more than one byte. */
  | 'stalls';

/** A request that was answered, by the server that answered it. */
export interface Seen {
  readonly path: string;
  readonly range: string | undefined;
  readonly credentials: boolean;
  readonly referrer: boolean;
}

/**
 * A stand-in for a model hub: one server that only redirects, and another, of another origin, that has the files and
 * gives ranges of them.
 */
export class Hub {
  /** Requests for files, after the redirect. */
  readonly seen: Seen[] = [];
  fault: Fault | null = null;
  readonly #files = new Map<string, Buffer>();
  readonly #hub: Server;
  readonly #store: Server;
  #requests = 0;

  private constructor() {
    this.#hub = createServer((request, response) => {
      const headers = this.fault === 'no-cors' ? {} : { 'Access-Control-Allow-Origin': '*' };
      if (!this.#files.has(pathOf(request))) {
        response.writeHead(404, headers).end('Entry not found');
        return;
      }
      response.writeHead(302, { ...headers, Location: `${address(this.#store)}${pathOf(request)}` }).end();
    });
    this.#store = createServer((request, response) => {
      this.#send(request, response);
    });
  }

  static async start(): Promise<Hub> {
    const hub = new Hub();
    for (const server of [hub.#hub, hub.#store]) {
      await new Promise<void>((resolve) => {
        server.listen(0, '127.0.0.1', resolve);
      });
    }
    return hub;
  }

  stop(): void {
    for (const server of [this.#hub, this.#store]) {
      server.closeAllConnections();
      server.close();
    }
  }

  /** Puts a file behind the hub and returns its address there. */
  add(path: string, bytes: Buffer): string {
    this.#files.set(path, bytes);
    return `${address(this.#hub)}${path}`;
  }

  /** Takes all files away. */
  clear(): void {
    this.#files.clear();
  }

  /** An address of the hub with nothing behind it. */
  missing(path: string): string {
    return `${address(this.#hub)}${path}`;
  }

  #send(request: IncomingMessage, response: ServerResponse): void {
    const path = pathOf(request);
    const { range, cookie, authorization, referer } = request.headers;
    this.seen.push({ path, range, credentials: (cookie ?? authorization) !== undefined, referrer: referer !== undefined });
    this.#requests += 1;
    const file = this.#files.get(path);
    if (!file) {
      response.writeHead(404, { 'Access-Control-Allow-Origin': '*' }).end();
      return;
    }
    const part = this.fault === 'no-ranges' ? null : partOf(range, file.length);
    const [first, last] = part ?? [0, file.length - 1];
    const body = file.subarray(first, last + 1);
    response.writeHead(part ? 206 : 200, {
      'Content-Type': 'application/octet-stream',
      ...(this.fault === 'ends-early' ? {} : { 'Content-Length': body.length }),
      ...(part ? { 'Content-Range': `bytes ${first}-${last}/${file.length}`, 'Accept-Ranges': 'bytes' } : {}),
      ETag: this.fault === 'changes' ? `"${this.#requests}"` : '"1"',
      ...(this.fault === 'no-cors'
        ? {}
        : {
            'Access-Control-Allow-Origin': '*',
            'Access-Control-Expose-Headers': 'Accept-Ranges, Content-Range, Content-Length, ETag',
          }),
    });
    this.#write(response, body);
  }

  #write(response: ServerResponse, body: Buffer): void {
    const half = body.subarray(0, Math.floor(body.length / 2));
    if (body.length < 2 || this.fault === null || !['breaks-off', 'ends-early', 'stalls'].includes(this.fault)) {
      response.end(body);
    } else if (this.fault === 'ends-early') {
      response.end(half);
    } else {
      response.write(half, () => {
        if (this.fault === 'breaks-off') response.destroy();
      });
    }
  }
}

function pathOf(request: IncomingMessage): string {
  return new URL(request.url ?? '/', 'http://localhost').pathname;
}

function address(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function partOf(range: string | undefined, size: number): readonly [number, number] | null {
  const match = /^bytes=(\d+)-(\d+)$/.exec(range ?? '');
  return match ? [Number(match[1]), Math.min(Number(match[2]), size - 1)] : null;
}
