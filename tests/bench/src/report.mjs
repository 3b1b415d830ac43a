// @ts-check
/** Writes RESULTS.md out of results. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crates, kernels, native, tried } from './aside.mjs';
import {
  best,
  decode,
  firstToken,
  loading,
  megabytes,
  middle,
  prefill,
  readShare,
  rendererBytes,
  table,
  values,
  wasmBytes,
  withSpread,
} from './figures.mjs';
import { median, summary } from './statistics.mjs';

/** @typedef {import('./results').Results} Results */
/** @typedef {import('./results').RowResult} RowResult */
/** @typedef {(sample: import('./results').Sample) => number | undefined} Figure */

const NAMES = { glassbox: 'Glassbox', onnxruntime: 'onnxruntime-web', wllama: 'wllama' };
/** Others' cores above which a run is marked. */
const IDLE = 0.15;

/**
 * @param {Results} results
 * @param {string} folder where comparisons and the modules' crates lie
 */
export async function report(results, folder) {
  const engines = Object.keys(NAMES);
  const all = [...results.rows].sort((a, b) => engines.indexOf(a.engine) - engines.indexOf(b.engine));
  const rows = all.filter((row) => threadsOf(row) === 1);
  const parts = [
    head(results),
    '## In short\n\nHow many times faster than the quickest peer of any precision on the same adapter; below 1 is slower.',
    inShort(rows, 'wasm', 'On the CPU'),
    inShort(rows, 'webgpu', 'On WebGPU'),
    speed('CPU: one thread of WebAssembly', { ...results, rows }, 'wasm'),
    long(rows),
    severalThreads(all),
    speed('WebGPU', { ...results, rows }, 'webgpu'),
    looking(rows),
    download(rows),
    site(results),
    await crates(folder),
    await kernels(folder),
    await native(folder),
    await comparisons(folder),
    await tried(folder),
    notMeasured(results),
    method(results),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

/** @param {Results} results */
function head({ date, commit, hardware, chromium, versions, busyCores, rows, sites }) {
  const { cpu, cores, memoryBytes, system } = hardware;
  const others = summary(busyCores);
  const disturbed = others.most > IDLE;
  const lines = [
    '# Results',
    '',
    '<!-- Written by `cargo xtask bench`; changes by hand are lost. -->',
    '',
    `Glassbox as built from commit ${sites.map(({ build }) => `\`${build}\``).join(' and ')}, measured on`,
    `${date.slice(0, 16).replace('T', ' ')} UTC by the bench of commit \`${commit}\`: ${cpu}, ${cores} cores,`,
    `${(memoryBytes / 2 ** 30).toFixed(0)} GiB, ${system}; headless Chromium ${chromium}; onnxruntime-web`,
    `${versions['onnxruntime-web']}; wllama ${versions['@wllama/wllama']}` +
      ` (llama.cpp ${rows.find(({ engine, about }) => engine === 'wllama' && about !== '')?.about ?? 'unknown'}).`,
    'Engines took turns in every round, each in a browser of its own. Figures are medians over rounds, with the least and',
    'the most in brackets. Absolute figures are this machine’s; read the ratios.',
  ];
  if (disturbed) {
    lines.push(
      '',
      `**The machine was not idle**: other programs kept ${others.least.toFixed(2)} to ${others.most.toFixed(2)} cores busy`,
      `before the rounds (median ${others.median.toFixed(2)}), and not every contestant met them alike. Where spreads overlap, a ratio`,
      'says little; the least values are the least disturbed.',
    );
  }
  return lines.join('\n');
}

/**
 * @param {readonly RowResult[]} all
 * @param {'wasm' | 'webgpu'} backend
 * @param {string} title
 */
function inShort(all, backend, title) {
  const rows = all.filter((row) => row.backend === backend && row.failed === null);
  const peers = rows.filter(({ engine }) => engine !== 'glassbox');
  const ours = rows.filter(({ engine }) => engine === 'glassbox');
  if (peers.length === 0 || ours.length === 0) return '';
  /** @type {[string, Figure][]} */
  const figures = [
    ['prefill of 64 tokens', prefill(64)],
    ['prefill of 512 tokens', prefill(512)],
    ['prefill of 1,024 tokens', prefill(1024)],
    ['decode after 64 tokens', decode(64)],
    ['decode after 1,024 tokens', decode(1024)],
    ['first token in an empty page', firstToken],
  ];
  const lines = figures.flatMap(([name, figure]) => {
    const peer = best(peers, figure);
    if (!peer) return [];
    const cells = ours.map((row) => ratio(peer.value, values(row, figure)));
    return [[name, `${label(peer.row)}, ${peer.value.toFixed(peer.value < 100 ? 1 : 0)} ms`, ...cells]];
  });
  return [
    `${title}:`,
    '',
    table(['', 'quickest peer', ...ours.map(({ weights }) => `Glassbox ${weights}`)], lines),
  ].join('\n');
}

