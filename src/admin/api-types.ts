/**
 * What goes over the admin API under /api/v1, as schemas: the server validates requests with them and clients validate answers.
 *
 *     GET    /api/v1/resources/{kind}[?namespace=NS]      List of what is in force, overlay applied
 *     GET    /api/v1/resources/{kind}/{namespace}/{name}  one of them
 *     GET    /api/v1/listeners, /clusters, /endpoints     List of what was compiled from them
 *     GET    /api/v1/processes                            List of what Serin runs
 *     POST   /api/v1/explain                              ExplainRequest -> ExplainResult
 *     GET    /api/v1/shifts                               {items: Shift[]}
 *     PUT    /api/v1/shifts/{namespace}/{host}            ShiftRequest -> ShiftResult, after it is durable and in force
 *     DELETE /api/v1/shifts/{namespace}/{host}            ShiftResult
 *     GET    /api/v1/rollouts[?namespace=NS]              List of Rollouts with their status
 *     GET    /api/v1/rollouts/{namespace}/{name}          one of them; ETag is its revision
 *     POST   /api/v1/rollouts/{namespace}/{name}/{verb}   RolloutRequest -> the Rollout, after the change is durable and in force.
 *                                                         start, promote, pause, resume, abort, retry, undo; If-Match and Idempotency-Key
 */
import { z } from 'zod';

const Metadata = z.looseObject({ name: z.string(), namespace: z.string().optional() });

/** A resource as Kubernetes prints one; `spec` and `status` have the shape of their kind. */
export const ApiObject = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: Metadata,
  spec: z.record(z.string(), z.unknown()).optional(),
  status: z.record(z.string(), z.unknown()).optional(),
});
export type ApiObject = z.infer<typeof ApiObject>;

export const ApiList = z.object({ apiVersion: z.literal('v1'), kind: z.literal('List'), items: z.array(ApiObject) });
export type ApiList = z.infer<typeof ApiList>;

/** As `checkShift` takes them; relative, they need not add up to 100. */
export const MAX_WEIGHT = 1_000_000;
const Weight = z
  .int({ error: 'expected a whole number' })
  .min(0, { error: 'must be >= 0' })
  .max(MAX_WEIGHT, { error: `must be <= ${MAX_WEIGHT}` });

/** Subset name to weight. */
export const Weights = z.record(z.string().min(1).max(253), Weight);
export type Weights = z.infer<typeof Weights>;

export const ShiftRequest = z.strictObject({ weights: Weights });

export const Shift = z.object({ host: z.string(), weights: Weights });
export type Shift = z.infer<typeof Shift>;

export const ShiftResult = z.object({
  /** The long name of the service. */
  host: z.string(),
  /** Weights by subset before and after; empty where no rule splits by subset. */
  before: z.record(z.string(), z.number()),
  after: z.record(z.string(), z.number()),
  /** Version of the routing table in force from now on. */
  version: z.string(),
  /** Worth knowing, nothing wrong. */
  warnings: z.array(z.string()),
});
export type ShiftResult = z.infer<typeof ShiftResult>;

export const ExplainRequest = z.strictObject({
  url: z.string().min(1).max(65536),
  method: z.string().min(1).max(32).default('GET'),
  /** In order; a name may stand several times. */
  headers: z
    .array(z.tuple([z.string().min(1).max(256), z.string().max(65536)]))
    .max(128)
    .default([]),
  listener: z.string().min(1).max(512).optional(),
});
export type ExplainRequest = z.input<typeof ExplainRequest>;

export const RolloutRequest = z.strictObject({
  /** With `start`: the version to release, where it is not the one the Rollout names. */
  to: z.string().min(1).max(63).optional(),
  /** With `start`, where there is no Rollout: the version that serves. */
  from: z.string().min(1).max(63).optional(),
  /** With `promote`: skip what is left. */
  full: z.boolean().optional(),
});
export type RolloutRequest = z.infer<typeof RolloutRequest>;
