/**
 * The page. `?device=cpu` or `?device=gpu` chooses the device, and `?allow-software` takes a software adapter for a
 * GPU, which is how the tests run WebGPU on machines without one. `?empty` begins without a model, as the tests and those
 * do who bring their own.
 */
import type { DevicePreference } from '../client/index.js';
import '../elements/app.js';

const query = new URLSearchParams(location.search);
const app = document.createElement('gb-app');
const device = query.get('device');
if (isPreference(device)) app.device = device;
app.allowSoftware = query.has('allow-software');
app.empty = query.has('empty');
document.body.replaceChildren(app);

function isPreference(value: string | null): value is DevicePreference {
  return value === 'auto' || value === 'gpu' || value === 'cpu';
}