/**
 * @param {number} reference
 * @param {readonly number[]} found
 */
function ratio(reference, found) {
  return found.length === 0 ? '' : (reference / median(found)).toFixed(2);
}

/** @param {RowResult} row */
function label({ engine, weights, site }) {
  return `${NAMES[engine]} ${weights}${site === null || site === 'dist' ? '' : ` (${site})`}`;
}

/**
 * @param {string} title
 * @param {Results} results
 * @param {'wasm' | 'webgpu'} backend
 */
function speed(title, { rows, models }, backend) {
  const chosen = rows.filter((row) => row.backend === backend);
  const [first] = chosen;
  if (!first) return '';
  const model = models[first.shape];
  const adapter = chosen.find((row) => row.adapter)?.adapter;
  const lines = chosen.map((row) => [
    label(row),
    withSpread(row, prefill(64)),
    withSpread(row, decode(64), 1),
    withSpread(row, loading),
    middle(row, readShare, 2),
    middle(row, firstToken),
    middle(row, wasmBytes, 0, 1e6),
    middle(row, rendererBytes, 0, 1e6),
    row.kl === null ? '' : row.kl.toExponential(1),
    row.agreeing === null ? '' : String(row.agreeing),
  ]);
  const about = [
    `Model \`${first.shape}\`: ${model?.layers} layers, vocabulary ${model?.vocab}, ${megabytes(model?.parameters ?? 0)} million`,
    'parameters. 64 tokens of prompt. Times in milliseconds, memory in MB.',
  ];
  if (adapter) {
    const { vendor, architecture, device, description, f16 } = adapter;
    const name = [vendor, architecture, device, description].filter((text) => text !== '').join(' ');
    about.push(`Adapter: ${name}${/swiftshader/i.test(name) ? ', which is software: it proves function, not speed' : ''};`);
    about.push(f16 ? 'it has f16.' : 'it has no f16.');
  }
  return [
    `## ${title}`,
    '',
    about.join('\n'),
    '',
    table(
      ['', 'prefill', 'per new token', 'load', 'of raw read', 'first token, cold', 'wasm', 'process', 'KL', 'equal ids'],
      lines,
    ),
    ...failures(chosen),
  ].join('\n');
}

/** @param {readonly RowResult[]} rows */
function failures(rows) {
  const lines = rows.flatMap((row) => {
    if (row.failed !== null) return [`- ${label(row)} did not run: ${firstLine(row.failed)}`];
    if (row.wrong !== null) return [`- ${label(row)} computes something else, so its times are left out: ${row.wrong}.`];
    return [];
  });
  return lines.length > 0 ? ['', ...lines] : [];
}

/** @param {string} text */
function firstLine(text) {
  return (text.split('\n')[0] ?? '').replaceAll('|', '\\|');
}

/** @param {readonly RowResult[]} rows */
function long(rows) {
  const chosen = rows.filter((row) => row.backend === 'wasm' && values(row, prefill(512)).length > 0);
  if (chosen.length === 0) return '';
  const lines = chosen.map((row) => [
    label(row),
    withSpread(row, prefill(512)),
    withSpread(row, decode(512), 1),
    withSpread(row, prefill(1024)),
    withSpread(row, decode(1024), 1),
  ]);
  return [
    '### Long prompts',
    '',
    table(['', 'prefill 512', 'per new token', 'prefill 1,024', 'per new token'], lines),
  ].join('\n');
}

/** @param {RowResult} row */
function threadsOf({ threads = 1 }) {
  return threads;
}

/**
 * What more threads than one gain, for each contestant that ran with both.
 *
 * @param {readonly RowResult[]} rows
 */
