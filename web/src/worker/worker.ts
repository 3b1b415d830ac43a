/**
 * Entry of the module worker: chooses the wasm module for the device, loads it, and from then on only passes messages
 * on to its host. Messages that come before it stands are kept.
 */
import type { Event, Failure, Request } from '../client/protocol.gen.js';
import { chooseDevice, NoDevice } from './choose.js';
import { workerUrl } from '../client/worker-url.js';
import { loadModule, moduleName, sibling, type Host, type Post, type Recruit } from './module.js';
import { outside } from './outside.js';
import { Team, type HelperWorker } from './team.js';

interface Message {
  readonly id: number;
  readonly request: Request;
}
type StartRequest = Request & { type: 'start' };
interface Answer {
  readonly id: number;
  readonly event: Event;
}
interface Scope {
  readonly navigator: { readonly gpu?: GPU };
  readonly crossOriginIsolated: boolean;
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  addEventListener(type: 'message', listener: (event: MessageEvent<Message>) => void): void;
  addEventListener(type: 'error', listener: (event: ErrorEvent) => void): void;
  addEventListener(type: 'unhandledrejection', listener: (event: PromiseRejectionEvent) => void): void;
}

type State =
  | { readonly kind: 'new' }
  | { readonly kind: 'loading'; readonly early: Message[] }
  | { readonly kind: 'up'; readonly host: Host }
  | { readonly kind: 'dead'; readonly failure: Failure };

/** The host could not open the device. */
class Refused extends Error {
  constructor(readonly failure: Failure) {
    super(failure.message);
  }
}

const scope = self as unknown as Scope;
const post: Post = (message, transfer) => {
  scope.postMessage(message, transfer);
};
const recruit: Recruit = async (count) => {
  // Elsewhere there is no SharedArrayBuffer.
  if (!scope.crossOriginIsolated) return null;
  return await Team.recruit(count, helper);
};
let state: State = { kind: 'new' };

scope.addEventListener('message', ({ data }) => {
  receive(data);
});
// A trap in wasm surfaces here; the instance's memory can no longer be trusted.
scope.addEventListener('error', (event) => {
  event.preventDefault();
  die(event.message);
});
scope.addEventListener('unhandledrejection', (event) => {
  // Other rejections, of a fetch nobody waits for any more, say nothing about the instance.
  if (!(event.reason instanceof WebAssembly.RuntimeError)) return;
  event.preventDefault();
  die(describe(event.reason));
});

function receive(message: Message): void {
  switch (state.kind) {
    case 'new':
      if (message.request.type === 'start') {
        void start(message.id, message.request);
      } else {
        fail(message.id, {
          code: 'not_started',
          message: 'The engine has not been started.',
          hint: 'Send a start request first.',
        });
      }
      break;
    case 'loading':
      state.early.push(message);
      break;
    case 'up':
      handle(state.host, message);
      break;
    case 'dead':
      fail(message.id, state.failure);
      break;
  }
}

async function start(id: number, request: StartRequest): Promise<void> {
  const early: Message[] = [];
  state = { kind: 'loading', early };
  try {
    const chosen = await chooseDevice(request.device, request.allowSoftware, scope.navigator.gpu);
    const host = await open(id, { ...request, chosen }).catch((error: unknown) => {
      if (!(error instanceof Refused) || chosen.kind === 'cpu' || request.device === 'gpu') throw error;
      const reason = `The GPU could not be opened (${error.failure.message}).`;
      return open(id, { ...request, chosen: { kind: 'cpu', name: 'CPU (SIMD)', reason, software: false } });
    });
    if (isDead()) return;
    state = { kind: 'up', host };
    for (const message of early) handle(host, message);
  } catch (error) {
    if (isDead()) return;
    state = { kind: 'new' };
    fail(id, error instanceof Refused || error instanceof NoDevice ? error.failure : notLoaded(error));
    for (const message of early) receive(message);
  }
}

/** Loads the module of the chosen device and starts its host; rejects where the host cannot open the device. */
async function open(id: number, request: StartRequest): Promise<Host> {
  const name = moduleName(request.chosen.kind);
  const module = await loadModule(
    sibling(`${name}.js`),
    sibling(`${name}_bg.wasm`),
    (doneBytes, totalBytes) => {
      send(id, { type: 'progress', stage: 'engine', doneBytes, totalBytes });
    },
  );
  return new Promise((resolve, reject) => {
    const host = new module.Host((message, transfer) => {
      const { id: of, event } = message as Answer;
      if (of === id && event.type === 'failed') {
        reject(new Refused(event.error));
        return;
      }
      post(message, transfer);
      if (of === id && event.type === 'started') resolve(host);
    }, recruit);
    give(host, { id, request });
  });
}

function helper(): HelperWorker {
  // A Trusted Types URL is a string to the constructor; the types know only strings.
  return new Worker(workerUrl(sibling('helper.js')) as string, { type: 'module', name: 'glassbox helper' });
}

function give(host: Host, message: Message): void {
  host.handle(message, outside(message.request));
}

function isDead(): boolean {
  return state.kind === 'dead';
}

function handle(host: Host, message: Message): void {
  try {
    give(host, message);
  } catch (error) {
    die(describe(error));
  }
}

function die(detail: string): void {
  if (state.kind === 'dead') return;
  const failure = {
    code: 'panicked',
    message: detail,
    hint: 'The engine must be started again.',
  };
  state = { kind: 'dead', failure };
  fail(0, failure);
}

function fail(id: number, error: Failure): void {
  send(id, { type: 'failed', error });
}

function send(id: number, event: Event): void {
  post({ id, event }, []);
}

function notLoaded(error: unknown): Failure {
  return {
    code: 'engine_load',
    message: `The engine could not be loaded: ${describe(error)}.`,
    hint: 'Check the connection and that the site was copied whole, then reload the page.',
  };
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
