// @ts-check
/** The session and its KV cache. On WebGPU the cache stays on the device. */

/** @type {any} */
let ort;
/** @type {any} */
let session;
/** @type {{ layers: number, kvHeads: number, headDim: number }} */
let shape;
/** @type {Record<string, any>} */
let cache = {};
let total = 0;

self.onmessage = async ({ data }) => {
  try {
    const answer = await handle(data);
    self.postMessage(answer, { transfer: answer.logits ? [answer.logits.buffer] : [] });
  } catch (error) {
    self.postMessage({ error: String(error) });
  }
};

/**
 * @param {any} message
 * @returns {Promise<{ about?: string, id?: number, logits?: Float32Array<ArrayBuffer> }>}
 */
async function handle(message) {
  switch (message.type) {
    case 'start':
      return start(message);
    case 'open':
      return open(message);
    case 'prefill':
      forget();
      return forward(message.ids, message.logits === true);
    case 'decode':
      return forward([message.id], false);
    default:
      throw new Error(`no such message: ${message.type}`);
  }
}

/** @param {{ dist: string, backend: string, threads: number, softwareGpu: boolean }} options */
async function start({ dist, backend, threads, softwareGpu }) {
  // With SwiftShader's subgroups of four lanes, a prefill of 64 tokens comes out wrong; without them it is right.
  if (softwareGpu) hideSubgroups();
  // The smallest bundle that has the backend.
  ort = await import(new URL(backend === 'webgpu' ? 'ort.webgpu.min.mjs' : 'ort.wasm.min.mjs', dist).href);
  ort.env.wasm.wasmPaths = dist;
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = 'error';
  return { about: `${ort.env.versions.web}` };
}

/** @param {{ model: string[], backend: string, layers: number, kvHeads: number, headDim: number }} options */
async function open({ model: [graph, weights], backend, ...rest }) {
  shape = rest;
  session = await ort.InferenceSession.create(graph, {
    executionProviders: [backend],
    externalData: [{ path: 'model.onnx.data', data: weights }],
    ...(backend === 'webgpu' ? { preferredOutputLocation: locations() } : {}),
  });
  return {};
}

function hideSubgroups() {
  const { get } = Object.getOwnPropertyDescriptor(GPUAdapter.prototype, 'features') ?? {};
  if (!get) throw new Error('adapters have no features');
  Object.defineProperty(GPUAdapter.prototype, 'features', {
    get() {
      const names = /** @type {Iterable<string>} */ (get.call(this));
      return new Set([...names].filter((name) => !name.startsWith('subgroup')));
    },
  });
}

function locations() {
  /** @type {Record<string, string>} */
  const found = { logits: 'cpu' };
  for (const name of names()) found[`present.${name}`] = 'gpu-buffer';
  return found;
}

function names() {
  return Array.from({ length: shape.layers }, (_, layer) => [`${layer}.key`, `${layer}.value`]).flat();
}

function forget() {
  for (const tensor of Object.values(cache)) tensor.dispose();
  cache = {};
  const empty = () => new ort.Tensor('float32', new Float32Array(0), [1, shape.kvHeads, 0, shape.headDim]);
  for (const name of names()) cache[`past_key_values.${name}`] = empty();
  total = 0;
}

/**
 * Runs the tokens after those in the cache; returns the most probable next id.
 *
 * @param {number[]} ids
 * @param {boolean} wanted whether to return the logits too
 */
async function forward(ids, wanted) {
  total += ids.length;
  const feeds = {
    input_ids: new ort.Tensor('int64', BigInt64Array.from(ids, BigInt), [1, ids.length]),
    attention_mask: new ort.Tensor('int64', new BigInt64Array(total).fill(1n), [1, total]),
    ...cache,
  };
  const output = await session.run(feeds);
  for (const tensor of Object.values(cache)) tensor.dispose();
  for (const name of names()) cache[`past_key_values.${name}`] = output[`present.${name}`];
  /** @type {Float32Array<ArrayBuffer>} */
  const logits = output.logits.data;
  let id = 0;
  let highest = Number.NEGATIVE_INFINITY;
  logits.forEach((logit, index) => {
    if (logit > highest) [id, highest] = [index, logit];
  });
  return wanted ? { id, logits: logits.slice() } : { id };
}
