// @ts-check
/** onnxruntime-web, in a worker of its own as its users run it. */

/**
 * @param {import('./types').Settings} settings
 * @returns {Promise<import('./types').Contestant>}
 */
export async function open({ modules, backend, threads, model, layers, kvHeads, headDim, softwareGpu }) {
  const worker = new Worker(new URL('./onnxruntime-worker.js', import.meta.url), { type: 'module' });
  /** @type {(message: any) => Promise<any>} */
  const ask = (message) =>
    new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => (data.error === undefined ? resolve(data) : reject(new Error(data.error)));
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.postMessage(message);
    });
  const started = performance.now();
  const { about } = await ask({ type: 'start', dist: new URL('onnxruntime-web/dist/', modules).href, backend, threads, softwareGpu });
  const opened = performance.now();
  await ask({ type: 'open', model, backend, layers, kvHeads, headDim, softwareGpu });
  const loaded = performance.now();

  return {
    about,
    startMs: opened - started,
    loadMs: loaded - opened,
    async *generate({ ids }, count) {
      let { id } = await ask({ type: 'prefill', ids });
      yield id;
      for (let made = 1; made < count; made += 1) {
        ({ id } = await ask({ type: 'decode', id }));
        yield id;
      }
    },
    async logits({ ids }) {
      const { logits } = await ask({ type: 'prefill', ids, logits: true });
      return logits;
    },
  };
}
