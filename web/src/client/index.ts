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
export { Glassbox, type ModelSource, type OpenOptions, type StartOptions } from './glassbox.js';
export {
  DEFAULT_SAMPLER,
  Model,
  type EditSpec,
  type Finish,
  type GenerateOptions,
  type Prompt,
  type Step,
  type TraceOptions,
} from './model.js';
export { Trace, type Tensor } from './trace.js';
export { GlassboxError } from './errors.js';
export type { GlassboxEvents, Memory, Progress } from './engine.js';
export type { Patience, WorkerLike } from './connection.js';
export type {
  Candidate,
  DeviceInfo,
  DeviceKind,
  DevicePreference,
  EditAction,
  Failure,
  FileInfo,
  FinishReason,
  LoadStage,
  ModelInfo,
  Sampler,
  Stage,
  StageName,
  Timing,
  Token,
} from './protocol.gen.js';
