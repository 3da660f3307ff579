/** How chains are chosen, by their names; what Envoy makes of it is in test/e2e/envoy-connections.test.ts. */
import { describe, expect, test } from 'vitest';
import { cluster, route, table } from '../../test/helpers/tables.ts';
import type { Listener, RoutingTable, TcpMatch, TcpRoute, TlsSite } from '../routing/table.ts';
import { NO_HEADER_OPS } from '../routing/table.ts';
import { envoyResources } from './translate.ts';

const SOURCE = route('/', { kind: 'directResponse', status: 200, body: new Uint8Array() }).source;

function rule(name: string, matches: readonly Omit<TcpMatch, 'path'>[], clusters = [0]): TcpRoute {
  return {
    name,
    source: SOURCE,
    matches: matches.map((match) => ({ path: `spec.${name}`, ...match })),
    clusters: clusters.map((index) => ({ cluster: index, weight: 1 })),
    totalWeight: clusters.length,
  };
}

function site(name: string, serverNames: readonly string[], tcp?: readonly TcpRoute[]): TlsSite {
  return {
    name,
    serverNames,
    certificates: ['secret default/own'],
    clientCertificate: 'none',
    subjectAltNames: [],
    spkiSha256: [],
    certificateSha256: [],
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
    ...(tcp === undefined ? {} : { tcp }),
  };
}

function tableOf(parts: Pick<Listener, 'tls' | 'passthrough' | 'tcp'>, clusters = [cluster(9081)]): RoutingTable {
  return { ...table([], clusters), listeners: [{ name: '443', port: 443, gateways: [], virtualHosts: [], ...parts }] };
}

const translate = (of: RoutingTable): ReturnType<typeof envoyResources> =>
  envoyResources(of, { addresses: new Map([['443', { host: '127.0.0.1', port: 443 }]]) });

const listenerOf = (parts: Pick<Listener, 'tls' | 'passthrough' | 'tcp'>): object => translate(tableOf(parts)).listeners[0] ?? {};

describe('by name', () => {
  test('the first has a name that several claim, a server before a rule; a chain for names and all others stands twice', () => {
    const passthrough = [
      rule('tls[0]', [{ serverNames: ['*', 'a.example', 'b.example'] }]),
      rule('tls[1]', [{ serverNames: ['b.example'] }]),
    ];
    expect(listenerOf({ tls: [site('own', ['a.example'])], passthrough })).toMatchObject({
      listener_filters: [{ name: 'envoy.filters.listener.tls_inspector' }],
      filter_chains: [
        { name: 'own', filter_chain_match: { server_names: ['a.example'] }, transport_socket: {} },
        { name: 'default/test tls[0]', filter_chain_match: { server_names: ['b.example'] } },
        { name: 'default/test tls[0] others', filter_chain_match: { transport_protocol: 'tls' } },
      ],
    });
  });

  test('rules inside a server have names of its own, and the rest of its names nobody', () => {
    const rules = [rule('wide', [{ serverNames: ['*.a.example'] }]), rule('exact', [{ serverNames: ['x.a.example'] }])];
    expect(listenerOf({ tls: [site('own', ['*.example'], rules)] })).toMatchObject({
      filter_chains: [
        { name: 'own default/test exact', filter_chain_match: { server_names: ['x.a.example'] } },
        { name: 'own default/test wide', filter_chain_match: { server_names: ['*.a.example'] } },
        { name: 'own closed', filter_chain_match: { server_names: ['*.example'] }, filters: [] },
      ],
    });
  });

  test('what is in TLS may be no HTTP: no protocol is agreed on', () => {
    const { filter_chains: chains } = Object.fromEntries(Object.entries(listenerOf({ tls: [site('own', ['*'], [rule('tcp[0]', [{}])])] })));
    expect(chains).toMatchObject([{ name: 'own default/test tcp[0]', filters: [{ name: 'envoy.filters.network.tcp_proxy' }] }]);
    expect(JSON.stringify(chains)).not.toContain('alpn_protocols');
  });

  test('a port whose rules take nothing closes what comes', () => {
    expect(listenerOf({ tcp: [rule('tcp[0]', [{ never: 'port' }])] })).toMatchObject({ filter_chains: [{ filters: [] }] });
    expect(listenerOf({ tcp: [rule('tcp[0]', [{}], [])] })).toMatchObject({ filter_chains: [{ filters: [] }] });
  });
});

