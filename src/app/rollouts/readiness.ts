/** Whether a version of a service can take requests: it has an endpoint that is not known to be unhealthy. */
import { serviceIndex, subsetEndpoints, subsetProcesses, type ServiceIndex } from '../../config/services.ts';
import { EMPTY_SNAPSHOT, type Snapshot } from '../../config/snapshot.ts';
import type { Readiness } from '../../rollout/situation.ts';
import type { Cluster, RoutingTable } from '../../routing/table.ts';
import type { EndpointHealth } from '../../workload/health-check.ts';
import type { ProcessState } from '../../workload/supervisor.ts';
import type { InForce } from '../pipeline.ts';

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

  /** Why the host or the subset is not there at all; undefined when it is. */
  missing(host: string, subset: string): string | undefined {
    if (this.#services.service(host) === undefined) return `${host} is no known service`;
    const subsets = this.#services.destinationRule(host)?.subsets ?? [];
    return subsets.some(({ name }) => name === subset) ? undefined : `${host} has no subset ${subset}`;
  }

  of(host: string, subset: string): Readiness {
    const service = this.#services.service(host);
    const found = this.#services.destinationRule(host)?.subsets.find(({ name }) => name === subset);
    if (service === undefined || found === undefined) return { isReady: false, reason: this.missing(host, subset) ?? '' };
    const wanted = Object.entries(found.labels ?? {});
    // Names are resolved and processes are found on the way to the data plane, so what that has comes first.
    const known = (this.#clusters.get(host) ?? [])
      .filter((cluster) => cluster.subset === '' || cluster.subset === subset)
      .flatMap(({ endpoints, healthCheck }) => endpoints.map((endpoint) => ({ ...endpoint, isChecked: healthCheck !== undefined })))
      .filter(({ labels }) => wanted.every(([key, value]) => labels[key] === value));
    let failure = '';
    for (const { address, port, isChecked } of known) {
      if (!isChecked) return READY;
      const state = this.#health.get(`${host} ${address} ${port}`);
      if (state !== undefined && state.healthy && state.checks > 0) return READY;
      failure ||= state === undefined || state.checks === 0 ? 'not checked yet' : (state.detail ?? 'its health check fails');
    }
    if (known.length > 0) return { isReady: false, reason: `${subset} has no healthy endpoint: ${failure}` };
    const own = subsetProcesses(service, found.labels ?? {}).flatMap(({ id }) => this.#processes.get(id) ?? []);
    if (own.some(({ phase }) => phase === 'ready')) return READY;
    if (own.length > 0) return { isReady: false, reason: `no process of ${subset} is ready: ${own[0]?.detail || (own[0]?.phase ?? '')}` };
    if (subsetEndpoints(service, found).length > 0) return READY;
    return { isReady: false, reason: `${subset} has no endpoint` };
  }
}
