import type { BrowserContext, Page } from '@playwright/test';

/** What the pages of a context did that nobody should have to look for. */
export class Watch {
  /** Addresses of all requests, those of workers included. */
  readonly requests: string[] = [];
  /** Errors on the console, uncaught exceptions and violations of the Content-Security-Policy. */
  readonly errors: string[] = [];

  constructor(context: BrowserContext) {
    context.on('request', (request) => this.requests.push(request.url()));
    context.on('page', (page) => {
      this.#follow(page);
    });
  }

  /** Requests that left this machine. */
  get strayed(): string[] {
    return this.requests.filter((address) => {
      const { protocol, hostname } = new URL(address);
      return !['blob:', 'data:'].includes(protocol) && !['127.0.0.1', 'localhost'].includes(hostname);
    });
  }

  #follow(page: Page): void {
    page.on('console', (message) => {
      if (message.type() === 'error') this.errors.push(`console: ${message.text()} (${message.location().url})`);
    });
    page.on('pageerror', (error) => this.errors.push(`uncaught: ${error.message}`));
  }
}
