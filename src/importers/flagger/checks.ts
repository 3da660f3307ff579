/** Metrics, webhooks and alerts of a Canary, with the MetricTemplates and AlertProviders they name. */
import { defined, head, labelOf, type Output } from '../emit.ts';
import { ignoreHead, type ForeignDocument } from '../document.ts';
import type { Field } from '../field.ts';
import { durationText, isDuration, SERIN_API } from '../release.ts';

export interface CanaryContext {
  readonly name: string;
  readonly namespace: string | undefined;
  /** `targetRef.name`, the apex Service, and what Flagger's queries may name beside. */
  readonly target: string;
  readonly service: string;
  readonly ingress: string;
  readonly route: string;
  readonly intervalMs: number;
  readonly threshold: number;
  readonly metricsServer: string | undefined;
}

interface Template {
  /** Undefined: its provider is not one Serin asks. */
  readonly provider: Readonly<Record<string, unknown>> | undefined;
  /** Names that the query is filled in with, beside those that Serin fills in itself. */
  readonly args: readonly string[];
}

export type Templates = ReadonlyMap<string, Template>;

const DEFAULT_WINDOW = '1m';

/** In Serin's words: what is the same stays, the rest is an argument. */
const SAME_NAMES: ReadonlySet<string> = new Set(['name', 'namespace']);

export function readTemplates(documents: readonly ForeignDocument[]): Templates {
  const found = new Map<string, Template>();
  for (const document of documents) {
    if (document.kind !== 'MetricTemplate' || document.group !== 'flagger.app') continue;
    ignoreHead(document);
    for (const [, annotation] of document.root.at('metadata', 'annotations').entries()) annotation.ignore();
    const spec = document.root.at('spec');
    const args = new Set<string>();
    const query = translateQuery(spec.at('query').text() ?? '', args);
    found.set(`${document.namespace ?? 'default'}/${document.name}`, { provider: providerOf(spec.at('provider'), query), args: [...args] });
  }
  return found;
}

/** `{{ interval }}` is Flagger's window of the query, which here is an argument of its own: `{{interval}}` is how often a metric is measured. */
function translateQuery(query: string, args: Set<string>): string {
  return query.replace(/\{\{-?\s*(?<name>[A-Za-z0-9_.]+)\s*-?\}\}/g, (_whole, name: string) => {
    if (SAME_NAMES.has(name)) return `{{${name}}}`;
    const own = name === 'interval' ? 'window' : name.replace(/^variables\./, '').replaceAll('.', '-');
    args.add(own);
    return `{{args.${own}}}`;
  });
}

function providerOf(provider: Field, query: string): Readonly<Record<string, unknown>> | undefined {
  const type = provider.at('type').text() ?? 'prometheus';
  const address = provider.at('address').text();
  for (const [key, why] of [
    ['secretRef', 'Secrets are not read; write bearerToken: { file: PATH }, or headers, into the provider'],
    ['insecureSkipVerify', 'certificates are always verified; name the CA in NODE_EXTRA_CA_CERTS where Serin is started'],
    ['region', 'no provider here has one'],
  ] as const)
    provider.at(key).noEquivalent(why);
  const headers = provider
    .at('headers')
    .entries()
    .flatMap(([key, values]) => (Array.isArray(values.peek()) ? values.texts() : [values.text() ?? '']).map((value) => ({ key, value })));
  if (type === 'prometheus' && address !== undefined && query.trim() !== '')
    return { prometheus: defined({ address, query, headers: headers.length === 0 ? undefined : headers }) };
  provider
    .at('type')
    .noEquivalent(
      type === 'prometheus'
        ? 'Prometheus needs an address and a query; the template is left out'
        : `${type} is not asked by itself; the template is left out`,
      'ask its HTTP API with provider: { web: … }, or run a program with provider: { command: … }',
    );
  return undefined;
}

export interface Checks {
  readonly analysis: Readonly<Record<string, unknown>>;
  readonly webhooks: readonly object[];
  /** Templates that are used, in the namespace of the Canary. */
  readonly used: ReadonlyMap<string, Output>;
}

export function checksOf(analysis: Field, context: CanaryContext, templates: Templates): Checks {
  const used = new Map<string, Output>();
  const names = new Set<string>();
  const limits: Record<string, number> = {};
  const metrics = analysis
    .at('metrics')
    .items()
    .flatMap((metric) => {
      const name = metric.at('name').text() ?? 'metric';
      const window = metric.at('interval').text() ?? DEFAULT_WINDOW;
      const range = rangeOf(metric);
      if (!metric.at('templateRef').isThere && !metric.at('query').isThere) {
        builtIn(name, metric, range, limits);
        return [];
      }
      if (range === undefined) {
        metric.noEquivalent('the metric has no thresholdRange, so no answer could fail; it is left out');
        return [];
      }
      const common = {
        name: labelOf(name, names),
        interval: durationText(context.intervalMs),
        thresholdRange: range,
        failureLimit: Math.max(0, context.threshold - 1),
      };
      const query = metric.at('query').text();
      return query === undefined
        ? templated(metric, common, window, context, templates, used)
        : own(metric, common, query, window, context);
    });
  return {
    analysis: { ...limits, ...(metrics.length === 0 ? {} : { metrics }) },
    webhooks: webhooksOf(analysis.at('webhooks'), context),
    used,
  };
}

function rangeOf(metric: Field): Readonly<Record<string, unknown>> | undefined {
  const range = metric.at('thresholdRange');
  const min = range.at('min').number();
  const max = range.at('max').number();
  const threshold = metric.at('threshold').number();
  if (min !== undefined || max !== undefined) return defined({ min, max });
  return threshold === undefined ? undefined : { max: threshold };
}

