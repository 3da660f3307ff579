/** Everything the benchmark found out, put together from its tasks. */
import type { EngineCost } from './engine-cost.ts';
import type { MethodName } from './replicate.ts';
import { SCENARIOS } from './scenarios.ts';
import { merge, newTally } from '../../src/simulate/tally.ts';
import type { Tally } from '../../src/simulate/tally.ts';
import { methodsOf } from './task.ts';
import type { Experiment, Outcome } from './task.ts';

export class Findings {
  readonly cost: EngineCost;
  readonly #tallies = new Map<string, Tally>();
  readonly #values = new Map<string, number[][]>();

  /** Outcomes in any order; values of an experiment are in order of their replications. */
  constructor(outcomes: readonly Outcome[], cost: EngineCost) {
    this.cost = cost;
    const ordered = outcomes.toSorted((a, b) => a.task.from - b.task.from);
    for (const { task, tallies, values } of ordered) {
      for (const [i, tally] of tallies.entries()) {
        const key = `${task.experiment} ${task.index} ${i}`;
        const into = this.#tallies.get(key) ?? newTally();
        merge(into, tally);
        this.#tallies.set(key, into);
      }
      const key = `${task.experiment} ${task.index}`;
      const into = this.#values.get(key) ?? [];
      into.push(...values.map((each) => [...each]));
      this.#values.set(key, into);
    }
  }

  /** What a method did in a scenario; undefined when it does not take part. */
  scenario(id: string, method: MethodName): Tally | undefined {
    const index = SCENARIOS.findIndex((each) => each.id === id);
    const place = methodsOf(index).indexOf(method);
    return this.#tallies.get(`scenario ${index} ${place}`);
  }

  /** Serin in a scenario. */
  serin(id: string): Tally {
    return this.scenario(id, 'Serin') ?? newTally();
  }

  rate(index: number, isGood: boolean): Tally {
    return this.#tallies.get(`${isGood ? 'good' : 'bad'}-rate ${index} 0`) ?? newTally();
  }

  /** Numbers of each replication. */
  values(experiment: Experiment, index: number): readonly (readonly number[])[] {
    return this.#values.get(`${experiment} ${index}`) ?? [];
  }
}
