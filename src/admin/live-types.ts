/** What is told to those who watch, as schemas: the data of events, the live picture, the log of a process, the evidence of a run. */
import { z } from 'zod';

/** Each is a kind of thing to watch; what comes of it is events of one or two names. */
export const TOPICS = ['live', 'rollouts', 'configuration', 'audit'] as const;
export type Topic = (typeof TOPICS)[number];

const Ratio = z.number().min(0).max(1);

export const LiveVersion = z
  .object({
    /** Empty for requests to the service as a whole. */
    subset: z.string(),
    /** Of the last second, the two before it having a say: 3 to 2 to 1. */
    requestsPerSecond: z.number(),
    /** Answered with a 5xx, or not at all. */
    errorsPerSecond: z.number(),
    activeRequests: z.number(),
    /** From the first byte of a request to the last of its answer; null where none ended within `windowSeconds`. */
    p50Ms: z.number().nullable(),
    p90Ms: z.number().nullable(),
    p99Ms: z.number().nullable(),
    /** Of the service's requests; null where there are none. */
    share: Ratio.nullable(),
    /** What the rule in force gives it that splits the service's requests; null where no rule names its subsets. */
    weightPercent: z.number().nullable(),
    /** In a release of the service; null where it has none, or the version no part in it. */
    role: z.enum(['stable', 'canary']).nullable(),
    /** `healthy`: not failed by their active check and not ejected by outlier detection. */
    endpoints: z.object({ total: z.int(), healthy: z.int(), ejected: z.int() }),
    /** Null where Serin does not run it. */
    processes: z.object({ total: z.int(), ready: z.int() }).nullable(),
  })
  .meta({ id: 'LiveVersion' });
export type LiveVersion = z.infer<typeof LiveVersion>;

export const LiveService = z
  .object({
    /** Long name. */
    host: z.string(),
    name: z.string(),
    namespace: z.string(),
    requestsPerSecond: z.number(),
    errorsPerSecond: z.number(),
    versions: z.array(LiveVersion),
  })
  .meta({ id: 'LiveService' });
export type LiveService = z.infer<typeof LiveService>;

export const LiveListener = z
  .object({
    name: z.string(),
    /** `127.0.0.1:8080` */
    address: z.string(),
    scheme: z.enum(['http', 'https', 'tls', 'tcp']),
    /** `namespace/name`; none for mesh. */
    gateways: z.array(z.string()),
    /** `LiveService.host` of what it can route to. */
    hosts: z.array(z.string()),
  })
  .meta({ id: 'LiveListener' });
export type LiveListener = z.infer<typeof LiveListener>;

export const LiveUpdate = z
  .object({
    at: z.string(),
    /** Every service; otherwise those that are not what they were in the update before. */
    full: z.boolean(),
    /** Of the percentiles: about 10, less while sampling has just begun. */
    windowSeconds: z.number(),
    /** Of everything, requests that no rule took among them. */
    requestsPerSecond: z.number(),
    errorsPerSecond: z.number(),
    activeRequests: z.number(),
    services: z.array(LiveService),
    /** Hosts that are no service any more. */
    removed: z.array(z.string()),
    /** With `full`, and when they have changed. */
    listeners: z.array(LiveListener).optional(),
  })
  .meta({ id: 'LiveUpdate' });
export type LiveUpdate = z.infer<typeof LiveUpdate>;

export const RolloutGone = z.object({ namespace: z.string(), name: z.string() }).meta({ id: 'RolloutGone' });
export type RolloutGone = z.infer<typeof RolloutGone>;

/** Event `configuration`. */
export const ConfigurationSummary = z
  .object({
    /** Of the routing table in force. */
    version: z.string(),
    /** When something last came into force. */
    at: z.string(),
    /** What became of the files when they were read last. */
    reload: z.object({ successful: z.boolean(), at: z.string() }),
    /** Of that reading, where it was refused. */
    errors: z.int(),
    /** Of what is in force. */
    warnings: z.int(),
  })
  .meta({ id: 'ConfigurationSummary' });
export type ConfigurationSummary = z.infer<typeof ConfigurationSummary>;

/** As it was printed, after time, pid and stream: `2026-11-22T21:35:00.123Z 4711 err …`; what is known to be a secret is left out. */
export const LogLine = z.object({ text: z.string() }).meta({ id: 'LogLine' });
export type LogLine = z.infer<typeof LogLine>;

export const ProcessLog = z.object({ process: z.string(), lines: z.array(LogLine) }).meta({ id: 'ProcessLog' });
export type ProcessLog = z.infer<typeof ProcessLog>;

const EvidenceMetric = z
  .object({
    name: z.enum(['errors', 'p50', 'p90', 'p99', 'latency']),
    /** Of `stable` and `canary`. Effect, ends and margin of a `ratio` are differences; those of the others say how many times as slow, minus 1. */
    unit: z.enum(['ratio', 'ms', 'factor']),
    /** Requests compared. */
    n: z.object({ stable: z.int(), canary: z.int() }),
    stable: z.number().nullable(),
    canary: z.number().nullable(),
    effect: z.number().nullable(),
    /** Of the effect, as `status.analysis` has them; null where the data set no such end yet. */
    low: z.number().nullable(),
    high: z.number().nullable(),
    /** Regression that must be ruled out before the next weight. */
    margin: z.number(),
  })
  .meta({ id: 'EvidenceMetric' });
export type EvidenceMetric = z.infer<typeof EvidenceMetric>;

export const EvidencePoint = z
  .object({
    at: z.string(),
    /** Of the run, while it was not paused by a fault of ours. */
    elapsedSeconds: z.number(),
    stepIndex: z.int(),
    /** Percent by subset. */
    weights: z.record(z.string(), z.number()),
    /** By subset; only those there is something to compare of. */
    candidates: z.record(
      z.string(),
      z.object({
        /** E-value against "within tolerance"; a rollback at `rollbackAt`. */
        evidence: z.number(),
        rollbackAt: z.number(),
        metrics: z.array(EvidenceMetric),
      }),
    ),
  })
  .meta({ id: 'EvidencePoint' });
export type EvidencePoint = z.infer<typeof EvidencePoint>;

/** How the evidence of the last run has grown. */
export const Evidence = z
  .object({
    /** 0: there was none. */
    run: z.int(),
    /** Of the last point, by metric: the largest of all candidates'; null before there is one. */
    margins: z.record(z.string(), z.number().nullable()),
    /** Oldest first, one every five seconds at most; the longer the run, the further apart. */
    points: z.array(EvidencePoint),
  })
  .meta({ id: 'Evidence' });
export type Evidence = z.infer<typeof Evidence>;
