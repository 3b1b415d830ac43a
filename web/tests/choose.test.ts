import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseDevice, isSoftware, NoDevice, type GpuLike } from '../src/worker/choose.js';

function info(values: Partial<GPUAdapterInfo>): GPUAdapterInfo {
  return { vendor: '', architecture: '', device: '', description: '', isFallbackAdapter: false, ...values } as GPUAdapterInfo;
}

function gpuWith(values: Partial<GPUAdapterInfo> | null): GpuLike {
  return { requestAdapter: () => Promise.resolve(values && ({ info: info(values) } as GPUAdapter)) };
}

const REAL = { vendor: 'nvidia', architecture: 'ampere' };
const SOFTWARE = { vendor: 'google', architecture: 'swiftshader' };

test('a real adapter is taken, and named', async () => {
  const chosen = await chooseDevice('auto', false, gpuWith(REAL));
  assert.deepEqual([chosen.kind, chosen.name, chosen.software], ['gpu', 'nvidia ampere', false]);
});

test('the CPU is taken where it was asked for, without asking for an adapter', async () => {
  const gpu: GpuLike = { requestAdapter: () => Promise.reject(new Error('must not be called')) };
  assert.equal((await chooseDevice('cpu', false, gpu)).reason, 'The CPU was asked for.');
});

test('the adapter is asked for as the engine asks, without options', async () => {
  const asked: unknown[][] = [];
  const gpu: GpuLike = { requestAdapter: (...options) => (asked.push(options), Promise.resolve(null)) };
  await chooseDevice('auto', false, gpu);
  assert.deepEqual(asked, [[]]);
});

test('without WebGPU, without an adapter or after an error the CPU is taken, and the reason says which', async () => {
  assert.match((await chooseDevice('auto', false, undefined)).reason, /no WebGPU/);
  assert.match((await chooseDevice('auto', false, gpuWith(null))).reason, /no adapter/);
  const broken: GpuLike = { requestAdapter: () => Promise.reject(new Error('blocked by policy')) };
  assert.match((await chooseDevice('auto', false, broken)).reason, /blocked by policy/);
});

test('a software adapter is taken only where it is allowed', async () => {
  const refused = await chooseDevice('auto', false, gpuWith(SOFTWARE));
  assert.equal(refused.kind, 'cpu');
  assert.match(refused.reason, /google swiftshader.*software/);
  const allowed = await chooseDevice('auto', true, gpuWith(SOFTWARE));
  assert.deepEqual([allowed.kind, allowed.software], ['gpu', true]);
});

test('a GPU that was asked for and is not there is an error with a way out', async () => {
  for (const gpu of [undefined, gpuWith(null), gpuWith(SOFTWARE)]) {
    await assert.rejects(chooseDevice('gpu', false, gpu), (error) => error instanceof NoDevice && error.failure.code === 'no_gpu' && error.failure.hint !== '');
  }
});

test('software adapters are known by flag and by any of their names', () => {
  assert.ok(isSoftware(info({ isFallbackAdapter: true })));
  assert.ok(isSoftware(info({ description: 'llvmpipe (LLVM 15.0.6, 256 bits)' })));
  assert.ok(isSoftware(info({ description: 'Microsoft Basic Render Driver' })));
  assert.ok(isSoftware(info({ device: 'Lavapipe' })));
  assert.ok(!isSoftware(info(REAL)));
});
