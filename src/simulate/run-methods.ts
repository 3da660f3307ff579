/**
 * One replication: one world, the same requests for every method, each with its own weight.
 *
 * Harm is the expected number of excess bad requests, so it carries no noise of its own: canary requests times the excess at that moment. After
 * a promotion all traffic is the canary's until the horizon; after a stop none is.
 */
import type { Method } from './method.ts';
import type { Requests } from './requests.ts';
import type { Rng } from './rng.ts';
import type { Course, World } from './world.ts';

export interface Result {
  readonly kind: 'stopped' | 'promoted' | 'ended' | 'held' | 'undecided';
  /** Since the canary's start; the horizon when held or undecided. */
  readonly atS: number;
  readonly harm: number;
  /** Of a promotion (method.ts). */
  readonly ruledOut?: number | undefined;
}

/** @param requests Reused from replication to replication: drawing allocates nothing. */
export function runMethods(requests: Requests, rng: Rng, course: Course, world: World, methods: readonly Method[]): Result[] {
  const { tickS, horizonS, beforeS, deliveredShare } = course;
  for (let startS = -beforeS; startS < 0; startS += tickS) {
    requests.draw(rng, world, course, startS);
    for (const method of methods) method.before?.(requests);
  }
  for (const method of methods) method.start?.();
  const harm = methods.map(() => 0);
  const running = new Set(methods.keys());
  for (let startS = 0; startS < horizonS && running.size > 0; startS += tickS) {
    requests.draw(rng, world, course, startS);
    const excess = course.excess(startS);
    for (const i of running) {
      const method = methods[i];
      if (method === undefined) continue;
      const canary = method.tick(requests, method.weight * deliveredShare * 4294967296, startS + tickS);
      harm[i] = (harm[i] ?? 0) + canary * excess;
      if (method.outcome === undefined) continue;
      running.delete(i);
      if (method.outcome.kind === 'promoted') harm[i] = (harm[i] ?? 0) + harmAfter(course, world, startS + tickS);
    }
  }
  return methods.map(({ outcome, isHeld = false }, i) => ({
    kind: outcome?.kind ?? (isHeld ? 'held' : 'undecided'),
    atS: outcome?.atS ?? horizonS,
    harm: harm[i] ?? 0,
    ruledOut: outcome?.ruledOut,
  }));
}

/** Expected excess from here to the horizon with everybody on the canary. */
function harmAfter(course: Course, world: World, fromS: number): number {
  let harm = 0;
  const weather = { ratePerS: 0, stableFailing: 0, canaryFailing: 0, sharedSlower: 0, canarySlower: 0 };
  for (let startS = fromS; startS < course.horizonS; startS += course.tickS) {
    world.at(startS, weather);
    harm += weather.ratePerS * course.tickS * course.excess(startS);
  }
  return harm;
}
