import { describe, expect, test } from 'vitest';
import { route, served, to } from '../../../test/helpers/gateway-api.ts';

const onService = (name: string, rules: string, parent = 'name: v1', more = ''): string =>
  route('HTTPRoute', name, rules, `  parentRefs: [{ group: '', kind: Service, ${parent} }]${more}`);
const outcome = (of: ReturnType<typeof served>, url: string): string => of.outcome(`GET http://${url} @mesh`);

const VIRTUAL_SERVICE = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: v1 }
spec: { hosts: [v1], http: [{ route: [{ destination: { host: v3, port: { number: 8080 } } }] }] }
`;

describe('a route whose parent is a Service', () => {
  test('decides for callers of the Service, by any of its names, and for no other Service', () => {
    const mesh = served(onService('r', `[{ ${to('v2')} }]`));
    expect(['v1/', 'v1:8080/', 'v1.default.svc.cluster.local/', 'v2/'].map((url) => outcome(mesh, url))).toEqual(['v2', 'v2', 'v2', 'v2']);
    expect(outcome(mesh, 'v3/')).toBe('v3');
  });

  test('may lead to the Service itself', () => {
    expect(outcome(served(onService('r', `[{ ${to('v1', 'v2')} }]`)), 'v1/')).toBe('v1 50 %, v2 50 %');
  });

  test('answers 404 to what none of its rules takes', () => {
    const mesh = served(onService('r', `[{ matches: [{ path: { value: /a } }], ${to('v2')} }]`));
    expect(['v1/a', 'v1/b'].map((url) => outcome(mesh, url))).toEqual(['v2', '404']);
  });

  test('takes no notice of its host names', () => {
    expect(outcome(served(onService('r', `[{ ${to('v2')} }]`, 'name: v1', '\n  hostnames: [other.example]')), 'v1/')).toBe('v2');
  });

  test('shares the Service with others, by precedence', () => {
    const mesh = served(onService('a', `[{ ${to('v2')} }]`), onService('b', `[{ matches: [{ path: { value: /b } }], ${to('v3')} }]`));
    expect(['v1/', 'v1/b'].map((url) => outcome(mesh, url))).toEqual(['v2', 'v3']);
  });

  test('is for one port of the Service where it states one', () => {
    const two = `
apiVersion: v1
kind: Service
metadata: { name: two }
spec: { ports: [{ name: http, port: 80 }, { name: other, port: 81 }] }
`;
    const mesh = served(two, onService('r', `[{ ${to('v2')} }]`, 'name: two, port: 81'));
    expect(['two/', 'two:81/'].map((url) => outcome(mesh, url))).toEqual(['two', 'v2']);
  });

  test('stands in for a VirtualService, whose author is told', () => {
    const mesh = served(VIRTUAL_SERVICE, onService('r', `[{ ${to('v2')} }]`));
    expect(outcome(mesh, 'v1/')).toBe('v2');
    expect(mesh.warnings).toEqual([
      'W_INEFFECTIVE v1.default.svc.cluster.local:8080 is the parent of routes of the Gateway API, so that this VirtualService has no effect on it',
    ]);
  });

  test('of another namespace is for callers there, so that the Service is as if it had none', () => {
    const consumer = onService(
      'r',
      '[{ backendRefs: [{ name: v2, namespace: default, port: 8080 }] }]',
      'name: v1, namespace: default',
    ).replace('{ name: r }', '{ name: r, namespace: shop }');
    const mesh = served(consumer);
    expect(outcome(mesh, 'v1/')).toBe('v1');
    const { rules } = mesh.explain('GET http://v1/ @mesh');
    expect(rules.map(({ source, verdict, matches }) => [source.kind, verdict, matches[0]?.reason])).toEqual([
      ['HTTPRoute', 'lost', 'parentRefs: only for callers in shop, and callers have no namespace here'],
      ['Service', 'taken', undefined],
    ]);
    expect(outcome(served(consumer, VIRTUAL_SERVICE), 'v1/')).toBe('v3');
  });
});
