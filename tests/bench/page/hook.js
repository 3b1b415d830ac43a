/*
 * Runs before anything else in every worker of the page, as a classic script or a module: keeps every wasm memory that is
 * made there, and tells their size when asked. A wasm memory never shrinks, so its last size is its peak.
 */
(() => {
  const memories = new Set();
  const { instantiate, instantiateStreaming, Memory } = WebAssembly;

  const keepExports = (result) => {
    const instance = result instanceof WebAssembly.Instance ? result : result.instance;
    for (const value of Object.values(instance.exports)) if (value instanceof Memory) memories.add(value);
    return result;
  };
  WebAssembly.Memory = new Proxy(Memory, {
    construct(target, given) {
      const memory = new target(...given);
      memories.add(memory);
      return memory;
    },
  });
  WebAssembly.instantiate = async (...given) => keepExports(await instantiate(...given));
  WebAssembly.instantiateStreaming = async (...given) => keepExports(await instantiateStreaming(...given));

  const channel = new BroadcastChannel('bench-memory');
  channel.onmessage = ({ data }) => {
    if (data !== 'ask') return;
    channel.postMessage([...memories].reduce((sum, { buffer }) => sum + buffer.byteLength, 0));
  };
})();
