/**
 * What goes over the admin API under /api/v1, as schemas: the server validates requests with them and clients validate answers. Which
 * operation takes and answers what: operations/, and /openapi.json of a running Serin.
 */
import { z } from 'zod';
import { SCOPES } from './access.ts';

const Metadata = z.looseObject({ name: z.string(), namespace: z.string().optional() });

/** A resource as Kubernetes prints one; `spec` and `status` have the shape of their kind. */
export const ApiObject = z
  .looseObject({
    apiVersion: z.string(),
    kind: z.string(),
    metadata: Metadata,
    spec: z.record(z.string(), z.unknown()).optional(),
    status: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: 'ApiObject' });
export type ApiObject = z.infer<typeof ApiObject>;

export const ApiList = z
  .object({ apiVersion: z.literal('v1'), kind: z.literal('List'), items: z.array(ApiObject) })
  .meta({ id: 'ApiList' });
export type ApiList = z.infer<typeof ApiList>;

/** As `checkShift` takes them; relative, they need not add up to 100. */
export const MAX_WEIGHT = 1_000_000;
const Weight = z
  .int({ error: 'expected a whole number' })
  .min(0, { error: 'must be >= 0' })
  .max(MAX_WEIGHT, { error: `must be <= ${MAX_WEIGHT}` });

/** Name of a subset or Service to weight. */
export const Weights = z.record(z.string().min(1).max(253), Weight).meta({ id: 'Weights' });
export type Weights = z.infer<typeof Weights>;

/** Why, in the words of whoever asks: for the record. */
export const Reason = z.string().trim().min(1).max(500).optional();

export const ShiftRequest = z.strictObject({ weights: Weights, reason: Reason }).meta({ id: 'ShiftRequest' });

export const Shift = z.object({ host: z.string(), weights: Weights }).meta({ id: 'Shift' });
export type Shift = z.infer<typeof Shift>;

export const ShiftList = z.object({ items: z.array(Shift) }).meta({ id: 'ShiftList' });

export const ShiftResult = z
  .object({
    /** The long name of the service; of a route `httproute/NAMESPACE/NAME`. */
    host: z.string(),
    /** Weights by subset, of a route by Service, before and after; empty where no rule splits. */
    before: z.record(z.string(), z.number()),
    after: z.record(z.string(), z.number()),
    /** Version of the routing table in force from now on. */
    version: z.string(),
    /** Worth knowing, nothing wrong. */
    warnings: z.array(z.string()),
  })
  .meta({ id: 'ShiftResult' });
export type ShiftResult = z.infer<typeof ShiftResult>;

export const ExplainRequest = z
  .strictObject({
    url: z.string().min(1).max(65536),
    method: z.string().min(1).max(32).default('GET'),
    /** In order; a name may stand several times. */
    headers: z
      .array(z.tuple([z.string().min(1).max(256), z.string().max(65536)]))
      .max(128)
      .default([]),
    listener: z.string().min(1).max(512).optional(),
  })
  .meta({ id: 'ExplainRequest' });
export type ExplainRequest = z.input<typeof ExplainRequest>;

/** The rest of `explanation` is `Explanation` of routing/explanation.ts. */
export const ExplainResult = z
  .object({
    /** In the order in which they were asked. */
    considered: z.array(z.object({ listener: z.string(), servesHost: z.boolean() })),
    explanation: z.looseObject({
      listener: z.string(),
      outcome: z.enum(['forward', 'redirect', 'directResponse', 'noListener', 'noVirtualHost', 'noRoute']),
    }),
    /** The same for people. */
    text: z.string(),
  })
  .meta({ id: 'ExplainResult' });
export type ExplainResult = z.infer<typeof ExplainResult>;

export const DiffRequest = z
  .strictObject({
    /** What the configuration is to be, whole. `file` is what diagnostics call it and where relative paths in it begin. */
    sources: z
      .array(z.strictObject({ file: z.string().min(1).max(4096), content: z.string() }))
      .min(1)
      .max(10_000),
  })
  .meta({ id: 'DiffRequest' });
export type DiffRequest = z.infer<typeof DiffRequest>;

const Change = z.enum(['added', 'removed', 'changed']);

/** One side of a difference between resources. What a Secret holds is `***`, with `(before)` and `(after)` where it differs. */
const ResourceSide = z
  .object({
    /** `reviews.yaml:12`; empty where the overlay has made it. */
    origin: z.string(),
    object: ApiObject,
  })
  .meta({ id: 'ResourceSide' });

const ResourceChange = z
  .object({
    change: Change,
    kind: z.string(),
    namespace: z.string(),
    name: z.string(),
    /** Absent where it is added. */
    before: ResourceSide.optional(),
    /** Absent where it is removed. */
    after: ResourceSide.optional(),
  })
  .meta({ id: 'ResourceChange' });
