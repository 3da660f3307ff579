/**
 * How fast a badly broken canary is found: 100 requests a second, ticks of 100 ms, one weight, no ramp.
 */
import { DEFAULT_ANALYSIS } from '../../src/rollout/analysis-spec.ts';
import { decide } from '../../src/rollout/analysis-decision.ts';
import { newAnalysis } from '../../src/rollout/analysis-state.ts';
import { beginStage, observe, startCanary } from '../../src/rollout/analysis.ts';
import { newArmCounts } from '../../src/rollout/observation.ts';
import { Rng, seedOf } from '../../src/simulate/rng.ts';

export interface Catastrophe {
  readonly weight: number;
  readonly base: number;
  readonly failing: number;
}

export const CATASTROPHES: readonly Catastrophe[] = [
  { weight: 0.01, base: 0.001 },
  { weight: 0.01, base: 0.01 },
  { weight: 0.01, base: 0.05 },
  { weight: 0.05, base: 0.01 },
  { weight: 0.1, base: 0.01 },
  { weight: 0.5, base: 0.01 },
].flatMap(({ weight, base }) => [1, 0.5, 0.2].map((failing) => ({ weight, base, failing })));

const RATE = 100;
const TICK_S = 0.1;
/** Far beyond the slowest of them. */
const LIMIT_S = 3600;

/** Canary requests and seconds to the rollback. */
export function detect(index: number, replication: number): { readonly canary: number; readonly seconds: number } {
  const { weight, base, failing } = CATASTROPHES[index] ?? CATASTROPHES[0] ?? { weight: 0.5, base: 0, failing: 1 };
  const rng = new Rng(seedOf(200 + index, replication));
  const state = newAnalysis(DEFAULT_ANALYSIS);
  const stratum = { weight, stable: newArmCounts(), canary: newArmCounts() };
  const draw = (arm: typeof stratum.stable, requests: number, rate: number): void => {
    arm.failures.status5xx = rng.poisson(requests * rate);
    arm.requests = arm.failures.status5xx + rng.poisson(requests * (1 - rate));
  };
  for (let second = 0; second < 300; second++) {
    draw(stratum.stable, RATE, base);
    observe(state, { durationMs: 1000, strata: [stratum] });
  }
  startCanary(state);
  beginStage(state, { weight, nextWeight: 1, minimumMs: 0 });
  for (let tick = 1; tick <= LIMIT_S / TICK_S; tick++) {
    draw(stratum.stable, RATE * TICK_S * (1 - weight), base);
    draw(stratum.canary, RATE * TICK_S * weight, failing);
    observe(state, { durationMs: 1000 * TICK_S, strata: [stratum] });
    if (decide(state).decision === 'rollback') return { canary: state.canary.requests, seconds: tick * TICK_S };
  }
  return { canary: state.canary.requests, seconds: Number.POSITIVE_INFINITY };
}
