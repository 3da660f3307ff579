/**
 * Are the guarantees kept? Rollback: in a world exactly on the boundary, looked at every tick, evidence of 1/a may ever be reached with
 * probability a. Advance: with a regression exactly as large as the margin, a promotion may come with probability 5 %.
 */
import { DEFAULT_ANALYSIS } from '../../src/rollout/analysis-spec.ts';
import type { AnalysisSpec } from '../../src/rollout/analysis-spec.ts';
import { newAnalysis } from '../../src/rollout/analysis-state.ts';
import { beginStage, metricEvidence, observe, startCanary } from '../../src/rollout/analysis.ts';
import { newArmCounts } from '../../src/rollout/observation.ts';
import { replicateMethods } from './replicate.ts';
import { Requests } from '../../src/simulate/requests.ts';
import { Rng, seedOf } from '../../src/simulate/rng.ts';
import { scenario, scenarioOf } from './scenarios.ts';
import type { Scenario } from './scenarios.ts';
import { Serin, serinOptions } from './serin.ts';

/** No tolerance at all, so that a canary that is the same is exactly on the boundary. */
const BOUNDARY: AnalysisSpec = { ...DEFAULT_ANALYSIS, errorTolerance: { relative: 1, absolute: 0 }, latencyTolerance: 1, warmupMs: 0 };

/** Neither rollback nor suspicion has a say: what does the advance test let through by itself? */
const NEVER = 1e-300;

export const BOUNDARY_WORLDS = ['AA_1', 'AA_5', 'AA_burst', 'AA_diurnal'] as const;

/** A day of one weight and failure rate, errors only. */
export const DAYS = [
  { weight: 0.05, failing: 0.01 },
  { weight: 0.5, failing: 0.01 },
  { weight: 0.05, failing: 0.001 },
] as const;

const STEPS = [0.05, 0.1, 0.25, 0.5];

const requests = new Requests();

/** Largest log evidence of all metrics together within half an hour, looked at every second, weights raised every 450 s. */
export function boundaryPeak(id: string, replication: number): number {
  const world = scenario(id);
  const rng = new Rng(seedOf(world.index, replication));
  const weather = world.world(rng);
  const serin = new Serin({ spec: BOUNDARY, weights: [], warmupS: 0, minimumS: 0, bakeS: 0 }, world.tickS, weather.users);
  for (let startS = -world.beforeS; startS < 0; startS += world.tickS) {
    requests.draw(rng, weather, world, startS);
    serin.before(requests);
  }
  startCanary(serin.state);
  for (let startS = 0; startS < world.horizonS; startS += world.tickS) {
    const step = startS / 450;
    const weight = STEPS[step];
    if (weight !== undefined) serin.begin(weight, STEPS[step + 1] ?? 1, 0);
    requests.draw(rng, weather, world, startS);
    serin.see(requests, serin.weight * 4294967296);
  }
  return serin.state.rollback.peak;
}

/** Largest log evidence of the error metric within a day, looked at every second; 100 requests a second. */
export function dayPeak(day: number, replication: number): number {
  const { weight, failing } = DAYS[day] ?? DAYS[0];
  const rng = new Rng(seedOf(100 + day, replication));
  const state = newAnalysis(BOUNDARY);
  const stratum = { weight, stable: newArmCounts(), canary: newArmCounts() };
  const observation = { durationMs: 1000, strata: [stratum] };
  const draw = (share: number, arm: typeof stratum.stable): void => {
    const failures = rng.poisson(100 * share * failing);
    arm.requests = failures + rng.poisson(100 * share * (1 - failing));
    arm.failures.status5xx = failures;
  };
  for (let second = 0; second < 300; second++) {
    draw(1, stratum.stable);
    observe(state, observation);
  }
  startCanary(state);
  beginStage(state, { weight, nextWeight: 1, minimumMs: 0 });
  let peak = 0;
  for (let second = 0; second < 86_400; second++) {
    draw(weight, stratum.canary);
    draw(1 - weight, stratum.stable);
    observe(state, observation);
    peak = Math.max(peak, metricEvidence(state, 0));
  }
  return peak;
}

/** Worlds with a regression of exactly the budget, and where requests are few, of the multiple that is asked for. */
export const MARGIN_WORLDS: readonly Scenario[] = [
  scenarioOf({ id: 'margin 0.1 %', about: '', stable: 0.001, canary: (stable) => stable + 0.005 }, 110),
  scenarioOf({ id: 'margin 1 %', about: '', canary: (stable) => stable + 0.005 }, 111),
  scenarioOf({ id: 'margin 5 %', about: '', stable: 0.05, canary: (stable) => stable + 0.005 }, 112),
  scenarioOf({ id: 'margin, by user', about: '', sticky: true, canary: (stable) => stable + 0.005 }, 113),
  scenarioOf({ id: 'margin 1 %, +1 point at 1/s', about: '', ratePerS: 1, horizonS: 4 * 3600, canary: (stable) => stable + 0.01 }, 114),
  scenarioOf({ id: 'margin 1 %, +2 points at 6/min', about: '', low: true, ratePerS: 0.1, canary: (stable) => stable + 0.02 }, 115),
  scenarioOf({ id: 'margin 1 %, +5 points at 100/h', about: '', low: true, canary: (stable) => stable + 0.05 }, 116),
];

/** Whether a release is promoted with a statement that its regression were ruled out, when nothing but the advance test speaks. */
export function promotedAtMargin(index: number, replication: number): boolean {
  const world = MARGIN_WORLDS[index];
  if (world === undefined) throw new Error(`no margin world ${index}`);
  const options = serinOptions(world);
  const spec = { ...options.spec, rollbackRisk: NEVER, suspicion: 1 / NEVER };
  const { kind, ruledOut = 0 } = replicateMethods(world, replication, ({ users }) => new Serin({ ...options, spec }, world.tickS, users));
  return kind === 'promoted' && ruledOut <= world.excess(0) + 1e-9;
}
