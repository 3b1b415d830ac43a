// @ts-check
/** Makes every worker of this page run `hook.js` first. */
export function hookWorkers() {
  const hook = JSON.stringify(new URL('./hook.js', import.meta.url).href);
  const Native = window.Worker;
  window.Worker = class extends Native {
    /**
     * @param {string | URL} url
     * @param {WorkerOptions} [options]
     */
    constructor(url, options) {
      const script = JSON.stringify(new URL(url, location.href).href);
      const code = options?.type === 'module' ? `import ${hook}; import ${script};` : `importScripts(${hook}, ${script});`;
      super(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })), options);
    }
  };
}

/**
 * Bytes of all wasm memories of all workers.
 *
 * @returns {Promise<number>}
 */
export async function wasmBytes() {
  const channel = new BroadcastChannel('bench-memory');
  let sum = 0;
  channel.onmessage = ({ data }) => {
    if (typeof data === 'number') sum += data;
  };
  channel.postMessage('ask');
  // Workers answer at once when they are not computing.
  await new Promise((resolve) => setTimeout(resolve, 300));
  channel.close();
  return sum;
}