function severalThreads(rows) {
  const lines = rows
    .filter((row) => threadsOf(row) > 1)
    .flatMap((row) => {
      const alone = rows.find(
        (other) => threadsOf(other) === 1 && other.engine === row.engine && other.backend === row.backend && other.weights === row.weights,
      );
      if (row.failed !== null || row.wrong !== null || !alone) return [];
      const name = `${label(row)}, ${threadsOf(row)} threads`;
      return [[name, ...[prefill(64), decode(64), loading].map((figure) => change(values(alone, figure), values(row, figure)))]];
    });
  if (lines.length === 0) return '';
  return [
    '### Several threads',
    '',
    'On pages that are cross-origin isolated: from one thread to several in milliseconds, and how many times faster.',
    '',
    table(['', 'prefill 64', 'per new token', 'load'], lines),
    ...failures(rows.filter((row) => threadsOf(row) > 1)),
  ].join('\n');
}

/** @param {readonly RowResult[]} rows */
function looking(rows) {
  const chosen = rows.filter(({ samples, failed }) => failed === null && samples.some(({ looks }) => Object.keys(looks).length > 0));
  const lines = chosen.flatMap((row) => {
    const names = Object.keys(row.samples[0]?.looks ?? {});
    const times = names.map((name) => median(row.samples.flatMap(({ looks }) => looks[name] ?? [])));
    const [plain = Number.NaN] = times;
    return names.map((name, index) => {
      const time = times[index] ?? Number.NaN;
      return [`${label(row)}, ${row.backend === 'wasm' ? 'CPU' : 'WebGPU'}: ${name}`, time.toFixed(0), (time / plain).toFixed(2)];
    });
  });
  if (lines.length === 0) return '';
  return [
    '## Looking',
    '',
    'One pass over 64 tokens through the client, from the call to the answer: plain, with every attention pattern and the',
    'residual stream after every block brought back, each on a new prompt; and with one head switched off, on the prompt of',
    'the plain pass. No peer offers any of these.',
    '',
    table(['', 'ms', 'of the plain pass'], lines),
  ].join('\n');
}

/** @param {readonly RowResult[]} rows */
function download(rows) {
  const lines = rows
    .filter(({ wire }) => wire !== null)
    .map((row) => {
      const files = row.wire?.engineFiles ?? [];
      const sum = (/** @type {'raw' | 'brotli'} */ key) => files.reduce((total, file) => total + file[key], 0);
      const name = `${label(row)}, ${row.backend === 'wasm' ? 'CPU' : 'WebGPU'}`;
      return [name, megabytes(sum('raw')), megabytes(sum('brotli')), megabytes(row.wire?.modelBytes ?? 0)];
    });
  if (lines.length === 0) return '';
  return [
    '## On the wire',
    '',
    'What a visitor downloads, in MB: the engine’s scripts and modules, raw and with brotli at level 11, and the model.',
    'For Glassbox this is the client without the page.',
    '',
    table(['', 'engine, raw', 'engine, brotli', 'model'], lines),
  ].join('\n');
}

/** @param {Results} results */
function site({ sites }) {
  return sites
    .map(({ name, files }) => {
      const lines = files.map((file) => [`\`${file.name}\``, megabytes(file.raw), megabytes(file.brotli)]);
      const title = sites.length > 1 ? `### The site (${name})` : '### The site';
      return [title, '', table(['', 'raw MB', 'brotli MB'], lines)].join('\n');
    })
    .join('\n\n');
}

/** @param {string} folder */
async function comparisons(folder) {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.includes('-comparison-')).sort();
  const parts = [];
  for (const name of names) {
    /** @type {Results} */
    const results = JSON.parse(await readFile(join(folder, name), 'utf8'));
    parts.push(comparison(results, name));
  }
  return parts.length === 0 ? '' : ['## Before and after', '', parts.join('\n\n')].join('\n');
}

/**
 * @param {Results} results of two builds
 * @param {string} name
 */
function comparison({ rows, date, sites }, name) {
  const [before, after] = sites.map((found) => found.name);
  const builds = sites.map(({ build }) => `\`${build}\``).join(' → ');
  /** @type {[string, Figure][]} */
  const figures = [
    ['prefill 64', prefill(64)],
    ['decode', decode(64)],
    ['prefill 1,024', prefill(1024)],
    ['load', loading],
  ];
  const lines = rows
    .filter((row) => row.site === after)
    .flatMap((row) => {
      const other = rows.find((found) => found.site === before && found.backend === row.backend && found.weights === row.weights);
      if (!other) return [];
      const cells = figures.map(([, figure]) => change(values(other, figure), values(row, figure)));
      return [[`${row.backend} ${row.weights}`, ...cells]];
    });
  return [
    `${date.slice(0, 10)}, \`${name}\`: ${before} → ${after} (${builds}) in milliseconds, and how many times faster.`,
    '',
    table(['', ...figures.map(([title]) => title)], lines),
  ].join('\n');
}

