import { describe, expect, test } from 'vitest';
import { gateway, route, served, to } from '../../../test/helpers/gateway-api.ts';

const filtered = (type: string, filter: string, prefix = '/', port = 80): ReturnType<typeof served> =>
  served(
    gateway(port),
    route(
      'HTTPRoute',
      'r',
      `[{ matches: [{ path: { value: '${prefix}' } }], filters: [${filter}]${type === 'RequestRedirect' ? '' : `, ${to('v1')}`} }]`,
    ),
  );

describe('redirects', () => {
  const redirect = (fields: string, port = 80): ReturnType<typeof served> =>
    filtered('RequestRedirect', `{ type: RequestRedirect, requestRedirect: {${fields}} }`, '/', port);

  // httproute-redirect-port-and-scheme, the tables of all three listeners, and vector A14.
  test.each([
    [80, 'http', 'hostname: example.org', '302 http://example.org/x'],
    [80, 'http', 'hostname: example.org, port: 80', '302 http://example.org/x'],
    [80, 'http', 'hostname: example.org, port: 8080', '302 http://example.org:8080/x'],
    [80, 'http', 'hostname: example.org, scheme: https', '302 https://example.org/x'],
    [80, 'http', 'hostname: example.org, scheme: https, port: 443', '302 https://example.org/x'],
    [80, 'http', 'hostname: example.org, scheme: https, port: 8443', '302 https://example.org:8443/x'],
    [8080, 'http', 'hostname: example.org', '302 http://example.org:8080/x'],
    [8080, 'http', 'hostname: example.org, port: 80', '302 http://example.org/x'],
    [8080, 'http', 'hostname: example.org, scheme: https', '302 https://example.org/x'],
    [443, 'https', 'hostname: example.org', '302 https://example.org/x'],
    [443, 'https', 'hostname: example.org, port: 443', '302 https://example.org/x'],
    [443, 'https', 'hostname: example.org, port: 8443', '302 https://example.org:8443/x'],
    [443, 'https', 'hostname: example.org, scheme: http', '302 http://example.org/x'],
    [443, 'https', 'hostname: example.org, scheme: http, port: 80', '302 http://example.org/x'],
    [443, 'https', 'hostname: example.org, scheme: http, port: 8080', '302 http://example.org:8080/x'],
    // What the client's Host has for a port counts nowhere.
    [8080, 'http', '', '302 http://a.example:8080/x'],
    [80, 'http', 'port: 8080', '302 http://a.example:8080/x'],
    [80, 'http', 'statusCode: 308, scheme: https', '308 https://a.example/x'],
  ])('on a listener of port %i over %s: {%s} is %s', (port, scheme, fields, wanted) => {
    expect(redirect(fields, port).outcome(`GET ${scheme}://a.example:1234/x @${port}`)).toBe(wanted);
  });

  test('keep the query', () => {
    expect(redirect('hostname: h').outcome('GET http://a.example/x?q=1')).toBe('302 http://h/x?q=1');
  });

  test('on the mesh take the port of the Service', () => {
    const { outcome } = served(
      route(
        'HTTPRoute',
        'r',
        '[{ filters: [{ type: RequestRedirect, requestRedirect: { hostname: h } }] }]',
        "  parentRefs: [{ group: '', kind: Service, name: v1 }]",
      ),
    );
    expect(outcome('GET http://v1/x @mesh')).toBe('302 http://h:8080/x');
  });

  // httproute-redirect-path
  test.each([
    [
      '/original-prefix',
      'path: { type: ReplacePrefixMatch, replacePrefixMatch: /replacement-prefix }',
      '/original-prefix/lemon',
      '302 http://a.example/replacement-prefix/lemon',
    ],
    [
      '/full',
      'path: { type: ReplaceFullPath, replaceFullPath: /full-path-replacement }',
      '/full/path/original',
      '302 http://a.example/full-path-replacement',
    ],
    [
      '/path-and-host',
      'hostname: example.org, path: { type: ReplacePrefixMatch, replacePrefixMatch: /replacement-prefix }',
      '/path-and-host',
      '302 http://example.org/replacement-prefix',
    ],
    [
      '/path-and-status',
      'statusCode: 301, path: { type: ReplacePrefixMatch, replacePrefixMatch: /replacement-prefix }',
      '/path-and-status',
      '301 http://a.example/replacement-prefix',
    ],
  ])('of %s {%s}: %s goes to %s', (prefix, fields, path, wanted) => {
    const { outcome } = filtered('RequestRedirect', `{ type: RequestRedirect, requestRedirect: { ${fields} } }`, prefix);
    expect(outcome(`GET http://a.example${path}`)).toBe(wanted);
  });
});

describe('rewrites', () => {
  const sent = (of: ReturnType<typeof served>, path: string): string | undefined => of.explain(`GET http://a.example${path}`).forward?.path;
  const rewrite = (path: string, prefix: string): ReturnType<typeof served> =>
    filtered('URLRewrite', `{ type: URLRewrite, urlRewrite: { path: ${path} } }`, prefix);

  // The table of httproute_types.go, HTTPPathModifier.replacePrefixMatch: all eleven rows (A15).
  test.each([
    ['/foo/bar', '/foo', '/xyz', '/xyz/bar'],
    ['/foo/bar', '/foo', '/xyz/', '/xyz/bar'],
    ['/foo/bar', '/foo/', '/xyz', '/xyz/bar'],
    ['/foo/bar', '/foo/', '/xyz/', '/xyz/bar'],
    ['/foo', '/foo', '/xyz', '/xyz'],
    ['/foo/', '/foo', '/xyz', '/xyz/'],
    ['/foo/bar', '/foo', '', '/bar'],
    ['/foo/', '/foo', '', '/'],
    ['/foo', '/foo', '', '/'],
    ['/foo/', '/foo', '/', '/'],
    ['/foo', '/foo', '/', '/'],
  ])('%s with the prefix %s replaced by %j is sent as %s', (path, prefix, replacement, wanted) => {
    expect(sent(rewrite(`{ type: ReplacePrefixMatch, replacePrefixMatch: '${replacement}' }`, prefix), path)).toBe(wanted);
  });

  test('of the whole path keep the query', () => {
    expect(sent(rewrite('{ type: ReplaceFullPath, replaceFullPath: /one }', '/full'), '/full/one/two?q=1')).toBe('/one?q=1');
  });

  test('of the prefix / put something before every path', () => {
    expect(sent(rewrite('{ type: ReplacePrefixMatch, replacePrefixMatch: /v1 }', '/'), '/foo')).toBe('/v1/foo');
  });

  test('of the host are what the backend is told (httproute-rewrite-host)', () => {
    const { explain } = filtered('URLRewrite', '{ type: URLRewrite, urlRewrite: { hostname: one.example.org } }');
    expect(explain('GET http://rewrite.example/one').forward?.clusters.map(({ authority }) => authority)).toEqual(['one.example.org']);
  });

  test('of the host beat a Host header that a modifier sets', () => {
    const set = '{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: Host, value: set.example }] } }';
    const authorities = (filters: string): unknown =>
      filtered('URLRewrite', filters)
        .explain('GET http://a.example/')
        .forward?.clusters.map(({ authority, requestHeaders }) => [authority, ...requestHeaders]);
    expect(authorities(set)).toEqual([['set.example']]);
    expect(authorities(`${set}, { type: URLRewrite, urlRewrite: { hostname: rewritten.example } }`)).toEqual([['rewritten.example']]);
  });
});
