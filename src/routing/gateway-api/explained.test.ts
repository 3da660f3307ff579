import { describe, expect, test } from 'vitest';
import { BACKENDS, gateway, route, served, snapshotOf, to } from '../../../test/helpers/gateway-api.ts';
import { compile } from '../compile.ts';
import { explain, formatExplanation } from '../explain.ts';
import { printTable } from '../print.ts';

const text = (rules: string, url = 'http://a.example/old/x'): string =>
  formatExplanation(served(gateway(), route('HTTPRoute', 'r', rules)).explain(`GET ${url}`));

describe('in words', () => {
  test('a session is named with what clients are given', () => {
    expect(text(`[{ sessionPersistence: { cookie: { name: sticky }, absoluteTimeout: 1h }, ${to('v1')} }]`)).toContain(
      '\nsession: cookie sticky; Path=/; HttpOnly, for 3600000 ms, on 1 destination\n',
    );
  });

  test('an invalid backend is named with what its share is answered with', () => {
    expect(text(`[{ ${to('v1', 'gone')} }]`)).toContain(
      '50 % to invalid|8080||gone.default.svc.cluster.local, Host a.example\n    endpoints: none: there is no Service gone in namespace default; answered with 500',
    );
  });

  test('what one of several backends does by itself stands below it', () => {
    const rules = `
    - backendRefs:
        - { name: v1, port: 8080, filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplaceFullPath, replaceFullPath: /new } } }] }
        - { name: v2, port: 8080, filters: [{ type: RequestRedirect, requestRedirect: { hostname: b.example } }] }
        - { name: v3, port: 8080, filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: v1, port: 8080 } } }] }`;
    const lines = text(rules);
    expect(lines).toContain('\n    path sent: /new\n');
    expect(lines).toContain('\n    answered with Location: http://b.example/old/x\n');
    expect(lines).toContain(
      '\n    a copy of 100 % to outbound|8080||v1.default.svc.cluster.local, Host a.example; its answers are dropped\n',
    );
  });

  test('a rule that lost says which condition failed', () => {
    const rules = `[{ name: beta, matches: [{ headers: [{ name: x-beta, value: 'yes' }] }], ${to('v2')} }, { name: rest, ${to('v1')} }]`;
    const lines = text(rules);
    expect(lines).toContain('no: beta (HTTPRoute default/r spec.rules[0], input.yaml:');
    expect(lines).toContain('spec.rules[0].matches[0]: header x-beta exact "yes": no, the request has none');
  });

  test('a redirect of one backend is printed with the table', () => {
    const redirect = 'filters: [{ type: RequestRedirect, requestRedirect: { hostname: b.example } }]';
    const { table } = served(
      gateway(),
      route('HTTPRoute', 'r', `[{ backendRefs: [{ name: v1, port: 8080, ${redirect} }, { name: v2, port: 8080 }] }]`),
    );
    expect(printTable(table)).toContain(
      '      to outbound|8080||v1.default.svc.cluster.local 50 %\n        redirect 302 host b.example, port 80\n',
    );
  });
});

/** An API server lets through what loading refuses, and other controllers understand. */
test('a rule whose conditions cannot be told is not served, and says so', () => {
  const snapshot = snapshotOf(
    BACKENDS,
    gateway(),
    route('HTTPRoute', 'r', `[{ name: odd, matches: [{ path: { value: /a } }], ${to('v1')} }, { ${to('v2')} }]`),
  );
  const [written] = snapshot.httpRoutes;
  if (written === undefined) throw new Error('the fixture has a route');
  const [odd, rest] = written.spec.rules ?? [];
  if (odd === undefined || rest === undefined) throw new Error('the fixture has two rules');
  const broken = { ...odd, matches: [{ path: { type: 'RegularExpression' as const, value: '/a(?=b)' } }] };
  const { table } = compile({ ...snapshot, httpRoutes: [{ ...written, spec: { ...written.spec, rules: [broken, rest] } }] });
  const view = { method: 'GET', scheme: 'http', authority: 'a.example', path: '/ab', query: '', header: () => undefined } as const;
  const { rules, forward } = explain(table, '80', view);
  expect(forward?.clusters.map(({ host }) => host)).toEqual(['v2.default.svc.cluster.local']);
  const reason = rules.find(({ name }) => name === 'odd');
  expect(reason?.verdict).toBe('unreachable');
  expect(reason?.reason).toContain('no regular expression of RE2');
});

test("on a Service that both kinds of route have for a parent, calls of a stated service are a GRPCRoute's, whatever the HTTPRoute asks for", () => {
  const parent = "  parentRefs: [{ group: '', kind: Service, name: v1 }]";
  const { outcome } = served(
    route(
      'HTTPRoute',
      'web',
      `[{ matches: [{ path: { type: Exact, value: /shop.Orders/Place } }, { path: { value: /web } }], ${to('v2')} }]`,
      parent,
    ),
    route('GRPCRoute', 'calls', `[{ matches: [{ method: { service: shop.Orders } }], ${to('v3')} }, { ${to('v1')} }]`, parent),
  );
  expect(['/shop.Orders/Place', '/web/x', '/other'].map((path) => outcome(`POST http://v1${path} @mesh`))).toEqual(['v3', 'v2', 'v1']);
});
