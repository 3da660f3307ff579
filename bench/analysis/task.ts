/**
 * The benchmark in pieces that a worker thread can do one at a time: a range of replications of one experiment. What is returned depends on the
 * piece only, so the number of threads changes nothing but the time.
 */
import { detect } from './catastrophe.ts';
import { restartIsUnseen } from './engine-cost.ts';
import { METHOD_NAMES, replicate } from './replicate.ts';
import type { Result } from '../../src/simulate/run-methods.ts';
import type { MethodName } from './replicate.ts';
import { replicateRate } from './rates.ts';
import { SCENARIOS } from './scenarios.ts';
import { addResult, newTally } from '../../src/simulate/tally.ts';
import type { Tally } from '../../src/simulate/tally.ts';
import { boundaryPeak, BOUNDARY_WORLDS, dayPeak, promotedAtMargin } from './validity.ts';

export type Experiment = 'scenario' | 'boundary' | 'day' | 'margin' | 'catastrophe' | 'good-rate' | 'bad-rate' | 'restart';

export interface Task {
  readonly experiment: Experiment;
  /** Which world of the experiment. */
  readonly index: number;
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

export interface Outcome {
  readonly task: Task;
  /** Scenarios and rates: one a method, in the order of METHOD_NAMES (rates: one). */
  readonly tallies: readonly Tally[];
  /** The other experiments: numbers of each replication. */
  readonly values: readonly (readonly number[])[];
}

/** Methods that take part: automatic weights make a difference where traffic is low only. */
export function methodsOf(index: number): readonly MethodName[] {
  return SCENARIOS[index]?.low === true ? METHOD_NAMES : METHOD_NAMES.filter((name) => name !== 'Serin auto');
}

export function perform(task: Task): Outcome {
  const { experiment, index } = task;
  const replications = Array.from({ length: task.to - task.from }, (_, i) => task.from + i);
  switch (experiment) {
    case 'scenario': {
      const world = SCENARIOS[index];
      if (world === undefined) throw new Error(`no scenario ${index}`);
      const methods = methodsOf(index);
      return {
        task,
        tallies: tallied(
          replications.map((replication) => replicate(world, replication, methods)),
          methods.length,
        ),
        values: [],
      };
    }
    case 'good-rate':
    case 'bad-rate':
      return {
        task,
        tallies: tallied(
          replications.map((replication) => [replicateRate(index, experiment === 'good-rate', replication)]),
          1,
        ),
        values: [],
      };
    case 'boundary':
      return { task, tallies: [], values: replications.map((replication) => [boundaryPeak(BOUNDARY_WORLDS[index] ?? '', replication)]) };
    case 'day':
      return { task, tallies: [], values: replications.map((replication) => [dayPeak(index, replication)]) };
    case 'margin':
      return { task, tallies: [], values: replications.map((replication) => [promotedAtMargin(index, replication) ? 1 : 0]) };
    case 'restart':
      return { task, tallies: [], values: replications.map((replication) => [restartIsUnseen(replication) ? 1 : 0]) };
    case 'catastrophe':
      return {
        task,
        tallies: [],
        values: replications.map((replication) => {
          const { canary, seconds } = detect(index, replication);
          return [canary, seconds];
        }),
      };
  }
}

function tallied(results: readonly (readonly Result[])[], methods: number): Tally[] {
  const tallies = Array.from({ length: methods }, newTally);
  for (const byMethod of results) {
    for (const [i, result] of byMethod.entries()) {
      const tally = tallies[i];
      if (tally !== undefined) addResult(tally, result);
    }
  }
  return tallies;
}
