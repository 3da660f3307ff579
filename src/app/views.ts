/** What is in force, as the objects the admin API shows: resources with their status, and what was compiled from them. */
import type { ApiList, ApiObject } from '../admin/api-types.ts';
import { ProblemError } from '../admin/problem.ts';
import { nearest } from '../base/nearest.ts';
import type { Diagnostic } from '../base/diagnostic.ts';
import type { AnyResource } from '../config/resources.ts';
import type { Cluster, Endpoint, Listener } from '../routing/table.ts';
import { healthKey } from '../telemetry/health-board.ts';
import type { EndpointHealth } from '../workload/health-check.ts';
import type { ProcessState } from '../workload/supervisor.ts';
import { formatAddress } from './listen.ts';
import type { InForce } from './pipeline.ts';
import { RESOURCE_KINDS, type ResourceKindNames } from './resource-kinds.ts';

const SERIN_API = 'serin.dev/v1alpha1';

/** Where a resource stands in the user's files: `reviews.yaml:12`. */
export const ORIGIN_ANNOTATION = 'serin.dev/origin';

export function listResources(now: InForce, plural: string, namespace: string | undefined): ApiList {
  const resources = kindOf(plural).list(now.effective);
  return list(
    resources
      .filter((resource) => namespace === undefined || resource.metadata.namespace === namespace)
      .map((resource) => resourceObject(resource, now)),
  );
}

/** @throws ProblemError 404 with the nearest name */
export function getResource(now: InForce, plural: string, namespace: string, name: string): ApiObject {
  const kind = kindOf(plural);
  const resources = kind.list(now.effective);
  const found = resources.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
  if (found !== undefined) return resourceObject(found, now);
  const elsewhere = resources.find(({ metadata }) => metadata.name === name);
  const suggestion = nearest(
    name,
    resources.filter(({ metadata }) => metadata.namespace === namespace).map(({ metadata }) => metadata.name),
  );
  const hint =
    elsewhere === undefined ? suggestion && `did you mean ${suggestion}?` : `there is one in namespace ${elsewhere.metadata.namespace}`;
  throw new ProblemError(404, 'E_NOT_FOUND', `no ${kind.kind} '${name}' in namespace ${namespace}`, { hint });
}

function kindOf(plural: string): ResourceKindNames {
  const found = RESOURCE_KINDS.find((kind) => kind.plural === plural);
  if (found !== undefined) return found;
  const kinds = RESOURCE_KINDS.map((kind) => kind.plural);
  const suggestion = nearest(plural, kinds);
  throw new ProblemError(404, 'E_NOT_FOUND', `no kind '${plural}', there are ${kinds.join(', ')}`, {
    hint: suggestion && `did you mean ${suggestion}?`,
  });
}

function list(items: readonly ApiObject[]): ApiList {
  return { apiVersion: 'v1', kind: 'List', items: [...items] };
}

function resourceObject({ apiVersion, kind, metadata, spec, origin }: AnyResource, now: InForce): ApiObject {
  const place = origin.line > 0 ? { annotations: { ...metadata.annotations, [ORIGIN_ANNOTATION]: `${origin.file}:${origin.line}` } } : {};
  const warnings = now.diagnostics.filter(
    (found) => found.kind === kind && found.namespace === metadata.namespace && found.name === metadata.name,
  );
  return { apiVersion, kind, metadata: { ...metadata, ...place }, spec: { ...spec }, status: status(kind, metadata, warnings, now) };
}

/** The shape of Istio's own status (`IstioStatus`): conditions and the messages of its analysis. */
function status(kind: string, metadata: AnyResource['metadata'], warnings: readonly Diagnostic[], now: InForce): Record<string, unknown> {
  const reconciled = { type: 'Reconciled', status: 'True', reason: 'InForce', message: `in force in version ${now.table.version}` };
  const messages = warnings.map(({ code, severity, path, message }) => ({
    type: { code, name: code },
    level: severity === 'error' ? 'ERROR' : 'WARNING',
    message: path === '' ? message : `${path}: ${message}`,
  }));
  return {
    conditions: [reconciled],
    ...(messages.length === 0 ? {} : { validationMessages: messages }),
    ...(kind === 'Gateway' ? { listeners: gatewayListeners(`${metadata.namespace}/${metadata.name}`, now) } : {}),
  };
}

function gatewayListeners(gateway: string, now: InForce): object[] {
  return now.table.listeners
    .filter((listener) => listener.gateways.includes(gateway))
    .map((listener) => ({ name: listener.name, port: listener.port, addresses: addressesOf(listener, now) }));
}

function addressesOf(listener: Listener, now: InForce): string[] {
  return now.bound.filter((bound) => bound.listener === listener.name).map(formatAddress);
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

/** One entry a cluster and endpoint. @param health What the active checks found, of those endpoints that have one. */
export function listEndpoints(now: InForce, health: readonly EndpointHealth[]): ApiList {
  const byKey = new Map(health.map((state) => [state.key, state]));
  return list(now.table.clusters.flatMap((cluster) => cluster.endpoints.map((endpoint) => endpointObject(cluster, endpoint, byKey))));
}

function endpointObject(
  cluster: Cluster,
  { address, port, weight, labels }: Endpoint,
  health: ReadonlyMap<string, EndpointHealth>,
): ApiObject {
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
    status: state,
  };
}

export function listProcesses(states: readonly ProcessState[]): ApiList {
  return list(
    states.map(({ name, namespace, service, version, command, phase, pid, endpoint, restarts, upMs, detail, logFile }) => ({
      apiVersion: SERIN_API,
      kind: 'Process',
      metadata: { name, namespace },
      spec: { service, version, command },
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
