// @ts-check
/** `cargo xtask bench`: runs the contestants in turn and writes what came out. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { browserVersion, measure } from './browser.mjs';
import { agreement, divergence, floats, judge, readReference, shortest } from './compare.mjs';
import { rows, SHAPE } from './contestants.mjs';
import { busyCores, commit, hardware, version } from './machine.mjs';
import { HELP, parse } from './options.mjs';
import { report } from './report.mjs';
import { Server } from './server.mjs';
import { siteSizes, wireSize } from './wire.mjs';

/** @typedef {import('./results').Results} Results */
/** @typedef {import('./results').RowResult} RowResult */
/** @typedef {import('./contestants.mjs').Row} Row */

const BENCH = fileURLToPath(new URL('..', import.meta.url));
const ROOT = resolve(BENCH, '../..');
const MODULES = new URL('../node_modules/', import.meta.url);
/** Cores that others may keep busy before the machine counts as not idle. */
const IDLE = 0.15;
/** New tokens after a long prompt. */
const FEW = 8;
const LOOKS = 3;

async function main() {
  const options = parse(process.argv.slice(2), {
    here: process.env['GLASSBOX_BENCH_HERE'] ?? process.cwd(),
    dist: join(ROOT, 'dist'),
  });
  if (!options) {
    console.log(HELP);
    return;
  }
  if (options.reportOnly !== undefined) {
    await writeReport(JSON.parse(await readFile(options.reportOnly, 'utf8')));
    return;
  }
  const results = await run(options);
  console.log(`bench: the results are in ${await save(results, options)}`);
  if (options.report && !results.comparison) await writeReport(results);
  const wrong = results.rows.filter((row) => row.wrong !== null);
  for (const { name, wrong: why } of wrong) console.log(`bench: ${name} computes something else: ${why}`);
  process.exitCode = wrong.length > 0 ? 1 : 0;
}

/**
 * @param {Results} results
 * @param {import('./options.mjs').Options} options
 */
async function save(results, { out }) {
  const day = results.date.slice(0, 10);
  const kind = results.comparison ? 'comparison-' : '';
  const path = out ?? join(BENCH, 'results', `${day}-${kind}${results.commit.replace('+', '')}.json`);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${JSON.stringify(results, null, 1)}\n`);
  return path;
}

/**
 * @param {import('./options.mjs').Options} options
 * @returns {Promise<Results>}
 */
async function run(options) {
  const cache = required('GLASSBOX_BENCH_CACHE');
  const executablePath = required('CHROMIUM');
  const models = join(cache, 'models');
  const names = Object.keys(options.sites);
  const shapes = options.realGpu ? { ...SHAPE, webgpu: SHAPE.wasm } : SHAPE;
  const chosen = rows(names).filter(
    ({ name, backend }) =>
      options.backends.includes(backend) && (options.only.length === 0 || options.only.some((text) => name.includes(text))),
  );
  if (chosen.length === 0) throw new Error('no contestant has such a name');
  const sites = Object.fromEntries(Object.entries(options.sites).map(([name, folder]) => [`site-${name}`, folder]));
  const server = new Server({ page: join(BENCH, 'page'), modules: fileURLToPath(MODULES), models, ...sites });
  const address = await server.start();
  const references = new Map();
  for (const shape of new Set(chosen.map(({ backend }) => shapes[backend]))) {
    references.set(shape, await readReference(join(models, shape)));
  }
  const found = chosen.map((row) => empty(row, shapes[row.backend]));
  /** @type {number[]} */
  const busy = [];
  /** @type {Results} */
  const results = {
    date: new Date().toISOString(),
    commit: commit(ROOT),
    comparison: names.length > 1,
    hardware: hardware(),
    chromium: await browserVersion(executablePath),
    node: process.version,
    versions: {
      'onnxruntime-web': version(MODULES, 'onnxruntime-web'),
      '@wllama/wllama': version(MODULES, '@wllama/wllama'),
    },
    busyCores: busy,
    models: Object.fromEntries([...references].map(([name, { reference }]) => [name, facts(reference)])),
    rows: found,
    sites: await siteSizes(options.sites, join(cache, 'brotli')),
  };
  try {
    const rounds = { wasm: options.rounds, webgpu: options.gpuRounds };
    const most = Math.max(...chosen.map(({ backend }) => rounds[backend]));
    for (let round = 0; round < most; round += 1) {
      busy.push(await idle(options.waitIdleMs));
      for (const [index, row] of chosen.entries()) {
        const result = /** @type {RowResult} */ (found[index]);
        if (result.failed !== null || round >= rounds[row.backend]) continue;
        const expected = references.get(result.shape);
        const long = row.backend === 'wasm' && row.threads === 1 && round < options.longRounds;
        const plan = planFor(row, address, expected.reference, { long, first: round === 0, realGpu: options.realGpu });
        const limits = { executablePath, backend: row.backend, realGpu: options.realGpu, timeoutMs: 900_000 };
        server.asked();
        server.isolated = row.threads > 1;
        try {
          const outcome = await twice(() => measure(`${address}page/index.html`, plan, limits));
          take(result, outcome, plan, expected, round);
          if (round === 0) result.wire = await wireSize(server.asked(), models, join(cache, 'brotli'));
          console.log(`round ${round + 1}  ${row.name}: ${line(result)}`);
        } catch (error) {
          const cause = error instanceof Error ? error.message : String(error);
          console.log(`round ${round + 1}  ${row.name}: failed: ${cause}`);
          // What other rounds measured stands; the report says how many there are.
          if (result.samples.length === 0) result.failed = cause;
        }
      }
      // A run that is stopped leaves the rounds before.
      await save(results, options);
    }
  } finally {
    server.stop();
  }
  return results;
}

/**
 * A browser can be lost on a busy machine, so one failure is none.
 *
 * @template T
 * @param {() => Promise<T>} work
 */
async function twice(work) {
  try {
    return await work();
  } catch (error) {
    console.log(`bench: trying once more: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`);
    return work();
  }
}

/** @param {string} name */
function required(name) {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set; run this by \`cargo xtask bench\``);
  return value;
}

