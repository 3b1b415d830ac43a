import assert from 'node:assert/strict';

/** Waits until something holds, for at most three seconds; `what` says what did not happen where it never does. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 600 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(condition(), `${what} did not happen`);
}
