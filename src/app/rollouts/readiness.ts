/** Whether a version of what is released can take requests: it has an endpoint that is not known to be unhealthy. */
import { missingOf, routeOfTarget, versionService } from '../../config/release-target.ts';
import type { Subset } from '../../config/resources.ts';
import { serviceIndex, subsetEndpoints, subsetProcesses, type ServiceIndex } from '../../config/services.ts';
import { EMPTY_SNAPSHOT, type Snapshot } from '../../config/snapshot.ts';
import type { Readiness } from '../../rollout/situation.ts';
import type { Cluster, Endpoint, RoutingTable } from '../../routing/table.ts';
import type { EndpointHealth } from '../../workload/health-check.ts';
import type { ProcessState } from '../../workload/supervisor.ts';
import type { InForce } from '../pipeline.ts';

/** A version that is a Service of its own. */
const WHOLE: Subset = { name: '' };

const READY: Readiness = { isReady: true, reason: '' };

/** Lookups in what is in force; `look` comes first, and what it makes is kept while that stays the same. */
export class ReadinessView {
  #snapshot: Snapshot = EMPTY_SNAPSHOT;
  #services: ServiceIndex = serviceIndex(EMPTY_SNAPSHOT);
  #table: RoutingTable | undefined;
  #clusters: ReadonlyMap<string, readonly Cluster[]> = new Map();
  /** By the id of the version they run. */
  #processes: ReadonlyMap<string, readonly ProcessState[]> = new Map();
  #health: ReadonlyMap<string, EndpointHealth> = new Map();

  /** @param health What active checks have found; endpoints without a check count as healthy. */
  look({ effective, table }: InForce, health: readonly EndpointHealth[], processes: readonly ProcessState[]): void {
    if (this.#snapshot !== effective) {
      this.#snapshot = effective;
      this.#services = serviceIndex(effective);
    }
    if (this.#table !== table) {
      this.#table = table;
      this.#clusters = Map.groupBy(table.clusters, ({ host }) => host);
    }
    this.#processes = Map.groupBy(processes, ({ namespace, service, version }) => `${namespace}/${service}/${version}`);
    this.#health = new Map(health.map((state) => [`${state.host} ${state.address} ${state.port}`, state]));
  }

  get services(): ServiceIndex {
    return this.#services;
  }

  /** Why the target, or one of the versions, is not there at all; undefined when all are. */
  missing(target: string, versions: readonly string[]): string | undefined {
    if (routeOfTarget(target) === undefined && this.#services.service(target) === undefined) return `${target} is no known service`;
    return missingOf(this.#snapshot, this.#services, target, versions)[0]?.message;
  }

  of(target: string, version: string): Readiness {
    const missing = this.missing(target, [version]);
    const { host, subset } = versionService(target, version);
    const service = this.#services.service(host);
    const found = subset === '' ? WHOLE : this.#services.destinationRule(host)?.subsets.find(({ name }) => name === subset);
    if (missing !== undefined || service === undefined || found === undefined)
      return { isReady: false, reason: missing ?? '', isMissing: true };
    const versions = subsetProcesses(service, found.labels ?? {});
    const isRun = versions.length > 0 ? ({ isRun: true } as const) : {};
    const known = this.#known(host, subset, found.labels ?? {});
    if (known.length > 0) {
      const failures = known.map((endpoint) => this.#failure(host, endpoint));
      const endpoints = failures.filter((failure) => failure === undefined).length;
      if (endpoints > 0) return { ...READY, ...isRun, endpoints };
      const failure = failures.find((why) => why !== undefined) ?? '';
      return { isReady: false, reason: `${version} has no healthy endpoint: ${failure}`, ...isRun, endpoints };
    }
    const own = versions.flatMap(({ id }) => this.#processes.get(id) ?? []);
    const endpoints = own.filter(({ phase }) => phase === 'ready').length;
    if (endpoints > 0) return { ...READY, ...isRun, endpoints };
    if (own.length > 0)
      return {
        isReady: false,
        reason: `no process of ${version} is ready: ${own[0]?.detail || (own[0]?.phase ?? '')}`,
        ...isRun,
        endpoints,
      };
    const given = subsetEndpoints(service, found).length;
    return given > 0 ? { ...READY, endpoints: given } : { isReady: false, reason: `${version} has no endpoint`, ...isRun };
  }

  /** Endpoints as the data plane has them, each once: names are resolved and processes are found on the way there. */
  #known(host: string, subset: string, wanted: Readonly<Record<string, string>>): readonly KnownEndpoint[] {
    const known = (this.#clusters.get(host) ?? [])
      .filter((cluster) => cluster.subset === '' || cluster.subset === subset)
      .flatMap(({ endpoints, healthCheck }) => endpoints.map((endpoint) => ({ ...endpoint, isChecked: healthCheck !== undefined })))
      .filter(({ labels }) => Object.entries(wanted).every(([key, value]) => labels[key] === value));
    return [...new Map(known.map((endpoint) => [`${endpoint.address} ${endpoint.port}`, endpoint])).values()];
  }

  /** Why it can take no request; undefined when it can. */
  #failure(host: string, { address, port, isChecked }: KnownEndpoint): string | undefined {
    if (!isChecked) return undefined;
    const state = this.#health.get(`${host} ${address} ${port}`);
    if (state === undefined || state.checks === 0) return 'not checked yet';
    return state.healthy ? undefined : (state.detail ?? 'its health check fails');
  }
}

type KnownEndpoint = Endpoint & { readonly isChecked: boolean };