/** Serin judges success and latency of every request itself, against stable at the same time: there is no absolute threshold to map. */
function builtIn(name: string, metric: Field, range: Readonly<Record<string, unknown>> | undefined, limits: Record<string, number>): void {
  metric.at('templateVariables').ignore();
  const bound = Number(range?.['min'] ?? range?.['max'] ?? Number.NaN);
  if (name === 'request-success-rate') {
    const budget = Math.round((100 - bound) * 100) / 10_000;
    if (budget > 0 && budget < 1) {
      limits['errorBudget'] = budget;
      // What is tolerated has to be less than what is ruled out.
      if (budget <= 0.001) limits['errorTolerance'] = budget / 5;
    }
    metric.differs(
      `success of the canary is compared with stable's at the same time, by statistics, instead of with ${bound} %: errorBudget ${limits['errorBudget'] ?? 0.005} is how much worse it may be`,
      'docs/analysis.md says how',
    );
  } else if (name === 'request-duration') {
    metric.differs(
      `latency of the canary is compared with stable's at the same time instead of with ${bound} ms: latencyBudget is by which factor it may be slower`,
      'for an absolute limit add a metric with a query of your own',
    );
  } else metric.noEquivalent(`${name} is no metric that is built in; it is left out`, 'write a MetricTemplate');
}

type Common = Readonly<Record<string, unknown>>;

function templated(
  metric: Field,
  common: Common,
  window: string,
  context: CanaryContext,
  templates: Templates,
  used: Map<string, Output>,
): readonly object[] {
  const reference = metric.at('templateRef');
  const name = reference.at('name').text() ?? '';
  const namespace = reference.at('namespace').text() ?? context.namespace ?? 'default';
  for (const key of ['apiVersion', 'kind']) reference.at(key).ignore();
  const variables = new Map(
    metric
      .at('templateVariables')
      .entries()
      .map(([key, field]) => [key.replaceAll('.', '-'), field.word() ?? '']),
  );
  const template = templates.get(`${namespace}/${name}`);
  if (template === undefined) {
    reference.missing(`MetricTemplate ${namespace}/${name} is not in the files given; the metric is left out`, 'give its file too');
    return [];
  }
  // Said at the template.
  if (template.provider === undefined) return [];
  const label = labelOf(name);
  used.set(`${context.namespace ?? ''}/${label}`, {
    document: {
      ...head(SERIN_API, 'MetricTemplate', label, context.namespace),
      spec: {
        ...(template.args.length === 0 ? {} : { args: template.args.map((argument) => ({ name: argument })) }),
        thresholdRange: common['thresholdRange'],
        provider: template.provider,
      },
    },
  });
  const values = valuesOf(context, window);
  const args = template.args.map((argument) => ({ name: argument, value: variables.get(argument) ?? values[argument] ?? '' }));
  return [{ ...common, template: label, ...(args.length === 0 ? {} : { args }) }];
}

function valuesOf({ target, service, ingress, route }: CanaryContext, window: string): Readonly<Record<string, string>> {
  return { target, service, ingress, route, window };
}

/** The deprecated form: a query in the Canary itself. */
function own(metric: Field, common: Common, query: string, window: string, context: CanaryContext): readonly object[] {
  if (context.metricsServer === undefined) {
    metric
      .at('query')
      .missing('which server to ask is a flag of Flagger, not in the files; the metric is left out', 'write spec.metricsServer');
    return [];
  }
  const names = new Set<string>();
  const text = translateQuery(query, names);
  const values = valuesOf(context, window);
  const args = [...names].map((name) => ({ name, value: values[name] ?? '' }));
  return [{ ...common, ...(args.length === 0 ? {} : { args }), provider: { prometheus: { address: context.metricsServer, query: text } } }];
}

const TYPES: ReadonlySet<string> = new Set([
  'confirm-rollout',
  'pre-rollout',
  'rollout',
  'confirm-traffic-increase',
  'confirm-promotion',
  'rollback',
  'post-rollout',
  'event',
]);
const TOLD_ONCE: ReadonlySet<string> = new Set(['post-rollout', 'event']);
const CAN_FAIL: ReadonlySet<string> = new Set(['pre-rollout', 'rollout']);

function webhooksOf(webhooks: Field, { intervalMs, threshold }: CanaryContext): readonly object[] {
  const names = new Set<string>();
  return webhooks.items().flatMap((webhook) => {
    const type = webhook.at('type').text() || 'rollout';
    const name = labelOf(webhook.at('name').text() ?? type, names);
    const url = webhook.at('url').text();
    const timeout = webhook.at('timeout').text();
    const metadata = Object.fromEntries(
      webhook
        .at('metadata')
        .entries()
        .map(([key, field]) => [key, field.word() ?? '']),
    );
    webhook.at('retries').noEquivalent('a webhook is sent at most once for each question; gates are asked again after interval');
    webhook.at('disableTLS').noEquivalent('certificates are always verified', 'name the CA in NODE_EXTRA_CA_CERTS where Serin is started');
    webhook.at('muteAlert').ignore();
    if (url === undefined || !TYPES.has(type)) {
      webhook.noEquivalent(`webhook ${name} has ${url === undefined ? 'no url' : `the unknown type ${type}`}; it is left out`);
      return [];
    }
    return [
      defined({
        name,
        type,
        url,
        timeout: timeout !== undefined && isDuration(timeout) ? timeout : undefined,
        interval: TOLD_ONCE.has(type) ? undefined : durationText(intervalMs),
        failureLimit: CAN_FAIL.has(type) && threshold > 1 ? threshold - 1 : undefined,
        metadata: Object.keys(metadata).length === 0 ? undefined : metadata,
      }),
    ];
  });
}
