import { expect, test } from 'vitest';
import { loadText } from '../config/load.ts';
import { applyOverlay, EMPTY_OVERLAY, type Overlay } from '../config/overlay.ts';
import { differencesOf } from './differences.ts';

const ROUTE = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: shop }
spec:
  parentRefs: [{ name: edge }]
  rules:
    - matches: [{ path: { value: /cart } }]
      backendRefs: [{ name: cart, port: 80 }]
    - backendRefs: [{ name: shop-v1, port: 80, weight: 3 }, { name: shop-v2, port: 80, weight: 1 }]
`;
const SERVICES = ['cart', 'shop-v1', 'shop-v2']
  .map((name) => `---\napiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { ports: [{ port: 80 }] }\n`)
  .join('');

test('of a route of the Gateway API each rule is compared with the one it was made from, and copies are differences of their own', () => {
  const { snapshot } = loadText('shop.yaml', ROUTE + SERVICES);
  const overlay: Overlay = {
    ...EMPTY_OVERLAY,
    releases: {
      'httproute/default/shop': {
        rollout: 'default/shop',
        stable: 'shop-v1',
        canaries: ['shop-v2'],
        weights: { 'shop-v1': 5000, 'shop-v2': 5000 },
        headerRoutes: [{ name: 'staff', match: [{ headers: { a: { exact: 'b' } } }], to: 'shop-v2' }],
        epoch: 1,
      },
    },
  };
  const [declared] = snapshot.httpRoutes;
  const [effective] = applyOverlay(snapshot, overlay).snapshot.httpRoutes;
  const found = differencesOf(declared, declared, effective, overlay);
  expect(found.map(({ path, by }) => `${path} ${by}`)).toEqual([
    'spec.rules[1] rollout default/shop',
    'spec.rules[1].backendRefs[0].name rollout default/shop',
    'spec.rules[1].backendRefs[0].weight rollout default/shop',
    'spec.rules[1].backendRefs[1].name rollout default/shop',
  ]);
  expect(found[0]).toMatchObject({ declared: null, effective: { name: 'serin-cohort-staff' } });
  expect(differencesOf(declared, declared, declared, EMPTY_OVERLAY)).toEqual([]);
});
