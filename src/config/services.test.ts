import { describe, expect, test } from 'vitest';
import { loadText } from './load.ts';
import { serviceIndex, subsetEndpoints } from './services.ts';

const head = (kind: string, name: string, namespace = 'default'): string =>
  `---\napiVersion: networking.istio.io/v1\nkind: ${kind}\nmetadata: { name: ${name}, namespace: ${namespace}, labels: { x: y } }\nspec: `;
const PORTS = 'ports: [{ number: 80, name: http, protocol: HTTP }]';
const index = (...documents: string[]): ReturnType<typeof serviceIndex> => serviceIndex(loadText('x', documents.join('\n')).snapshot);
const FQDN = 'reviews.default.svc.cluster.local';

describe('endpoints', () => {
  test('written out, without unix sockets', () => {
    const found = index(
      `${head('ServiceEntry', 'a')}{ hosts: [reviews], ${PORTS}, resolution: STATIC, endpoints: [{ address: 10.0.0.1 }, { address: "unix:///a" }] }`,
    );
    expect(found.service(FQDN)?.endpoints.map(({ address }) => address)).toEqual(['10.0.0.1']);
  });

  test('selected by labels in the same namespace', () => {
    const workload = (name: string, address: string, labels: string, namespace?: string): string =>
      `${head('WorkloadEntry', name, namespace)}{ address: ${address}, labels: ${labels} }`;
    const found = index(
      `${head('ServiceEntry', 'a')}{ hosts: [reviews], ${PORTS}, resolution: STATIC, workloadSelector: { labels: { app: r } } }`,
      workload('w1', '10.0.0.1', '{ app: r, version: v1 }'),
      workload('w2', '10.0.0.2', '{ app: other }'),
      workload('w3', '10.0.0.3', '{ app: r }', 'prod'),
      workload('w4', 'name.example.com', '{ app: r }'),
    );
    expect(found.service(FQDN)?.endpoints.map(({ address }) => address)).toEqual(['10.0.0.1']);
  });

  test('DNS without endpoints is the host itself; NONE has none', () => {
    const found = index(
      `${head('ServiceEntry', 'a')}{ hosts: [api.example.com], ${PORTS}, resolution: DNS }`,
      `${head('ServiceEntry', 'b')}{ hosts: [none.example.com], ${PORTS}, resolution: NONE }`,
    );
    expect(found.service('api.example.com')?.endpoints).toEqual([{ address: 'api.example.com' }]);
    expect(found.service('none.example.com')?.endpoints).toEqual([]);
  });

  test('two entries for one host are one service when they are resolved alike', () => {
    const entry = (name: string, address: string, port: number): string =>
      `${head('ServiceEntry', name)}{ hosts: [reviews], ports: [{ number: ${port}, name: p${port}, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: ${address} }] }`;
    const service = index(entry('a', '10.0.0.1', 80), entry('b', '10.0.0.2', 81)).service(FQDN);
    expect(service?.endpoints.map(({ address }) => address)).toEqual(['10.0.0.1', '10.0.0.2']);
    expect(service?.ports.map(({ number }) => number)).toEqual([80, 81]);
    expect(service?.entry.metadata.name).toBe('a');
  });

  test('an exact host wins over a wildcard, the longer wildcard over the shorter', () => {
    const entry = (name: string, host: string): string =>
      `${head('ServiceEntry', name)}{ hosts: ["${host}"], ${PORTS}, resolution: STATIC, endpoints: [{ address: 10.0.0.1 }] }`;
    const found = index(entry('short', '*.com'), entry('long', '*.a.com'), entry('exact', 'b.a.com'));
    expect(['b.a.com', 'c.a.com', 'd.com', 'e.org'].map((host) => found.service(host)?.entry.metadata.name)).toEqual([
      'exact',
      'long',
      'short',
      undefined,
    ]);
  });
});

test('DestinationRules for a host are merged: subsets of all, the first of a name; the oldest policy', () => {
  const rule = (name: string, host: string, spec: string): string => `${head('DestinationRule', name)}{ host: ${host}, ${spec} }`;
  const found = index(
    `${head('ServiceEntry', 'a')}{ hosts: [reviews], ${PORTS}, resolution: STATIC, endpoints: [{ address: 10.0.0.1, labels: { version: v1 } }, { address: 10.0.0.2, labels: { version: v2 } }] }`,
    rule('one', 'reviews', 'subsets: [{ name: v1, labels: { version: v1 } }]'),
    rule(
      'two',
      FQDN,
      'trafficPolicy: { loadBalancer: { simple: RANDOM } }, subsets: [{ name: v1, labels: { version: other } }, { name: all }]',
    ),
    rule('wild', '"*.example.com"', 'subsets: [{ name: w }]'),
  );
  const service = found.service(FQDN);
  expect(service?.destinationRule?.subsets).toEqual([{ name: 'v1', labels: { version: 'v1' } }, { name: 'all' }]);
  expect(service?.destinationRule?.trafficPolicy).toEqual({ loadBalancer: { simple: 'RANDOM' } });
  expect(service?.destinationRule?.resources.map(({ metadata }) => metadata.name)).toEqual(['one', 'two']);
  const counts = service?.destinationRule?.subsets.map((subset) => subsetEndpoints(service, subset).length);
  expect(counts).toEqual([1, 2]);
  expect(found.destinationRule('x.example.com')?.subsets.map(({ name }) => name)).toEqual(['w']);
});
