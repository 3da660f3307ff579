/** What goes over the admin API about configuration: operations/resources.ts. Instants are RFC 3339. Secrets are `***` everywhere. */
import { z } from 'zod';
import type { Actor } from './access.ts';
import { ApiObject } from './api-types.ts';
import { ApiDiagnostic } from './diagnostic-types.ts';

export const ManifestsRequest = z
  .strictObject({
    /** YAML or JSON, of as many documents as wanted. */
    manifests: z.string().min(1),
  })
  .meta({ id: 'ManifestsRequest' });
export type ManifestsRequest = z.infer<typeof ManifestsRequest>;

/** What goes with a change of resources beside them. */
export interface ApplyTerms {
  readonly by: Actor;
  /** Everything is checked, nothing changed. */
  readonly dryRun: boolean;
  /** Version the configuration has to have, as the If-Match field says it. */
  readonly ifMatch?: string | undefined;
}

const identity = { kind: z.string(), namespace: z.string(), name: z.string() };

export const ApplyResult = z
  .object({
    results: z.array(z.object({ ...identity, result: z.enum(['created', 'configured', 'unchanged', 'deleted']) })),
    /** Warnings that are about what was given, or that were not there before. */
    diagnostics: z.array(ApiDiagnostic),
    /** Of the configuration from now on; with `dryRun` of what it would be. */
    version: z.string(),
  })
  .meta({ id: 'ApplyResult' });
export type ApplyResult = z.infer<typeof ApplyResult>;

export const ManifestsDiff = z
  .object({
    items: z.array(
      z.object({
        ...identity,
        change: z.enum(['added', 'changed', 'removed']),
        /** Unified, of normalised YAML; what is in force against what is given. */
        diff: z.string(),
      }),
    ),
  })
  .meta({ id: 'ManifestsDiff' });
export type ManifestsDiff = z.infer<typeof ManifestsDiff>;

const Origin = z
  .union([
    z.object({ api: z.literal(true), by: z.string(), at: z.string() }),
    z.object({ overlay: z.literal(true), by: z.string() }),
    z.object({ file: z.string(), line: z.number() }),
  ])
  .meta({ id: 'Origin' });
export type Origin = z.infer<typeof Origin>;

export const Configuration = z
  .object({
    version: z.string(),
    /** Since when. */
    at: z.string(),
    /** Whether the files that were read last are in force, and when they were read. */
    reload: z.object({ successful: z.boolean(), at: z.string() }),
    /** Of what is in force. */
    diagnostics: z.array(ApiDiagnostic),
    /** The last change of the files that was refused, while no good one has followed. */
    refused: z.object({ at: z.string(), diagnostics: z.array(ApiDiagnostic) }).nullable(),
    resources: z.array(
      z.object({
        /** Plural as in paths, with the group where two kinds have the same. */
        kind: z.string(),
        /** `networking.istio.io/v1 VirtualService`, as `apiVersion kind`. */
        apiKind: z.string(),
        /** Empty for kinds that belong to none. */
        namespace: z.string(),
        name: z.string(),
        origin: Origin,
        /** A shift or a release has changed what is in force. */
        overlaid: z.boolean(),
        diagnostics: z.number(),
      }),
    ),
  })
  .meta({ id: 'Configuration' });
export type Configuration = z.infer<typeof Configuration>;

export const ConfigurationChange = z
  .object({
    at: z.string(),
    version: z.string(),
    cause: z.enum(['files', 'api', 'shift', 'rollout']),
    /** Name of the token, or of the Rollout; empty for files. */
    by: z.string(),
    /** As `changed VirtualService default/reviews`, or `reviews.default.svc.cluster.local v1=50 v2=50`. */
    changes: z.array(z.string()),
  })
  .meta({ id: 'ConfigurationChange' });
export type ConfigurationChange = z.infer<typeof ConfigurationChange>;

export const ConfigurationHistory = z.object({ items: z.array(ConfigurationChange) }).meta({ id: 'ConfigurationHistory' });
export type ConfigurationHistory = z.infer<typeof ConfigurationHistory>;

export const ResourceSource = z
  .object({
    /** Empty, with line 0, for what a shift or a release has added. */
    file: z.string(),
    /** Of the first line of `text`. */
    line: z.number(),
    /** The YAML document it stands in, as written; of the short form that is all of it. */
    text: z.string(),
    /** The short form expanded; null for what a shift or a release has added. */
    declared: ApiObject.nullable(),
    /** Null for a delegate, which is in force as a part of the VirtualService that delegates to it. */
    effective: ApiObject.nullable(),
    differences: z.array(
      z.object({
        /** In what is declared; of what was added, in what is in force. */
        path: z.string(),
        /** Null where it is not there. */
        declared: z.unknown(),
        effective: z.unknown(),
        /** `shift`, `rollout NS/NAME`, or `delegate` for rules that were merged in. */
        by: z.string(),
      }),
    ),
    /** Of its status, of kinds of the Gateway API. */
    conditions: z.array(
      z.object({
        /** `listener web`, `parent Gateway default/front`; empty for the resource itself. */
        about: z.string(),
        /** It is not as its owner wants it. */
        isTrouble: z.boolean(),
        type: z.string(),
        status: z.enum(['True', 'False', 'Unknown']),
        reason: z.string(),
        message: z.string(),
        observedGeneration: z.number(),
        lastTransitionTime: z.string(),
      }),
    ),
    diagnostics: z.array(ApiDiagnostic),
  })
  .meta({ id: 'ResourceSource' });
export type ResourceSource = z.infer<typeof ResourceSource>;
