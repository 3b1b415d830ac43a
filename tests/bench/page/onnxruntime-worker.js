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
let length = 0;

self.onmessage = async ({ data }) => {
  try {
    const answer = await handle(data);
    self.postMessage(answer, { transfer: answer.logits ? [answer.logits.buffer] : [] });
  } catch (error) {
    self.postMessage({ error: String(error) });
  }
};

/** @param {any} message */
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

/** @param {{ dist: string, backend: string }} options */
async function start({ dist, backend }) {
  // The smallest bundle that has the backend.
  ort = await import(new URL(backend === 'webgpu' ? 'ort.webgpu.min.mjs' : 'ort.wasm.min.mjs', dist).href);
  ort.env.wasm.wasmPaths = dist;
  ort.env.wasm.numThreads = 1;
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
  length = 0;
}

/**
 * Runs the tokens after those in the cache; returns the most probable next id.
 *
 * @param {number[]} ids
 * @param {boolean} wanted whether to return the logits too
 */
async function forward(ids, wanted) {
  length += ids.length;
  const feeds = {
    input_ids: new ort.Tensor('int64', BigInt64Array.from(ids, BigInt), [1, ids.length]),
    attention_mask: new ort.Tensor('int64', new BigInt64Array(length).fill(1n), [1, length]),
    ...cache,
  };
  const output = await session.run(feeds);
  for (const tensor of Object.values(cache)) tensor.dispose();
  for (const name of names()) cache[`past_key_values.${name}`] = output[`present.${name}`];
  /** @type {Float32Array} */
  const logits = output.logits.data;
  let best = 0;
  for (let id = 1; id < logits.length; id += 1) if (logits[id] > logits[best]) best = id;
  return wanted ? { id: best, logits: logits.slice() } : { id: best };
}
