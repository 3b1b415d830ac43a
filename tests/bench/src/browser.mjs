// @ts-check
import { readFile } from 'node:fs/promises';
import { chromium } from 'playwright-core';

const FLAGS = [
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Nothing but this machine can be reached.
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1',
];
const WEBGPU = ['--enable-unsafe-webgpu'];
/** WebGPU computed on the CPU, which every machine has. */
const SOFTWARE = ['--use-webgpu-adapter=swiftshader'];

/**
 * @typedef {object} Options
 * @property {string} executablePath
 * @property {'wasm' | 'webgpu'} backend
 * @property {boolean} realGpu whether to take the machine's own adapter rather than the software one
 * @property {number} timeoutMs
 */

/**
 * Starts a browser of its own for one contestant, measures, and ends it: nothing is left over from the one before.
 *
 * @param {string} address of `page/index.html`
 * @param {import('../page/types').Plan} plan
 * @param {Options} options
 */
export async function measure(address, plan, { executablePath, backend, realGpu, timeoutMs }) {
  const gpu = backend === 'webgpu' ? [...WEBGPU, ...(realGpu ? [] : SOFTWARE)] : [];
  const browser = await chromium.launch({ executablePath, headless: true, args: [...FLAGS, ...gpu] });
  const watchdog = setTimeout(() => void browser.close(), timeoutMs);
  /** @type {string[]} */
  const complaints = [];
  try {
    const page = await browser.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error' && complaints.length < 20) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(address);
    await page.waitForFunction('window.measure !== undefined');
    const adapter = backend === 'webgpu' ? await page.evaluate(adapterInfo) : null;
    const measured = await page.evaluate((given) => /** @type {any} */ (window).measure(given), plan);
    return { measured: /** @type {import('../page/types').Measured} */ (measured), adapter, ...(await memory(browser)) };
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new Error([cause, ...complaints].join('\n'));
  } finally {
    clearTimeout(watchdog);
    await browser.close();
  }
}

/** Runs in the page. */
async function adapterInfo() {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) return null;
  const { vendor, architecture, device, description } = adapter.info;
  return { vendor, architecture, device, description, f16: adapter.features.has('shader-f16') };
}

/**
 * The most memory that the page's process, and the one that computes WebGPU, had in use; null where /proc does not tell.
 *
 * @param {import('playwright-core').Browser} browser
 */
async function memory(browser) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  /** @param {string} type */
  const peak = async (type) => {
    const found = await Promise.all(processInfo.filter((process) => process.type === type).map(({ id }) => peakBytes(id)));
    const known = found.filter((bytes) => bytes !== null);
    return known.length > 0 ? Math.max(...known) : null;
  };
  return { rendererBytes: await peak('renderer'), gpuProcessBytes: await peak('GPU') };
}

/** @param {number} pid */
async function peakBytes(pid) {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? null : Number(kilobytes) * 1024;
  } catch {
    return null;
  }
}

/** @param {string} executablePath */
export async function browserVersion(executablePath) {
  const browser = await chromium.launch({ executablePath, headless: true, args: FLAGS });
  const version = browser.version();
  await browser.close();
  return version;
}