export type ResourceChange = z.infer<typeof ResourceChange>;

/** `by` is `shift` or `rollout NS/NAME`. */
const OverlayChange = ResourceChange.extend({ by: z.string() }).meta({ id: 'OverlayChange' });

/** A difference between compiled tables, in the words of explain. */
const RoutingChange = z
  .object({
    /** `order`: the same routes, looked at in another order; `connections`: a rule for whole connections. */
    part: z.enum(['listener', 'host', 'route', 'order', 'connections', 'cluster']),
    change: Change,
    /** Empty for a cluster. */
    listener: z.string(),
    /** Virtual host; empty where it is about none. */
    host: z.string(),
    /** Which requests a route takes, a line a block; of a cluster its name. */
    name: z.array(z.string()),
    before: z.array(z.string()),
    after: z.array(z.string()),
  })
  .meta({ id: 'RoutingChange' });
export type RoutingChange = z.infer<typeof RoutingChange>;

export const DiffResult = z
  .object({
    /** Of the routing table in force. */
    version: z.string(),
    /** From the files in force to those given; the overlay has no part in it. */
    resources: z.array(ResourceChange),
    /** What the overlay would make of the files given: `before` is as they say, `after` as it would be in force. */
    overlay: z.array(OverlayChange),
    /** From what is in force to what would be, the overlay applied to both. */
    routing: z.array(RoutingChange),
    /** Diagnostics that are not there now, as text. */
    warnings: z.array(z.string()),
  })
  .meta({ id: 'DiffResult' });
export type DiffResult = z.infer<typeof DiffResult>;

const subset = z.string().min(1).max(63);

export const RolloutRequest = z
  .strictObject({
    /**
     * With `start`: the version or versions to release, where they are not those the Rollout names. With `promote`: which of several goes on alone.
     */
    to: z
      .union([subset, z.array(subset).min(1).max(8)])
      .refine((to) => typeof to === 'string' || new Set(to).size === to.length, { error: 'a version stands twice' })
      .optional(),
    /** With `start`, where there is no Rollout: the version that serves. */
    from: subset.optional(),
    /** With `promote`: skip what is left. With `abort` and `undo`: everybody at once, also where stable is cold. */
    full: z.boolean().optional(),
    reason: Reason,
  })
  .meta({ id: 'RolloutRequest' });
export type RolloutRequest = z.infer<typeof RolloutRequest>;

/** A month: who needs longer asks again. */
export const MAX_PREVIEW_SECONDS = 31 * 86_400;
const PREVIEW_SECONDS = 8 * 3600;

export const PreviewRequest = z
  .strictObject({
    /** Subset; default the first that is released. */
    to: z.string().min(1).max(63).optional(),
    expiresInSeconds: z.int().min(1).max(MAX_PREVIEW_SECONDS).default(PREVIEW_SECONDS),
  })
  .meta({ id: 'PreviewRequest' });
export type PreviewRequest = z.infer<typeof PreviewRequest>;

export const Preview = z
  .object({
    /** `namespace/name`. */
    rollout: z.string(),
    to: z.string(),
    /** RFC 3339; the end of the run is earlier, perhaps. */
    expiresAt: z.string(),
    token: z.string(),
    /** To be added to any address of the service: `serin-preview=TOKEN`. */
    query: z.string(),
    /** For programs: `x-serin-preview: TOKEN`. */
    header: z.string(),
  })
  .meta({ id: 'Preview' });
export type Preview = z.infer<typeof Preview>;

/** Ten years: longer is for ever. */
export const MAX_TOKEN_SECONDS = 10 * 366 * 86_400;

export const TokenRequest = z
  .strictObject({
    name: z.string().min(1).max(63),
    scope: z.enum(SCOPES).default('read'),
    /** Absent: until it is revoked. */
    expiresInSeconds: z.int().min(1).max(MAX_TOKEN_SECONDS).optional(),
  })
  .meta({ id: 'TokenRequest' });
export type TokenRequest = z.infer<typeof TokenRequest>;

/** Instants are RFC 3339. */
export const Token = z
  .object({
    name: z.string(),
    scope: z.enum(SCOPES),
    createdAt: z.string(),
    /** Name of the token it was made with. */
    createdBy: z.string(),
    expiresAt: z.string().optional(),
    isExpired: z.boolean(),
    /** To the minute. */
    lastUsedAt: z.string().optional(),
  })
  .meta({ id: 'Token' });
export type Token = z.infer<typeof Token>;

export const NewToken = Token.extend({ token: z.string() }).meta({ id: 'NewToken' });
export type NewToken = z.infer<typeof NewToken>;

export const TokenList = z.object({ items: z.array(Token) }).meta({ id: 'TokenList' });
