/**
 * `serin import flagger`: Canaries with their MetricTemplates and AlertProviders as Rollouts, MetricTemplates and Notifications of Serin, and the
 * VirtualService or HTTPRoute that Flagger would have made.
 *
 * What differs for every Canary is in docs/import.md; here it is said once a Canary, at its `analysis`.
 */
import { ignoreHead, type ForeignDocument } from '../document.ts';
import { defined, head, type Output } from '../emit.ts';
import type { Field } from '../field.ts';
import { SERIN_API, versionFields } from '../release.ts';
import { type AlertProviders, notificationsOf, readAlertProviders } from './alerts.ts';
import { checksOf, readTemplates, type Templates } from './checks.ts';
import { istioPlan, routePlan } from './service.ts';
import { intervalOf, strategyOf } from './strategy.ts';

const DAY_S = 86_400;

export function importFlagger(documents: readonly ForeignDocument[]): readonly Output[] {
  const templates = readTemplates(documents);
  const providers = readAlertProviders(documents);
  const written: Written = { templates: new Map(), notifications: new Set() };
  const canaries = documents.filter(({ kind, group }) => kind === 'Canary' && group === 'flagger.app');
  return canaries.flatMap((document) => importCanary(document, templates, providers, written));
}

/** What several Canaries share is written once. */
interface Written {
  readonly templates: Map<string, Output>;
  readonly notifications: Set<string>;
}

function importCanary(document: ForeignDocument, templates: Templates, providers: AlertProviders, written: Written): readonly Output[] {
  const { root, name, namespace } = document;
  ignoreHead(document);
  for (const [, annotation] of root.at('metadata', 'annotations').entries()) annotation.ignore();
  const spec = root.at('spec');
  const target = spec.at('targetRef', 'name').text() ?? name;
  for (const key of ['apiVersion', 'kind', 'namespace']) spec.at('targetRef', key).ignore();
  const service = spec.at('service');
  const apex = service.at('name').text() ?? target;
  const analysis = spec.at(spec.at('analysis').isThere ? 'analysis' : 'canaryAnalysis');
  if (spec.at('analysis').isThere)
    spec.at('canaryAnalysis').noEquivalent('it is the old name of analysis, which is there as well and counts');
  const plan = usesIstio(spec) ? istioPlan(service, apex, namespace) : routePlan(service, apex, namespace);
  const isSkipped = spec.at('skipAnalysis').flag() === true || !analysis.isThere;
  const threshold = analysis.at('threshold').number() ?? 1;
  const checks = checksOf(
    analysis,
    {
      name,
      namespace,
      target,
      service: apex,
      ingress: spec.at('ingressRef', 'name').text() ?? '',
      route: apex,
      intervalMs: intervalOf(analysis),
      threshold: Math.max(1, threshold),
      metricsServer: spec.at('metricsServer').text(),
    },
    templates,
  );
  const strategy = strategyOf(analysis, isSkipped);
  const assignment = assignmentOf(analysis.at('sessionAffinity'), 'ab' in strategy);
  const notifications = notificationsOf(analysis.at('alerts'), namespace, providers, written.notifications);
  reportRest(spec, analysis, threshold);
  const rollout = {
    ...head(SERIN_API, 'Rollout', name, namespace),
    spec: {
      ...versionFields(plan.versions),
      ...defined({ paused: spec.at('suspend').flag() === true ? true : undefined, assignment }),
      strategy,
      ...(Object.keys(checks.analysis).length === 0 ? {} : { analysis: checks.analysis }),
      ...(checks.webhooks.length === 0 ? {} : { webhooks: checks.webhooks }),
    },
  };
  const fresh = [...checks.used].filter(([key]) => !written.templates.has(key));
  for (const [key, output] of fresh) written.templates.set(key, output);
  return [
    ...plan.outputs,
    ...fresh.map(([, output]) => output),
    {
      remarks: [`The Deployment ${target} stays yours: run stable and canary beside each other, and give the canary the new image.`],
      document: rollout,
    },
    ...notifications,
  ];
}

/** Which objects Flagger would make: Istio's, or routes. Without a provider its flag says so, which is not in the files. */
function usesIstio(spec: Field): boolean {
  const field = spec.at('provider');
  const provider = field.text();
  if (provider === undefined) return !spec.at('service', 'gatewayRefs').isThere;
  if (provider === 'istio') return true;
  if (!provider.startsWith('gatewayapi'))
    field.differs(
      `the objects that Flagger makes for ${provider} are not read: the Rollout is on an HTTPRoute for calls to the Service by its name`,
      'give the HTTPRoute the Gateway in parentRefs, and its hostnames',
    );
  return false;
}

function assignmentOf(affinity: Field, isAb: boolean): object | undefined {
  if (!affinity.isThere) return undefined;
  const cookie = affinity.at('cookieName').text();
  const maxAge = affinity.at('maxAge').number() ?? DAY_S;
  for (const key of ['primaryCookieName', 'domain', 'httpOnly', 'partitioned', 'path', 'sameSite', 'secure'])
    affinity.at(key).noEquivalent('one cookie names the user, whichever version that is; its attributes are those that Serin gives it');
  if (cookie === undefined || isAb) return undefined;
  affinity
    .at('cookieName')
    .differs(
      'the cookie names a user, not a version: everybody stays on their side at every weight, and nobody is drawn anew with each request',
    );
  return { by: 'user', cookie, setCookie: { maxAge: `${maxAge}s` } };
}

function reportRest(spec: Field, analysis: Field, threshold: number): void {
  if (analysis.isThere) {
    analysis.differs(
      'the canary is judged by statistics against stable at the same time, and no data is never a failure: a step waits for evidence instead of failing after so many checks',
      'docs/import.md lists what else is different',
    );
    if (threshold > 1)
      analysis.at('threshold').differs(`metrics and webhooks may fail ${threshold - 1} times each, not all of them together`);
  }
  spec.at('autoscalerRef').noEquivalent('nothing is scaled', 'keep the autoscaler of each Deployment');
  for (const key of ['apiVersion', 'kind', 'namespace']) spec.at('ingressRef', key).ignore();
  for (const key of ['routeRef', 'upstreamRef']) spec.at(key).noEquivalent('objects of this provider are not read', 'write an HTTPRoute');
  spec.at('progressDeadlineSeconds').noEquivalent('Pods are not waited for', 'deadline: 4h bounds the whole release');
  spec.at('revertOnDeletion').noEquivalent('what is deleted leaves the files in force');
}
