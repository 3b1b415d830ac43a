// @ts-check
import { hookWorkers, wasmBytes } from './memory.js';

hookWorkers();

/** Called from outside with what to measure. */
Object.assign(window, { measure });

/**
 * @param {import('./types').Plan} plan
 * @returns {Promise<import('./types').Measured>}
 */
async function measure({ settings, prompts, looks, verify }) {
  const { open } = await import(`./${settings.engine}.js`);
  const read = await rawRead(settings.model);
  /** @type {import('./types').Contestant} */
  const contestant = await open(settings);
  const [first] = prompts;
  if (!first) throw new Error('no prompt');
  const cold = await generate(contestant, first, first.count);
  const warm = [];
  for (const [index, prompt] of prompts.entries()) {
    warm.push(await generate(contestant, turned(prompt, 1 + index), prompt.count));
  }
  const { about, startMs, loadMs } = contestant;
  return {
    about,
    startMs,
    loadMs,
    ...read,
    cold,
    warm,
    wasmBytes: await wasmBytes(),
    looks: await look(contestant, first, looks),
    verified: verify ? await answers(contestant, first, cold.tokens) : null,
  };
}

/**
 * The same tokens from another one on: as much work, and no beginning in common with what was run before, so that no
 * engine can answer from what it remembers.
 *
 * @param {import('./types').Prompt} prompt
 * @param {number} by
 * @returns {import('./types').Prompt}
 */
function turned({ ids, text }, by) {
  const turn = (/** @type {any[]} */ list) => [...list.slice(by), ...list.slice(0, by)];
  const words = text.split(' ').slice(1);
  return { ids: turn(ids), text: turn(words).map((word) => ` ${word}`).join('') };
}

/**
 * @param {import('./types').Contestant} contestant
 * @param {import('./types').Prompt} prompt
 * @param {(number | string)[]} tokens that were generated
 */
async function answers(contestant, prompt, tokens) {
  const ids = contestant.greedy ? await contestant.greedy(prompt, tokens.length) : tokens.map(Number);
  return { ids, logits: base64(await contestant.logits(prompt)) };
}

/**
 * Reads all files and throws the bytes away.
 *
 * @param {string[]} urls
 */
async function rawRead(urls) {
  const start = performance.now();
  let modelBytes = 0;
  for (const url of urls) {
    const { ok, status, body } = await fetch(url, { cache: 'no-store' });
    if (!ok || !body) throw new Error(`${url}: ${status}`);
    const reader = body.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) modelBytes += part.value.length;
  }
  return { rawReadMs: performance.now() - start, modelBytes };
}

/**
 * @param {import('./types').Contestant} contestant
 * @param {import('./types').Prompt} prompt
 * @param {number} count
 * @returns {Promise<import('./types').Generation>}
 */
async function generate(contestant, prompt, count) {
  const tokens = [];
  const start = performance.now();
  let first = start;
  for await (const token of contestant.generate(prompt, count)) {
    if (tokens.length === 0) first = performance.now();
    tokens.push(token);
  }
  if (tokens.length !== count) throw new Error(`${tokens.length} new tokens instead of ${count}`);
  return { tokens, firstMs: first - start, restMs: performance.now() - first };
}

/**
 * Times the single passes in turn, so that whatever slows the machine down slows all of them, on prompts that are new.
 *
 * @param {import('./types').Contestant} contestant
 * @param {import('./types').Prompt} prompt
 * @param {number} times
 */
async function look({ looks = {} }, prompt, times) {
  /** @type {Record<string, number[]>} */
  const found = {};
  for (let time = 0; time < times; time += 1) {
    const given = turned(prompt, 4 + 2 * time);
    const other = turned(prompt, 5 + 2 * time);
    for (const [name, run] of Object.entries(looks)) {
      const start = performance.now();
      await run(given, other);
      (found[name] ??= []).push(performance.now() - start);
    }
  }
  return found;
}

/** @param {Float32Array} values */
function base64(values) {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}
