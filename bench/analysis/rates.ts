/** How time and harm depend on traffic: weights chosen for the rate, a good release and one that fails 2 points more. */
import { replicateMethods } from './replicate.ts';
import type { Result } from './replicate.ts';
import { scenarioOf } from './scenarios.ts';
import { Serin, serinOptions } from './serin.ts';

export const RATES = [1, 3, 10, 30, 100, 1000] as const;

const TWO_HOURS_S = 7200;

const WORLDS = RATES.map((ratePerS, i) => ({
  good: scenarioOf({ id: `AA ${ratePerS}/s`, about: '', ratePerS, horizonS: TWO_HOURS_S }, 120 + 2 * i),
  bad: scenarioOf({ id: `R ${ratePerS}/s`, about: '', canary: () => 0.03, ratePerS, horizonS: TWO_HOURS_S }, 121 + 2 * i),
}));

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
