import { describe, expect, test } from 'vitest';
import { loadText, NO_FILES } from '../config/load.ts';
import { applyOverlay, EMPTY_OVERLAY, type Overlay } from '../config/overlay.ts';
import { compile } from '../routing/compile.ts';
import { diffConfiguration } from './diff.ts';
import type { Candidate, InForce, Pipeline } from './pipeline.ts';

const CONFIG = `
services:
  reviews:
    versions: { v1: http://127.0.0.1:9081, v2: http://127.0.0.1:9082 }
    routes: [{ split: { v1: 100, v2: 0 } }]
  ratings:
    versions: { v1: http://127.0.0.1:9083, v2: http://127.0.0.1:9084 }
`;
const RELEASE: Overlay['releases'][string] = {
  rollout: 'default/reviews',
  canaries: ['v2'],
  stable: 'v1',
  weights: { v1: 7500, v2: 2500 },
  headerRoutes: [],
  epoch: 1,
};
const OVERLAY: Overlay = {
  shifts: { 'ratings.default.svc.cluster.local': { weights: { v1: 1, v2: 1 } } },
  releases: { 'reviews.default.svc.cluster.local': RELEASE },
};

function candidate(text: string, overlay: Overlay): Candidate {
  const { snapshot: base, diagnostics: fileDiagnostics } = loadText('serin.yaml', text);
  const { snapshot: effective, diagnostics } = applyOverlay(base, overlay);
  const compiled = compile(effective);
  return {
    base,
    files: NO_FILES,
    manifests: [],
    overlay,
    effective,
    compiled: compiled.table,
    statuses: compiled.statuses,
    idle: new Map(),
    fileDiagnostics,
    diagnostics: [...fileDiagnostics, ...diagnostics, ...compiled.diagnostics],
  };
}

function diff(given: string, overlay: Overlay): ReturnType<typeof diffConfiguration> {
  const now = candidate(CONFIG, overlay);
  const pipeline: Pick<Pipeline, 'inForce' | 'wouldBe'> = {
    inForce: { ...now, table: now.compiled, bound: [], conditionTimes: new Map(), sinceMs: 0 } satisfies InForce,
    wouldBe: () => candidate(given, overlay),
  };
  return diffConfiguration(pipeline, { sources: [{ file: 'new.yaml', content: given }] });
}

describe('the overlay', () => {
  test('each part is said by what moved it; what it adds has no other side', () => {
    const { resources, overlay, routing } = diff(CONFIG, OVERLAY);
    expect([resources, routing]).toEqual([[], []]);
    expect(overlay.map(({ by, change, name }) => [by, change, name])).toEqual([
      ['rollout default/reviews', 'changed', 'reviews'],
      ['shift', 'added', 'serin-shift-ratings'],
    ]);
  });

  test('of a route of the Gateway API, too', () => {
    const service = (name: string): string =>
      `---\napiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { ports: [{ port: 80 }] }\n`;
    const route = `---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: shop }
spec: { parentRefs: [{ name: edge }], rules: [{ backendRefs: [{ name: shop-v1, port: 80 }] }] }
`;
    const shifts = { 'httproute/default/shop': { weights: { 'shop-v1': 1, 'shop-v2': 1 } } };
    const { overlay } = diff(`${CONFIG}${route}${service('shop-v1')}${service('shop-v2')}`, { ...EMPTY_OVERLAY, shifts });
    expect(overlay).toMatchObject([{ by: 'shift', change: 'changed', kind: 'HTTPRoute', name: 'shop' }]);
  });

  test('that says what the files say is no difference', () => {
    expect(diff(CONFIG, EMPTY_OVERLAY)).toMatchObject({ resources: [], overlay: [], routing: [], warnings: [] });
  });

  test('and edits of the weights it hides: the file differs, traffic does not', () => {
    const { resources, routing } = diff(CONFIG.replace('v1: 100, v2: 0', 'v1: 50, v2: 50'), OVERLAY);
    expect(resources.map(({ change, kind, name }) => [change, kind, name])).toEqual([['changed', 'VirtualService', 'reviews']]);
    expect(routing).toEqual([]);
  });

  test('over delegates: only what it moves differs', () => {
    const delegating = `${CONFIG.replace(/ {4}routes: .*\n/, '')}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: root }
spec: { hosts: [reviews], http: [{ match: [{ uri: { prefix: / } }], delegate: { name: part } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: part }
spec: { http: [{ route: [{ destination: { host: reviews, subset: v1 }, weight: 100 }, { destination: { host: reviews, subset: v2 }, weight: 0 }] }] }
`;
    const { overlay } = diff(delegating, OVERLAY);
    expect(overlay.map(({ by, change, name }) => [by, change, name])).toContainEqual(['rollout default/reviews', 'changed', 'root']);
    const root = overlay.find(({ name }) => name === 'root');
    expect(JSON.stringify(root?.before?.object)).toContain('"weight":100');
  });
});
