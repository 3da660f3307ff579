/** What the admin API asks for, answered from the running parts. */
import type { AdminPorts, Readiness } from '../admin/ports.ts';
import { ProblemError } from '../admin/problem.ts';
import type { Clock } from '../base/clock.ts';
import type { HostEnv } from '../config/run-host.ts';
import { isEjected } from '../proxy/outlier-detection.ts';
import { outlierKey, WORD } from '../telemetry/outlier-board.ts';
import type { BoundListener } from '../proxy/options.ts';
import { MIRRORED, type Proxy, UNROUTED } from '../proxy/proxy.ts';
import type { Cluster } from '../routing/table.ts';
import type { ClusterTotals } from '../telemetry/cluster-totals.ts';
import { type ClusterSample, type EndpointSample, Metrics, type OutlierSample } from '../telemetry/prometheus.ts';
import type { HealthChecker } from '../workload/health-check.ts';
import type { Supervisor } from '../workload/supervisor.ts';
import type { AccessLogFile } from './access-log.ts';
import { type Change, changeBy } from './audit-table.ts';
import { configurationOf, sourceOf } from './configuration-view.ts';
import { diffConfiguration } from './diff.ts';
import { explainRequest } from './explain.ts';
import type { History } from './history.ts';
import { type Address, bindingsFor, formatAddress, type ListenMapping, type MeshMapping } from './listen.ts';
import type { Logger } from './logger.ts';
import type { Notifier } from './notifications/notifier.ts';
import type { InForce, Pipeline } from './pipeline.ts';
import type { Rollouts } from './rollouts/engine.ts';
import { RolloutApi } from './rollouts/api.ts';
import { Resources } from './resources.ts';
import { Shifts } from './shifts.ts';
import type { SpanExport } from './span-export.ts';
import { type AuditLog, type State, StateWriteError } from './state.ts';
import type { Tokens } from './tokens.ts';
import { readProcessLog } from './live/process-log.ts';
import type { Watch } from './live/watch.ts';
import { VERSION } from './version.ts';
import { kindsAt } from './resource-kinds.ts';
import { getResource, listResources } from './resource-view.ts';
import { listClusters, listEndpoints, listListeners, listProcesses } from './views.ts';

/** What changes in the life of the process and nobody else keeps. */
export interface Life {
  draining: boolean;
  exceptions: number;
}

export interface AdminPortsDeps {
  readonly pipeline: Pipeline;
  readonly proxy: Proxy;
  readonly health: HealthChecker;
  readonly processes: Supervisor;
  readonly state: State;
  readonly audit: AuditLog;
  readonly rollouts: Rollouts;
  readonly tokens: Tokens;
  readonly previewKey: Uint8Array;
  readonly life: Life;
  readonly history: History;
  readonly clock: Clock;
  readonly hostEnv: HostEnv;
  readonly listen: readonly ListenMapping[];
  readonly mesh: Address | 'off';
  readonly meshFor: readonly MeshMapping[];
  readonly logger: Logger;
  readonly accessLog: AccessLogFile | undefined;
  readonly spans: SpanExport | undefined;
  readonly watch: Watch;
  readonly notifier: Pick<Notifier, 'counts'>;
}

