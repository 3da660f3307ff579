/**
 * `spec` of a MetricTemplate (serin.dev/v1alpha1), and what a Rollout says of metrics and webhooks, as validation has let it through: durations
 * are still the user's text. Words are Argo Rollouts' (Metric of an AnalysisTemplate) and Flagger's (webhooks, thresholdRange) where they fit.
 * `metric-resolve.ts` makes of both what is measured.
 */
import type { EnvValue } from '../resources.ts';

/** What is measured how often, and what its answers mean. Meaning and defaults: rollout/metric-run.ts. */
export interface MetricFields {
  /** Between the starts of two measurements. */
  readonly interval?: string;
  /** From the first request the canary can get to the first measurement. */
  readonly initialDelay?: string;
  /** Measurements in all, those that ended with an error left out; without it (and with an interval) until the release has ended. */
  readonly count?: number;
  /** CEL over `result`; `condition.ts`. */
  readonly successCondition?: string;
  readonly failureCondition?: string;
  /** In the place of conditions: the answer is one number, and within this range. */
  readonly thresholdRange?: ThresholdRange;
  /** So many may fail without harm; -1: any number. */
  readonly failureLimit?: number;
  readonly inconclusiveLimit?: number;
  readonly consecutiveErrorLimit?: number;
  /** So many successes in a row are enough. */
  readonly consecutiveSuccessLimit?: number;
}

export interface ThresholdRange {
  readonly min?: number;
  readonly max?: number;
}

export interface MetricTemplateSpec extends MetricFields {
  /** Values for `{{args.NAME}}`; one without a value has to be given where the template is used. */
  readonly args?: readonly MetricArgument[];
  readonly provider: MetricProvider;
}

export interface MetricArgument {
  readonly name: string;
  readonly value?: string;
}

/** A metric of one Rollout: a template with what is different here, or one of its own. Exactly one of `template` and `provider`. */
export interface MetricUse extends MetricFields {
  /** Default: the template's name. */
  readonly name?: string;
  readonly template?: string;
  readonly provider?: MetricProvider;
  readonly args?: readonly Required<MetricArgument>[];
  /** Measured and shown, never acted on. */
  readonly dryRun?: boolean;
}

/** Exactly one member. */
export interface MetricProvider {
  readonly prometheus?: PrometheusProvider;
  readonly web?: WebProvider;
  readonly command?: CommandProvider;
}

export interface HttpAuth {
  readonly headers?: readonly HttpHeader[];
  /** `Authorization: Bearer …`. */
  readonly bearerToken?: EnvValue;
}

export interface HttpHeader {
  readonly key: string;
  /** As a variable of a process: text with `${NAME}` in it, or the content of a file. */
  readonly value: EnvValue;
}

export interface PrometheusProvider extends HttpAuth {
  /** Of the server: `http://127.0.0.1:9090`. */
  readonly address: string;
  /** PromQL, evaluated at one instant. */
  readonly query: string;
  /** Default `5s`. */
  readonly timeout?: string;
}

export interface WebProvider extends HttpAuth {
  readonly url: string;
  /** Default GET. */
  readonly method?: 'GET' | 'POST' | 'PUT';
  /** RFC 9535, with or without Argo's braces; default `$`, the whole answer. */
  readonly jsonPath?: string;
  /** Sent as it is, and with `jsonBody` as JSON. */
  readonly body?: string;
  readonly jsonBody?: unknown;
  readonly timeout?: string;
}

export interface CommandProvider {
  /** Program and arguments; no shell. */
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, EnvValue>>;
  /** Default `30s`; then it is ended with all it has started. */
  readonly timeout?: string;
}

export const WEBHOOK_TYPES = [
  'confirm-rollout',
  'pre-rollout',
  'rollout',
  'confirm-traffic-increase',
  'confirm-promotion',
  'rollback',
  'post-rollout',
  'event',
] as const;
export type WebhookType = (typeof WEBHOOK_TYPES)[number];

/** Types as Flagger has them; what each does: docs/metrics.md. */
export interface WebhookSpec extends HttpAuth {
  readonly name: string;
  readonly type: WebhookType;
  readonly url: string;
  /** Default `10s`. */
  readonly timeout?: string;
  /** Between two questions; default `10s`. Not of `post-rollout` and `event`, which are told once. */
  readonly interval?: string;
  /** `pre-rollout`, `rollout`: so many answers other than 2xx are borne. Default 0. */
  readonly failureLimit?: number;
  /** Beside a 2xx: CEL over `result`, the JSON of the answer. */
  readonly successCondition?: string;
  /** Handed on in the body. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** The body is signed with it: HMAC-SHA256, header `X-Serin-Signature`. */
  readonly secret?: EnvValue;
}
