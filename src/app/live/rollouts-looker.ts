/**
 * The topic `rollouts`: each Rollout as GET /api/v1/rollouts/NS/NAME has it, whenever it is not what it was.
 *
 * Writing one out costs a verdict where it is under analysis, so one look is given a budget, and goes on where the last one stopped; those at rest are looked at every
 * few seconds unless something was decided.
 */
import type { Message } from '../../admin/event-stream.ts';
import type { RolloutGone } from '../../admin/live-types.ts';
import type { Rollouts, Tracked } from '../rollouts/engine.ts';
import type { StoredRollout } from '../rollouts/store.ts';
import { rolloutObject } from '../rollouts/view.ts';
import type { Emit, Looker } from './poll-source.ts';

/** Of each look, which come twice a second: at most 5 % of the thread. */
const BUDGET_MS = 25;
/** Looks from one at a Rollout at rest to the next. */
const REST_LOOKS = 6;

interface Told {
  readonly stored: StoredRollout;
  readonly text: string;
  readonly atLook: number;
}

export class RolloutsLooker implements Looker {
  readonly #rollouts: Pick<Rollouts, 'list' | 'problem'>;
  readonly #nowMs: () => number;
  readonly #told = new Map<string, Told>();
  #looks = 0;

  /** @param nowMs Monotonic. */
  constructor(rollouts: Pick<Rollouts, 'list' | 'problem'>, nowMs: () => number) {
    this.#rollouts = rollouts;
    this.#nowMs = nowMs;
  }

  *all(): Iterable<Message> {
    for (const tracked of this.#rollouts.list()) {
      const text = this.#text(tracked);
      if (!this.#told.has(tracked.name)) this.#told.set(tracked.name, { stored: tracked.stored, text, atLook: this.#looks });
      yield { event: 'rollout', data: text };
    }
  }

  look(emit: Emit): void {
    this.#looks++;
    const all = this.#rollouts.list();
    this.#tellGone(all, emit);
    const due = all.filter((tracked) => this.#isDue(tracked));
    // Those that have waited longest come first, so that a budget leaves out nobody for ever.
    due.sort((a, b) => (this.#told.get(a.name)?.atLook ?? 0) - (this.#told.get(b.name)?.atLook ?? 0));
    const until = this.#nowMs() + BUDGET_MS;
    for (const tracked of due) {
      this.#tell(tracked, emit);
      if (this.#nowMs() >= until) return;
    }
  }

  #isDue({ name, stored }: Tracked): boolean {
    const told = this.#told.get(name);
    if (told === undefined || told.stored !== stored || stored.state.active !== undefined) return true;
    return this.#looks - told.atLook >= REST_LOOKS;
  }

  #tell(tracked: Tracked, emit: Emit): void {
    const text = this.#text(tracked);
    const isNew = this.#told.get(tracked.name)?.text !== text;
    this.#told.set(tracked.name, { stored: tracked.stored, text, atLook: this.#looks });
    if (isNew) emit({ event: 'rollout', data: text });
  }

  #tellGone(all: readonly Tracked[], emit: Emit): void {
    const names = new Set(all.map(({ name }) => name));
    for (const full of this.#told.keys()) {
      if (names.has(full)) continue;
      this.#told.delete(full);
      const [namespace = '', name = ''] = full.split('/');
      emit({ event: 'rolloutGone', data: JSON.stringify({ namespace, name } satisfies RolloutGone) });
    }
  }

  #text(tracked: Tracked): string {
    return JSON.stringify(rolloutObject(tracked, this.#rollouts.problem));
  }
}
