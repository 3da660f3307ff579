/** The columns `serin get` shows of each kind; those of Istio's kinds begin as `kubectl get` prints them. */
import type { ApiObject } from '../admin/api-types.ts';
import { ageText, at, type Column, countOf, name, namespace, origin, overlay, textOf, valueAt, warnings } from './get-cells.ts';
import { KUBERNETES_COLUMNS } from './get-columns-kubernetes.ts';

const COLUMNS: Readonly<Record<string, readonly Column[]>> = {
  ...KUBERNETES_COLUMNS,
  virtualservices: [
    name,
    { heading: 'GATEWAYS', cell: at('spec', 'gateways') },
    { heading: 'HOSTS', cell: at('spec', 'hosts') },
    overlay,
    warnings,
    origin,
  ],
  destinationrules: [
    name,
    { heading: 'HOST', cell: at('spec', 'host') },
    { heading: 'SUBSETS', cell: at('spec', 'subsets', 'name') },
    warnings,
    origin,
  ],
  serviceentries: [
    name,
    { heading: 'HOSTS', cell: at('spec', 'hosts') },
    { heading: 'LOCATION', cell: at('spec', 'location') },
    { heading: 'RESOLUTION', cell: at('spec', 'resolution') },
    { heading: 'ENDPOINTS', cell: at('spec', 'endpoints', 'address'), wide: true },
    warnings,
    origin,
  ],
  workloadentries: [
    name,
    { heading: 'ADDRESS', cell: at('spec', 'address') },
    { heading: 'LABELS', cell: at('spec', 'labels'), wide: true },
    warnings,
    origin,
  ],
  rollouts: [
    name,
    { heading: 'PHASE', cell: at('status', 'phase') },
    { heading: 'STABLE', cell: at('status', 'stable') },
    { heading: 'CANARY', cell: (object) => at('status', 'canary')(object) || at('status', 'canaries')(object) },
    { heading: 'WEIGHTS', cell: at('status', 'weights') },
    { heading: 'MESSAGE', cell: at('status', 'message'), wide: true },
  ],
  metrictemplates: [
    name,
    { heading: 'PROVIDER', cell: (object) => keysOf(valueAt(object, ['spec', 'provider'])) },
    { heading: 'INTERVAL', cell: at('spec', 'interval') },
    { heading: 'SUCCESS', cell: at('spec', 'successCondition'), wide: true },
    { heading: 'FAILURE', cell: at('spec', 'failureCondition'), wide: true },
    warnings,
    origin,
  ],
  notifications: [
    name,
    { heading: 'FORMAT', cell: (object) => at('spec', 'format')(object) || 'json' },
    { heading: 'EVENTS', cell: (object) => at('spec', 'events')(object) || 'usual' },
    { heading: 'NAMESPACES', cell: (object) => at('spec', 'namespaces')(object) || 'own' },
    warnings,
    origin,
  ],
  listeners: [
    name,
    { heading: 'ADDRESSES', cell: at('status', 'addresses') },
    { heading: 'GATEWAYS', cell: at('spec', 'gateways') },
    { heading: 'VIRTUALHOSTS', cell: (object) => countOf(valueAt(object, ['spec', 'virtualHosts'])) },
    { heading: 'DOMAINS', cell: at('spec', 'virtualHosts', 'domains'), wide: true },
  ],
  clusters: [
    name,
    { heading: 'ENDPOINTS', cell: at('status', 'endpoints') },
    { heading: 'REQUESTS', cell: at('status', 'requests') },
    { heading: 'ACTIVE', cell: at('status', 'active') },
    { heading: 'BALANCER', cell: at('spec', 'loadBalancer'), wide: true },
    { heading: 'MISSING', cell: at('status', 'missing'), wide: true },
  ],
  endpoints: [
    name,
    { heading: 'CLUSTER', cell: at('spec', 'cluster') },
    { heading: 'HEALTHY', cell: at('status', 'healthy') },
    { heading: 'EJECTED', cell: at('status', 'ejected') },
    { heading: 'CHECKED', cell: at('status', 'checked'), wide: true },
    { heading: 'LABELS', cell: at('metadata', 'labels'), wide: true },
    { heading: 'DETAIL', cell: at('status', 'detail'), wide: true },
  ],
  processes: [
    name,
    { heading: 'VERSION', cell: at('spec', 'version') },
    { heading: 'STATE', cell: at('status', 'phase') },
    { heading: 'PID', cell: at('status', 'pid') },
    { heading: 'ADDRESS', cell: at('status', 'address') },
    { heading: 'RESTARTS', cell: at('status', 'restarts') },
    { heading: 'UP', cell: (object) => upTime(valueAt(object, ['status', 'upSeconds'])) },
    { heading: 'COMMAND', cell: (object) => wordsOf(valueAt(object, ['spec', 'command'])), wide: true },
    { heading: 'LOG', cell: at('status', 'logFile'), wide: true },
    { heading: 'DETAIL', cell: at('status', 'detail') },
  ],
};

const keysOf = (value: unknown): string => (typeof value === 'object' && value !== null ? Object.keys(value).join(',') : '');

const wordsOf = (value: unknown): string => (Array.isArray(value) ? value.map(textOf).join(' ') : '');

function upTime(seconds: unknown): string {
  return typeof seconds === 'number' ? ageText(seconds) : '';
}

/** @param kind plural, one of those `serin get` takes. @param show.namespaces Of kinds that belong to one. */
export function columnsOf(
  kind: string,
  show: { readonly wide: boolean; readonly namespaces: boolean },
): { readonly headings: string[]; readonly row: (object: ApiObject) => string[] } {
  const columns = (COLUMNS[kind] ?? [name]).filter((column) => show.wide || column.wide === undefined);
  const shown = show.namespaces ? [namespace, ...columns] : columns;
  return { headings: shown.map((column) => column.heading), row: (object) => shown.map((column) => column.cell(object)) };
}
