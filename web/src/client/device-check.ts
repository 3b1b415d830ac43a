/** Testing and timing a device that is new here, once. */
import type { Connection } from './connection.js';
import type { Progress } from './engine.js';
import { failures, GlassboxError } from './errors.js';
import { deviceKey, recall, remember, type KnownDevice } from './known-devices.js';
import type { DeviceInfo } from './protocol.gen.js';
import { selfTest } from './self-test.js';

/** @internal What is to be checked. */
export interface Subject {
  readonly device: DeviceInfo;
  /** The engine's. */
  readonly version: string;
  /** Where the files of the self-test are. */
  readonly folder: URL;
  /** Whether models may go to the CPU where that is quicker than this device. */
  readonly free: boolean;
}

/** @internal Resolves with what the device computes wrongly; null where nothing is. Rejects where it fails. */
export async function checkDevice(
  connection: Connection,
  { device, version, folder, free }: Subject,
  signal?: AbortSignal,
  onProgress?: (progress: Progress) => void,
): Promise<string | null> {
  const key = deviceKey(version, device);
  let known = recall(key);
  if (!known) {
    onProgress?.({ stage: 'check', done: 0, total: 0 });
    const verdict = await selfTest(connection, device.kind, folder, signal);
    known = { wrong: verdict.kind === 'wrong' ? verdict.what : null, calibration: null };
    // A test that could not be made is left for the next start.
    if (verdict.kind !== 'skipped') remember(key, known);
  }
  if (known.wrong === null && free && device.kind === 'gpu') await calibrate(connection, key, known, signal);
  return known.wrong;
}

/** Tells the worker how quick GPU and CPU are beside each other; times them where that is not known. */
async function calibrate(connection: Connection, key: string, { calibration }: KnownDevice, signal?: AbortSignal): Promise<void> {
  const { event } = await connection.call({ type: 'calibrate', known: calibration }, { signal });
  if (event.type !== 'calibrated') throw new GlassboxError(failures.unexpected(event.type));
  if (calibration === null) remember(key, { wrong: null, calibration: event.calibration });
}
