/**
 * The shape of the short form. What stands for several things (a version as a URL, a list or a mapping; a match as a text or a StringMatch) is
 * `unknown` here and taken apart in short-form.ts, so that each mistake gets words of its own.
 */
import { z } from 'zod';
import { healthCheckSchema } from './health-check.ts';
import { envSchema, MAX_INSTANCES, readySchema } from './run.ts';
import { shortRolloutSchema } from './serin/rollout-schema.ts';

const optional = z.exactOptional;

export const shortFormSchema = z.strictObject({ services: z.record(z.string(), z.unknown()) });

export const serviceSchema = z.strictObject({
  /** Where callers address the service; default 80. */
  port: optional(z.int()),
  /** What its versions speak; default HTTP, which is HTTP/1.1. */
  protocol: optional(z.enum(['HTTP', 'HTTP2', 'GRPC'])),
  namespace: optional(z.string()),
  versions: z.record(z.string(), z.unknown()),
  routes: optional(z.array(z.unknown())),
  loadBalancer: optional(z.enum(['ROUND_ROBIN', 'LEAST_REQUEST', 'RANDOM'])),
  healthCheck: optional(healthCheckSchema),
  rollout: optional(shortRolloutSchema),
});

export const versionSchema = z.strictObject({
  url: optional(z.string()),
  urls: optional(z.array(z.string())),
  /** Share of the version's endpoints when the service is balanced as a whole, as WorkloadEntry.weight. */
  weight: optional(z.int().min(1)),
  /** A command that Serin starts, as a text or a list of words; the next four belong to it (`RunSpec`). */
  run: optional(z.unknown()),
  env: optional(envSchema),
  instances: optional(z.int().min(1).max(MAX_INSTANCES)),
  /** A text is the path. */
  ready: optional(z.union([z.string(), readySchema], { error: 'expected a path, or { path, timeout }' })),
  stopTimeout: optional(z.string()),
});

export const routeSchema = z.strictObject({
  name: optional(z.string()),
  match: optional(z.unknown()),
  to: optional(z.string()),
  split: optional(z.record(z.string(), z.int())),
  timeout: optional(z.string()),
});

export const matchSchema = z.strictObject({
  /** Same as `uri`. */
  path: optional(z.unknown()),
  uri: optional(z.unknown()),
  method: optional(z.unknown()),
  headers: optional(z.record(z.string(), z.unknown())),
  queryParams: optional(z.record(z.string(), z.unknown())),
});

export type ShortVersion = z.infer<typeof versionSchema>;
export type ShortService = z.infer<typeof serviceSchema>;
export type ShortRoute = z.infer<typeof routeSchema>;
export type ShortMatch = z.infer<typeof matchSchema>;
