/**
 * One replication: one world, the same requests for every method, each with its own weight.
 *
 * Harm is the expected number of excess bad requests, so it carries no noise of its own: canary requests times the excess at that moment. After
 * a promotion all traffic is the canary's until the horizon; after a stop none is.
 */
import { Argo, ARGO_DOCS, argoTuned } from './argo.ts';
import { Flagger, FLAGGER_DOCS, flaggerTuned } from './flagger.ts';
import { Kayenta, KAYENTA, KAYENTA_LOW } from './kayenta.ts';
import type { Method } from './method.ts';
import { NetflixLike } from './netflix-like.ts';
import { PeekedZ } from './peeked-z.ts';
import { Requests } from './requests.ts';
import { Rng } from './rng.ts';
import { seedOf } from './scenarios.ts';
import type { Scenario, World } from './scenarios.ts';
import { Serin, serinOptions } from './serin.ts';

export const METHOD_NAMES = [
  'Flagger docs',
  'Flagger tuned',
  'Argo docs',
  'Argo tuned',
  'Kayenta',
  'peeked z',
  'Netflix-like',
  'Serin',
  'Serin auto',
] as const;

export type MethodName = (typeof METHOD_NAMES)[number];

export interface Result {
  readonly kind: 'stopped' | 'promoted' | 'undecided';
  /** Since the canary's start; the horizon when undecided. */
  readonly atS: number;
  readonly harm: number;
}

const SIX_HOURS_S = 21_600;

function methodOf(name: MethodName, scenario: Scenario, world: World): Method {
  switch (name) {
    case 'Flagger docs':
      return new Flagger(FLAGGER_DOCS);
    case 'Flagger tuned':
      return new Flagger(flaggerTuned(scenario.knownFailing));
    case 'Argo docs':
      return new Argo(ARGO_DOCS);
    case 'Argo tuned':
      return new Argo(argoTuned(scenario.knownFailing));
    case 'Kayenta':
      return new Kayenta(scenario.low ? KAYENTA_LOW : KAYENTA);
    case 'peeked z':
      return new PeekedZ(scenario.low ? SIX_HOURS_S : 450);
    case 'Netflix-like':
      return new NetflixLike(scenario.low ? SIX_HOURS_S : 105);
    case 'Serin':
    case 'Serin auto': {
      return new Serin(serinOptions(scenario, name === 'Serin' ? 'fixed' : 'auto'), scenario.tickS, world.users);
    }
  }
}

/** Reused from replication to replication: drawing allocates nothing. */
const requests = new Requests();

export function replicate(scenario: Scenario, replication: number, names: readonly MethodName[], baseSeed?: number): Result[] {
  const rng = new Rng(seedOf(scenario.index, replication, baseSeed));
  const world = scenario.world(rng);
  return runMethods(
    scenario,
    world,
    rng,
    names.map((name) => methodOf(name, scenario, world)),
  );
}

/** The same for one method that is made for the world. */
export function replicateMethods(scenario: Scenario, replication: number, make: (world: World) => Method): Result {
  const rng = new Rng(seedOf(scenario.index, replication));
  const world = scenario.world(rng);
  const [result] = runMethods(scenario, world, rng, [make(world)]);
  if (result === undefined) throw new Error(`${scenario.id}: no result`);
  return result;
}

function runMethods(scenario: Scenario, world: World, rng: Rng, methods: readonly Method[]): Result[] {
  const { tickS, horizonS, beforeS, deliveredShare } = scenario;
  for (let startS = -beforeS; startS < 0; startS += tickS) {
    requests.draw(rng, world, scenario, startS);
    for (const method of methods) method.before?.(requests);
  }
  for (const method of methods) if (method instanceof Serin) method.start();
  const harm = methods.map(() => 0);
  const running = new Set(methods.keys());
  for (let startS = 0; startS < horizonS && running.size > 0; startS += tickS) {
    requests.draw(rng, world, scenario, startS);
    const excess = scenario.excess(startS);
    for (const i of running) {
      const method = methods[i];
      if (method === undefined) continue;
      const canary = method.tick(requests, method.weight * deliveredShare * 4294967296, startS + tickS);
      harm[i] = (harm[i] ?? 0) + canary * excess;
      if (method.outcome === undefined) continue;
      running.delete(i);
      if (method.outcome.kind === 'promoted') harm[i] = (harm[i] ?? 0) + harmAfter(scenario, world, startS + tickS);
    }
  }
  return methods.map(({ outcome }, i) => ({ kind: outcome?.kind ?? 'undecided', atS: outcome?.atS ?? horizonS, harm: harm[i] ?? 0 }));
}

/** Expected excess from here to the horizon with everybody on the canary. */
function harmAfter(scenario: Scenario, world: World, fromS: number): number {
  if (scenario.good) return 0;
  let harm = 0;
  const weather = { ratePerS: 0, stableFailing: 0, canaryFailing: 0, sharedSlower: 0, canarySlower: 0 };
  for (let startS = fromS; startS < scenario.horizonS; startS += scenario.tickS) {
    world.at(startS, weather);
    harm += weather.ratePerS * scenario.tickS * scenario.excess(startS);
  }
  return harm;
}
