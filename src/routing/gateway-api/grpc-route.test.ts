import { describe, expect, test } from 'vitest';
import { gateway, route, routesOf, served, to } from '../../../test/helpers/gateway-api.ts';

const called = (rules: string): ReturnType<typeof served> => served(gateway(), route('GRPCRoute', 'r', rules));

describe('calls of a GRPCRoute', () => {
  test.each([
    ['{ service: foo.Bar, method: Baz }', '/foo.Bar/Baz', 'v1'],
    ['{ service: foo.Bar, method: Baz }', '/foo.Bar/Bazz', '404'],
    ['{ service: foo.Bar, method: Baz }', '/foo.bar/baz', '404'],
    ['{ service: foo.Bar }', '/foo.Bar/Any', 'v1'],
    ['{ service: foo.Bar }', '/foo.Barn/Any', '404'],
    ['{ method: Baz }', '/any.Service/Baz', 'v1'],
    ['{ method: Baz }', '/Baz', '404'],
    ['{ method: Baz }', '/a/b/Baz', '404'],
    ["{ type: RegularExpression, service: 'foo\\..*', method: 'Get|List' }", '/foo.Bar/List', 'v1'],
    ["{ type: RegularExpression, service: 'foo\\..*', method: 'Get|List' }", '/bar.Foo/List', '404'],
    ["{ type: RegularExpression, service: 'foo\\..*', method: 'Get|List' }", '/foo.Bar/Listing', '404'],
    ["{ type: RegularExpression, method: 'Ba[rz]' }", '/any/Bar', 'v1'],
  ])('%s: %s is %s (A35)', (method, path, wanted) => {
    expect(called(`[{ matches: [{ method: ${method} }], ${to('v1')} }]`).outcome(`POST http://a.example${path}`)).toBe(wanted);
  });

  test('a rule without matches takes every call', () => {
    expect(called(`[{ ${to('v1')} }]`).outcome('POST http://a.example/foo.Bar/Baz')).toBe('v1');
  });

  test('the longer service comes first, then the longer method, then more headers, whatever kind the match is', () => {
    const rules = `
    - { name: any, ${to('v1')} }
    - { name: method, matches: [{ method: { method: LongMethodName } }], ${to('v1')} }
    - { name: service, matches: [{ method: { service: foo.Bar } }], ${to('v1')} }
    - { name: exact, matches: [{ method: { service: foo.Bar, method: Baz } }], ${to('v1')} }
    - { name: longer-regex, matches: [{ method: { type: RegularExpression, service: 'foo.Bar.*' } }], ${to('v1')} }
    - { name: header, matches: [{ method: { service: foo.Bar }, headers: [{ name: x, value: a }] }], ${to('v1')} }`;
    expect(routesOf(called(rules).table).map(({ name }) => name)).toEqual(['longer-regex', 'exact', 'header', 'service', 'method', 'any']);
  });

  test('an invalid backend costs its share 503, which gRPC clients read as UNAVAILABLE', () => {
    expect(called('[{ backendRefs: [{ name: v1, port: 8080 }, { name: gone, port: 8080 }] }]').outcome('POST http://a.example/a/b')).toBe(
      'v1 50 %, 503 50 %',
    );
  });

  test('the same missing Service is 500 to an HTTPRoute', () => {
    const rule = '[{ backendRefs: [{ name: gone, port: 8080 }] }]';
    const { outcome } = served(
      gateway(),
      route('GRPCRoute', 'calls', rule, '  parentRefs: [{ name: front }]\n  hostnames: [calls.example]'),
      route('HTTPRoute', 'web', rule, '  parentRefs: [{ name: front }]\n  hostnames: [web.example]'),
    );
    expect(['calls', 'web'].map((host) => outcome(`POST http://${host}.example/a/b`))).toEqual(['503', '500']);
  });
});
