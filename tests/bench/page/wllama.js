// @ts-check
/** wllama: llama.cpp's server compiled to wasm, through its own client. */

/**
 * @param {import('./types').Settings} settings
 * @returns {Promise<import('./types').Contestant>}
 */
export async function open({ modules, backend, threads, model: [file], vocab, context }) {
  const root = new URL('@wllama/wllama/esm/', modules);
  const { Wllama, LoggerWithoutDebug } = await import(new URL('index.min.js', root).href);
  const gpu = backend === 'webgpu';
  /** @type {string[]} */
  const said = [];
  const keep = (/** @type {unknown[]} */ ...words) => void said.push(words.join(' '));
  const wllama = new Wllama(
    { default: new URL('wasm/wllama.wasm', root).href },
    { suppressNativeLog: !gpu, logger: { ...LoggerWithoutDebug, debug: keep, log: keep, warn: keep } },
  );
  const started = performance.now();
  // Straight into memory: its own download keeps a copy in the browser's file system first, which takes longer.
  const blob = await (await fetch(/** @type {string} */ (file))).blob();
  await wllama.loadModel([blob], {
    n_threads: threads,
    n_ctx: context,
    n_parallel: 1,
    ...(gpu ? {} : { n_gpu_layers: 0 }),
  });
  const loaded = performance.now();
  if (gpu && !said.some((line) => /WebGPU\S* model buffer size/.test(line))) {
    throw new Error('wllama found no adapter that it can use, and computes on the CPU instead');
  }
  // Every prompt is computed whole, and what comes out is not cut short.
  const common = { temperature: 0, cache_prompt: false, ignore_eos: true };

  return {
    about: Wllama.getLibllamaVersion(),
    // Its module is loaded with the model.
    startMs: 0,
    loadMs: loaded - started,
    async *generate({ ids, text }, count) {
      const stream = await wllama.createCompletion({ ...common, prompt: text, max_tokens: count, stream: true });
      let told = 0;
      for await (const chunk of stream) {
        if (chunk.choices[0]?.text) {
          told += 1;
          yield chunk.choices[0].text;
        }
        if (chunk.timings) check(chunk.timings, ids.length, count);
      }
      // Text of a character whose bytes are not all there yet is held back.
      for (; told < count; told += 1) yield '';
    },
    async greedy({ text }, count) {
      const reply = await wllama.createCompletion({ ...common, prompt: text, max_tokens: count, n_probs: 1 });
      return content(reply).map(({ id }) => id);
    },
    async logits({ text }) {
      const reply = await wllama.createCompletion({ ...common, prompt: text, max_tokens: 1, n_probs: vocab });
      const logits = new Float32Array(vocab).fill(Number.NEGATIVE_INFINITY);
      for (const { id, logprob } of content(reply)[0]?.top_logprobs ?? []) logits[id] = logprob;
      return logits;
    },
  };
}

/**
 * @typedef {{ id: number, logprob: number, top_logprobs: { id: number, logprob: number }[] }} Chosen
 * @param {any} reply
 * @returns {Chosen[]}
 */
function content(reply) {
  return reply.choices[0].logprobs.content;
}

/**
 * @param {{ prompt_n: number, predicted_n: number }} timings
 * @param {number} prompt
 * @param {number} count
 */
function check({ prompt_n: read, predicted_n: made }, prompt, count) {
  if (read !== prompt || made !== count) {
    throw new Error(`wllama read ${read} of ${prompt} tokens and made ${made} of ${count}`);
  }
}
