/** From a template and what a Rollout says of it to one metric, with every default and every reference filled in. Pure. */
import { createHash } from 'node:crypto';
import { parseDuration } from '../../base/duration.ts';
import { targetOf } from '../release-target.ts';
import type { MetricTemplate, Rollout } from '../resources.ts';
import { fillIn, type ReleaseNames } from './metric-arguments.ts';
import { canariesOf, type RolloutSpec } from './rollout-spec.ts';
import type { MetricFields, MetricProvider, MetricUse, ThresholdRange } from './metric-spec.ts';

/** What is measured, and what follows from it. */
export interface Metric {
  readonly name: string;
  readonly template?: string;
  readonly provider: MetricProvider;
  readonly successCondition?: string;
  readonly failureCondition?: string;
  readonly thresholdRange?: ThresholdRange;
  readonly rules: MetricRules;
  readonly dryRun: boolean;
  /** Of the file it stands in: programs start there, and files with secrets are below it. */
  readonly file: string;
  /** Another one when it is measured or judged otherwise: then what was counted before says nothing. */
  readonly fingerprint: string;
}

/** Names and meanings are Argo Rollouts'. */
export interface MetricRules {
  /** Undefined: measured once. */
  readonly intervalMs?: number;
  readonly initialDelayMs: number;
  /** Undefined: until the release has ended. */
  readonly count?: number;
  /** -1: any number. */
  readonly failureLimit: number;
  readonly inconclusiveLimit: number;
  readonly consecutiveErrorLimit: number;
  /** 0: none. */
  readonly consecutiveSuccessLimit: number;
}

const DEFAULT_CONSECUTIVE_ERROR_LIMIT = 4;
const FIELDS = [
  'interval',
  'initialDelay',
  'count',
  'successCondition',
  'failureCondition',
  'thresholdRange',
  'failureLimit',
  'inconclusiveLimit',
  'consecutiveErrorLimit',
  'consecutiveSuccessLimit',
] as const satisfies readonly (keyof MetricFields)[];

export function metricName({ name, template }: MetricUse): string {
  return name ?? template ?? '';
}

/** The template's fields, each replaced by what the Rollout says. */
export function combined(use: MetricUse, template: MetricFields | undefined): MetricFields {
  const found: Record<string, unknown> = {};
  for (const field of FIELDS) {
    const value = use[field] ?? template?.[field];
    if (value !== undefined) found[field] = value;
  }
  return found;
}

/** Arguments by name: what the Rollout gives, else what the template has. */
export function argumentsOf(use: MetricUse, template: MetricTemplate | undefined): ReadonlyMap<string, string> {
  const given = new Map<string, string>();
  for (const { name, value } of [...(template?.spec.args ?? []), ...(use.args ?? [])]) if (value !== undefined) given.set(name, value);
  return given;
}

/** What the names `{{stable}}` and `{{canary}}` stand for; several canaries are joined by `|`, for `=~` of PromQL. */
export interface MetricVersions {
  readonly stable: string;
  readonly canary: string;
}

/** @param template Of the use's name, in the Rollout's namespace; undefined where the use has a provider of its own. */
export function resolveMetric(
  use: MetricUse,
  template: MetricTemplate | undefined,
  rollout: Rollout,
  versions: MetricVersions = versionsOf(rollout.spec),
): Metric | undefined {
  const raw = use.provider ?? template?.spec.provider;
  if (raw === undefined) return undefined;
  const fields = combined(use, template?.spec);
  const names = releaseNames(rollout, versions, fields.interval);
  const args = argumentsOf(use, template);
  const provider = fillIn(raw, names, args);
  const successCondition = fillIn(fields.successCondition, names, args);
  const failureCondition = fillIn(fields.failureCondition, names, args);
  const { thresholdRange } = fields;
  const rules = rulesOf(fields);
  const fingerprint = createHash('sha256')
    .update(JSON.stringify([provider, successCondition, failureCondition, thresholdRange, rules]))
    .digest('hex')
    .slice(0, 16);
  return {
    name: metricName(use),
    ...(use.template === undefined ? {} : { template: use.template }),
    provider,
    ...(successCondition === undefined ? {} : { successCondition }),
    ...(failureCondition === undefined ? {} : { failureCondition }),
    ...(thresholdRange === undefined ? {} : { thresholdRange }),
    rules,
    dryRun: use.dryRun ?? false,
    file: (template ?? rollout).origin.file,
    fingerprint,
  };
}

function versionsOf(spec: RolloutSpec): MetricVersions {
  return { stable: spec.stable, canary: canariesOf(spec).join('|') };
}

function releaseNames(rollout: Rollout, versions: MetricVersions, interval = '1m'): ReleaseNames {
  const { name, namespace } = rollout.metadata;
  return { name, namespace, host: targetOf(rollout), ...versions, interval };
}

function rulesOf(fields: MetricFields): MetricRules {
  const { interval, initialDelay, count, failureLimit = 0, inconclusiveLimit = 0 } = fields;
  const intervalMs = interval === undefined ? undefined : parseDuration(interval);
  // Measured once, unless there is an interval to measure again by.
  const times = count ?? (intervalMs === undefined ? 1 : undefined);
  return {
    ...(intervalMs === undefined ? {} : { intervalMs }),
    initialDelayMs: initialDelay === undefined ? 0 : (parseDuration(initialDelay) ?? 0),
    ...(times === undefined ? {} : { count: times }),
    failureLimit,
    inconclusiveLimit,
    consecutiveErrorLimit: fields.consecutiveErrorLimit ?? DEFAULT_CONSECUTIVE_ERROR_LIMIT,
    consecutiveSuccessLimit: fields.consecutiveSuccessLimit ?? 0,
  };
}

/** The metrics of a Rollout, in its order. What cannot be resolved was an error. */
export function metricsOf(rollout: Rollout, templates: readonly MetricTemplate[], versions?: MetricVersions): readonly Metric[] {
  return (rollout.spec.analysis?.metrics ?? []).flatMap((use) => {
    const template = use.template === undefined ? undefined : findTemplate(templates, rollout, use.template);
    const metric = resolveMetric(use, template, rollout, versions);
    return metric === undefined ? [] : [metric];
  });
}

export function findTemplate(
  templates: readonly MetricTemplate[],
  { metadata: { namespace } }: Pick<Rollout, 'metadata'>,
  name: string,
): MetricTemplate | undefined {
  return templates.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
}
