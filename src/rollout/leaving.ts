/** Candidates that leave the race: dropped, or outdone by the one that was chosen. Pure. */
import { type Outcome, recorded, type Served } from './outcome.ts';
import { inRace, judgementOf, type Leaver, sharesOf } from './race.ts';
import type { Situation } from './situation.ts';
import type { RolloutState } from './state.ts';

export type Leaving = Omit<Leaver, 'share'>;

/** All but `kept` leave the race, for the one that was chosen. */
export function choose(state: Served, situation: Situation, chosen: string, by: string, why: string): Outcome {
  const leavers = others(state, [chosen]).map((subset): Leaving => ({ subset, fate: 'outdone', reason: `${chosen} was chosen: ${why}` }));
  const outcome = leave(state, leavers);
  const reason = `${chosen} is chosen, ${leavers.map(({ subset }) => subset).join(' and ')} ${leavers.length === 1 ? 'leaves' : 'leave'}: ${why}`;
  return { ...outcome, ...recorded(outcome.state, situation, 'choose', by, reason, situation.judgement) };
}

/** Candidates leave for good, each with its record; the others keep their shares and the release goes on. */
export function drop(state: Served, situation: Situation, leavers: readonly Leaving[]): Outcome {
  const left = leave(state, leavers);
  const racing = inRace(left.state);
  const goOn = `${racing.join(' and ')} ${racing.length === 1 ? 'goes' : 'go'} on`;
  const records = leavers.flatMap(({ subset, reason }) => {
    const why = `${subset} is dropped: ${reason}; ${goOn}`;
    return recorded(left.state, situation, 'drop', 'engine', why, judgementOf(situation, subset)).records;
  });
  return { ...left, state: { ...left.state, revision: left.state.revision + records.length }, records };
}

/** Without records. What they had is stable's at once; an analysis begins anew for those that remain, and so does its time. */
function leave(state: Served, leavers: readonly Leaving[]): Outcome & { readonly state: Served } {
  const { active } = state;
  const gone = leavers.map(({ subset }) => subset);
  const shares = sharesOf(state, active.weight);
  const weight = gone.reduce((rest, subset) => rest - (shares[subset] ?? 0), active.weight);
  const routes = active.routes.filter(({ to }) => !gone.includes(to));
  const left = [...state.left, ...leavers.map((leaver): Leaver => ({ ...leaver, share: shares[leaver.subset] ?? 0 }))];
  const isChanged = weight !== active.weight;
  const { hold: held, ...free } = active;
  const isDecided = held?.by === 'choice' && inRace({ ...state, left }).length === 1;
  const stepMs = active.steps[active.step]?.wait?.kind === 'evidence' ? 0 : active.stepMs;
  return {
    state: {
      ...state,
      left,
      epoch: isChanged ? state.epoch + 1 : state.epoch,
      active: { ...(isDecided ? free : active), stepMs, weight, routes },
    },
    records: [],
    ...(isChanged ? { kill: { epoch: state.epoch, subsets: gone } } : {}),
  };
}

/** In the race beside `kept`. */
export function others(state: RolloutState, kept: readonly string[]): readonly string[] {
  return inRace(state).filter((subset) => !kept.includes(subset));
}
