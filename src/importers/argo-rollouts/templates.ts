/** AnalysisTemplates and ClusterAnalysisTemplates: a MetricTemplate for each of their metrics, and what Rollouts use of them. */
import { ignoreHead, type ForeignDocument } from '../document.ts';
import { head, labelOf, type Output } from '../emit.ts';
import type { Field } from '../field.ts';
import { SERIN_API } from '../release.ts';
import { metricOf } from './metric.ts';

interface Metric {
  /** Of the MetricTemplate. */
  readonly label: string;
  readonly spec: Readonly<Record<string, unknown>>;
  readonly args: readonly string[];
  readonly isDryRun: boolean;
}

interface Template {
  readonly namespace: string | undefined;
  readonly metrics: readonly Metric[];
  /** Default values of arguments. */
  readonly defaults: ReadonlyMap<string, string>;
  /** Keys of other templates. */
  readonly templates: readonly string[];
}

export interface MetricUse {
  readonly name: string;
  readonly template: string;
  readonly args?: readonly { readonly name: string; readonly value: string }[];
  readonly dryRun?: boolean;
}

/** `cluster/NAME`, or `NAMESPACE/NAME`. */
function keyOf(name: string, isCluster: boolean, namespace: string | undefined): string {
  return isCluster ? `cluster//${name}` : `${namespace ?? 'default'}/${name}`;
}

export class Templates {
  readonly #all = new Map<string, Template>();
  /** Written already, by namespace and label. */
  readonly #written = new Map<string, Output>();
  readonly #used = new Set<string>();

  constructor(documents: readonly ForeignDocument[]) {
    for (const document of documents) {
      const { group, kind, name, namespace } = document;
      if (group !== 'argoproj.io' || (kind !== 'AnalysisTemplate' && kind !== 'ClusterAnalysisTemplate')) continue;
      this.#all.set(keyOf(name, kind === 'ClusterAnalysisTemplate', namespace), readTemplate(document));
    }
  }

  /** What an `analysis` of a Rollout measures. @param names Of the Rollout's metrics; gets those of these. */
  use(
    analysis: Field,
    namespace: string | undefined,
    valueOf: (argument: Field) => string | undefined,
    names: Set<string>,
  ): readonly MetricUse[] {
    const given = new Map<string, string>();
    for (const argument of analysis.at('args').items()) {
      const name = argument.at('name').text();
      const value = valueOf(argument);
      if (name !== undefined && value !== undefined) given.set(name, value);
    }
    const isDryRun = dryRunOf(analysis.at('dryRun'));
    return analysis
      .at('templates')
      .items()
      .flatMap((reference) => {
        const key = keyOf(reference.at('templateName').text() ?? '', reference.at('clusterScope').flag() === true, namespace);
        return this.#expand(key, reference, new Set()).flatMap(({ metric, defaults }) => {
          const args = metric.args.map((name) => ({ name, value: given.get(name) ?? defaults.get(name) }));
          const lacking = args.find(({ value }) => value === undefined);
          if (lacking !== undefined) {
            reference.missing(
              `argument ${lacking.name} of ${metric.label} has no value that is known here; the metric is left out`,
              'write value: beside the name',
            );
            return [];
          }
          this.#write(metric, namespace);
          return [
            {
              name: labelOf(metric.label, names),
              template: metric.label,
              ...(args.length === 0 ? {} : { args: args.map(({ name, value = '' }) => ({ name, value })) }),
              ...(metric.isDryRun || isDryRun(metric.label) ? { dryRun: true } : {}),
            },
          ];
        });
      });
  }

  /** All that was used, and those that nobody used where they stand themselves. */
  outputs(): readonly Output[] {
    for (const [key, { metrics, namespace }] of this.#all) {
      if (!this.#used.has(key)) for (const metric of metrics) this.#write(metric, namespace);
    }
    return [...this.#written.values()];
  }

  #expand(
    key: string,
    reference: Field,
    seen: Set<string>,
  ): readonly { readonly metric: Metric; readonly defaults: ReadonlyMap<string, string> }[] {
    if (seen.has(key)) return [];
    seen.add(key);
    const template = this.#all.get(key);
    if (template === undefined) {
      reference.missing(
        `${key.startsWith('cluster//') ? 'ClusterAnalysisTemplate' : 'AnalysisTemplate'} ${key.replace('cluster//', '')} is not in the files given; its metrics are left out`,
        'give its file too',
      );
      return [];
    }
    this.#used.add(key);
    const { metrics, defaults, templates } = template;
    return [...metrics.map((metric) => ({ metric, defaults })), ...templates.flatMap((other) => this.#expand(other, reference, seen))];
  }

  #write({ label, spec, args }: Metric, namespace: string | undefined): void {
    this.#written.set(`${namespace ?? ''}/${label}`, {
      document: {
        ...head(SERIN_API, 'MetricTemplate', label, namespace),
        spec: { ...(args.length === 0 ? {} : { args: args.map((name) => ({ name })) }), ...spec },
      },
    });
  }
}

function readTemplate(document: ForeignDocument): Template {
  ignoreHead(document);
  const { root, name, namespace } = document;
  for (const [, annotation] of root.at('metadata', 'annotations').entries()) annotation.ignore();
  const spec = root.at('spec');
  const defaults = new Map<string, string>();
  const secrets = new Map<string, string>();
  for (const argument of spec.at('args').items()) {
    const label = argument.at('name').text() ?? '';
    const value = argument.at('value').word();
    if (value !== undefined) defaults.set(label, value);
    const from = argument.at('valueFrom');
    if (from.at('secretKeyRef').isThere) {
      const variable = label.toUpperCase().replace(/[^A-Z0-9]+/g, '_');
      secrets.set(label, variable);
      from.noEquivalent(
        `Secrets are not read: set ${variable} where Serin is started to the value of it`,
        'or write { file: PATH } where the argument stands',
      );
    } else from.noEquivalent('the value cannot be looked up; a Rollout has to give it');
  }
  const isDryRun = dryRunOf(spec.at('dryRun'));
  spec.at('measurementRetention').noEquivalent('the last ten measurements are kept');
  const metrics = spec.at('metrics').items();
  return {
    namespace,
    defaults,
    templates: spec
      .at('templates')
      .items()
      .map((other) => keyOf(other.at('templateName').text() ?? '', other.at('clusterScope').flag() === true, namespace)),
    metrics: metrics.flatMap((field) => {
      const metric = metricOf(field, secrets);
      if (metric === undefined) return [];
      const label = labelOf(metrics.length === 1 ? name : `${name}-${metric.name}`);
      return [{ label, spec: metric.spec, args: metric.args, isDryRun: isDryRun(metric.name) }];
    }),
  };
}

/** Which metrics are measured and never acted on: expressions that match all of a name. */
function dryRunOf(list: Field): (name: string) => boolean {
  const patterns = list.items().flatMap((item) => item.at('metricName').text() ?? []);
  return (name) => patterns.some((pattern) => pattern === name || pattern === '.*' || name.endsWith(`-${pattern}`));
}
