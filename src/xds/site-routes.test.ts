/** What the connections of each TLS server of a listener are told of each host, where hosts belong to one. */
import { describe, expect, test } from 'vitest';
import { cluster, forward, hosts, route, table } from '../../test/helpers/tables.ts';
import type { RoutingTable, TlsSite, VirtualHost } from '../routing/table.ts';
import { envoyResources } from './translate.ts';

function site(name: string, serverNames: readonly string[]): TlsSite {
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
  };
}

const translate = (of: RoutingTable): ReturnType<typeof envoyResources> =>
  envoyResources(of, { addresses: new Map([['443', { host: '127.0.0.1', port: 443 }]]) });

describe('virtual hosts that belong to one TLS server', () => {
  const SITES = [
    site('any', ['*']),
    site('second', ['second.example']),
    site('wild', ['*.wild.example']),
    site('empty', ['fourth.wild.example']),
  ];
  const own = (tlsSite: string, domains: readonly string[]): VirtualHost => ({ ...hosts(domains, [route('/', forward())]), tlsSite });

  /** Of each server, what its connections are told of each domain. */
  function told(virtualHosts: readonly VirtualHost[]): unknown {
    const of = { ...table([], [cluster(9081)]), listeners: [{ name: '443', port: 443, gateways: [], tls: SITES, virtualHosts }] };
    const chains = translate(of).listeners[0]?.['filter_chains'] as readonly Chain[];
    return Object.fromEntries(
      chains.map(({ name, filters: [filter] }) => [
        name,
        Object.fromEntries(
          filter.typed_config.route_config.virtual_hosts.flatMap(({ domains, routes = [] }) =>
            domains.map((domain) => [domain, routes.length === 0 ? 404 : (routes[0]?.direct_response?.status ?? 200)]),
          ),
        ),
      ]),
    );
  }

  test('the others’ hosts and names are misdirected, and names of one’s own without a host are not found', () => {
    const hosted = [own('any', ['example.org']), own('second', ['second.example']), own('wild', ['third.wild.example'])];
    expect(told(hosted)).toEqual({
      any: {
        'example.org': 200,
        '*': 404,
        'second.example': 421,
        'third.wild.example': 421,
        '*.wild.example': 421,
        'fourth.wild.example': 421,
      },
      second: {
        'second.example': 200,
        'example.org': 421,
        'third.wild.example': 421,
        '*': 421,
        '*.wild.example': 421,
        'fourth.wild.example': 421,
      },
      wild: {
        'third.wild.example': 200,
        '*.wild.example': 404,
        'example.org': 421,
        'second.example': 421,
        '*': 421,
        'fourth.wild.example': 421,
      },
      empty: {
        'fourth.wild.example': 404,
        'example.org': 421,
        'second.example': 421,
        'third.wild.example': 421,
        '*': 421,
        '*.wild.example': 421,
      },
    });
  });

  test('hosts that belong to nobody are everybody’s', () => {
    const { tlsSite: _none, ...free } = own('any', ['free.example', '*']);
    expect(told([free])).toEqual(Object.fromEntries(SITES.map(({ name }) => [name, { 'free.example': 200, '*': 200 }])));
    expect(told([free, own('second', ['second.example'])])).toMatchObject({
      any: { 'free.example': 200, '*': 200, 'second.example': 421 },
      second: { 'free.example': 200, '*': 200, 'second.example': 200, '*.wild.example': 421 },
    });
  });
});

interface Chain {
  readonly name: string;
  readonly filters: readonly [
    {
      readonly typed_config: {
        readonly route_config: {
          readonly virtual_hosts: readonly {
            readonly domains: readonly string[];
            readonly routes?: readonly { readonly direct_response?: { readonly status: number } }[];
          }[];
        };
      };
    },
  ];
}
