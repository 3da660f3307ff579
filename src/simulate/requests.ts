/**
 * The requests of one tick, drawn once and shown to every method: who would be the canary's, and what would happen on either side.
 *
 * Three draws a request, always in this order: arm, failure, latency.
 */
import { clampStep, TAIL_DRAW } from './latency.ts';
import type { Rng } from './rng.ts';
import type { Users } from './users.ts';
import type { Course, Weather, World } from './world.ts';

const TWO_32 = 4294967296;
const CAPACITY = 16_384;

export class Requests {
  count = 0;
  /** Canary when below weight * 2^32. */
  readonly arm = new Uint32Array(CAPACITY);
  /** Position of the user in `Users`, where there are any. */
  readonly user = new Uint32Array(CAPACITY);
  /** 1 when it fails on that side. */
  readonly stableFails = new Uint8Array(CAPACITY);
  readonly canaryFails = new Uint8Array(CAPACITY);
  /** Latency step on that side. */
  readonly stableStep = new Uint16Array(CAPACITY);
  readonly canaryStep = new Uint16Array(CAPACITY);
  readonly weather: Weather = { ratePerS: 0, stableFailing: 0, canaryFailing: 0, sharedSlower: 0, canarySlower: 0 };

  /** Draws one tick that starts at `seconds`. Before the canary (negative) the arm is not drawn. */
  draw(rng: Rng, world: World, course: Course, seconds: number): void {
    const { weather } = this;
    world.at(seconds, weather);
    this.count = Math.min(CAPACITY, rng.poisson(weather.ratePerS * course.tickS));
    const stableBelow = weather.stableFailing * TWO_32;
    const canaryBelow = weather.canaryFailing * TWO_32;
    const canaryExtra = weather.canaryFailing - weather.stableFailing;
    const tailFrom = course.tailOnly ? TAIL_DRAW : 0;
    const { users } = world;
    const { stepOfDraw } = course;
    for (let i = 0; i < this.count; i++) {
      let failing = stableBelow;
      let canaryFailing = canaryBelow;
      let slower = weather.sharedSlower;
      // Before the canary only the user is drawn where there are users: the arm is nobody's.
      if (users !== undefined) {
        const user = pickUser(users, rng.uniform());
        const rate = users.failing[user] ?? 0;
        this.user[i] = user;
        this.arm[i] = users.hash[user] ?? 0;
        failing = rate * TWO_32;
        canaryFailing = (rate + canaryExtra) * TWO_32;
        slower += users.slower[user] ?? 0;
      } else if (seconds >= 0) {
        this.arm[i] = rng.u32();
      }
      const fate = rng.u32();
      this.stableFails[i] = fate < failing ? 1 : 0;
      this.canaryFails[i] = fate < canaryFailing ? 1 : 0;
      const draw = rng.u32() >>> 16;
      const step = (stepOfDraw[draw] ?? 0) + slower;
      this.stableStep[i] = clampStep(step);
      this.canaryStep[i] = clampStep(draw >= tailFrom ? step + weather.canarySlower : step);
    }
  }
}

function pickUser(users: Users, uniform: number): number {
  const { cumulativeActivity } = users;
  let low = 0;
  let high = cumulativeActivity.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((cumulativeActivity[middle] ?? 1) < uniform) low = middle + 1;
    else high = middle;
  }
  return low;
}
