/** A release as the Rollout object that the admin API and `-o json` show: the resource with its status. */
import type { ApiObject } from '../../admin/api-types.ts';
import { redacted } from '../../config/redact.ts';
import { routeOfTarget } from '../../config/release-target.ts';
import { approvingOf } from '../../rollout/approval.ts';
import { messageOf, phaseOf } from '../../rollout/phase.ts';
import { FULL, percent } from '../../rollout/spec.ts';
import { judgementOf, sharesOf } from '../../rollout/race.ts';
import { canaryWeight, type DecisionRecord, type RolloutState } from '../../rollout/state.ts';
import { checksStatus } from './checks/view.ts';
import { evidenceOf } from './analyst.ts';
import type { Tracked } from './engine.ts';
import { adHocSpec } from './store.ts';

const API_VERSION = 'serin.dev/v1alpha1';

/** @param problem Why no release moves at the moment. */
export function rolloutObject({ name, spec, stored, situation, comparisons, checks }: Tracked, problem: string | undefined): ApiObject {
  const [namespace = '', short = ''] = name.split('/');
  const { state, records, host, adHoc } = stored;
  const { active } = state;
  const approving = active && approvingOf(active);
  const weight = canaryWeight(state);
  const only = state.canaries.length === 1 ? state.canaries[0] : undefined;
  const weights = Object.entries({ [state.stable]: FULL - weight, ...sharesOf(state, weight) });
  const analyst = only === undefined ? undefined : comparisons?.of(only);
  const route = routeOfTarget(host);
  const isServing = spec !== undefined && (active !== undefined || state.outcome !== undefined);
  const message = situationMessage(spec !== undefined, active !== undefined, problem && withProof(problem, active, situation), () =>
    messageOf(state, situation, lastReason(records)),
  );
  return {
    apiVersion: API_VERSION,
    kind: 'Rollout',
    metadata: {
      name: short,
      namespace,
      resourceVersion: String(state.revision),
      ...(adHoc === undefined ? {} : { annotations: { 'serin.dev/origin': 'serin rollout start' } }),
    },
    spec: redacted({ ...(spec ?? adHocSpec({ host, stable: state.stable, canaries: state.canaries })) }),
    status: {
      phase: phaseOf(state),
      message,
      host,
      ...(route === undefined ? {} : { route }),
      stable: state.stable,
      ...(only === undefined ? { canaries: state.canaries } : { canary: only }),
      ...(state.outcome === undefined ? {} : { outcome: state.outcome }),
      run: state.run,
      ...(active === undefined
        ? {}
        : {
            currentStepIndex: active.step,
            currentStep: active.steps[active.step]?.title ?? 'about to begin',
            steps: active.steps.map(({ title }) => title),
            elapsedSeconds: Math.floor(active.activeMs / 1000),
            stepElapsedSeconds: Math.floor(active.stepMs / 1000),
            cohorts: active.routes.map(({ name: cohort }) => cohort),
            mirrorPercent: active.mirror,
            ...(approving === undefined
              ? {}
              : { approval: { needed: approving.rule.count, approved: approving.approved, awaited: approving.awaited } }),
          }),
      ...(isServing ? { weights: Object.fromEntries(weights.map(([subset, share]) => [subset, percent(share)])) } : {}),
      conditions: conditions(situation.isInForce, message, situation.canary, situation.stable),
      ...(situation.judgement === undefined || analyst === undefined
        ? {}
        : { analysis: { decision: situation.judgement.decision, reason: situation.judgement.message, ...evidenceOf(analyst.verdict()) } }),
      ...(only === undefined ? { candidates: candidateObjects(state, situation, comparisons) } : {}),
      ...checksStatus(checks),
      decisions: [...records],
    },
  };
}

/** Each of several, in the order of the Rollout: what became of it, and on what evidence. */
function candidateObjects(state: RolloutState, situation: Tracked['situation'], comparisons: Tracked['comparisons']): object[] {
  const shares = sharesOf(state, canaryWeight(state));
  return state.canaries.map((subset) => {
    const leaver = state.left.find((other) => other.subset === subset);
    const cohorts = (state.active?.routes ?? []).flatMap(({ name, to }) => (to === subset ? [name] : []));
    const isCompared = state.active !== undefined || (state.outcome !== undefined && state.outcome !== 'settled');
    const analyst = isCompared ? comparisons?.of(subset) : undefined;
    const judgement = leaver === undefined ? judgementOf(situation, subset) : undefined;
    return {
      subset,
      fate: leaver?.fate ?? (state.active === undefined ? (state.outcome ?? 'waiting') : 'inRace'),
      weight: percent(shares[subset] ?? 0),
      ...(cohorts.length === 0 ? {} : { cohorts }),
      ...(leaver === undefined ? {} : { reason: leaver.reason }),
      ...(analyst === undefined
        ? {}
        : {
            analysis: {
              ...(judgement === undefined ? {} : { decision: judgement.decision }),
              reason: judgement?.message ?? leaver?.reason ?? analyst.verdict().reason,
              ...evidenceOf(analyst.verdict()),
            },
          }),
    };
  });
}

function situationMessage(isConfigured: boolean, isUnderWay: boolean, problem: string | undefined, message: () => string): string {
  if (!isConfigured)
    return `orphaned: its Rollout is no longer in the files, so these are in force; the state is kept${isUnderWay ? ', serin rollout abort ends it' : ''}`;
  return problem ?? message();
}

/** A worker waits for no disk: what it has proved is in force, though the release cannot be said to have ended. */
function withProof(problem: string, active: RolloutState['active'], { judgement }: Tracked['situation']): string {
  return active === undefined || judgement?.decision !== 'rollback' ? problem : `${judgement.message}; ${problem}`;
}

/** How it ended; what is tidied up afterwards says nothing about that. */
function lastReason(records: readonly DecisionRecord[]): string | undefined {
  return records.findLast(({ action }) => action !== 'scaleDown')?.reason;
}

type Ready = Tracked['situation']['canary'];

function conditions(isInForce: boolean, message: string, canary: Ready, stable: Ready): object[] {
  const condition = (type: string, holds: boolean, reason: string, text: string): object => ({
    type,
    status: holds ? 'True' : 'False',
    reason,
    message: text,
  });
  return [
    condition('InForce', isInForce, isInForce ? 'Acknowledged' : 'Waiting', message),
    condition('CanaryReady', canary.isReady, canary.isReady ? 'Ready' : 'NotReady', canary.reason),
    condition('StableReady', stable.isReady, stable.isReady ? 'Ready' : 'NotReady', stable.reason),
  ];
}
