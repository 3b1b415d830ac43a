// @ts-check
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { brotliDecompressSync } from 'node:zlib';
import { brotli } from './brotli.mjs';
import { readReference } from './compare.mjs';
import { Server } from './server.mjs';
import { siteSizes, wireSize } from './wire.mjs';

/** @param {(folder: string) => Promise<void>} work */
async function inFolder(work) {
  const folder = await mkdtemp(join(tmpdir(), 'glassbox-bench-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('files and ranges are sent, remembered, and nothing outside of the folders', () =>
  inFolder(async (folder) => {
    await writeFile(join(folder, 'a.bin'), '0123456789');
    const server = new Server({ models: folder });
    const address = await server.start();
    try {
      const whole = await fetch(`${address}models/a.bin`);
      assert.equal(await whole.text(), '0123456789');
      assert.equal(whole.headers.get('cross-origin-opener-policy'), null);
      const part = await fetch(`${address}models/a.bin`, { headers: { Range: 'bytes=2-4' } });
      assert.deepEqual([part.status, part.headers.get('content-range'), await part.text()], [206, 'bytes 2-4/10', '234']);
      for (const path of ['models/b.bin', 'models/%2e%2e/%2e%2e/etc/passwd', 'other/a.bin', '']) {
        assert.equal((await fetch(address + path)).status, 404, path);
      }
      assert.deepEqual(server.asked(), [join(folder, 'a.bin')]);
      assert.deepEqual(server.asked(), []);
    } finally {
      server.stop();
    }
  }));

test('compressed sizes are those of what decompresses to the file, and are kept', () =>
  inFolder(async (folder) => {
    const file = join(folder, 'glassbox.js');
    const text = 'let t; t.searchParams.set("v","1a2b3c"); '.repeat(50);
    await writeFile(file, text);
    const cache = join(folder, 'cache');
    const first = await brotli(file, cache);
    assert.equal(brotliDecompressSync(await readFile(first.kept)).toString(), text);
    assert.deepEqual([first.raw, first.brotli], [text.length, (await readFile(first.kept)).length]);
    assert.deepEqual(await brotli(file, cache), first);

    const [site] = await siteSizes({ dist: folder }, cache);
    assert.deepEqual([site?.name, site?.build, site?.files.map(({ name }) => name)], ['dist', '1a2b3c', ['glassbox.js']]);
    const models = join(folder, 'models-');
    await writeFile(`${models}x`, 'weights');
    const wire = await wireSize([file, `${models}x`, '/work/tests/bench/page/main.js'], models, cache);
    assert.equal(wire.modelBytes, 7);
    assert.deepEqual(wire.engineFiles, [{ name: 'glassbox.js', raw: first.raw, brotli: first.brotli }]);
  }));

test('the reference is read with the logits of its shortest prompt', () =>
  inFolder(async (folder) => {
    await writeFile(join(folder, 'reference.json'), JSON.stringify({ prompts: { 512: {}, 64: {} } }));
    await writeFile(join(folder, 'logits-64.bin'), new Uint8Array(Float32Array.of(1, -2.5).buffer));
    const { logits } = await readReference(folder);
    assert.deepEqual([...logits], [1, -2.5]);
  }));