export function adminPorts(deps: AdminPortsDeps): AdminPorts {
  const { pipeline, proxy, health, processes, state, audit, tokens, life, logger } = deps;
  const shifts = new Shifts(pipeline, state, logger);
  const resources = new Resources({ pipeline, state, clock: deps.clock, hostEnv: deps.hostEnv, logger });
  const rollouts = new RolloutApi(deps.rollouts, pipeline, deps.previewKey);
  const metrics = new Metrics({
    clusters: () => clusterSamples(pipeline.inForce, proxy),
    mirrors: () => mirrorSamples(pipeline.inForce, proxy),
    workers: () => proxy.stats.workers(),
    endpoints: () => endpointSamples(health),
    outliers: () => outlierSamples(pipeline.inForce, proxy),
    reload: () => pipeline.lastReload,
    spans: () => ({ sent: deps.spans?.sent ?? 0, dropped: deps.spans?.dropped ?? 0 }),
    notifications: () => deps.notifier.counts,
    accessLogLost: () => deps.accessLog?.lost ?? 0,
    build: { version: VERSION, nodeVersion: process.versions.node },
  });
  const whileRunning = <T>(work: () => T): T => {
    if (life.draining) throw new ProblemError(503, 'E_SHUTTING_DOWN', 'Serin is shutting down', { headers: { 'retry-after': '5' } });
    return work();
  };
  return {
    version: VERSION,
    readiness: () => readiness(deps),
    metrics: async () => ({ contentType: metrics.contentType, text: `${await metrics.text()}${exceptionsText(life)}` }),
    list: (kind, namespace) => (isRollouts(kind) ? rollouts.list(namespace) : listResources(pipeline.inForce, kind, namespace)),
    get: (kind, namespace, name) =>
      isRollouts(kind) ? rollouts.get(namespace, name) : getResource(pipeline.inForce, kind, namespace, name),
    apply: (manifests, terms) => whileRunning(() => resources.apply(manifests, terms)),
    delete: (kind, namespace, name, terms) => whileRunning(() => resources.delete(kind, namespace, name, terms)),
    diffManifests: (manifests) => resources.diff(manifests),
    configuration: () => configurationOf(pipeline),
    configurationHistory: () => deps.history.list(),
    source: (kind, namespace, name) => sourceOf(pipeline.inForce, kind, namespace, name),
    listeners: () => listListeners(pipeline.inForce),
    clusters: () =>
      listClusters(pipeline.inForce, (name) => {
        const { requests, active } = proxy.stats.totals(name);
        return { requests, active };
      }),
    endpoints: () => listEndpoints(pipeline.inForce, health.states(), proxy.outliers),
    processes: () => listProcesses(processes.states()),
    explain: (request) => explainRequest(pipeline.inForce.table, pipeline.inForce.bound, request, deps.previewKey),
    diff: (request) => diffConfiguration(pipeline, request),
    shifts: () => shifts.list(),
    shift: (namespace, host, weights, by) => whileRunning(() => shifts.set(namespace, host, weights, by)),
    resetShift: (namespace, host, by) => whileRunning(() => shifts.reset(namespace, host, by)),
    rollouts: (namespace) => rollouts.list(namespace),
    rollout: (namespace, name) => rollouts.get(namespace, name),
    rolloutVerb: (namespace, name, verb, request, terms) => whileRunning(() => rollouts.act(namespace, name, verb, request, terms)),
    preview: (namespace, name, request, by) => whileRunning(() => rollouts.preview(namespace, name, request, by)),
    tokens: () => tokens.list(),
    createToken: (request, by) => whileRunning(() => tokens.create(request, by)),
    revokeToken: (name, by) =>
      whileRunning(() => {
        const revoked = tokens.revoke(name, by);
        deps.watch.events.recheck();
        return revoked;
      }),
    audit: (limit, before) => audit.audit(limit, before),
    session: (by, action) => whileRunning(() => recordSession(audit, changeBy(by, action, by.name))),
    refused: (by, action, target, code) => recordRefusal(audit, logger, { ...changeBy(by, action, target), result: code }),
    events: deps.watch.events,
    processLog: (asked) => readProcessLog(processes, asked),
    evidence: (namespace, name) => rollouts.evidence(namespace, name),
    live: () => deps.watch.live.full(),
    onError: (error) => logger.error({ err: error }, 'a request to the admin API failed'),
  };
}

function isRollouts(path: string): boolean {
  return kindsAt(path).some(({ kind }) => kind === 'Rollout');
}

/** @throws ProblemError 507 */
function recordSession(audit: AuditLog, change: Change): void {
  try {
    audit.record(change);
  } catch (error) {
    if (!(error instanceof StateWriteError)) throw error;
    const hint = 'make space in the state directory and try again; a token works without a session';
    throw new ProblemError(507, 'E_STATE_WRITE', error.message, { hint }, { cause: error });
  }
}

