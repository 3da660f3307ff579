/** What the admin API asks for, answered from the running parts. */
import type { AdminPorts, Readiness } from '../admin/ports.ts';
import { ProblemError } from '../admin/problem.ts';
import type { BoundListener } from '../proxy/options.ts';
import { type Proxy, UNROUTED } from '../proxy/proxy.ts';
import type { Cluster } from '../routing/table.ts';
import { type ClusterSample, type EndpointSample, Metrics } from '../telemetry/prometheus.ts';
import type { HealthChecker } from '../workload/health-check.ts';
import type { Supervisor } from '../workload/supervisor.ts';
import { explainRequest } from './explain.ts';
import { type Address, bindingsFor, formatAddress, type ListenMapping } from './listen.ts';
import type { Logger } from './logger.ts';
import type { InForce, Pipeline } from './pipeline.ts';
import type { Rollouts } from './rollouts/engine.ts';
import { RolloutApi } from './rollouts/api.ts';
import { Shifts } from './shifts.ts';
import type { State } from './state.ts';
import { VERSION } from './version.ts';
import { getResource, listClusters, listEndpoints, listListeners, listProcesses, listResources } from './views.ts';

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
  readonly rollouts: Rollouts;
  readonly life: Life;
  readonly listen: readonly ListenMapping[];
  readonly mesh: Address | 'off';
  readonly logger: Logger;
}

export function adminPorts(deps: AdminPortsDeps): AdminPorts {
  const { pipeline, proxy, health, processes, state, life, logger } = deps;
  const shifts = new Shifts(pipeline, state, logger);
  const rollouts = new RolloutApi(deps.rollouts, pipeline);
  const metrics = new Metrics({
    clusters: () => clusterSamples(pipeline.inForce, proxy),
    workers: () => proxy.stats.workers(),
    endpoints: () => endpointSamples(health),
    reload: () => pipeline.lastReload,
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
    list: (kind, namespace) => (kind === 'rollouts' ? rollouts.list(namespace) : listResources(pipeline.inForce, kind, namespace)),
    get: (kind, namespace, name) =>
      kind === 'rollouts' ? rollouts.get(namespace, name) : getResource(pipeline.inForce, kind, namespace, name),
    listeners: () => listListeners(pipeline.inForce),
    clusters: () =>
      listClusters(pipeline.inForce, (name) => {
        const { requests, active } = proxy.stats.totals(name);
        return { requests, active };
      }),
    endpoints: () => listEndpoints(pipeline.inForce, health.states()),
    processes: () => listProcesses(processes.states()),
    explain: (request) => explainRequest(pipeline.inForce.table, pipeline.inForce.bound, request),
    shifts: () => shifts.list(),
    shift: (namespace, host, weights) => whileRunning(() => shifts.set(namespace, host, weights)),
    resetShift: (namespace, host) => whileRunning(() => shifts.reset(namespace, host)),
    rollouts: (namespace) => rollouts.list(namespace),
    rollout: (namespace, name) => rollouts.get(namespace, name),
    rolloutVerb: (namespace, name, verb, request, terms) => whileRunning(() => rollouts.act(namespace, name, verb, request, terms)),
    onError: (error) => logger.error({ err: error }, 'a request to the admin API failed'),
  };
}

/** Ready: not draining, and every listener of the configuration in force is bound. */
function readiness({ pipeline, proxy, life, listen, mesh }: AdminPortsDeps): Readiness {
  const bound = new Set(proxy.listeners().map((listener: BoundListener) => listener.listener));
  const missing = bindingsFor(pipeline.inForce.table, listen, mesh).filter((binding) => !bound.has(binding.listener));
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
    if (key.startsWith('release|')) continue;
    const totals = proxy.stats.totals(key);
    if (key === UNROUTED) {
      yield { service: UNKNOWN, serviceName: UNKNOWN, serviceNamespace: UNKNOWN, version: UNKNOWN, totals };
      continue;
    }
    // `outbound|9080|v1|reviews.default.svc.cluster.local`
    const [, , subset = '', service = ''] = key.split('|');
    const [serviceName = service, serviceNamespace = UNKNOWN] = service.endsWith('.svc.cluster.local') ? service.split('.') : [service];
    yield { service, serviceName, serviceNamespace, version: subset === '' ? sharedVersion(clusters.get(key)) : subset, totals };
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
