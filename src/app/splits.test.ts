import { expect, test } from 'vitest';
import { loadText } from '../config/load.ts';
import { splitOf, splitsOf } from './splits.ts';

const CONFIG = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: both }
spec:
  hosts: [a, b]
  http:
    - match: [{ headers: { x: { exact: y } } }]
      route: [{ destination: { host: a, subset: v2 } }]
    - route: [{ destination: { host: a, subset: v1 }, weight: 90 }, { destination: { host: a, subset: v2 }, weight: 10 }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: mixed }
spec:
  hosts: [c]
  http:
    - route: [{ destination: { host: c, subset: v1 }, weight: 50 }, { destination: { host: a, subset: v2 }, weight: 50 }]
    - route: [{ destination: { host: c } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: connections }
spec:
  hosts: [d]
  tcp: [{ route: [{ destination: { host: d, subset: v1 }, weight: 25 }, { destination: { host: d, subset: v2 }, weight: 75 }] }]
`;

test('what one service gets, and all of them at once', () => {
  const { snapshot } = loadText('a.yaml', CONFIG);
  const expected = { a: { v1: 90, v2: 10 }, b: {}, c: {}, d: { v1: 25, v2: 75 } };
  const all = splitsOf(snapshot);
  for (const [name, weights] of Object.entries(expected)) {
    const host = `${name}.default.svc.cluster.local`;
    expect(splitOf(snapshot, host)).toEqual(weights);
    expect(all.get(host) ?? {}).toEqual(weights);
  }
});

test('of a route of the Gateway API the rule that splits, else the last one that sends anywhere, by Service', () => {
  const route = (kind: string, rules: string): string =>
    `---\napiVersion: gateway.networking.k8s.io/v1\nkind: ${kind}\nmetadata: { name: shop }\nspec: { parentRefs: [{ name: edge }], rules: [${rules}] }\n`;
  const one = '{ backendRefs: [{ name: a, port: 80 }] }';
  const two = '{ backendRefs: [{ name: a, port: 80, weight: 3 }, { name: b, namespace: far, port: 80 }] }';
  const redirect = '{ filters: [{ type: RequestRedirect, requestRedirect: { scheme: https } }] }';
  const { snapshot } = loadText('a.yaml', route('HTTPRoute', `${one}, ${two}, ${one}`) + route('GRPCRoute', one));
  expect(splitOf(snapshot, 'httproute/default/shop')).toEqual({ a: 3, 'far/b': 1 });
  expect(splitOf(snapshot, 'grpcroute/default/shop')).toEqual({ a: 1 });
  expect(splitOf(loadText('a.yaml', route('HTTPRoute', `${one}, ${redirect}`)).snapshot, 'httproute/default/shop')).toEqual({ a: 1 });
  expect(splitOf(snapshot, 'httproute/default/other')).toEqual({});
});