/** What is refused has changed nothing, so that it cannot be written down does not change the answer. */
function recordRefusal(audit: AuditLog, logger: Logger, change: Change): void {
  try {
    audit.record(change);
  } catch (error) {
    if (!(error instanceof StateWriteError)) throw error;
    logger.warn({ code: error.code, ...change }, 'a refused change is not in the audit log');
  }
}

/** Ready: not draining, and every listener of the configuration in force is bound. */
function readiness({ pipeline, proxy, life, listen, mesh, meshFor }: AdminPortsDeps): Readiness {
  const bound = new Set(proxy.listeners().map((listener: BoundListener) => listener.listener));
  const missing = bindingsFor(pipeline.inForce.table, listen, mesh, meshFor).filter((binding) => !bound.has(binding.listener));
  const reasons = [
    ...(life.draining ? ['draining'] : []),
    ...missing.map((binding) => `listener ${binding.listener} is not bound to ${formatAddress(binding)}`),
  ];
  return { ready: reasons.length === 0, reasons };
}

function exceptionsText({ exceptions }: Life): string {
  return `# HELP serin_uncaught_exceptions_total Exceptions in the control plane that nobody caught.\n# TYPE serin_uncaught_exceptions_total counter\nserin_uncaught_exceptions_total ${exceptions}\n`;
}

const UNKNOWN = 'unknown';

/** Every cluster that was ever counted, also of tables that are no longer in force: counters never go away. */
function* clusterSamples(now: InForce, proxy: Proxy): Iterable<ClusterSample> {
  const clusters = new Map(now.table.clusters.map((cluster) => [cluster.name, cluster]));
  for (const key of proxy.stats.keys()) {
    // The strata of a release count what the clusters count already.
    if (key.startsWith('release|') || key.startsWith(MIRRORED)) continue;
    if (key === UNROUTED) {
      const totals = proxy.stats.totals(key);
      yield { service: UNKNOWN, serviceName: UNKNOWN, serviceNamespace: UNKNOWN, version: UNKNOWN, totals };
    } else yield clusterSample(clusters, key, proxy.stats.totals(key));
  }
}

/** The same for copies sent to mirrors. */
function* mirrorSamples(now: InForce, proxy: Proxy): Iterable<ClusterSample> {
  const clusters = new Map(now.table.clusters.map((cluster) => [cluster.name, cluster]));
  for (const key of proxy.stats.keys()) {
    if (key.startsWith(MIRRORED)) yield clusterSample(clusters, key.slice(MIRRORED.length), proxy.stats.totals(key));
  }
}

/** @param name  `outbound|9080|v1|reviews.default.svc.cluster.local` */
function clusterSample(clusters: ReadonlyMap<string, Cluster>, name: string, totals: ClusterTotals): ClusterSample {
  const [, , subset = '', service = ''] = name.split('|');
  const [serviceName = service, serviceNamespace = UNKNOWN] = service.endsWith('.svc.cluster.local') ? service.split('.') : [service];
  return { service, serviceName, serviceNamespace, version: subset === '' ? sharedVersion(clusters.get(name)) : subset, totals };
}

function* outlierSamples({ table }: InForce, proxy: Proxy): Iterable<OutlierSample> {
  for (const { name, host, subset, endpoints, outlierDetection } of table.clusters) {
    if (outlierDetection === undefined) continue;
    for (const { address, port } of endpoints) {
      const row = proxy.outliers.find(outlierKey(name, address, port));
      if (row === undefined) continue;
      const [ejections = 0, overflows = 0] = [row[WORD.ejections], row[WORD.overflows]];
      yield { service: host, subset, endpoint: formatAddress({ host: address, port }), isEjected: isEjected(row), ejections, overflows };
    }
  }
}

/** The `version` label all endpoints have in common. */
function sharedVersion(cluster: Cluster | undefined): string {
  const versions = new Set(cluster?.endpoints.map((endpoint) => endpoint.labels['version']));
  const [only] = versions;
  return versions.size === 1 && only !== undefined ? only : UNKNOWN;
}

function endpointSamples(health: HealthChecker): EndpointSample[] {
  return health
    .states()
    .map(({ host, address, port, healthy }) => ({ service: host, endpoint: formatAddress({ host: address, port }), healthy }));
}
