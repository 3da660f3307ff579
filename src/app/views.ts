/** What is compiled from the configuration in force, and what runs, as the objects the admin API shows. */
import type { ApiList, ApiObject } from '../admin/api-types.ts';
import { redacted } from '../config/redact.ts';
import type { Cluster, Endpoint } from '../routing/table.ts';
import { isEjected } from '../proxy/outlier-detection.ts';
import { healthKey } from '../telemetry/health-board.ts';
import { outlierKey, WORD } from '../telemetry/outlier-board.ts';
import type { SharedRows } from '../telemetry/shared-rows.ts';
import type { EndpointHealth } from '../workload/health-check.ts';
import type { ProcessState } from '../workload/supervisor.ts';
import { formatAddress } from './listen.ts';
import type { InForce } from './pipeline.ts';
import { addressesOf } from './resource-view.ts';

const SERIN_API = 'serin.dev/v1alpha1';

function list(items: readonly ApiObject[]): ApiList {
  return { apiVersion: 'v1', kind: 'List', items: [...items] };
}

export function listListeners(now: InForce): ApiList {
  return list(
    now.table.listeners.map((listener) => ({
      apiVersion: SERIN_API,
      kind: 'Listener',
      metadata: { name: listener.name },
      spec: {
        port: listener.port,
        gateways: listener.gateways,
        virtualHosts: listener.virtualHosts.map(({ name, domains, routes }) => ({ name, domains, routes: routes.length })),
      },
      status: { addresses: addressesOf(listener, now) },
    })),
  );
}

export interface ClusterActivity {
  readonly requests: number;
  readonly active: number;
}

/** @param activity Counts of a cluster since the start, by its name. */
export function listClusters(now: InForce, activity: (name: string) => ClusterActivity): ApiList {
  return list(
    now.table.clusters.map((cluster) => ({
      apiVersion: SERIN_API,
      kind: 'Cluster',
      metadata: { name: cluster.name },
      spec: {
        host: cluster.host,
        subset: cluster.subset,
        port: cluster.port,
        discovery: cluster.discovery,
        loadBalancer: cluster.loadBalancer,
      },
      status: {
        endpoints: cluster.endpoints.length,
        ...(cluster.missing === undefined ? {} : { missing: cluster.missing }),
        ...activity(cluster.name),
      },
    })),
  );
}

/**
 * One entry a cluster and endpoint.
 *
 * @param health   What the active checks found, of those endpoints that have one.
 * @param outliers By `outlierKey`, of those that outlier detection watches.
 */
export function listEndpoints(now: InForce, health: readonly EndpointHealth[], outliers: Pick<SharedRows, 'find'>): ApiList {
  const byKey = new Map(health.map((state) => [state.key, state]));
  return list(
    now.table.clusters.flatMap((cluster) => cluster.endpoints.map((endpoint) => endpointObject(cluster, endpoint, byKey, outliers))),
  );
}

function endpointObject(
  cluster: Cluster,
  { address, port, weight, labels }: Endpoint,
  health: ReadonlyMap<string, EndpointHealth>,
  outliers: Pick<SharedRows, 'find'>,
): ApiObject {
  const row = outliers.find(outlierKey(cluster.name, address, port));
  const checked = cluster.healthCheck === undefined ? undefined : health.get(healthKey(address, port, cluster.healthCheck.path));
  const state =
    checked === undefined
      ? { healthy: true, checked: false }
      : { healthy: checked.healthy, checked: checked.checks > 0, detail: checked.detail };
  return {
    apiVersion: SERIN_API,
    kind: 'Endpoint',
    metadata: { name: formatAddress({ host: address, port }), labels },
    spec: { cluster: cluster.name, host: cluster.host, subset: cluster.subset, weight },
    status: { ...state, ...(row === undefined ? {} : { ejected: isEjected(row), ejections: row[WORD.ejections] }) },
  };
}

export function listProcesses(states: readonly ProcessState[]): ApiList {
  return list(
    states.map(({ name, namespace, service, version, command, phase, pid, endpoint, restarts, upMs, detail, logFile }) => ({
      apiVersion: SERIN_API,
      kind: 'Process',
      metadata: { name, namespace },
      spec: redacted({ service, version, command }),
      status: {
        phase,
        ...(pid === undefined ? {} : { pid }),
        ...(endpoint === undefined ? {} : { address: formatAddress({ host: endpoint.address, port: endpoint.port }) }),
        restarts,
        ...(upMs === undefined ? {} : { upSeconds: Math.floor(upMs / 1000) }),
        ...(detail === '' ? {} : { detail }),
        logFile,
      },
    })),
  );
}
