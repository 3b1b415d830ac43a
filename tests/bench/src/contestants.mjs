// @ts-check
/**
 * Who runs, on which file. `weights` says what the file holds; two rows with the same word do not hold the same numbers
 * where the engines quantise differently, which the comparison with the reference shows.
 *
 * @typedef {object} Row
 * @property {string} name
 * @property {'glassbox' | 'onnxruntime' | 'wllama'} engine
 * @property {'wasm' | 'webgpu'} backend
 * @property {string} weights
 * @property {number} threads
 * @property {string[]} files below the shape's folder, the largest last
 * @property {string} [site] which of several builds of this project
 */

/** The shapes of `make-models.py`, by backend. A software adapter would take minutes for the large one. */
export const SHAPE = { wasm: 'smollm2-135m', webgpu: 'smollm2-2-layers' };

const SAFETENSORS = ['safetensors/config.json', 'safetensors/model.safetensors'];
/** @param {string} kind */
const gguf = (kind) => [`gguf/${kind}.gguf`];
/** @param {string} kind */
const onnx = (kind) => [`onnx/${kind}/model.onnx`, `onnx/${kind}/model.onnx.data`];

/** One thread unless a row says otherwise.
 *
 * @type {readonly (Omit<Row, 'name' | 'threads'> & { threads?: number })[]} */
const TABLE = [
  { engine: 'glassbox', backend: 'wasm', weights: 'f32', files: SAFETENSORS },
  { engine: 'glassbox', backend: 'wasm', weights: 'f16', files: gguf('f16') },
  { engine: 'glassbox', backend: 'wasm', weights: 'q8_0', files: gguf('q8_0') },
  { engine: 'glassbox', backend: 'wasm', weights: 'q4_0', files: gguf('q4_0') },
  { engine: 'onnxruntime', backend: 'wasm', weights: 'f32', files: onnx('f32') },
  { engine: 'onnxruntime', backend: 'wasm', weights: 'q8', files: onnx('q8') },
  { engine: 'onnxruntime', backend: 'wasm', weights: 'q4', files: onnx('q4') },
  { engine: 'wllama', backend: 'wasm', weights: 'q8_0', files: gguf('q8_0') },
  { engine: 'wllama', backend: 'wasm', weights: 'q4_0', files: gguf('q4_0') },
  { engine: 'glassbox', backend: 'wasm', weights: 'f16', threads: 2, files: gguf('f16') },
  { engine: 'glassbox', backend: 'wasm', weights: 'q8_0', threads: 2, files: gguf('q8_0') },
  { engine: 'glassbox', backend: 'wasm', weights: 'q4_0', threads: 2, files: gguf('q4_0') },
  { engine: 'onnxruntime', backend: 'wasm', weights: 'f32', threads: 2, files: onnx('f32') },
  { engine: 'onnxruntime', backend: 'wasm', weights: 'q8', threads: 2, files: onnx('q8') },
  { engine: 'wllama', backend: 'wasm', weights: 'q8_0', threads: 2, files: gguf('q8_0') },
  { engine: 'glassbox', backend: 'webgpu', weights: 'f32', files: SAFETENSORS },
  { engine: 'glassbox', backend: 'webgpu', weights: 'f16', files: gguf('f16') },
  { engine: 'glassbox', backend: 'webgpu', weights: 'q8_0', files: gguf('q8_0') },
  { engine: 'glassbox', backend: 'webgpu', weights: 'q4_0', files: gguf('q4_0') },
  { engine: 'onnxruntime', backend: 'webgpu', weights: 'f32', files: onnx('webgpu-f32') },
  { engine: 'onnxruntime', backend: 'webgpu', weights: 'q4', files: onnx('webgpu-q4') },
  { engine: 'wllama', backend: 'webgpu', weights: 'q8_0', files: gguf('q8_0') },
  { engine: 'wllama', backend: 'webgpu', weights: 'q4_0', files: gguf('q4_0') },
];

/**
 * All rows in the order of one round: engines alternate, so that no engine has a quiet minute for itself.
 *
 * @param {readonly string[]} sites names of this project's builds; with more than one, only they run
 * @returns {Row[]}
 */
export function rows(sites) {
  const comparing = sites.length > 1;
  const chosen = TABLE.filter(({ engine }) => !comparing || engine === 'glassbox');
  const all = chosen.flatMap((given) => {
    const row = { ...given, threads: given.threads ?? 1 };
    const name = `${row.engine} ${row.backend} ${row.weights}${row.threads > 1 ? `, ${row.threads} threads` : ''}`;
    if (row.engine !== 'glassbox') return [{ ...row, name }];
    return sites.map((site) => ({ ...row, site, name: comparing ? `${name} (${site})` : name }));
  });
  return comparing ? all : alternate(all);
}

/**
 * A B C A B C: the first of each engine, then the second, …; backends one after the other.
 *
 * @template {Pick<Row, 'engine' | 'backend'>} T
 * @param {readonly T[]} all
 * @returns {T[]}
 */
export function alternate(all) {
  /** @type {Map<string, number>} */
  const seen = new Map();
  const turns = all.map((row) => {
    const key = `${row.backend} ${row.engine}`;
    const turn = seen.get(key) ?? 0;
    seen.set(key, turn + 1);
    return { row, turn };
  });
  const backends = [...new Set(all.map(({ backend }) => backend))];
  return turns
    .sort((a, b) => backends.indexOf(a.row.backend) - backends.indexOf(b.row.backend) || a.turn - b.turn)
    .map(({ row }) => row);
}