/**
 * @param {readonly number[]} before
 * @param {readonly number[]} after
 */
function change(before, after) {
  if (before.length === 0 || after.length === 0) return '';
  const [from, to] = [median(before), median(after)];
  const digits = from < 100 ? 1 : 0;
  return `${from.toFixed(digits)} → ${to.toFixed(digits)} (${(from / to).toFixed(2)})`;
}

/** @param {Results} results */
function notMeasured({ rows }) {
  const gpu = rows.filter(({ backend }) => backend === 'webgpu');
  const lines = ['- Trained weights. They are random, which changes no shape and no instruction, only what is said.'];
  if (gpu.length === 0) lines.push('- WebGPU, in this run.');
  if (!rows.some((row) => values(row, prefill(512)).length > 0)) lines.push('- Prompts of 512 and 1,024 tokens, in this run.');
  if (gpu.some(({ adapter }) => /swiftshader/i.test(JSON.stringify(adapter)))) {
    lines.push('- A real GPU: WebGPU was computed on the CPU by SwiftShader, with two layers instead of thirty.');
  }
  if (gpu.some(({ engine, adapter }) => engine === 'onnxruntime' && /swiftshader/i.test(JSON.stringify(adapter)))) {
    lines.push(
      '- onnxruntime-web with subgroups on the software adapter: with its four lanes the prefill of 64 tokens is wrong there',
      '  (KL 0.38 from the reference), so they are hidden from it.',
    );
  }
  lines.push(
    '- K-quants: gguf-py cannot make them. Firefox and Safari. Phones.',
  );
  return ['## What was not measured', '', ...lines].join('\n');
}

/** @param {Results} results */
function method({ rows, models }) {
  const counts = (/** @type {string} */ backend) => {
    const found = rows.filter((row) => row.backend === backend && row.failed === null).map(({ samples }) => samples.length);
    const [least, most] = [Math.min(Infinity, ...found), Math.max(0, ...found)];
    return least >= most ? `${most}` : `${least} to ${most}`;
  };
  const long = Math.max(0, ...rows.map((row) => values(row, prefill(512)).length));
  const rounds = [`${counts('wasm')} rounds on the CPU, ${long} of them with long prompts`, `${counts('webgpu')} on WebGPU`];
  const backends = ['wasm', 'webgpu'].map((backend) => rows.some((row) => row.backend === backend));
  const shown = rounds.filter((_, index) => backends[index]).join(', ');
  const margins = Object.entries(models).map(([name, { smallestMargin }]) => `${smallestMargin?.toFixed(3)} (\`${name}\`)`);
  return [
    '## How it was measured',
    '',
    `- ${shown}. In each, every contestant gets a new browser, reads its model's files once without doing anything with`,
    '  them (the raw read), loads, answers the 64-token prompt cold, then another one (what is shown), then the long prompts. No',
    '  two prompts begin alike, so nothing can be answered from memory.',
    '- *prefill* is the time from the call to the first new token, *per new token* the mean of those after it; both are taken in',
    '  the page, so that passing messages counts. Greedy; 32 new tokens after 64, 8 after the others and on software adapters.',
    '- *load* holds the engine’s start. *of raw read* is the speed of loading the model, of the raw read; 1 is as fast as bytes come.',
    '- *wasm* is the size of all wasm memories at the end, which is their peak; *process* the most resident memory of the page’s',
    '  process.',
    '- *KL* is the divergence in nats of the distribution after the prompt from that of transformers in f32, over the whole',
    '  vocabulary; *equal ids* how many greedy ids agree before the first that does not. f32 has to agree in all; the closest',
    `  of these choices is made by ${margins.join(', ')} logits. q8_0 and q4_0 are the same file for Glassbox and wllama;`,
    '  onnxruntime’s q8 is its dynamic quantisation, q4 its MatMulNBits in blocks of 32 with int8 activations.',
    '- onnxruntime’s graphs come from its own model builder with fused attention, and compute the head for the last token alone.',
    '- wllama keeps its cache in f16 and uses flash attention, as it does by default; the others keep it in f32.',
  ].join('\n');
}
