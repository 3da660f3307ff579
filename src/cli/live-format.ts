/** What is served now, as a table for people: a row a version, what fails in red, what is not as it should be in yellow. */
import type { LiveService, LiveUpdate, LiveVersion } from '../admin/live-types.ts';
import type { Io, Style } from './io.ts';
import { formatTable } from './table.ts';

/** Shares of failed requests from which a version is red. */
const MANY_ERRORS = 0.05;

interface Row {
  readonly cells: readonly string[];
  readonly style: Style | undefined;
}

/** @param isFull With the percentiles and what is in flight. */
export function formatServices(services: readonly LiveService[], io: Io, isFull: boolean): string {
  const headings = isFull
    ? ['SERVICE', 'VERSION', 'ROLE', 'WEIGHT', 'SHARE', 'REQ/S', 'ERRORS', 'ACTIVE', 'P50', 'P90', 'P99', 'ENDPOINTS']
    : ['SERVICE', 'VERSION', 'ROLE', 'WEIGHT', 'SHARE', 'REQ/S', 'ERRORS', 'P99', 'ENDPOINTS'];
  const rows = services.flatMap((service) => shownVersions(service).map((version) => rowOf(service, version, isFull)));
  const [head, ...lines] = formatTable(
    headings,
    rows.map(({ cells }) => cells),
  ).split('\n');
  if (head === undefined || rows.length === 0) return '';
  const painted = lines.map((line, index) => {
    const style = rows[index]?.style;
    return style === undefined || line === '' ? line : io.paint(style, line);
  });
  return [io.paint('bold', head), ...painted].join('\n');
}

/** `118 requests a second, 0.4% fail, 12 in flight`. */
export function formatTotals({ requestsPerSecond, errorsPerSecond, activeRequests }: LiveUpdate): string {
  return `${rate(requestsPerSecond)} requests a second, ${failing(requestsPerSecond, errorsPerSecond) || '0%'} fail, ${activeRequests} in flight`;
}

/** `reviews`, outside of namespace default `reviews.shop`; the whole name of what is no service of a namespace. */
export function serviceName({ host, name, namespace }: Pick<LiveService, 'host' | 'name' | 'namespace'>): string {
  if (!host.endsWith('.svc.cluster.local')) return host;
  return namespace === 'default' ? name : `${name}.${namespace}`;
}

/** The service as a whole is a row of its own only where requests go to no version. */
function shownVersions({ versions }: LiveService): readonly LiveVersion[] {
  const named = versions.filter(({ subset, requestsPerSecond }) => subset !== '' || requestsPerSecond > 0);
  return named.length === 0 ? versions : named;
}

function rowOf(service: LiveService, version: LiveVersion, isFull: boolean): Row {
  const { subset, role, weightPercent, share, requestsPerSecond, errorsPerSecond, activeRequests, endpoints, processes } = version;
  const served = processes === null ? '' : `, ${processes.ready}/${processes.total} processes`;
  const out = endpoints.ejected === 0 ? '' : `, ${endpoints.ejected} ejected`;
  return {
    cells: [
      serviceName(service),
      subset,
      role ?? '',
      weightPercent === null ? '' : `${round(weightPercent)}%`,
      share === null ? '' : `${round(share * 100)}%`,
      rate(requestsPerSecond),
      failing(requestsPerSecond, errorsPerSecond),
      ...(isFull ? [String(activeRequests), ms(version.p50Ms), ms(version.p90Ms)] : []),
      ms(version.p99Ms),
      `${endpoints.healthy}/${endpoints.total}${out}${served}`,
    ],
    style: styleOf(version),
  };
}

function styleOf({ requestsPerSecond, errorsPerSecond, endpoints, processes, role }: LiveVersion): Style | undefined {
  if (errorsPerSecond > requestsPerSecond * MANY_ERRORS || (endpoints.total > 0 && endpoints.healthy === 0)) return 'red';
  if (endpoints.healthy < endpoints.total || (processes !== null && processes.ready < processes.total)) return 'yellow';
  return role === 'canary' ? 'cyan' : undefined;
}

function failing(requests: number, errors: number): string {
  return requests === 0 ? '' : `${round((errors / requests) * 100)}%`;
}

const rate = (perSecond: number): string => (perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond).toLocaleString('en'));

const round = (value: number): number => Number(value.toFixed(value < 10 ? 1 : 0));

function ms(value: number | null): string {
  if (value === null) return '';
  return value < 1000 ? `${round(value)}ms` : `${(value / 1000).toFixed(1)}s`;
}
