// Records the picture that the page shows before its engine has come: one prompt through the site's own model, by the
// same engine, natively. `node record.mjs GLASSBOX MODEL PROMPT OUT` writes OUT.json and OUT.bin.
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const CANDIDATES = 20;

/** Reads a safetensors file: an eight-byte length, a JSON header, then the data. */
export function parseSafetensors(buffer) {
  const length = Number(buffer.readBigUInt64LE(0));
  const header = JSON.parse(buffer.toString('utf8', 8, 8 + length));
  const tensor = (name) => {
    if (!(name in header)) throw new Error(`${name} is not in the trace`);
    const { dtype, shape, data_offsets: [from, to] } = header[name];
    const bytes = buffer.buffer.slice(buffer.byteOffset + 8 + length + from, buffer.byteOffset + 8 + length + to);
    return { shape, data: dtype === 'I64' ? Array.from(new BigInt64Array(bytes), Number) : new Float32Array(bytes) };
  };
  return { names: Object.keys(header).filter((name) => name !== '__metadata__'), tensor };
}

/** The most probable next tokens by the last row of the logits, best first. */
export function candidates({ shape: [positions, vocab], data }, label) {
  const last = data.subarray((positions - 1) * vocab, positions * vocab);
  const most = last.reduce((a, b) => Math.max(a, b), -Infinity);
  const sum = last.reduce((all, logit) => all + Math.exp(logit - most), 0);
  return Array.from(last.keys())
    .sort((a, b) => last[b] - last[a] || a - b)
    .slice(0, CANDIDATES)
    .map((id, i) => ({ token: label(id), logit: last[id], probability: Math.exp(last[id] - most) / sum, rank: i + 1 }));
}

/** @param {string} glassbox the command @param {string} model its folder or file @param {string} text the prompt @param {string} out */
export async function record(glassbox, model, text, out) {
  const folder = await mkdtemp(join(tmpdir(), 'glassbox-record-'));
  try {
    const file = join(folder, 'trace.safetensors');
    execFileSync(glassbox, ['trace', model, '--prompt', text, '--capture', 'logits,pattern', '--out', file]);
    const trace = parseSafetensors(await readFile(file));
    const decode = (id, ...flags) => execFileSync(glassbox, ['tokenize', model, '--decode', ...flags], { input: String(id) }).toString('utf8');
    const label = (id) => {
      const own = decode(id);
      // A special token has no text of its own; part of a character is no text either.
      const special = own === '';
      const shown = special ? decode(id, '--special') : own.includes('\ufffd') ? `⟨${id}⟩` : own;
      const display = shown.replaceAll(' ', '␣').replaceAll('\n', '⏎');
      return { id, text: special ? '' : own, display, bytes: [...Buffer.from(own)], special };
    };
    const layers = trace.names.filter((name) => name.endsWith('.attn.hook_pattern')).length;
    const patterns = Array.from({ length: layers }, (_, layer) => trace.tensor(`blocks.${layer}.attn.hook_pattern`));
    const header = {
      text,
      tokens: trace.tensor('tokens').data.map(label),
      next: candidates(trace.tensor('logits'), label),
      layers,
      heads: patterns[0].shape[0],
      attention: `${basename(out)}.bin`,
    };
    await writeFile(`${out}.json`, `${JSON.stringify(header)}\n`);
    await writeFile(`${out}.bin`, Buffer.concat(patterns.map(({ data }) => Buffer.from(data.buffer))));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

if (process.argv[1]?.endsWith('record.mjs')) {
  const [glassbox, model, text, out] = process.argv.slice(2);
  if (out === undefined) throw new Error('usage: node record.mjs GLASSBOX MODEL PROMPT OUT');
  await record(glassbox, model, text, out);
}
