import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { changed, LOST, PLACE, Team, type HelperWorker, type Order, type Word } from '../src/worker/team.js';

/** A helper that holds what it is given and, told to, answers; what it computes the test writes itself. */
class FakeHelper implements HelperWorker {
  onmessage: HelperWorker['onmessage'] = null;
  onerror: HelperWorker['onerror'] = null;
  readonly orders: Order[] = [];
  terminated = false;
  constructor(private readonly answer: (order: Order) => Word | null) {}

  postMessage(order: Order): void {
    this.orders.push(order);
    const word = this.answer(order);
    if (word) queueMicrotask(() => this.onmessage?.({ data: word } as MessageEvent<Word>));
  }

  terminate(): void {
    this.terminated = true;
  }

  /** Does the product that was begun last. */
  do(values: readonly number[]): void {
    const come = this.orders.find((order) => order.kind === 'come');
    assert.ok(come);
    new Float32Array(come.out).set(values);
    const counters = new Int32Array(come.counters);
    counters[PLACE.done(come.index)] = counters[PLACE.begun] ?? 0;
  }
}

const willing = (order: Order): Word | null =>
  order.kind === 'come' ? { kind: 'here' } : order.kind === 'work' ? { kind: 'working' } : null;

async function recruited(count: number): Promise<{ team: Team; helpers: FakeHelper[] }> {
  const helpers: FakeHelper[] = [];
  const team = await Team.recruit(count, () => {
    const helper = new FakeHelper(willing);
    helpers.push(helper);
    return helper;
  });
  return { team, helpers };
}

describe('a team', () => {
  test('gives shares away, activations out, and takes results back', async () => {
    const { team, helpers } = await recruited(2);
    assert.equal(team.helpers, 2);
    const part = new Uint8Array([1, 2, 3]);
    team.handOver(1, new Uint32Array([0, 16]), [part]);
    const held = helpers[1]?.orders.at(-1);
    assert.deepEqual(held?.kind === 'hold' && [...held.shape], [0, 16]);
    await team.ready();
    team.begin(7, new Float32Array([1, 2]));
    const come = helpers[0]?.orders[0];
    assert.ok(come?.kind === 'come');
    const counters = new Int32Array(come.counters);
    assert.deepEqual([counters[PLACE.begun], counters[PLACE.matrix], counters[PLACE.values]], [1, 7, 2]);
    assert.deepEqual([...new Float32Array(come.x).subarray(0, 2)], [1, 2]);
    helpers[0]?.do([5]);
    helpers[1]?.do([6, 7]);
    const [first, second] = [new Float32Array(1), new Float32Array(2)];
    assert.equal(team.end(0, first), true);
    assert.equal(team.end(1, second), true);
    assert.deepEqual([...first, ...second], [5, 6, 7]);
    team.dismiss();
    assert.deepEqual(helpers.map(({ terminated }) => terminated), [true, true]);
  });

  test('does without a helper that is lost', async () => {
    const { team, helpers } = await recruited(1);
    await team.ready();
    const come = helpers[0]?.orders[0];
    assert.ok(come?.kind === 'come');
    new Int32Array(come.counters)[PLACE.done(0)] = LOST;
    for (let i = 0; i < 2; i++) {
      team.begin(0, new Float32Array(1));
      assert.equal(team.end(0, new Float32Array(1)), false);
    }
    assert.equal(team.end(3, new Float32Array(1)), false);
  });

  test('is not there where a helper does not come, and leaves none behind', async () => {
    const helpers: FakeHelper[] = [];
    const recruit = Team.recruit(2, () => {
      const last = helpers.length === 1;
      const helper = new FakeHelper((order) => (last ? { kind: 'failed', message: 'no module' } : willing(order)));
      helpers.push(helper);
      return helper;
    });
    await assert.rejects(recruit, /no module/);
    assert.deepEqual(helpers.map(({ terminated }) => terminated), [true, true]);
  });

  test('does not work where a helper has no room for its share', async () => {
    const full = await Team.recruit(1, () => {
      return new FakeHelper((order) => (order.kind === 'work' ? { kind: 'failed', message: 'no room' } : willing(order)));
    });
    await assert.rejects(full.ready(), /no room/);
  });
});

test('waiting ends with a change, and with its time', () => {
  const counters = new Int32Array(new SharedArrayBuffer(4));
  assert.equal(changed(counters, 0, 1, 10), 0);
  const start = performance.now();
  assert.equal(changed(counters, 0, 0, 20), 0);
  assert.ok(performance.now() - start >= 15);
});
