import { describe, expect, test } from 'vitest';
import { delegatedMatches } from './delegates.ts';
import { loadText } from './load.ts';
import { EMPTY_OVERLAY, applyOverlay } from './overlay.ts';
import type { HttpMatchRequest } from './resources.ts';

function merged(root: HttpMatchRequest[], leaf: HttpMatchRequest[]): readonly HttpMatchRequest[] | undefined {
  return delegatedMatches({ match: root }, 'infra', { match: leaf }, 'shop');
}

describe("a delegate's match under its root's", () => {
  test.each<readonly [string, HttpMatchRequest[], HttpMatchRequest[], HttpMatchRequest[] | undefined]>([
    ['none at all', [], [], []],
    ['the root’s, where it has none', [{ uri: { prefix: '/a' } }], [], [{ uri: { prefix: '/a' } }]],
    ['its own, where the root has none', [], [{ uri: { exact: '/b' } }], [{ uri: { exact: '/b' } }]],
    ['a longer prefix', [{ uri: { prefix: '/a' } }], [{ uri: { prefix: '/a/b' } }], [{ uri: { prefix: '/a/b' } }]],
    ['a path under a prefix', [{ uri: { prefix: '/a' } }], [{ uri: { exact: '/a/b' } }], [{ uri: { exact: '/a/b' } }]],
    ['not a shorter prefix', [{ uri: { prefix: '/a/b' } }], [{ uri: { prefix: '/a' } }], undefined],
    ['not another path', [{ uri: { exact: '/a' } }], [{ uri: { exact: '/b' } }], undefined],
    ['not a prefix of an exact path', [{ uri: { exact: '/a' } }], [{ uri: { prefix: '/a' } }], undefined],
    ['not beside a pattern', [{ method: { regex: 'G.*' } }], [{ method: { exact: 'GET' } }], undefined],
    [
      'both, where they ask for different things',
      [{ uri: { prefix: '/a' }, headers: { x: { exact: '1' } } }],
      [{ method: { exact: 'GET' }, headers: { y: { exact: '2' } } }],
      [{ uri: { prefix: '/a' }, method: { exact: 'GET' }, headers: { x: { exact: '1' }, y: { exact: '2' } } }],
    ],
    ['not another value of one header', [{ headers: { x: { exact: '1' } } }], [{ headers: { x: { exact: '2' } } }], undefined],
    [
      'each block under each that it fits',
      [{ uri: { prefix: '/a' } }, { uri: { prefix: '/b' } }],
      [{ uri: { exact: '/a/1' } }, { method: { exact: 'GET' } }],
      [
        { uri: { exact: '/a/1' } },
        { uri: { prefix: '/a' }, method: { exact: 'GET' } },
        { uri: { prefix: '/b' }, method: { exact: 'GET' } },
      ],
    ],
    ['not when one block fits none', [{ uri: { prefix: '/a' } }], [{ uri: { exact: '/a' } }, { uri: { exact: '/b' } }], undefined],
    ['not another port', [{ port: 80 }], [{ port: 81 }], undefined],
    ['not in other letters', [{ ignoreUriCase: true }], [{ uri: { exact: '/a' } }], undefined],
    ['Gateways by their full name', [{ gateways: ['front', 'mesh'] }], [{ gateways: ['infra/front'] }], [{ gateways: ['infra/front'] }]],
    ['not a Gateway of its own namespace', [{ gateways: ['front'] }], [{ gateways: ['front'] }], undefined],
  ])('is %s', (_, root, leaf, expected) => {
    expect(merged(root, leaf)).toEqual(expected);
  });
});

test('a shift moves the weights in a delegate', () => {
  const { snapshot, diagnostics } = loadText(
    'x.yaml',
    `
services: { reviews: { versions: { v1: 'http://127.0.0.1:1', v2: 'http://127.0.0.1:2' } } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: root }
spec: { hosts: [shop.example], gateways: [front], http: [{ match: [{ uri: { prefix: /reviews } }], delegate: { name: reviews } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec: { http: [{ route: [{ destination: { host: reviews, subset: v1 } }] }] }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: front }
spec: { servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: [shop.example] }] }
`,
  );
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  const host = 'reviews.default.svc.cluster.local';
  const { snapshot: shifted } = applyOverlay(snapshot, { ...EMPTY_OVERLAY, shifts: { [host]: { weights: { v1: 50, v2: 50 } } } });
  const root = shifted.virtualServices.find(({ metadata }) => metadata.name === 'root');
  expect(root?.spec.http?.[0]?.route?.map(({ destination, weight }) => [destination.subset, weight])).toEqual([
    ['v1', 50],
    ['v2', 50],
  ]);
});
