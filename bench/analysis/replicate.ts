/**
 * One replication: one world, the same requests for every method, each with its own weight.
 */
import { Argo, ARGO_DOCS, argoTuned } from '../../src/simulate/argo.ts';
import { Flagger, FLAGGER_DOCS, flaggerTuned } from '../../src/simulate/flagger.ts';
import { Kayenta, KAYENTA, KAYENTA_LOW } from './kayenta.ts';
import type { Method } from '../../src/simulate/method.ts';
import { NetflixLike } from './netflix-like.ts';
import { PeekedZ } from './peeked-z.ts';
import { Requests } from '../../src/simulate/requests.ts';
import { runMethods, type Result } from '../../src/simulate/run-methods.ts';
import { Rng, seedOf } from '../../src/simulate/rng.ts';
import type { World } from '../../src/simulate/world.ts';
import type { Scenario } from './scenarios.ts';
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
    requests,
    rng,
    scenario,
    world,
    names.map((name) => methodOf(name, scenario, world)),
  );
}

/** The same for one method that is made for the world. */
export function replicateMethods(scenario: Scenario, replication: number, make: (world: World) => Method): Result {
  const rng = new Rng(seedOf(scenario.index, replication));
  const world = scenario.world(rng);
  const [result] = runMethods(requests, rng, scenario, world, [make(world)]);
  if (result === undefined) throw new Error(`${scenario.id}: no result`);
  return result;
}
