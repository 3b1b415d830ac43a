import type { BrowserContext, Page } from '@playwright/test';
import type { Glassbox, Model } from 'glassbox';
import { SITE } from './paths.ts';

/** How something ended in the page: errors cross into the test with their code and hint. */
export type Outcome<T> =
  | { readonly value: T; readonly error?: undefined }
  | { readonly value?: undefined; readonly error: Failed };

export interface Failed {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/** A file as it crosses into the page. */
export interface PackedFile {
  readonly name: string;
  readonly base64: string;
}

declare global {
  interface Window {
    client: typeof import('glassbox');
    gb: Glassbox;
    model: Model;
    attempt<T>(work: () => Promise<T>): Promise<Outcome<T>>;
    pack(values: Float32Array): string;
    unpack(files: readonly PackedFile[]): File[];
  }
}

/**
 * A page of the site's origin with nothing on it but its Content-Security-Policy, as a stranger's page has it who uses
 * only `glassbox.js`; that module is `window.client`.
 */
export async function openBlank(context: BrowserContext): Promise<Page> {
  const address = new URL('blank.html', SITE).href;
  await context.route(address, async (route) => {
    const response = await route.fetch({ url: SITE });
    await route.fulfill({ response, body: '<!doctype html><html lang="en"><title>Blank</title>' });
  });
  const page = await context.newPage();
  await page.addInitScript(helpers);
  await page.goto(address);
  await page.evaluate(async (url) => {
    window.client = (await import(url)) as typeof import('glassbox');
  }, new URL('glassbox.js', SITE).href);
  return page;
}

/** Runs in the page. */
function helpers(): void {
  window.attempt = async (work) => {
    try {
      return { value: await work() };
    } catch (error) {
      const { name = '', code = '', message = '', hint = '' } = error as Record<string, unknown>;
      return { error: { name: String(name), code: String(code), message: String(message), hint: String(hint) } };
    }
  };
  window.pack = ({ buffer, byteOffset, byteLength }) => {
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    let text = '';
    for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
    return btoa(text);
  };
  window.unpack = (files) =>
    files.map(({ name, base64 }) => new File([Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))], name));
}
