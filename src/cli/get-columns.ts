/** The columns `serin get` shows of each kind; those of Istio's kinds begin as `kubectl get` prints them. */
import type { ApiObject } from '../admin/api-types.ts';
import { ORIGIN_ANNOTATION } from '../app/views.ts';
import { OVERLAY_ANNOTATION } from '../config/overlay.ts';

type Cell = (object: ApiObject) => string;

interface Column {
  readonly heading: string;
  readonly cell: Cell;
  /** Shown with `-o wide` only. */
  readonly wide?: true;
}

/** A value deep inside an object as a short text: lists joined with `,`, nothing for what is not there. */
function at(...path: readonly string[]): Cell {
  return (object) => textOf(valueAt(object, path));
}

function valueAt(object: unknown, path: readonly string[]): unknown {
  const [name, ...rest] = path;
  if (name === undefined) return object;
  if (Array.isArray(object)) return object.map((item: unknown) => valueAt(item, path));
  if (typeof object !== 'object' || object === null) return undefined;
  return valueAt(Object.entries(object).find(([key]) => key === name)?.[1], rest);
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (Array.isArray(value)) return value.map(textOf).join(',');
  if (typeof value === 'object') {
    return Object.entries(value)
      .map(([key, member]) => `${key}=${textOf(member)}`)
      .join(',');
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const name: Column = { heading: 'NAME', cell: at('metadata', 'name') };
const namespace: Column = { heading: 'NAMESPACE', cell: at('metadata', 'namespace') };
const origin: Column = { heading: 'FROM', cell: at('metadata', 'annotations', ORIGIN_ANNOTATION), wide: true };
const overlay: Column = { heading: 'OVERLAY', cell: at('metadata', 'annotations', OVERLAY_ANNOTATION) };
const warnings: Column = { heading: 'WARNINGS', cell: (object) => countOf(valueAt(object, ['status', 'validationMessages'])), wide: true };

const countOf = (value: unknown): string => (Array.isArray(value) ? String(value.length) : '');

const COLUMNS: Readonly<Record<string, readonly Column[]>> = {
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
  gateways: [
    name,
    { heading: 'PORTS', cell: at('spec', 'servers', 'port', 'number') },
    { heading: 'HOSTS', cell: at('spec', 'servers', 'hosts') },
    { heading: 'ADDRESSES', cell: at('status', 'listeners', 'addresses') },
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
    { heading: 'CANARY', cell: at('status', 'canary') },
    { heading: 'WEIGHTS', cell: at('status', 'weights') },
    { heading: 'MESSAGE', cell: at('status', 'message'), wide: true },
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

const wordsOf = (value: unknown): string => (Array.isArray(value) ? value.map(textOf).join(' ') : '');

/** `45s`, `12m`, `3h`, `8d`, as kubectl shows ages. */
function upTime(seconds: unknown): string {
  if (typeof seconds !== 'number') return '';
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

/** @param kind plural, one of those `serin get` takes */
export function columnsOf(
  kind: string,
  show: { readonly wide: boolean; readonly namespaces: boolean },
): { readonly headings: string[]; readonly row: (object: ApiObject) => string[] } {
  const columns = (COLUMNS[kind] ?? [name]).filter((column) => show.wide || column.wide === undefined);
  const shown = show.namespaces ? [namespace, ...columns] : columns;
  return { headings: shown.map((column) => column.heading), row: (object) => shown.map((column) => column.cell(object)) };
}
