/**
 * `serin import argo-rollouts`: Rollouts of Argo with their AnalysisTemplates as Rollouts and MetricTemplates of Serin.
 *
 * Both name most things alike, so what matters is what is not said by a name: Serin runs no Pods here, and judges by itself beside the metrics.
 * docs/import.md lists it.
 */
import { ignoreHead, type ForeignDocument } from '../document.ts';
import { head, type Output } from '../emit.ts';
import type { Field } from '../field.ts';
import { SERIN_API, versionFields } from '../release.ts';
import { blueGreenOf, delayOf, stepsOf } from './strategy.ts';
import { type MetricUse, Templates } from './templates.ts';
import { canaryTraffic, subsetTraffic, type Traffic } from './traffic.ts';

export function importArgoRollouts(documents: readonly ForeignDocument[]): readonly Output[] {
  const templates = new Templates(documents);
  const rollouts = documents.filter(({ group, kind }) => group === 'argoproj.io' && kind === 'Rollout');
  const outputs = rollouts.flatMap((document) => importRollout(document, documents, templates));
  for (const { group, kind, root } of documents) {
    if (group === '' && kind === 'Service') root.ignore();
    if (group === 'argoproj.io' && kind === 'Experiment')
      root.noEquivalent('there are no experiments', 'canaries: [v3, v4] of a Rollout releases several versions beside each other');
    if (group === 'argoproj.io' && kind === 'AnalysisRun') root.noEquivalent('what has been measured already is not imported');
  }
  return [...templates.outputs(), ...outputs];
}

/** Of the Pods, which Serin does not run on Kubernetes: nothing of traffic follows from it. */
const PODS = ['replicas', 'selector', 'template', 'minReadySeconds', 'revisionHistoryLimit', 'restartAt'];

function importRollout(document: ForeignDocument, documents: readonly ForeignDocument[], templates: Templates): readonly Output[] {
  const { root, name, namespace } = document;
  ignoreHead(document);
  for (const [key, annotation] of root.at('metadata', 'annotations').entries()) {
    if (key.startsWith('notifications.argoproj.io/')) annotation.noEquivalent('subscriptions are not read', 'write a Notification');
    else annotation.ignore();
  }
  const spec = root.at('spec');
  for (const key of PODS) spec.at(key).ignore();
  reportRest(spec);
  const canary = spec.at('strategy', 'canary');
  const blueGreen = spec.at('strategy', 'blueGreen');
  const traffic = blueGreen.isThere
    ? subsetTraffic(blueGreen.at('activeService').text() ?? name, namespace)
    : canaryTraffic(canary, { name, namespace, documents });
  const metrics: MetricUse[] = [];
  const names = new Set<string>();
  const use = (analysis: Field): readonly MetricUse[] => {
    const used = templates.use(analysis, namespace, (argument) => valueOf(argument, document, traffic), names);
    // One that is used again with the same values is the same.
    const fresh = used.filter(
      ({ name: _name, ...rest }) => !metrics.some(({ name: _other, ...known }) => JSON.stringify(known) === JSON.stringify(rest)),
    );
    metrics.push(...fresh);
    return fresh;
  };
  const strategy = blueGreen.isThere ? { blueGreen: blueGreenStrategy(blueGreen, use) } : { canary: canaryStrategy(canary, use) };
  if (traffic === undefined) return [];
  return [
    ...traffic.outputs,
    {
      remarks: ['The Pods stay yours: two Deployments, one a version, in the place of the template.'],
      document: {
        ...head(SERIN_API, 'Rollout', name, namespace),
        spec: {
          ...versionFields(traffic.versions),
          ...(spec.at('paused').flag() === true ? { paused: true } : {}),
          strategy,
          ...(metrics.length === 0 ? {} : { analysis: { metrics } }),
        },
      },
    },
  ];
}

function canaryStrategy(canary: Field, use: (analysis: Field) => readonly MetricUse[]): Readonly<Record<string, unknown>> {
  const background = canary.at('analysis');
  if (background.isThere) {
    use(background);
    background
      .at('startingStep')
      .noEquivalent('metrics are measured from the first request of the canary on', 'initialDelay: 5m of the metric');
    background.at('analysisRunMetadata').ignore();
    background.at('measurementRetention').noEquivalent('the last ten measurements are kept');
  }
  for (const key of [
    'maxSurge',
    'maxUnavailable',
    'antiAffinity',
    'canaryMetadata',
    'stableMetadata',
    'scaleDownDelayRevisionLimit',
    'abortScaleDownDelaySeconds',
    'dynamicStableScale',
    'minPodsPerReplicaSet',
    'replicaProgressThreshold',
  ])
    canary.at(key).noEquivalent('Pods are yours to run, scale and label');
  canary
    .at('pingPong')
    .noEquivalent('which of the two is stable is in the state of Serin after a promotion', 'name stableService and canaryService');
  return { steps: stepsOf(canary, use), scaleDownDelay: delayOf(canary) };
}

function blueGreenStrategy(blueGreen: Field, use: (analysis: Field) => readonly MetricUse[]): Readonly<Record<string, unknown>> {
  for (const key of ['prePromotionAnalysis', 'postPromotionAnalysis']) {
    const analysis = blueGreen.at(key);
    if (!analysis.isThere) continue;
    use(analysis);
    analysis.at('analysisRunMetadata').ignore();
    analysis.at('measurementRetention').noEquivalent('the last ten measurements are kept');
    analysis.differs('metrics are measured from the first request of the canary to the end of the release, before and after the switch');
  }
  return blueGreenOf(blueGreen);
}

/** A value that stands there, or that can be told from the Rollout itself. */
function valueOf(argument: Field, { root }: ForeignDocument, traffic: Traffic | undefined): string | undefined {
  const written = argument.at('value').word();
  if (written !== undefined) return written;
  const hash = argument.at('valueFrom', 'podTemplateHashValue');
  const path = argument.at('valueFrom', 'fieldRef', 'fieldPath');
  if (hash.isThere) {
    const which = hash.text() === 'Stable' ? 'stable' : 'canary';
    hash.differs(`there is no hash of a Pod template; the argument is the name of the ${which} version`, 'see that the query goes by it');
    return traffic?.versions[which];
  }
  const text = path.text();
  if (text === undefined) return undefined;
  const value = root.at(...steps(text)).peek();
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

/** `metadata.labels['app']` as steps. */
function steps(path: string): readonly string[] {
  return [...path.matchAll(/\['(?<quoted>[^']*)'\]|(?<plain>[^.[\]]+)/g)].map(
    ({ groups }) => groups?.['quoted'] ?? groups?.['plain'] ?? '',
  );
}

function reportRest(spec: Field): void {
  spec.at('workloadRef').noEquivalent('the Deployment stays yours: its Pods are one version', 'start the other beside it');
  spec
    .at('rollbackWindow')
    .noEquivalent('going back to an older version is a release as any other', 'serin rollout undo goes back at once');
  spec.at('progressDeadlineSeconds').noEquivalent('Pods are not waited for', 'deadline: 4h bounds the whole release');
  spec.at('progressDeadlineAbort').noEquivalent('Pods are not waited for', 'deadline: 4h bounds the whole release');
  spec.at('analysis').noEquivalent('the last ten measurements of each metric are kept');
}
