/** What was found out about devices on this machine, kept in the browser so that each is tested and timed once. */
import type { Calibration, DeviceInfo } from './protocol.gen.js';

/** @internal What is known of a device. */
export interface KnownDevice {
  /** What the self-test found wrong; null where it passed. */
  readonly wrong: string | null;
  /** How quick it is beside the CPU; null where that was not measured. */
  readonly calibration: Calibration | null;
}

const KEY = 'glassbox.devices';
/** Browsers update, drivers change names: only the latest are kept. */
const MOST = 8;

/** @internal Names a device: another version of the engine or of the browser may compute otherwise. */
export function deviceKey(version: string, { kind, name }: DeviceInfo): string {
  const browser = (globalThis as { navigator?: Navigator }).navigator?.userAgent ?? '';
  return [version, kind, name, browser].join(' | ');
}

/** @internal What is known of a device; undefined where it is new. */
export function recall(key: string): KnownDevice | undefined {
  return new Map(all()).get(key);
}

/** @internal Keeps what was found out. Where storage is closed to the page, it is found out again next time. */
export function remember(key: string, known: KnownDevice): void {
  const others = all().filter(([other]) => other !== key);
  try {
    localStorage.setItem(KEY, JSON.stringify([...others, [key, known]].slice(-MOST)));
  } catch {
    // Nothing to do about it.
  }
}

/** Forgets all devices: they are tested and timed again at the next start. */
export function forgetDevices(): void {
  try {
    localStorage.removeItem(KEY);
  } catch {
    // There was nothing kept, then.
  }
}

function all(): [string, KnownDevice][] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    return Array.isArray(kept) ? kept.filter(isEntry) : [];
  } catch {
    return [];
  }
}

function isEntry(entry: unknown): entry is [string, KnownDevice] {
  if (!Array.isArray(entry) || typeof entry[0] !== 'string') return false;
  const known = entry[1] as Partial<Record<keyof KnownDevice, unknown>> | null;
  if (typeof known !== 'object' || known === null) return false;
  const { wrong, calibration } = known;
  return (wrong === null || typeof wrong === 'string') && (calibration === null || isCalibration(calibration));
}

function isCalibration(value: unknown): value is Calibration {
  const { cpu, gpu } = (value ?? {}) as Partial<Record<'cpu' | 'gpu', Partial<Record<string, unknown>>>>;
  const figures = [cpu, gpu].flatMap((speed) => [speed?.['launchMs'], speed?.['readMs'], speed?.['bytesPerMs']]);
  return figures.every((figure) => typeof figure === 'number' && Number.isFinite(figure) && figure >= 0);
}
