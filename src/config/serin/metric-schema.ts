/** The shapes of a MetricTemplate, of a Rollout's metrics and of its webhooks; and what becomes of Argo's and Flagger's other words. */
import { z } from 'zod';
import { bool, foreign, optional, text } from '../istio/fields.ts';
import { WEBHOOK_TYPES } from './metric-spec.ts';

export const envValue = z.union([text, z.strictObject({ file: text })], {
  error: 'expected a text, or { file: PATH } for the content of a file',
});

export const httpFields = {
  headers: optional(z.array(foreign(z.strictObject({ key: text, value: envValue }), { name: 'the word is key, as in Argo Rollouts' }))),
  bearerToken: optional(envValue),
};

export const VERIFIED = 'certificates are always verified; name the CA in NODE_EXTRA_CA_CERTS where Serin is started';
const TIMEOUT = 'write timeout: 5s';

const prometheus = foreign(z.strictObject({ address: text, query: text, timeout: optional(text), ...httpFields }), {
  insecure: VERIFIED,
  rangeQuery: 'Serin asks for one instant; put the range into the query, as in avg_over_time(…[5m:1m])',
  authentication: 'OAuth 2 and AWS SigV4 are not spoken; use bearerToken or headers',
  timeoutSeconds: TIMEOUT,
});

const web = foreign(
  z.strictObject({
    url: text,
    method: optional(z.enum(['GET', 'POST', 'PUT'])),
    jsonPath: optional(text),
    body: optional(text),
    jsonBody: optional(z.unknown()),
    timeout: optional(text),
    ...httpFields,
  }),
  {
    insecure: VERIFIED,
    authentication: 'OAuth 2 and AWS SigV4 are not spoken; use bearerToken or headers',
    timeoutSeconds: TIMEOUT,
  },
);

/** A text gets past the shape, so that it is refused for what it is: a line for a shell. */
const words = z.custom<readonly string[]>(
  (value) => typeof value === 'string' || (Array.isArray(value) && value.length > 0 && value.every((word) => typeof word === 'string')),
  { error: 'expected a list of texts: program and arguments' },
);

const command = z.strictObject({
  command: words,
  env: optional(z.record(z.string(), envValue)),
  timeout: optional(text),
});

const OTHER_PROVIDERS = [
  'kayenta',
  'datadog',
  'wavefront',
  'newRelic',
  'cloudWatch',
  'graphite',
  'influxdb',
  'skywalking',
  'stackdriver',
  'dynatrace',
  'splunk',
  'keptn',
];

const provider = foreign(z.strictObject({ prometheus: optional(prometheus), web: optional(web), command: optional(command) }), {
  ...Object.fromEntries(OTHER_PROVIDERS.map((name) => [name, 'not built in; ask its HTTP API with web, or run a command'])),
  job: 'there are no Kubernetes Jobs here; use command, which succeeds with exit code 0',
  plugin: 'there are no plugins; use command',
  type: 'the provider is the key: provider: { prometheus: { address, query } }',
  address: 'write provider: { prometheus: { address, query } }',
  secretRef: 'use bearerToken: { file: PATH } of the provider',
  headers: 'they belong to the provider: prometheus: { headers }',
});

const limit = z.number().int().min(-1);

const metricFields = {
  interval: optional(text),
  initialDelay: optional(text),
  count: optional(z.number().int()),
  successCondition: optional(text),
  failureCondition: optional(text),
  thresholdRange: optional(z.strictObject({ min: optional(z.number()), max: optional(z.number()) })),
  failureLimit: optional(limit),
  inconclusiveLimit: optional(limit),
  consecutiveErrorLimit: optional(limit),
  consecutiveSuccessLimit: optional(z.number().int().min(0)),
};

const VALUE_FROM = 'values come from the files; a secret is for the provider to read: bearerToken, headers or env, each { file: PATH }';

export const metricTemplateSchema = foreign(
  z.strictObject({
    args: optional(z.array(foreign(z.strictObject({ name: text, value: optional(text) }), { valueFrom: VALUE_FROM }))),
    ...metricFields,
    provider,
  }),
  {
    metrics: 'a MetricTemplate is one metric; write a template for each',
    templates: 'a Rollout lists the templates it uses: analysis: { metrics: [{ template: NAME }] }',
    dryRun: 'say it where the template is used: metrics: [{ template: NAME, dryRun: true }]',
    measurementRetention: 'the last ten measurements are kept',
    query: 'it belongs to the provider: provider: { prometheus: { address, query } }',
  },
);

export const metricUseSchema = foreign(
  z.strictObject({
    name: optional(text),
    template: optional(text),
    provider: optional(provider),
    args: optional(z.array(foreign(z.strictObject({ name: text, value: text }), { valueFrom: VALUE_FROM }))),
    dryRun: optional(bool),
    ...metricFields,
  }),
  {
    templateRef: 'write template: NAME; it is in the namespace of the Rollout',
    templateName: 'write template: NAME',
    templateVariables: 'write args: [{ name, value }]',
    threshold: 'write thresholdRange: { max: … }',
    query: 'write provider: { prometheus: { address, query } }',
  },
);

export const webhookSchema = foreign(
  z.strictObject({
    name: text,
    type: z.enum(WEBHOOK_TYPES),
    url: text,
    timeout: optional(text),
    interval: optional(text),
    failureLimit: optional(z.number().int().min(0)),
    successCondition: optional(text),
    metadata: optional(z.record(z.string(), text)),
    secret: optional(envValue),
    ...httpFields,
  }),
  {
    retries: 'a webhook is sent at most once for each question; gates are asked again after interval',
    disableTLS: VERIFIED,
    muteAlert: 'there are no alerts to mute',
  },
);
