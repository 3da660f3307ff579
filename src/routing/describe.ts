import { prepareConditions } from './condition.ts';
import { headerValueText } from './header-value.ts';
import type { Cluster, HeaderOps, RedirectAction, Rewrite, Route, RouteMatch, WeightedCluster } from './table.ts';

/** Parts of a routing table in words: shared by the printed table and by explain, so that both call a thing the same. */

/** `uri prefix "/reviews", header end-user exact "jason"`; `everything` where nothing is asked. */
export function describeMatch(match: RouteMatch): string {
  const conditions = prepareConditions(match);
  return conditions.length === 0 ? 'everything' : conditions.map(({ what, expected }) => `${what} ${expected}`).join(', ');
}

/** `VirtualService default/reviews spec.http[0] reviews.yaml:12`. */
export function describeSource({ source }: Route): string {
  const place = source.line > 0 ? `${source.file}:${source.line}` : source.file;
  return [`${source.kind} ${source.namespace}/${source.name}`, source.path, place].filter((part) => part !== '').join(' ');
}

/** One line an operation, in the order in which they run: `remove x`, `set a: b`, `add c: %REQ(d)%`. */
export function describeOps(ops: HeaderOps): readonly string[] {
  return [
    ...ops.remove.map((name) => `remove ${name}`),
    ...ops.set.map(({ name, value }) => `set ${name}: ${headerValueText(value)}`),
    ...ops.add.map(({ name, value }) => `add ${name}: ${headerValueText(value)}`),
  ];
}

/** `90 %`, `33.3 %`: of all requests that take the route. */
export function describeShare({ weight }: Pick<WeightedCluster, 'weight'>, totalWeight: number): string {
  return `${Math.round((weight / totalWeight) * 1000) / 10} %`;
}

/** `127.0.0.1:9081 127.0.0.1:9082 weight 2`, or why there is none. */
export function describeEndpoints(cluster: Pick<Cluster, 'missing' | 'endpoints'>): string {
  if (cluster.missing !== undefined) return `none: ${cluster.missing}`;
  if (cluster.endpoints.length === 0) return 'none';
  return cluster.endpoints
    .map(
      ({ address, port, weight }) =>
        `${address.includes(':') ? `[${address}]` : address}:${port}${weight === 1 ? '' : ` weight ${weight}`}`,
    )
    .join(', ');
}

/** `path prefix -> /v2`, `host -> ratings`. */
export function describeRewrite({ path, host }: Rewrite): string {
  const parts: string[] = [];
  if (path?.kind === 'regex') parts.push(`path regex ${JSON.stringify(path.match)} -> ${JSON.stringify(path.rewrite)}`);
  else if (path !== undefined) parts.push(`path ${path.kind} -> ${path.value}`);
  if (host !== undefined) parts.push(`host -> ${host}`);
  return parts.join(', ');
}

/** `301 scheme https, host a.example, path full /x`. */
export function describeRedirect({ status, scheme, host, port, path }: RedirectAction): string {
  const parts = [
    scheme === undefined ? '' : `scheme ${scheme}`,
    host === undefined ? '' : `host ${host}`,
    port === undefined ? '' : `port ${port}`,
    path === undefined ? '' : `path ${path.kind} ${path.value}`,
  ].filter((part) => part !== '');
  return `${status} ${parts.join(', ')}`;
}
