/**
 * The virtual hosts of a listener as config.route.v3 RouteConfiguration.
 *
 * Serin looks a Host up with its port and then without. Where no domain names a port Envoy does the same once it leaves ports out. On a mesh listener with
 * services of several ports each domain without a port also stands with `:*`; a wildcard cannot have a second one, so that one is said.
 */
import type { Listener, RoutingTable, VirtualHost } from '../routing/table.ts';
import { type Message, type NamedMessage, present } from './message.ts';
import type { Notes } from './notes.ts';
import { UNNOTICED } from './policies.ts';
import { envoyRoutes } from './route.ts';

/** Envoy's own limit for bodies of direct responses where none is stated. */
const DEFAULT_BODY_BYTES = 4096;

export function routeConfiguration(listener: Listener, table: RoutingTable, notes: Notes): NamedMessage {
  const { name, virtualHosts } = listener;
  const namesPorts = virtualHosts.some(({ domains }) => domains.some(hasPort));
  const bodyBytes = Math.max(
    0,
    ...virtualHosts.flatMap(({ routes }) => routes.map(({ action }) => (action.kind === 'directResponse' ? action.body.length : 0))),
  );
  return {
    name,
    virtual_hosts: virtualHosts
      .filter(({ domains }) => domains.length > 0)
      .map((host) => virtualHost(host, listener, namesPorts, table, notes)),
    ...(namesPorts ? {} : { ignore_port_in_host_matching: true }),
    // What Envoy says to upstreams of its own accord.
    request_headers_to_remove: ['x-envoy-expected-rq-timeout-ms', 'x-envoy-external-address', 'x-envoy-internal'],
    validate_clusters: false,
    ...(bodyBytes > DEFAULT_BODY_BYTES ? { max_direct_response_body_size_bytes: bodyBytes } : {}),
  };
}

function virtualHost(
  { name, domains, routes }: VirtualHost,
  listener: Listener,
  namesPorts: boolean,
  table: RoutingTable,
  notes: Notes,
): Message {
  const countsAttempts = routes.some(({ action }) => action.kind === 'forward' && (action.retry?.attempts ?? 0) > 0);
  return present({
    name,
    domains: namesPorts ? domains.flatMap((domain) => withAnyPort(domain, listener, notes)) : domains,
    routes: routes.flatMap((route) => envoyRoutes(route, listener, table, notes)),
    retry_policy: UNNOTICED,
    include_request_attempt_count: countsAttempts ? true : undefined,
  });
}

function hasPort(domain: string): boolean {
  return /:\d+$/.test(domain);
}

function withAnyPort(domain: string, { name }: Listener, notes: Notes): readonly string[] {
  if (domain === '*' || hasPort(domain)) return [domain];
  if (!domain.startsWith('*')) return [domain, `${domain}:*`];
  notes.about(`listener ${name}`, 'W_ENVOY_DIFFERS', `a Host that ${domain} covers is found without a port, or with 80 or 443 only`);
  return [domain, `${domain}:80`, `${domain}:443`];
}
