/** How time and harm depend on traffic: weights chosen for the rate, a good release and one that fails 2 points more. */
import { replicateMethods } from './replicate.ts';
import type { Result } from '../../src/simulate/run-methods.ts';
import { scenarioOf } from './scenarios.ts';
import { Serin, serinOptions } from './serin.ts';

/** Requests a second. A rate's place is part of its seeds, so rates are only ever appended. */
export const RATES = [1, 3, 10, 30, 100, 1000, 6 / 60, 200 / 3600, 100 / 3600] as const;

const TWO_HOURS_S = 7200;

/** Below one request a second a day is looked at, every ten seconds. */
export function isRare(ratePerS: number): boolean {
  return ratePerS < 1;
}

/** `100/s`, `6/min`, `100/h`. */
export function rateName(ratePerS: number): string {
  if (!isRare(ratePerS)) return `${ratePerS}/s`;
  return ratePerS >= 6 / 60 ? `${Math.round(60 * ratePerS)}/min` : `${Math.round(3600 * ratePerS)}/h`;
}

const WORLDS = RATES.map((ratePerS, i) => {
  const course = { about: '', ratePerS, ...(isRare(ratePerS) ? { low: true } : { horizonS: TWO_HOURS_S }) };
  return {
    good: scenarioOf({ id: `AA ${rateName(ratePerS)}`, ...course }, 120 + 2 * i),
    bad: scenarioOf({ id: `R ${rateName(ratePerS)}`, canary: () => 0.03, ...course }, 121 + 2 * i),
  };
});

export function replicateRate(index: number, isGood: boolean, replication: number): Result {
  const worlds = WORLDS[index];
  const ratePerS = RATES[index];
  if (worlds === undefined || ratePerS === undefined) throw new Error(`no rate ${index}`);
  const scenario = isGood ? worlds.good : worlds.bad;
  return replicateMethods(
    scenario,
    replication,
    (world) => new Serin(serinOptions(scenario, 'auto', ratePerS), scenario.tickS, world.users),
  );
}
