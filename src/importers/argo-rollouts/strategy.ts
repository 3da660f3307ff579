/** Steps and blue/green of a Rollout of Argo, in Serin's words: most are the same. */
import type { Field } from '../field.ts';
import { isDuration, type Step } from '../release.ts';
import type { MetricUse } from './templates.ts';

const USUAL_DELAY_S = 30;

/** Takes an `analysis` of the Rollout. */
export type UseAnalysis = (analysis: Field) => readonly MetricUse[];

export function stepsOf(canary: Field, use: UseAnalysis): readonly Step[] {
  const most = canary.at('trafficRouting', 'maxTrafficWeight').number() ?? 100;
  const steps: Step[] = [];
  let weight = 0;
  const given = canary.at('steps').items();
  for (const step of given) {
    for (const [kind, field] of step.entries()) {
      if (kind === 'setWeight') weight = setWeight(field, weight, most, steps);
      else if (kind === 'pause') steps.push({ pause: pauseOf(field) });
      else if (kind === 'analysis') analyse(field, weight, use, steps);
      else if (kind === 'setHeaderRoute') steps.push({ setHeaderRoute: headerRoute(field) });
      else if (kind === 'setMirrorRoute') mirror(field, steps);
      else notAStep(kind, field);
    }
  }
  if (given.length === 0)
    canary.differs(
      'without steps Argo replaces Pods one after the other; here everybody moves at once',
      'canary: { ramp: auto } moves by evidence',
    );
  return weight === 100 ? steps : [...steps, { setWeight: 100 }];
}

const NOT_STEPS: Readonly<Record<string, readonly [message: string, hint: string]>> = {
  setCanaryScale: ['nothing is scaled', 'start the Pods of the canary before the release'],
  experiment: ['there are no experiments', 'canaries: [v3, v4] releases several versions beside each other'],
  plugin: ['there are no plugins', 'a webhook of type confirm-traffic-increase asks before each growth'],
  replicaProgressThreshold: ['Pods are not waited for', 'a version gets requests once it has an endpoint that is ready'],
};

function notAStep(kind: string, field: Field): void {
  const [message, hint] = NOT_STEPS[kind] ?? ['there is no such step; it is left out', undefined];
  field.noEquivalent(message, hint);
}

function setWeight(field: Field, before: number, most: number, steps: Step[]): number {
  const written = field.number();
  if (written === undefined) return before;
  const weight = most === 100 ? written : Math.round((written / most) * 10_000) / 100;
  if (weight <= before) {
    if (weight !== before || before !== 0)
      field.noEquivalent(`weights grow here: ${weight} after ${before} is left out`, 'only a rollback makes a weight smaller');
    return before;
  }
  steps.push({ setWeight: weight });
  return weight;
}

function pauseOf(pause: Field): Readonly<Record<string, unknown>> {
  const duration = pause.at('duration');
  if (!duration.isThere) {
    pause.take();
    return {};
  }
  const text = duration.word() ?? '';
  const withUnit = /^\d+$/.test(text) ? `${text}s` : text;
  return isDuration(withUnit) ? { duration: withUnit } : {};
}

/** An analysis compares: with nobody, or with everybody on the canary, there is nothing to compare. */
function analyse(field: Field, weight: number, use: UseAnalysis, steps: Step[]): void {
  field.at('analysisRunMetadata').ignore();
  field.at('measurementRetention').noEquivalent('the last ten measurements are kept');
  const metrics = use(field);
  if (weight === 0)
    field.differs(
      `at weight 0 there is nothing to compare: the ${metrics.length} metrics decide before the next weight`,
      'set a weight before it',
    );
  else if (weight === 100) {
    field.differs('at weight 100 there is no stable version to compare with: metrics decide for a minute');
    steps.push({ bake: { duration: '1m' } });
  } else {
    field.differs(
      'the step also waits for evidence that the canary is no worse than stable; its metrics are measured from the first request of the canary on',
    );
    steps.push({ analysis: {} });
  }
}

function headerRoute(field: Field): Readonly<Record<string, unknown>> {
  const name = field.at('name').text();
  const match = field
    .at('match')
    .items()
    .flatMap((entry) => {
      const headerName = entry.at('headerName').text();
      const value = entry.at('headerValue');
      const [found] = (['exact', 'prefix', 'regex'] as const).flatMap((key) => {
        const text = value.at(key).text();
        return text === undefined ? [] : [{ [key]: text }];
      });
      return headerName === undefined || found === undefined ? [] : [{ headerName, headerValue: found }];
    });
  return { ...(name === undefined ? {} : { name }), ...(match.length === 0 ? {} : { match }) };
}

function mirror(field: Field, steps: Step[]): void {
  field.at('name').ignore();
  const match = field.at('match');
  const percentage = field.at('percentage').number();
  if (match.isThere) {
    // Without the condition other requests would be copied as well, also those that change something.
    match.noEquivalent(
      'copies are made of all requests of a host or of none; the step is left out',
      'setMirrorRoute: { percentage: 5 } if copies of all of them are harmless',
    );
    return;
  }
  steps.push({ setMirrorRoute: { percentage: percentage ?? 0 } });
}

export function delayOf(strategy: Field): string {
  return `${strategy.at('scaleDownDelaySeconds').number() ?? USUAL_DELAY_S}s`;
}

export function blueGreenOf(blueGreen: Field): Readonly<Record<string, unknown>> {
  const isAuto = blueGreen.at('autoPromotionEnabled').flag() ?? true;
  const after = blueGreen.at('autoPromotionSeconds').number();
  blueGreen
    .at('previewService')
    .noEquivalent(
      'the preview is told by a header instead of a Service of its own',
      'preview: { match: [{ headerName: …, headerValue: … }] }, or serin rollout preview',
    );
  for (const key of [
    'previewReplicaCount',
    'maxUnavailable',
    'antiAffinity',
    'previewMetadata',
    'activeMetadata',
    'scaleDownDelayRevisionLimit',
    'abortScaleDownDelaySeconds',
  ])
    blueGreen.at(key).noEquivalent('Pods are yours to run, scale and label');
  return {
    autoPromote: isAuto,
    ...(isAuto && after !== undefined && after > 0 ? { autoPromoteAfter: `${after}s` } : {}),
    scaleDownDelay: delayOf(blueGreen),
  };
}
