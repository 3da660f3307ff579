import { describe, expect, test } from 'vitest';
import { cluster, forward, hosts, route, table } from '../../test/helpers/tables.ts';
import type { Listener, RoutingTable } from './table.ts';
import { tableChanges } from './table-changes.ts';

const A = route('/a', forward());
const B = route('/b', forward({ timeoutMs: 1000 }));
const to = (...routes: readonly (typeof A)[]): RoutingTable => table([hosts(['shop'], routes)], [cluster(9081)]);
const gateway = (changes: Partial<Listener>): RoutingTable => ({
  ...to(),
  listeners: [{ name: '443', port: 443, gateways: ['default/front'], virtualHosts: [], ...changes }],
});

/** `part change name`. */
const said = (before: RoutingTable, after: RoutingTable): readonly string[] =>
  tableChanges(before, after).map(({ part, change, name }) => [part, change, ...name].join(' '));

describe('routes', () => {
  test('that only have other names or places are the same', () => {
    const moved = { ...A, name: 'http[1]', source: { ...A.source, path: 'spec.http[1]', line: 20 } };
    expect(tableChanges(to(A), to(moved))).toEqual([]);
  });

  test('are known by the requests they take', () => {
    expect(said(to(A), to(B, A))).toEqual(['route added when uri prefix "/b"']);
    expect(said(to(A, B), to(A))).toEqual(['route removed when uri prefix "/b"']);
    const [change, ...others] = tableChanges(to(B), to({ ...B, action: forward({ timeoutMs: 2000 }) }));
    expect(others).toEqual([]);
    expect(change).toMatchObject({ part: 'route', change: 'changed', listener: 'mesh', host: 'shop', name: ['when uri prefix "/b"'] });
    expect([change?.before.at(-1), change?.after.at(-1)]).toEqual(['timeout 1000 ms', 'timeout 2000 ms']);
  });

  test('in another order are said once', () => {
    expect(tableChanges(to(A, B), to(B, A))).toEqual([
      {
        part: 'order',
        change: 'changed',
        listener: 'mesh',
        host: 'shop',
        name: [],
        before: ['when uri prefix "/a"', 'when uri prefix "/b"'],
        after: ['when uri prefix "/b"', 'when uri prefix "/a"'],
      },
    ]);
  });

  test('two for the same requests are two', () => {
    expect(said(to(A, A), to(A))).toEqual(['route removed when uri prefix "/a"']);
    expect(said(to(A, A), to(A, A))).toEqual([]);
  });

  test('that no request reaches do not count', () => {
    expect(said(to(A), to(A, { ...B, unreachable: 'http[0] takes everything' }))).toEqual([]);
  });
});

test('a host, a listener and a cluster that come, go or change', () => {
  const other = table([hosts(['shop', 'shop.default'], [A])], [cluster([9081, 9082]), cluster(9090, { name: 'outbound|90||other.test' })]);
  expect(said(to(A), other)).toEqual([
    'host changed',
    'cluster changed outbound|80||upstream.test',
    'cluster added outbound|90||other.test',
  ]);
  expect(said(to(), { ...to(), listeners: [] })).toEqual(['listener removed', 'host removed']);
});

test('certificates and names of a listener, and rules for whole connections', () => {
  const site = {
    name: 'default/front spec.servers[0]',
    serverNames: ['shop.example'],
    certificates: ['secret default/shop'],
    clientCertificate: 'none',
    subjectAltNames: [],
    spkiSha256: [],
    certificateSha256: [],
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
  } as const;
  const [change] = tableChanges(gateway({ tls: [site] }), gateway({ tls: [{ ...site, clientCertificate: 'required' }] }));
  expect(change?.after.at(-1)).toBe('TLS for shop.example, TLSv1.2 to TLSv1.3, by secret default/shop, client certificate required');

  const rule = {
    name: 'tcp[0]',
    source: A.source,
    matches: [{ path: 'spec.tcp[0]' }],
    clusters: [{ cluster: 0, weight: 1 }],
    totalWeight: 1,
  };
  expect(said(gateway({ tcp: [] }), gateway({ tcp: [rule] }))).toEqual(['connections added when any connection']);
});
