/** A release as the Rollout object that the admin API and `-o json` show: the resource with its status. */
import type { ApiObject } from '../../admin/api-types.ts';
import { messageOf, phaseOf } from '../../rollout/phase.ts';
import { FULL, percent } from '../../rollout/spec.ts';
import { canaryWeight, type DecisionRecord } from '../../rollout/state.ts';
import { evidenceOf } from './analyst.ts';
import type { Tracked } from './engine.ts';

const API_VERSION = 'serin.dev/v1alpha1';

/** @param problem Why no release moves at the moment. */
export function rolloutObject({ name, spec, stored, situation, analyst }: Tracked, problem: string | undefined): ApiObject {
  const [namespace = '', short = ''] = name.split('/');
  const { state, records, host, adHoc } = stored;
  const { active } = state;
  const weight = canaryWeight(state);
  const isServing = active !== undefined || state.outcome !== undefined;
  const message = situationMessage(spec !== undefined, problem, () => messageOf(state, situation, lastReason(records)));
  return {
    apiVersion: API_VERSION,
    kind: 'Rollout',
    metadata: {
      name: short,
      namespace,
      resourceVersion: String(state.revision),
      ...(adHoc === undefined ? {} : { annotations: { 'serin.dev/origin': 'serin rollout start' } }),
    },
    spec: { ...(spec ?? { host, stable: state.stable, canary: state.canary }) },
    status: {
      phase: phaseOf(state),
      message,
      host,
      stable: state.stable,
      canary: state.canary,
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
          }),
      ...(isServing ? { weights: { [state.stable]: percent(FULL - weight), [state.canary]: percent(weight) } } : {}),
      conditions: conditions(situation.isInForce, message, situation.canary, situation.stable),
      ...(situation.judgement === undefined || analyst === undefined
        ? {}
        : { analysis: { decision: situation.judgement.decision, reason: situation.judgement.message, ...evidenceOf(analyst.verdict()) } }),
      decisions: [...records],
    },
  };
}

function situationMessage(isConfigured: boolean, problem: string | undefined, message: () => string): string {
  if (!isConfigured) return 'orphaned: its Rollout is no longer in the files, so these are in force; the state is kept';
  return problem ?? message();
}

function lastReason(records: readonly DecisionRecord[]): string | undefined {
  return records.at(-1)?.reason;
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
