/** Waiting for a quantity to stop moving, in turns of the event loop and not in time. */
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';

/** Resolves with the quantity when it has kept one value for `turns` turns, of which each tenth lasts a millisecond for the kernel's sake. */
export async function settled(quantity: () => number, turns = 300): Promise<number> {
  let last = quantity();
  for (let still = 0; still < turns; still++) {
    await (still % 10 === 0 ? pause(1) : nextTurn());
    const now = quantity();
    if (now !== last) still = 0;
    last = now;
  }
  return last;
}
