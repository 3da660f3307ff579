/**
 * How everybody goes back to stable: at once where stable is warm, in steps where it is not. Pure.
 *
 * Stable is cold when it does not run, or has markedly fewer endpoints than when the release began. Then it is brought up first, and its share grows no
 * further than its endpoints carry, each a third more than it did then: a rollback must not break the one version that works.
 */
import { DEFAULT_ANALYSIS } from './analysis-spec.ts';
import type { Readiness, Situation } from './situation.ts';
import { FULL, percent, type PlannedStep } from './spec.ts';
import { type ActiveRun, canaryWeight, type RolloutState } from './state.ts';
import type { RollbackTerms, RunTerms, WayBack } from './terms.ts';

/** Of runs that a Serin before these terms began. */
const DEFAULT_ROLLBACK: RollbackTerms = { when: 'cold', shares: [1000, 2500, 5000, FULL], intervalMs: 10_000 };

/** Of the endpoints it had, what a version can do without: a quarter of them may be down at any time, where Kubernetes has its way. */
const SPARE = 0.25;

/** Largest share the endpoints carry, up to `FULL`. */
function mostShare(terms: RunTerms | undefined, { endpoints }: Readiness): number {
  const before = (terms?.stableEndpoints ?? 0) * (1 - SPARE);
  return endpoints === undefined || before === 0 ? FULL : Math.min(FULL, Math.floor((FULL * endpoints) / before));
}

function isTooSmall(terms: RunTerms | undefined, now: Readiness, share: number): boolean {
  return share > mostShare(terms, now);
}

/** Why stable could not take everybody now; undefined when it is warm. */
function coldness({ stable, terms }: Pick<RolloutState, 'stable' | 'terms'>, now: Readiness): string | undefined {
  if (!now.isReady) return now.reason;
  return isTooSmall(terms, now, FULL) ? `${stable} has ${now.endpoints} of ${terms?.stableEndpoints} endpoints` : undefined;
}

/** Whether everybody may go to stable this instant: what a worker that finds a proof does by itself. */
export function goesAtOnce(state: RolloutState, stable: Readiness): boolean {
  return state.active?.back === undefined && state.terms?.rollback.when !== 'always' && coldness(state, stable) === undefined;
}

/** Whether there is a way back at all: stable can answer, or can be brought up; or everybody is where the files say already. */
export function canReturn({ stable }: Situation): boolean {
  return stable.isReady || stable.isRun === true || stable.isMissing === true;
}

/**
 * The run that brings everybody back.
 *
 * @param back `why` is of the decision; what it means for the way is added to it.
 * @returns    Undefined: stable takes everybody at once, or is no version any more, so that nobody has to be moved.
 */
export function wayBack(state: RolloutState, situation: Situation, back: WayBack): ActiveRun | undefined {
  if (situation.stable.isMissing === true) return undefined;
  const { terms, active, stable } = state;
  const weight = canaryWeight(state);
  const { when, shares, intervalMs } = terms?.rollback ?? DEFAULT_ROLLBACK;
  const cold = coldness(state, situation.stable);
  const isWalked = weight > 0 && !back.atOnce && (cold !== undefined || when === 'always');
  const behind = situation.train?.behind;
  if (!isWalked && situation.stable.isReady && behind === undefined) return undefined;
  const steps: PlannedStep[] = isWalked
    ? shares
        .filter((share) => share < FULL && FULL - share < weight)
        .map((share) => ({
          title: `${percent(share)} % back to ${stable}`,
          set: { weight: FULL - share },
          wait: { kind: 'time', ms: intervalMs },
        }))
    : [];
  const { hold: _ended, ...before }: Pick<ActiveRun, 'hold'> & BeforeTheWay = active ?? {
    activeMs: 0,
    weight,
    routes: [],
    analysis: terms?.analysis ?? DEFAULT_ANALYSIS,
    onInconclusive: 'hold',
    ...(terms?.assignment === undefined ? {} : { assignment: terms.assignment }),
  };
  return {
    ...before,
    steps: [...steps, { title: `everybody back to ${stable}`, end: 'rollback' }],
    step: -1,
    stepMs: 0,
    mirror: 0,
    shareAccepted: true,
    back: {
      ...back,
      why: [back.why, ...(behind === undefined ? [] : [`${behind} goes back first`]), ...(cold === undefined ? [] : [cold])].join('; '),
    },
  };
}

/** What the way back keeps of the run, or a promoted release has to make up for. */
type BeforeTheWay = Pick<ActiveRun, 'activeMs' | 'weight' | 'routes' | 'analysis' | 'onInconclusive' | 'assignment'>;

/** Why stable's share cannot grow to that of the next step yet; undefined when it can. */
export function obstacleBack(state: RolloutState, { steps, step, back }: ActiveRun, { stable: now, train }: Situation): string | undefined {
  if (train?.behind !== undefined) return `${train.behind} goes back first`;
  if (!now.isReady) return now.reason;
  const share = FULL - (steps[step + 1]?.set?.weight ?? 0);
  if (back?.atOnce === true || !isTooSmall(state.terms, now, share)) return undefined;
  return `${state.stable} has ${now.endpoints} of ${state.terms?.stableEndpoints} endpoints, enough for ${percent(mostShare(state.terms, now))} %`;
}
