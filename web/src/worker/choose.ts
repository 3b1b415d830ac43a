import type { ChosenDevice, DevicePreference, Failure } from '../client/protocol.gen.js';

/** What of WebGPU the choice needs: `navigator.gpu`, or undefined where the browser has none. */
export type GpuLike = Pick<GPU, 'requestAdapter'>;

/** A device that was asked for and is not there. */
export class NoDevice extends Error {
  constructor(readonly failure: Failure) {
    super(failure.message);
  }
}

/** Names of rasterisers that compute on the CPU and call themselves a GPU. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|software|basic render/i;

/**
 * Chooses between the two modules before either is downloaded.
 *
 * A software adapter is slower than the CPU backend, so it is taken only where the caller allows it.
 *
 * @throws NoDevice when a GPU was asked for and there is none.
 */
export async function chooseDevice(
  preference: DevicePreference,
  allowSoftware: boolean,
  gpu: GpuLike | undefined,
): Promise<ChosenDevice> {
  if (preference === 'cpu') return cpu('The CPU was asked for.');
  const found = await findAdapter(gpu);
  if (!found.adapter) return otherwise(preference, found.why);
  const { adapter } = found;
  const name = adapterName(adapter.info);
  const software = isSoftware(adapter.info);
  if (software && !allowSoftware) {
    return otherwise(preference, `The only WebGPU adapter, ${name}, is a software one, which is slower than the CPU.`);
  }
  const reason =
    preference === 'gpu'
      ? 'The GPU was asked for.'
      : software
        ? 'A software WebGPU adapter is there and was allowed.'
        : 'The browser has a WebGPU adapter.';
  return { kind: 'gpu', name, reason, software };
}

/** Whether an adapter computes on the CPU. */
export function isSoftware(info: GPUAdapterInfo): boolean {
  const { vendor, architecture, device, description } = info;
  return info.isFallbackAdapter || SOFTWARE.test([vendor, architecture, device, description].join(' '));
}

async function findAdapter(gpu: GpuLike | undefined): Promise<{ adapter?: GPUAdapter; why: string }> {
  if (!gpu) return { why: 'This browser has no WebGPU here.' };
  try {
    // Without options, as the engine asks, so that both get the same adapter.
    const adapter = await gpu.requestAdapter();
    return adapter ? { adapter, why: '' } : { why: 'WebGPU found no adapter on this machine.' };
  } catch (error) {
    return { why: `WebGPU gave no adapter (${error instanceof Error ? error.message : String(error)}).` };
  }
}

function otherwise(preference: DevicePreference, why: string): ChosenDevice {
  if (preference === 'auto') return cpu(why);
  throw new NoDevice({
    code: 'no_gpu',
    message: why,
    hint: 'Start with the device "auto" or "cpu", or allow the software adapter.',
  });
}

function cpu(reason: string): ChosenDevice {
  return { kind: 'cpu', name: 'CPU (SIMD)', reason, software: false };
}

function adapterName({ vendor, architecture, description }: GPUAdapterInfo): string {
  const name = description === '' ? [vendor, architecture].filter((part) => part !== '').join(' ') : description;
  return name === '' ? 'unnamed adapter' : name;
}
