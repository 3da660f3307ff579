/**
 * The worlds a release is simulated in: ten where the canary is as good as stable, seventeen where it is not.
 *
 * A scenario's place in the list is part of its seed, so worlds are only ever appended.
 */
import { normalQuantile } from '../../src/stats/normal.ts';
import { lognormalSteps, shareAboveP99, stepsOfFactor, TAIL_DRAW } from '../../src/simulate/latency.ts';
import type { Rng } from '../../src/simulate/rng.ts';
import { drawUsers, type Users } from '../../src/simulate/users.ts';
import type { Course, Weather, World } from '../../src/simulate/world.ts';

export interface Scenario extends Course {
  readonly id: string;
  readonly index: number;
  /** Whether the release ought to be promoted. */
  readonly good: boolean;
  /** In a row of the table, what differs from stable. */
  readonly about: string;
  readonly low: boolean;
  readonly sticky: boolean;
  /** Failure rate of stable the oracle-tuned rivals know. */
  readonly knownFailing: number;
  readonly world: (rng: Rng) => World;
}

/** Median 80 ms: p90 152, p95 182, p99 256 ms. */
const STEP_OF_DRAW = lognormalSteps(80, 0.5);

const RATE = 100;
const LOW_RATE = 100 / 3600;
const HORIZON_S = 1800;
const DAY_S = 86_400;

/** What differs from a stable version that fails 1 % of 100 requests a second for half an hour. */
export interface WorldPlan {
  readonly id: string;
  readonly about: string;
  readonly stable?: number;
  /** Failure rate of the canary from stable's, by time. */
  readonly canary?: (stable: number, seconds: number) => number;
  readonly slower?: (seconds: number) => number;
  readonly tailOnly?: boolean;
  readonly low?: boolean;
  readonly sticky?: boolean;
  readonly deliveredShare?: number;
  readonly ratePerS?: number;
  readonly horizonS?: number;
  readonly background?: 'diurnal' | 'outage' | 'burst';
}

const PLANS: readonly WorldPlan[] = [
  { id: 'AA_01', about: 'same, 0.1 % failing', stable: 0.001 },
  { id: 'AA_1', about: 'same, 1 % failing' },
  { id: 'AA_5', about: 'same, 5 % failing', stable: 0.05 },
  { id: 'AA_diurnal', about: 'same; waves and spikes hit both', background: 'diurnal' },
  { id: 'AA_outage', about: 'same; a minute of outage hits both', background: 'outage' },
  { id: 'AA_pod', about: 'pod effect: +0.05 points, 5 % slower', canary: () => 0.0105, slower: () => stepsOfFactor(1.05) },
  { id: 'AA_cold', about: 'same; canary 3 times as slow for 30 s', slower: (seconds) => (seconds < 30 ? stepsOfFactor(3) : 0) },
  { id: 'AA_low', about: 'same; 100 requests an hour', low: true },
  { id: 'AA_sticky', about: 'same; users stay on their side', sticky: true },
  { id: 'AA_burst', about: 'same; 3 % of seconds are bad for both', stable: 0.002, background: 'burst' },
  { id: 'R_05_01', about: '0.1 % to 0.6 % failing', stable: 0.001, canary: () => 0.006 },
  { id: 'R_05_1', about: '1 % to 1.5 % failing', canary: () => 0.015 },
  { id: 'R_2_1', about: '1 % to 3 % failing', canary: () => 0.03 },
  { id: 'R_x10', about: '0.1 % to 1 % failing', stable: 0.001, canary: () => 0.01 },
  { id: 'R_x10_1', about: '1 % to 10 % failing', canary: () => 0.1 },
  { id: 'R_fail', about: 'every request fails', canary: () => 1 },
  { id: 'R_lat20', about: '20 % slower', slower: () => stepsOfFactor(1.2) },
  { id: 'R_tail20', about: 'slowest 5 % are 20 % slower', slower: () => stepsOfFactor(1.2), tailOnly: true },
  { id: 'R_lat3', about: '3 times as slow', slower: () => stepsOfFactor(3) },
  { id: 'R_leak', about: '1 % failing, growing to 11 %', canary: (_stable, seconds) => 0.01 + (0.1 * seconds) / HORIZON_S },
  { id: 'R_late', about: '6 % failing from minute 4', canary: (_stable, seconds) => (seconds >= 240 ? 0.06 : 0.01) },
  { id: 'R_2_diurnal', about: '+2 points in waves and spikes', canary: (stable) => stable + 0.02, background: 'diurnal' },
  { id: 'R_low', about: '1 % to 21 % failing; 100 requests an hour', canary: () => 0.21, low: true },
  { id: 'R_low_fail', about: 'every request fails; 100 requests an hour', canary: () => 1, low: true },
  { id: 'R_sticky', about: '+2 points; users stay on their side', canary: (stable) => stable + 0.02, sticky: true },
  { id: 'R_zero', about: 'canary receives nothing', deliveredShare: 0 },
  { id: 'R_srm', about: 'canary receives half its share', deliveredShare: 0.5 },
];

