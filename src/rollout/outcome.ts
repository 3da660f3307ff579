/** What becomes of a decision: the state after it, its records, and whom it cuts off. Pure. */
import type { Judgement, Situation } from './situation.ts';
import { percent } from './spec.ts';
import { type ActiveRun, canaryWeight, type DecisionAction, type DecisionRecord, type RolloutState } from './state.ts';

export interface Outcome {
  /** The same object when nothing changed at all; times alone change without a record. */
  readonly state: RolloutState;
  readonly records: readonly DecisionRecord[];
  /** These canaries must get nothing from this instant on, before anything is written. */
  readonly kill?: Kill;
  /** Everything but the gates agrees to the next step: they are to be asked. */
  readonly asks?: true;
}

export interface Kill {
  /** The one in force until now. */
  readonly epoch: number;
  readonly subsets: readonly string[];
}

export interface Served extends RolloutState {
  readonly active: ActiveRun;
}

export function unchanged(state: RolloutState): Outcome {
  return { state, records: [] };
}

/** One decision after the other in one moment. */
export function joined(first: Outcome, then: (state: Served) => Outcome): Outcome {
  const { active } = first.state;
  if (active === undefined) return first;
  const second = then({ ...first.state, active });
  // What the first has cut off was in force, what the second would cut off was not yet.
  const kill =
    first.kill === undefined ? second.kill : { ...first.kill, subsets: [...first.kill.subsets, ...(second.kill?.subsets ?? [])] };
  return { state: second.state, records: [...first.records, ...second.records], ...(kill === undefined ? {} : { kill }) };
}

/** What a decision rests on, for its record. */
export type Proof = Pick<Judgement, 'evidence' | 'failsAll'>;

/** The only way a record is made, so that none is forgotten and each says where the release stands afterwards. */
export function recorded(
  state: RolloutState,
  { nowMs }: Pick<Situation, 'nowMs'>,
  action: DecisionAction,
  by: string,
  reason: string,
  judgement?: Proof,
): Outcome {
  const record: DecisionRecord = {
    at: new Date(nowMs).toISOString(),
    by,
    action,
    reason,
    run: state.run,
    step: state.active?.step ?? -1,
    canaryPercent: percent(canaryWeight(state)),
    ...(judgement === undefined ? {} : { evidence: judgement.evidence }),
  };
  return { state: { ...state, revision: state.revision + 1 }, records: [record] };
}
