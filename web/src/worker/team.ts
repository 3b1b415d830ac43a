/**
 * Workers that help with products: the side that asks. Each runs the CPU's module in a memory of its own and holds a share
 * of the rows of every large matrix. Activations and results lie in memory that all of them share, and counters say when.
 */

/** Counters on one cache line: what one thread writes and another watches shares none with others. */
const LINE = 16;
/** Places of the shared counters, of 32 bits each. */
export const PLACE = {
  /** Counts the products that were begun. */
  begun: 0,
  /** Which matrix the last is of. */
  matrix: 1,
  /** How many values its activations are. */
  values: 2,
  /** The last product that a helper has done, or {@link LOST}. */
  done: (helper: number) => LINE * (1 + helper),
} as const;
/** In the place of a helper's counter: it cannot go on. */
export const LOST = -1;

/** What a helper is told before it begins to work; from then on it only watches the counters. */
export type Order =
  | { readonly kind: 'come'; readonly index: number; readonly counters: SharedArrayBuffer; readonly x: SharedArrayBuffer; readonly out: SharedArrayBuffer }
  | { readonly kind: 'hold'; readonly shape: Uint32Array; readonly parts: readonly Uint8Array[] }
  | { readonly kind: 'work' };
/** What it answers: that it is there, that it holds all it was given, or why not. */
export type Word = { readonly kind: 'here' | 'working' } | { readonly kind: 'failed'; readonly message: string };

/** What of a worker a team needs. */
export interface HelperWorker {
  onmessage: ((event: MessageEvent<Word>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  postMessage(order: Order, transfer: ArrayBuffer[]): void;
  terminate(): void;
}

/** Values of activations, and of one helper's results, that go at a time: 1,024 tokens of a model 2,048 wide. */
const ROOM = 2 << 20;
/** How long waiting looks at a counter before it sleeps: waking up again takes tens of microseconds. */
export const SPIN_MS = 1;
/** How long a helper may take longer than the share of whoever asked before it is taken for lost. */
const PATIENCE_MS = 20_000;

/** One helper as the team knows it. */
interface Member {
  readonly worker: HelperWorker;
  readonly out: Float32Array<SharedArrayBuffer>;
  /** Settles the word that is waited for. */
  hear: (word: Word) => void;
}

/** The helpers of one model. Calls from wasm never wait but in {@link Team.end}. */
export class Team {
  readonly room = ROOM;
  readonly #counters: Int32Array<SharedArrayBuffer>;
  readonly #x = new Float32Array(new SharedArrayBuffer(ROOM * Float32Array.BYTES_PER_ELEMENT));
  readonly #members: Member[] = [];

  /** So many helpers, all of which have answered; rejects, and ends those there are, where one does not come up. */
  static async recruit(count: number, create: () => HelperWorker): Promise<Team> {
    const team = new Team(count);
    try {
      await Promise.all(Array.from({ length: count }, () => team.#hire(create())));
      return team;
    } catch (error) {
      team.dismiss();
      throw error;
    }
  }

  private constructor(count: number) {
    this.#counters = new Int32Array(new SharedArrayBuffer(PLACE.done(count) * Int32Array.BYTES_PER_ELEMENT));
  }

  get helpers(): number {
    return this.#members.length;
  }

  handOver(helper: number, shape: Uint32Array, parts: readonly Uint8Array<ArrayBuffer>[]): void {
    const order: Order = { kind: 'hold', shape: shape.slice(), parts };
    this.#members[helper]?.worker.postMessage(order, parts.map(({ buffer }) => buffer));
  }

  async ready(): Promise<void> {
    await Promise.all(this.#members.map((member) => ask(member, { kind: 'work' })));
  }

  begin(matrix: number, x: Float32Array): void {
    this.#x.set(x);
    Atomics.store(this.#counters, PLACE.matrix, matrix);
    Atomics.store(this.#counters, PLACE.values, x.length);
    Atomics.add(this.#counters, PLACE.begun, 1);
    Atomics.notify(this.#counters, PLACE.begun);
  }

  end(helper: number, out: Float32Array): boolean {
    const member = this.#members[helper];
    if (!member) return false;
    const place = PLACE.done(helper);
    const begun = Atomics.load(this.#counters, PLACE.begun);
    const until = performance.now() + PATIENCE_MS;
    for (let done = Atomics.load(this.#counters, place); done !== begun; ) {
      if (done === LOST) return false;
      if (performance.now() > until) {
        // A late answer must not be taken for that of another product.
        Atomics.store(this.#counters, place, LOST);
        member.worker.terminate();
        return false;
      }
      done = changed(this.#counters, place, done, PATIENCE_MS);
    }
    out.set(member.out.subarray(0, out.length));
    return true;
  }

  dismiss(): void {
    for (const { worker } of this.#members) worker.terminate();
  }

  async #hire(worker: HelperWorker): Promise<void> {
    const out = new Float32Array(new SharedArrayBuffer(ROOM * Float32Array.BYTES_PER_ELEMENT));
    const member: Member = { worker, out, hear: () => undefined };
    const index = this.#members.push(member) - 1;
    worker.onmessage = ({ data }) => {
      member.hear(data);
    };
    worker.onerror = ({ message }) => {
      member.hear({ kind: 'failed', message });
    };
    await ask(member, { kind: 'come', index, counters: this.#counters.buffer, x: this.#x.buffer, out: out.buffer });
  }
}

/** Gives an order that is answered. */
function ask(member: Member, order: Order): Promise<void> {
  return new Promise((resolve, reject) => {
    member.hear = (word) => {
      if (word.kind === 'failed') reject(new Error(word.message));
      else resolve();
    };
    member.worker.postMessage(order, []);
  });
}

/** Waits until a counter is no longer `seen`, at most so long, and returns what it is. */
export function changed(counters: Int32Array<SharedArrayBuffer>, place: number, seen: number, longestMs: number): number {
  const start = performance.now();
  do {
    for (let i = 0; i < 256; i++) {
      const value = Atomics.load(counters, place);
      if (value !== seen) return value;
    }
  } while (performance.now() - start < SPIN_MS);
  Atomics.wait(counters, place, seen, longestMs);
  return Atomics.load(counters, place);
}