export const SCENARIOS: readonly Scenario[] = PLANS.map(scenarioOf);

export function scenario(id: string): Scenario {
  const found = SCENARIOS.find((candidate) => candidate.id === id);
  if (found === undefined) throw new Error(`no scenario ${id}: expected one of ${SCENARIOS.map((each) => each.id).join(', ')}`);
  return found;
}

/** @param index  Part of the seed; the listed worlds have theirs, others take numbers from 100 on. */
export function scenarioOf(plan: WorldPlan, index: number): Scenario {
  const low = plan.low ?? false;
  const sticky = plan.sticky ?? false;
  const stable = plan.stable ?? 0.01;
  const canary = plan.canary ?? ((same: number): number => same);
  const slower = plan.slower ?? ((): number => 0);
  const rate = plan.ratePerS ?? (low ? LOW_RATE : RATE);
  const tailOnly = plan.tailOnly ?? false;
  const slowExcess = shareAboveP99(STEP_OF_DRAW, slower(HORIZON_S), tailOnly ? TAIL_DRAW : 0) - shareAboveP99(STEP_OF_DRAW, 0, 0);
  const good = plan.id.startsWith('AA');
  return {
    id: plan.id,
    index,
    about: plan.about,
    good,
    tickS: low ? 10 : 1,
    horizonS: plan.horizonS ?? (low ? DAY_S : HORIZON_S),
    beforeS: 300,
    low,
    sticky,
    knownFailing: plan.background !== undefined || sticky ? 0.01 : stable,
    deliveredShare: plan.deliveredShare ?? 1,
    tailOnly,
    stepOfDraw: STEP_OF_DRAW,
    excess: (seconds) => (good ? 0 : plan.slower === undefined ? canary(stable, seconds) - stable : slowExcess),
    world: (rng) => {
      const background = backgroundOf(plan.background, stable, rng);
      const at = (seconds: number, weather: Weather): void => {
        weather.ratePerS = rate;
        weather.stableFailing = stable;
        weather.sharedSlower = 0;
        background(seconds, weather);
        weather.canaryFailing = Math.min(1, canary(weather.stableFailing, seconds));
        weather.canarySlower = slower(seconds);
      };
      return sticky ? { at, users: usersOf(rng) } : { at };
    },
  };
}

type Background = (seconds: number, weather: Weather) => void;

function backgroundOf(kind: WorldPlan['background'], stable: number, rng: Rng): Background {
  if (kind === 'diurnal') return diurnal(rng);
  if (kind === 'burst') return bursts(rng);
  if (kind === 'outage') {
    const slower = stepsOfFactor(5);
    return (seconds, weather) => {
      if (seconds < 480 || seconds >= 540) return;
      weather.stableFailing = 0.5;
      weather.sharedSlower = slower;
    };
  }
  return (_seconds, weather) => {
    weather.stableFailing = stable;
  };
}

function diurnal(rng: Rng): Background {
  const spikes: { readonly from: number; readonly to: number; readonly extra: number }[] = [];
  for (let from = -300; ;) {
    from += -300 * Math.log(rng.uniform());
    if (from >= HORIZON_S) break;
    const length = 20 + 40 * rng.uniform();
    spikes.push({ from, to: from + length, extra: 0.1 + 0.3 * rng.uniform() });
    from += length;
  }
  const slower = stepsOfFactor(2);
  return (seconds, weather) => {
    const wave = 1 + 0.5 * Math.sin((2 * Math.PI * seconds) / HORIZON_S);
    weather.ratePerS = RATE * wave;
    weather.stableFailing = 0.01 * wave;
    for (const spike of spikes) {
      if (seconds < spike.from || seconds >= spike.to) continue;
      weather.stableFailing += spike.extra;
      weather.sharedSlower = slower;
    }
  };
}

function bursts(rng: Rng): Background {
  const bad = Uint8Array.from({ length: 300 + HORIZON_S }, () => (rng.uniform() < 0.03 ? 1 : 0));
  const slower = stepsOfFactor(4);
  return (seconds, weather) => {
    if (bad[seconds + 300] !== 1) return;
    weather.stableFailing = 0.4;
    weather.sharedSlower = slower;
  };
}

const USERS = 3000;

/** 2 % of people fail 20 % of the time. */
function usersOf(rng: Rng): Users {
  return drawUsers(rng, USERS, () => {
    const failing = rng.uniform() < 0.02 ? 0.2 : 0.002;
    return { failing, slower: stepsOfFactor(Math.exp(0.25 * normalQuantile(rng.uniform()))) };
  });
}
