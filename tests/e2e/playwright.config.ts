import { defineConfig, type PlaywrightTestOptions, type PlaywrightWorkerOptions, type Project } from '@playwright/test';
import { PAGE, type Backend } from './support/test.ts';

type WorkerOptions = PlaywrightWorkerOptions & { readonly backend: Backend };
type BackendProject = Project<PlaywrightTestOptions, WorkerOptions>;

const FLAGS = [
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Whatever a page may try, nothing but this machine can be reached.
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1',
];

/** WebGPU computed on the CPU, which every machine has. */
const SOFTWARE_GPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

/** Tests of how long something takes: nothing may run beside them. */
const TIMED = [/frames\.spec/, /playground-first\.spec/, /playground-speed\.spec/];

/** What a reader does to a model and keeps of it. */
const PLAYGROUND = [/playground-changes\.spec/, /playground-keep\.spec/, /playground-analyses\.spec/];

const PHONE = { use: { viewport: { width: 390, height: 844 }, colorScheme: 'dark' } } as const;

const PATIENT = { timeout: 180_000, expect: { timeout: 60_000 }, grepInvert: new RegExp(PAGE) };

function project(backend: Backend, flags: readonly string[], rest: BackendProject): BackendProject {
  const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
  return {
    name: backend,
    ...rest,
    use: { ...rest.use, backend, launchOptions: { executablePath, args: [...FLAGS, ...flags] } },
  };
}

export default defineConfig<PlaywrightTestOptions, WorkerOptions>({
  globalSetup: './support/serve.ts',
  outputDir: 'results/artifacts',
  reporter: 'list',
  forbidOnly: true,
  // Two browsers share two cores with what a build left behind: what fails is tried once more, and what passed only then
  // is named in the summary as flaky.
  retries: 1,
  workers: 2,
  use: { viewport: { width: 1440, height: 900 } },
  projects: [
    // Generous: two tests share two cores, right after a build.
    project('cpu', [], { timeout: 90_000, expect: { timeout: 20_000 }, testIgnore: [/webgpu\.spec/, ...TIMED] }),
    // What is done to a model and kept of it, once more on a phone, in the dark.
    project('cpu', [], { ...PHONE, name: 'phone', timeout: 90_000, expect: { timeout: 20_000 }, testMatch: PLAYGROUND }),
    // A software adapter compiles shaders for seconds: what it has no part in is left out.
    project('webgpu', SOFTWARE_GPU, {
      ...PATIENT,
      testMatch: [/engine\.spec/, /computing\.spec/, /webgpu\.spec/, /playground-cli\.spec/, ...PLAYGROUND],
    }),
    project('webgpu', SOFTWARE_GPU, { ...PATIENT, ...PHONE, name: 'phone-webgpu', testMatch: /playground-changes\.spec/ }),
    // What is measured in milliseconds, when everything else is done.
    project('cpu', [], {
      name: 'alone',
      timeout: 90_000,
      expect: { timeout: 20_000 },
      testMatch: TIMED,
      dependencies: ['cpu', 'phone', 'webgpu', 'phone-webgpu'],
      workers: 1,
    }),
  ],
});
