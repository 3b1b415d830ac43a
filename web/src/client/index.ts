/**
 * Glassbox: a language model in the reader's browser, with everything it computes.
 *
 * ```ts
 * const gb = await Glassbox.start({ device: 'auto' });
 * const model = await gb.open(files);
 * const trace = await model.trace({ prompt: 'Once upon a time', capture: ['pattern'] });
 * const { shape, data } = trace.tensor('blocks.0.attn.hook_pattern');
 * ```
 */
export { Glassbox, type OpenOptions, type StartOptions } from './glassbox.js';
export type { ModelSource } from './source.js';
export { forgetDevices } from './known-devices.js';
export { Model, type Finish, type GenerateOptions, type Step, type TraceOptions } from './model.js';
export { ablate, patch, steer, type Edge, type EditSpec, type Prompt } from './edits.js';
export { DEFAULT_SAMPLER } from './sampler.js';
export { Analysis } from './analysis.js';
export type * from './analysis-types.js';
export type { Floats, NumberArray, Uints } from './arrays.js';
export { Trace, type Tensor } from './trace.js';
export { GlassboxError } from './errors.js';
export type { GlassboxEvents, Memory, Progress } from './engine.js';
export type { Patience, WorkerLike } from './connection.js';
export type {
  AdapterInfo,
  BenchRow,
  BenchStage,
  Candidate,
  Change,
  ChatMessage,
  Continuation,
  DeviceInfo,
  DeviceKind,
  DevicePreference,
  EditAction,
  Expectation,
  Failure,
  FileInfo,
  FinishReason,
  HeadLabel,
  HeadRole,
  LoadStage,
  ModelInfo,
  Neuron,
  Part,
  PartKind,
  PartName,
  Precision,
  Promotion,
  Sampler,
  Stage,
  StageName,
  Standing,
  Timing,
  Token,
  TokenEffect,
} from './protocol.gen.js';
