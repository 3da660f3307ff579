/** What a tick costs, how large the state is, and whether a restart changes anything. */
import { decodeAnalysis, encodeAnalysis } from '../../src/rollout/analysis-codec.ts';
import { decide } from '../../src/rollout/analysis-decision.ts';
import type { AnalysisState } from '../../src/rollout/analysis-state.ts';
import { labelBet } from '../../src/stats/label-bet.ts';
import { Requests } from '../../src/simulate/requests.ts';
import { Rng, seedOf } from '../../src/simulate/rng.ts';
import { scenario, SCENARIOS } from './scenarios.ts';
import { Serin, serinOptions } from './serin.ts';

export interface EngineCost {
  /** Mean processor time of observe and decide over a rollout, us; the least of nine runs: caches are shared with whatever else runs. */
  readonly tickUs: number;
  /** Largest state on disk, bytes. */
  readonly encodedBytes: number;
  /** State in memory: 8 bytes a number. */
  readonly memoryBytes: number;
  /** Largest distance of the boundary expectation from 1 over 1,000 random designs. */
  readonly boundaryError: number;
}

/** Ticks of a hundred requests, the counting of single requests into the tick left out. */
export function engineCost(): EngineCost {
  const world = scenario('AA_1');
  const times: number[] = [];
  let encodedBytes = 0;
  let memoryBytes = 0;
  const requests = new Requests();
  for (let run = 0; run < 9; run++) {
    const rng = new Rng(seedOf(world.index, run));
    const weather = world.world(rng);
    const serin = new Serin({ ...serinOptions(world), weights: [0.5] }, world.tickS, undefined);
    for (let startS = -world.beforeS; startS < 0; startS++) {
      requests.draw(rng, weather, world, startS);
      serin.before(requests);
    }
    serin.start();
    let spentUs = 0;
    for (let startS = 0; startS < world.horizonS; startS++) {
      requests.draw(rng, weather, world, startS);
      serin.count(requests, serin.weight * 4294967296);
      const before = process.threadCpuUsage();
      serin.digest();
      decide(serin.state);
      const { user, system } = process.threadCpuUsage(before);
      spentUs += user + system;
    }
    times.push(spentUs / world.horizonS);
    encodedBytes = Math.max(encodedBytes, encodeAnalysis(serin.state).length);
    memoryBytes = memorySize(serin.state);
  }
  return { tickUs: Math.min(...times), encodedBytes, memoryBytes, boundaryError: boundaryError() };
}

/** A day of little traffic takes many ticks and has nothing of its own to lose in a restart. */
const BUSY_WORLDS = SCENARIOS.filter((each) => !each.low);

/** Whether a run that is written down and read back at random ticks takes the same decisions as one that is not. */
export function restartIsUnseen(replication: number): boolean {
  const world = BUSY_WORLDS[replication % BUSY_WORLDS.length];
  if (world === undefined) throw new Error('no worlds');
  const run = (restarts: boolean): string => {
    const rng = new Rng(seedOf(world.index, replication));
    const weather = world.world(rng);
    const crash = new Rng(replication);
    const requests = new Requests();
    let serin = new Serin(serinOptions(world), world.tickS, weather.users);
    const log: string[] = [];
    for (let startS = -world.beforeS; startS < world.horizonS && serin.outcome === undefined; startS += world.tickS) {
      if (startS === 0) serin.start();
      requests.draw(rng, weather, world, startS);
      if (startS < 0) serin.before(requests);
      else serin.tick(requests, serin.weight * world.deliveredShare * 4294967296, startS + world.tickS);
      log.push(`${serin.weight} ${decide(serin.state).cause} ${serin.state.rollback.peak}`);
      if (restarts && crash.uniform() < 0.05) serin = serin.revived(decodeAnalysis(encodeAnalysis(serin.state), serin.state.spec));
    }
    return log.join('\n');
  };
  return run(false) === run(true);
}

function memorySize(state: AnalysisState): number {
  const size = (value: unknown): number => {
    if (value instanceof Float64Array) return value.byteLength;
    if (typeof value === 'object' && value !== null) return Object.values(value).reduce((sum: number, each) => sum + size(each), 0);
    return 8;
  };
  return size(state);
}

function boundaryError(): number {
  const rng = new Rng(1);
  let largest = 0;
  for (let design = 0; design < 1000; design++) {
    const weight = 0.005 + 0.49 * rng.uniform();
    const slope = 1 + 0.5 * rng.uniform();
    const offset = 0.1 * rng.uniform();
    const stable = 0.0001 + 0.4 * rng.uniform();
    const boundary = slope * stable + offset;
    const bet = labelBet(weight, stable, boundary + (0.999 - boundary) * rng.uniform(), slope, offset);
    // Any point of the boundary, not only the one the bet was laid at.
    const truth = ((1 - offset) * rng.uniform()) / slope;
    const canary = slope * truth + offset;
    const [canaryBad, canaryGood, stableBad, stableGood] = bet;
    const expected =
      weight * (canary * Math.exp(canaryBad) + (1 - canary) * Math.exp(canaryGood)) +
      (1 - weight) * (truth * Math.exp(stableBad) + (1 - truth) * Math.exp(stableGood));
    largest = Math.max(largest, Math.abs(expected - 1));
  }
  return largest;
}
