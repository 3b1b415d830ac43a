import type { DeviceInfo, Failure } from './protocol.gen.js';

/**
 * What every call of this client rejects with, except when its `AbortSignal` fires: then it is the signal's reason.
 *
 * `code` is stable and meant for programs; `message` says what went wrong and `hint` what to do, both for people.
 */
export class GlassboxError extends Error {
  override readonly name = 'GlassboxError';
  readonly code: string;
  readonly hint: string;

  constructor(failure: Failure, options?: ErrorOptions) {
    super(failure.message, options);
    this.code = failure.code;
    this.hint = failure.hint;
  }
}

/** @internal Failures that arise on this side of the worker. */
export const failures = {
  workerDied: (detail: string): Failure => ({
    code: 'worker_died',
    message: `The engine stopped unexpectedly${detail === '' ? '.' : ` (${brief(detail)}).`}`,
    hint: 'It is being started again with the same model; then repeat what you did, with a shorter prompt if it happens again.',
  }),
  workerHung: (): Failure => ({
    code: 'worker_died',
    message: 'The engine did not stop when asked, so it was ended.',
    hint: 'It is being started again with the same model.',
  }),
  restartsExhausted: (): Failure => ({
    code: 'worker_died',
    message: 'The engine stopped again while it was being restored.',
    hint: 'Reload the page. If it happens again, the model may be too large for the memory of this machine.',
  }),
  workerLoad: (url: string): Failure => ({
    code: 'worker_load',
    message: `The worker script ${url} could not be loaded.`,
    hint: 'Check that the site was copied whole and is served over http or https, then reload the page.',
  }),
  wrongDevice: ({ kind, name }: DeviceInfo, what: string): Failure => ({
    code: 'device_wrong',
    message: `${kind === 'gpu' ? `The GPU, ${name}, or its driver` : 'This browser'} computes wrongly: in a self-test with known answers, ${what}.`,
    hint: kind === 'gpu' ? 'Use the CPU, or update the driver and the browser.' : 'Update the browser, or use another one.',
  }),
  stopped: (): Failure => ({
    code: 'stopped',
    message: 'The engine was stopped.',
    hint: 'Start it again with Glassbox.start().',
  }),
  modelClosed: (): Failure => ({
    code: 'model_closed',
    message: 'This model is closed.',
    hint: 'Open it again.',
  }),
  protocolMismatch: (page: number, worker: number): Failure => ({
    code: 'version_mismatch',
    message: `The page speaks version ${page} of the protocol and the worker version ${worker}.`,
    hint: 'The site was updated while this page was open. Reload the page.',
  }),
  unexpected: (type: string): Failure => ({
    code: 'protocol',
    message: `The worker answered with an unexpected "${type}" event.`,
    hint: 'Reload the page; the site may have been updated while it was open.',
  }),
  misfit: (name: string, shape: readonly number[]): Failure => ({
    code: 'protocol',
    message: `The data of ${name} do not fit its shape [${shape.join(', ')}].`,
    hint: 'Reload the page; the site may have been updated while it was open.',
  }),
  noSuchTensor: (name: string, names: readonly string[]): Failure => ({
    code: 'no_such_tensor',
    message: `The trace holds no tensor named "${name}".`,
    hint: names.length === 0 ? 'Name it in `capture`.' : `It holds ${listSome(names)}. Name others in \`capture\`.`,
  }),
  badArgument: (message: string, hint: string): Failure => ({ code: 'bad_argument', message, hint }),
} as const;

/** What a panic says, on one line of bearable length. */
function brief(detail: string): string {
  const line = detail.replace(/^the engine stopped unexpectedly:\s*/i, '').replace(/\s+/g, ' ').trim();
  return line.length > 240 ? `${line.slice(0, 240)}…` : line;
}

function listSome(names: readonly string[]): string {
  const shown = names.slice(0, 4).join(', ');
  return names.length > 4 ? `${shown} and ${names.length - 4} more` : shown;
}