test('by addresses: in the order of the rules, each chain once', () => {
  const tcp = [
    rule('tcp[0]', [{ sourceSubnet: '10.0.0.0/8' }, { sourceSubnet: '2001:db8::1', destinationSubnets: ['192.0.2.1'] }]),
    rule('tcp[1]', [{}]),
    rule('tcp[2]', [{ sourceSubnet: '10.1.0.0/16' }]),
  ];
  const within = (address_prefix: string, prefix_len: number): object => ({
    single_predicate: { custom_match: { typed_config: { cidr_ranges: [{ address_prefix, prefix_len }] } } },
  });
  const to = (value: string): object => ({ action: { typed_config: { value } } });
  expect(listenerOf({ tcp })).toMatchObject({
    filter_chains: [{ name: 'default/test tcp[0]' }, { name: 'default/test tcp[1]' }],
    filter_chain_matcher: {
      matcher_list: {
        matchers: [
          { predicate: within('10.0.0.0', 8), on_match: to('default/test tcp[0]') },
          {
            predicate: { and_matcher: { predicate: [within('192.0.2.1', 32), within('2001:db8::1', 128)] } },
            on_match: to('default/test tcp[0]'),
          },
        ],
      },
      on_no_match: to('default/test tcp[1]'),
    },
  });
});

test('destinations with different idle times share the longest, which is said; so is what waits in a tunnel, of requests only', () => {
  const [short, ever] = [cluster(9081, { name: 'short', tunnelIdleMs: 1000 }), cluster(9082, { name: 'ever', tunnelIdleMs: 0 })];
  const connections = translate(tableOf({ tcp: [rule('tcp[0]', [{}], [0, 1])] }, [short, ever]));
  expect(connections.listeners).toMatchObject([
    { filter_chains: [{ filters: [{ typed_config: { idle_timeout: '0s', weighted_clusters: {} } }] }] },
  ]);
  expect(connections.unsupported.map(({ code, name, message }) => [code, name, message.slice(0, 28)])).toEqual([
    ['W_ENVOY_DIFFERS', 'test', 'a connection without a byte '],
  ]);
  const clusters = [{ cluster: 0, weight: 1, requestHeaders: NO_HEADER_OPS, responseHeaders: NO_HEADER_OPS }];
  const forwarded = route('/', { kind: 'forward', clusters, totalWeight: 1, timeoutMs: 0 });
  const requests = envoyResources(table([{ name: 'a', domains: ['*'], routes: [forwarded] }], [short]), { addresses: new Map() });
  expect(requests.unsupported.map(({ file }) => file)).toEqual(['cluster short']);
});

test('a CA of a ConfigMap is a file of it, unless it is written out', () => {
  const tls: TlsSite[] = [{ ...site('own', ['*']), clientCertificate: 'required', clientCa: 'configMap default/trusted' }];
  const named = translate(tableOf({ tls }));
  expect(JSON.stringify(named.listeners)).toContain('"trusted_ca":{"filename":"configmaps/default/trusted/ca.crt"}');
  expect(named.unsupported.map(({ file, code }) => [file, code])).toContainEqual(['ConfigMap default/trusted', 'W_ENVOY_SECRET']);
  const written = envoyResources(tableOf({ tls }), {
    addresses: new Map([['443', { host: '127.0.0.1', port: 443 }]]),
    credentials: new Map([['configMap default/trusted', { ca: 'PEM' }]]),
  });
  expect(JSON.stringify(written.listeners)).toContain('"trusted_ca":{"inline_string":"PEM"}');
});
