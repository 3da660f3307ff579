/**
 * Releases of several services together. What a Rollout `requires` is released first, and taken back last. Pure.
 *
 * A release starts when the canaries of all it requires serve everybody: as long as one shares with its stable version, a request of the new version here
 * may meet the old one there. It is bound to their present runs. When one of these is taken back, whoever is bound to it goes first, those that require
 * that before it, and so on; each one waits until the others are back in force in the data plane. Later runs of what it required bind nobody.
 */
import { FULL, percent } from './spec.ts';
import { canaryWeight, type RolloutState } from './state.ts';

export interface TrainMember {
  /** `namespace/name` of those it requires. */
  readonly requires: readonly string[];
  readonly state: RolloutState;
  /** The data plane has acknowledged what the state says. */
  readonly isInForce: boolean;
}

/** Of one member, in words; what is absent does not hold. */
export interface TrainSituation {
  /** Why it cannot start. */
  readonly unmet?: string;
  /** Why it has to go back. */
  readonly leaving?: string;
  /** Who goes back before it. */
  readonly behind?: string;
  /** Runs of those it requires, which a start is bound to. */
  readonly runs?: Readonly<Record<string, number>>;
}

const ALONE: TrainSituation = {};

/** @param members By name. */
export function trainOf(members: ReadonlyMap<string, TrainMember>): ReadonlyMap<string, TrainSituation> {
  const all = [...members];
  if (all.every(([, { requires, state }]) => requires.length === 0 && state.terms?.requires === undefined)) return new Map();
  const bound = new Map<string, string[]>();
  for (const [name, member] of all) {
    for (const required of boundTo(member, members)) {
      const others = bound.get(required);
      if (others === undefined) bound.set(required, [name]);
      else others.push(name);
    }
  }
  return new Map(all.map(([name, member]) => [name, situationOf(member, members, bound.get(name) ?? [])]));
}

function situationOf(
  { requires, state }: TrainMember,
  members: ReadonlyMap<string, TrainMember>,
  behind: readonly string[],
): TrainSituation {
  const unmet = requires.map((required) => unmetBy(required, members.get(required)?.state)).find((why) => why !== undefined);
  const leaving = Object.entries(state.terms?.requires ?? {})
    .filter(([required, run]) => goesBack(members.get(required)?.state, run))
    .map(([required]) => required);
  if (requires.length === 0 && leaving.length === 0 && behind.length === 0) return ALONE;
  const runs = Object.fromEntries(requires.map((required) => [required, members.get(required)?.state.run ?? 0]));
  return {
    ...(unmet === undefined ? {} : { unmet }),
    ...(leaving.length === 0 ? {} : { leaving: `${leaving.join(' and ')}, which it requires, is taken back` }),
    ...(behind.length === 0 ? {} : { behind: behind.join(' and ') }),
    ...(requires.length === 0 ? {} : { runs }),
  };
}

function unmetBy(name: string, state: RolloutState | undefined): string | undefined {
  if (state === undefined) return `it requires ${name}, which is no Rollout`;
  if (state.active?.back !== undefined) return `it requires ${name}, which is on its way back`;
  const weight = canaryWeight(state);
  return weight === FULL ? undefined : `it requires ${name}, whose ${state.canaries.join(' and ')} gets ${percent(weight)} %`;
}

function goesBack(state: RolloutState | undefined, run: number): boolean {
  if (state === undefined || state.run !== run) return false;
  const { active, outcome } = state;
  return active === undefined ? outcome === 'rolledBack' || outcome === 'aborted' || outcome === 'undone' : active.back !== undefined;
}

/** On whose present run it is under way or promoted, or not yet back where its users notice. */
function boundTo({ state, isInForce }: TrainMember, members: ReadonlyMap<string, TrainMember>): readonly string[] {
  if (state.active === undefined && state.outcome !== 'promoted' && isInForce) return [];
  return Object.entries(state.terms?.requires ?? {})
    .filter(([required, run]) => members.get(required)?.state.run === run)
    .map(([required]) => required);
}
