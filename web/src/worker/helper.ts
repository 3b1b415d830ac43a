/** Entry of a helper: a worker that multiplies with its share of a model's rows, as told by {@link Team}. */
import { loadModule, moduleName, sibling, type Helper } from './module.js';
import { changed, LOST, PLACE, type Order, type Word } from './team.js';

interface Scope {
  onmessage: ((event: MessageEvent<Order>) => void) | null;
  postMessage(word: Word): void;
}

const scope = self as unknown as Scope;
/** What went wrong with what was given before; told when it is time to work. */
let failure = '';
let order: (Order & { kind: 'come' }) | undefined;
let helper: Helper | undefined;

scope.onmessage = ({ data }) => {
  switch (data.kind) {
    case 'come':
      order = data;
      void come();
      break;
    case 'hold':
      try {
        helper?.take(data.shape, data.parts);
      } catch (error) {
        failure = describe(error);
      }
      break;
    case 'work':
      if (!order || !helper || failure !== '') {
        scope.postMessage({ kind: 'failed', message: failure });
      } else {
        scope.postMessage({ kind: 'working' });
        work(order, helper);
      }
      break;
  }
};

async function come(): Promise<void> {
  try {
    const name = moduleName('cpu');
    const module = await loadModule(sibling(`${name}.js`), sibling(`${name}_bg.wasm`), () => undefined);
    helper = new module.Helper();
    scope.postMessage({ kind: 'here' });
  } catch (error) {
    scope.postMessage({ kind: 'failed', message: describe(error) });
  }
}

/** Multiplies until whoever asks ends this worker. */
function work({ index, counters: shared, x, out }: Order & { kind: 'come' }, helper: Helper): never {
  const counters = new Int32Array(shared);
  const [activations, results] = [new Float32Array(x), new Float32Array(out)];
  let done = 0;
  for (;;) {
    done = changed(counters, PLACE.begun, done, Infinity);
    try {
      helper.multiply(Atomics.load(counters, PLACE.matrix), activations.subarray(0, Atomics.load(counters, PLACE.values)), results);
    } catch (error) {
      // A trap: the instance's memory can no longer be trusted.
      tell(counters, index, LOST);
      throw error;
    }
    tell(counters, index, done);
  }
}

function tell(counters: Int32Array<SharedArrayBuffer>, index: number, done: number): void {
  Atomics.store(counters, PLACE.done(index), done);
  Atomics.notify(counters, PLACE.done(index));
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
