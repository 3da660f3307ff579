import { describe, expect, test } from 'vitest';
import type { ApiObject } from '../admin/api-types.ts';
import { columnsOf } from './get-columns.ts';

/** Heading to cell. */
function shown(
  kind: string,
  object: Pick<ApiObject, 'metadata'> & Readonly<Record<string, unknown>>,
  wide = false,
): Record<string, string> {
  const { headings, row } = columnsOf(kind, { wide, namespaces: false });
  const cells = row({ apiVersion: 'v1', kind: 'Any', ...object });
  return Object.fromEntries(headings.map((heading, index) => [heading, cells[index] ?? '']));
}

const condition = (type: string, status: string, reason: string): object => ({ type, status, reason, message: `about ${reason}` });

describe('a Gateway', () => {
  test('of the Gateway API: class, address with its port, whether it is programmed, and which of its listeners have which reasons', () => {
    const gateway = {
      metadata: { name: 'front', annotations: { 'serin.dev/addresses': '80=127.0.0.1:8080,443=127.0.0.1:8443' } },
      spec: { gatewayClassName: 'serin', listeners: [{ port: 80 }, { port: 443, hostname: 'a.example.com' }, { port: 80 }] },
      status: {
        addresses: [{ type: 'IPAddress', value: '127.0.0.1' }],
        conditions: [condition('Accepted', 'True', 'Accepted'), condition('Programmed', 'True', 'Programmed')],
        listeners: [
          {
            name: 'web',
            conditions: [condition('Conflicted', 'False', 'NoConflicts'), condition('ResolvedRefs', 'False', 'InvalidCertificateRef')],
          },
          { name: 'more', conditions: [condition('Conflicted', 'True', 'HostnameConflict')] },
        ],
      },
    };
    expect(shown('gateways', gateway)).toEqual({
      NAME: 'front',
      CLASS: 'serin',
      PORTS: '80,443',
      HOSTS: 'a.example.com',
      ADDRESS: '127.0.0.1:8080,127.0.0.1:8443',
      PROGRAMMED: 'True',
      REASON: 'web:InvalidCertificateRef,more:HostnameConflict',
      AGE: '',
    });
    expect(shown('gateways', gateway, true)['MESSAGE']).toBe('web: about InvalidCertificateRef; more: about HostnameConflict');
  });

  test('of Istio has no class, and the addresses of its listeners', () => {
    expect(
      shown('gateways', {
        metadata: { name: 'front' },
        spec: {
          servers: [
            { port: { number: 80 }, hosts: ['*'] },
            { port: { number: 443 }, hosts: ['*', 'b.example.com'] },
          ],
        },
        status: { conditions: [condition('Reconciled', 'True', 'InForce')], listeners: [{ addresses: ['127.0.0.1:8080'] }] },
      }),
    ).toMatchObject({ CLASS: '', PORTS: '80,443', HOSTS: '*,b.example.com', ADDRESS: '127.0.0.1:8080', PROGRAMMED: '', REASON: '' });
  });
});

test('a route: hostnames, and what its parents say of it where they are not of one mind', () => {
  const parents = [
    { conditions: [condition('Accepted', 'True', 'Accepted'), condition('ResolvedRefs', 'False', 'BackendNotFound')] },
    { conditions: [condition('Accepted', 'False', 'NoMatchingParent'), condition('PartiallyInvalid', 'True', 'UnsupportedValue')] },
  ];
  const route = { metadata: { name: 'reviews' }, spec: { hostnames: ['a', 'b'] }, status: { parents } };
  for (const kind of ['httproutes', 'grpcroutes', 'tlsroutes']) {
    expect(shown(kind, route)).toEqual({
      NAME: 'reviews',
      HOSTNAMES: 'a,b',
      ACCEPTED: 'True,False',
      RESOLVED: 'False',
      REASON: 'BackendNotFound,NoMatchingParent,UnsupportedValue',
      OVERLAY: '',
      AGE: '',
    });
  }
});

test('an age is that of the creationTimestamp, where one is stated', () => {
  const created = new Date(Date.now() - 3 * 86_400_000).toISOString();
  expect(shown('httproutes', { metadata: { name: 'reviews', creationTimestamp: created } })['AGE']).toBe('3d');
});

test("Kubernetes' own kinds", () => {
  expect(shown('services', { metadata: { name: 'reviews' }, spec: { ports: [{ name: 'http', port: 80 }, { port: 81 }] } })).toMatchObject({
    TYPE: 'ClusterIP',
    PORTS: 'http:80,81',
  });
  expect(
    shown('endpointslices', {
      metadata: { name: 'reviews-1' },
      addressType: 'IPv4',
      ports: [{ port: 9080 }],
      endpoints: [{ addresses: ['10.0.0.1'] }, { addresses: ['10.0.0.2'] }],
    }),
  ).toMatchObject({ ADDRESSTYPE: 'IPv4', PORTS: '9080', ENDPOINTS: '10.0.0.1,10.0.0.2' });
  expect(shown('configmaps', { metadata: { name: 'ca' }, data: { 'ca.crt': '', other: '' } })).toMatchObject({ DATA: '2' });
  expect(shown('namespaces', { metadata: { name: 'books', labels: { team: 'books' } } })).toMatchObject({ LABELS: 'team=books' });
});

test('a class, a set of listeners, a policy and a grant', () => {
  const conditions = [condition('Accepted', 'True', 'Accepted'), condition('Programmed', 'False', 'Pending')];
  expect(
    shown('gatewayclasses', {
      metadata: { name: 'serin' },
      spec: { controllerName: 'serin.dev/gateway-controller' },
      status: { conditions },
    }),
  ).toMatchObject({ CONTROLLER: 'serin.dev/gateway-controller', ACCEPTED: 'True' });
  expect(
    shown('listenersets', {
      metadata: { name: 'team' },
      spec: { parentRef: { name: 'front' }, listeners: [{ port: 81 }] },
      status: { conditions },
    }),
  ).toMatchObject({ PARENT: 'front', PORTS: '81', ACCEPTED: 'True', PROGRAMMED: 'False', REASON: 'Pending' });
  expect(
    shown('backendtlspolicies', {
      metadata: { name: 'tls' },
      spec: { targetRefs: [{ name: 'reviews' }], validation: { hostname: 'reviews.example.com' } },
      status: { ancestors: [{ conditions: [condition('Accepted', 'False', 'NoValidCACertificate')] }] },
    }),
  ).toMatchObject({ TARGETS: 'reviews', HOSTNAME: 'reviews.example.com', ACCEPTED: 'False', REASON: 'NoValidCACertificate' });
  expect(
    shown('referencegrants', {
      metadata: { name: 'grant' },
      spec: {
        from: [
          { kind: 'HTTPRoute', namespace: 'books' },
          { kind: 'GRPCRoute', namespace: 'books' },
        ],
        to: [{ kind: 'Service' }],
      },
    }),
  ).toMatchObject({ 'FROM-KINDS': 'HTTPRoute,GRPCRoute', 'FROM-NAMESPACES': 'books', 'TO-KINDS': 'Service' });
});
