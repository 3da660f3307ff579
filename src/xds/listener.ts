/** Listeners of the table as config.listener.v3 Listener, with the limits and the manners Serin's data plane has. */
import type { Listener, RoutingTable, TlsSite } from '../routing/table.ts';
import { filterChains } from './filter-chains.ts';
import { any, duration, type Message, type NamedMessage } from './message.ts';
import { httpFilters, socketAddress } from './route.ts';
import { tcpProxy } from './tcp-proxy.ts';
import { downstreamTls, type TlsContextOptions } from './tls.ts';

/** As in ARCHITECTURE.md. */
const HEAD_MS = 10_000;
const KEEP_ALIVE_MS = 75_000;
const STREAM_IDLE_MS = 300_000;
const HEAD_KB = 32;
const MAX_FIELDS = 128;
const MAX_STREAMS = 100;

/** What a stranger must not say about himself. */
const IDENTITY = ['x-forwarded-', 'x-envoy-', 'x-serin-'].map((prefix) => ({ prefix }));
const IDENTITY_NAMES = ['forwarded', 'x-real-ip'];

export interface BoundAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * @param routesOf  Where the routes of its connections come from (`route_config` or `rds`), and what else is said beside them.
 * @param table     What its rules for whole connections lead to.
 */
export function envoyListener(
  listener: Listener,
  bound: BoundAddress,
  routesOf: (site?: TlsSite) => Message,
  table: RoutingTable,
  options: TlsContextOptions,
): NamedMessage {
  return {
    name: listener.name,
    address: socketAddress({ address: bound.host === 'localhost' ? '127.0.0.1' : bound.host, port: bound.port }),
    ...filterChains(listener, {
      http: (site) => connectionManager(listener, routesOf(site), site),
      tcp: (route) => tcpProxy(route, listener.name, table, options.notes),
      transportSocket: (site) => downstreamTls(site, options),
    }),
  };
}

function connectionManager(listener: Listener, routes: Message, site: TlsSite | undefined): Message {
  const asksClients = site !== undefined && site.clientCertificate !== 'none';
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: any('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', {
      stat_prefix: listener.name,
      codec_type: 'AUTO',
      ...routes,
      http_filters: httpFilters(listener.virtualHosts.flatMap((host) => host.routes)),
      use_remote_address: true,
      preserve_external_request_id: true,
      early_header_mutation_extensions: [
        {
          name: 'envoy.http.early_header_mutation.header_mutation',
          typed_config: any('envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation', {
            mutations: [
              ...IDENTITY.map((key_matcher) => ({ remove_on_match: { key_matcher } })),
              ...IDENTITY_NAMES.map((remove) => ({ remove })),
            ],
          }),
        },
      ],
      ...(asksClients
        ? { forward_client_cert_details: 'SANITIZE_SET', set_current_client_cert_details: { subject: true, uri: true, dns: true } }
        : {}),
      normalize_path: true,
      path_with_escaped_slashes_action: 'KEEP_UNCHANGED',
      strip_trailing_host_dot: true,
      server_header_transformation: 'PASS_THROUGH',
      common_http_protocol_options: {
        idle_timeout: duration(KEEP_ALIVE_MS),
        max_headers_count: MAX_FIELDS,
        headers_with_underscores_action: 'DROP_HEADER',
      },
      http_protocol_options: { accept_http_10: true },
      http2_protocol_options: { max_concurrent_streams: MAX_STREAMS },
      request_headers_timeout: duration(HEAD_MS),
      stream_idle_timeout: duration(STREAM_IDLE_MS),
      max_request_headers_kb: HEAD_KB,
    }),
  };
}