/**
 * @param {Row} row
 * @param {string} shape
 * @returns {RowResult}
 */
function empty({ name, engine, backend, weights, threads, site }, shape) {
  const nothing = { about: '', adapter: null, samples: [], kl: null, agreeing: null, answer: null, wire: null, failed: null, wrong: null };
  return { name, engine, backend, weights, threads, site: site ?? null, shape, ...nothing };
}

/**
 * @param {Row} row
 * @param {string} address
 * @param {import('./compare.mjs').Reference} reference
 * @param {{ long: boolean, first: boolean, realGpu: boolean }} round
 * @returns {import('../page/types').Plan}
 */
function planFor({ engine, backend, files, site, threads }, address, reference, { long, first, realGpu }) {
  const short = shortest(reference);
  const lengths = Object.keys(reference.prompts).map(Number);
  const prompts = lengths
    .filter((length) => length === short || long)
    .map((length) => ({
      ids: reference.prompts[length]?.ids ?? [],
      text: reference.prompts[length]?.text ?? '',
      count: length === short && !(backend === 'webgpu' && !realGpu) ? reference.newTokens : FEW,
    }));
  return {
    settings: {
      engine,
      backend,
      threads,
      site: `${address}site-${site}/`,
      modules: `${address}modules/`,
      model: files.map((file) => `${address}models/${reference.name}/${file}`),
      vocab: reference.vocab,
      context: reference.context,
      layers: reference.layers,
      kvHeads: reference.kvHeads,
      headDim: reference.headDim,
      softwareGpu: backend === 'webgpu' && !realGpu,
    },
    prompts,
    looks: LOOKS,
    verify: first,
  };
}

/**
 * Adds one page's figures to a contestant's, and judges it in the first round.
 *
 * @param {RowResult} result
 * @param {Awaited<ReturnType<typeof measure>>} outcome
 * @param {import('../page/types').Plan} plan
 * @param {{ reference: import('./compare.mjs').Reference, logits: Float32Array }} expected
 * @param {number} round
 */
function take(result, { measured, adapter, rendererBytes, gpuProcessBytes }, plan, { reference, logits }, round) {
  const { about, cold, warm, verified, ...figures } = measured;
  const greedy = reference.prompts[shortest(reference)]?.greedy ?? [];
  const generations = warm.map(({ tokens, firstMs, restMs }, index) => ({
    promptTokens: plan.prompts[index]?.ids.length ?? 0,
    newTokens: tokens.length,
    firstMs,
    restMs,
  }));
  result.about = about;
  result.adapter = adapter;
  result.samples.push({
    round,
    ...figures,
    coldFirstMs: cold.firstMs,
    warm: generations,
    rendererBytes,
    gpuProcessBytes,
  });
  if (verified !== null) {
    result.kl = divergence(logits, floats(Buffer.from(verified.logits, 'base64')));
    result.agreeing = agreement(greedy, verified.ids);
    result.wrong = judge(result.weights, { kl: result.kl, agreeing: result.agreeing, newTokens: verified.ids.length });
  }
  // The same engine with the same weights answers the same in every round.
  const answer = warm[0]?.tokens.join(' ') ?? '';
  result.answer ??= answer;
  if (result.answer !== answer) result.wrong ??= `greedy runs differ: ${result.answer} and ${answer}`;
}

/** @param {RowResult} result */
function line({ samples, kl, agreeing }) {
  const last = samples.at(-1);
  if (!last) return 'nothing';
  const parts = last.warm.map(({ promptTokens, newTokens, firstMs, restMs }) => {
    return `${promptTokens}: ${firstMs.toFixed(0)} ms, ${(restMs / (newTokens - 1)).toFixed(1)} ms/token`;
  });
  return `load ${last.loadMs.toFixed(0)} ms; ${parts.join('; ')}; KL ${kl?.toExponential(1)}, ${agreeing} ids agree`;
}

/**
 * Waits until the machine is idle, or for as long as it may; returns the cores that others keep busy.
 *
 * @param {number} patienceMs
 */
async function idle(patienceMs) {
  const start = Date.now();
  for (;;) {
    const busy = await busyCores(3000);
    if (busy <= IDLE || Date.now() - start >= patienceMs) {
      if (busy > IDLE) console.log(`bench: the machine is not idle: others keep ${busy.toFixed(2)} cores busy`);
      return busy;
    }
  }
}

/** @param {import('./compare.mjs').Reference} reference */
function facts({ vocab, layers, heads, parameters, newTokens, prompts }) {
  const margin = Object.values(prompts).find(({ smallestMargin }) => smallestMargin !== undefined)?.smallestMargin ?? null;
  return { vocab, layers, heads, parameters, newTokens, prompts: Object.keys(prompts).map(Number), smallestMargin: margin };
}

/** @param {Results} results */
async function writeReport(results) {
  const path = join(BENCH, 'RESULTS.md');
  await writeFile(path, await report(results, join(BENCH, 'results')));
  console.log(`bench: ${path} is written`);
}

// Playwright closes its browser and goes on; whoever ends the bench means all of it.
process.on('SIGTERM', () => process.exit(143));
await main();
