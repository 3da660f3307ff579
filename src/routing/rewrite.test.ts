import { describe, expect, test } from 'vitest';
import { rewritePath } from './rewrite.ts';
import type { Rewrite, UriMatch } from './table.ts';

const uri = (kind: UriMatch['kind'], value: string): UriMatch => ({ kind, value, ignoreCase: false });

function rewritten(match: UriMatch | undefined, path: Rewrite['path'], request: string): string {
  const block = { path: '', headers: [], queryParams: [], ...(match === undefined ? {} : { uri: match }) };
  return rewritePath(path === undefined ? undefined : { path }, block, request);
}

describe("Istio's rewrite.uri is textual", () => {
  test.each<readonly [UriMatch | undefined, string, string, string]>([
    [uri('prefix', '/foo'), '/bar', '/foo/x', '/bar/x'],
    [uri('prefix', '/foo'), '/bar', '/foobaz', '/barbaz'],
    [uri('prefix', '/foo'), '/', '/foo/baz', '//baz'],
    [uri('prefix', '/foo/'), '/', '/foo/baz', '/baz'],
    [uri('prefix', '/'), '/v2/', '/x', '/v2/x'],
    [undefined, '/v2', '/x', '/v2x'],
    [undefined, '/v2/', '/x', '/v2/x'],
    [uri('exact', '/foo'), '/bar', '/foo', '/bar'],
    [uri('regex', '/v\\d/.*'), '/bar', '/v1/x', '/bar'],
  ])('%j to %s: %s becomes %s', (match, value, request, expected) => {
    expect(rewritten(match, { kind: 'prefix', value }, request)).toBe(expected);
  });

  test('what a prefix took ignoring case is taken by its length', () => {
    expect(rewritten({ kind: 'prefix', value: '/FOO', ignoreCase: true }, { kind: 'prefix', value: '/bar' }, '/foo/x')).toBe('/bar/x');
  });
});

describe('uriRegexRewrite', () => {
  test.each([
    ['^/service/([^/]+)(/.*)$', '\\2/instance/\\1', '/service/foo/v1/api', '/v1/api/instance/foo'],
    ['one', 'two', '/xxx/one/yyy/one/zzz', '/xxx/two/yyy/two/zzz'],
    ['^(.*?)one(.*)$', '\\1two\\2', '/xxx/one/yyy/one/zzz', '/xxx/two/yyy/one/zzz'],
    ['(?i)/xxx/', '/yyy/', '/aaa/XxX/bbb', '/aaa/yyy/bbb'],
    ['/x', '/[\\0]', '/x', '/[/x]'],
    ['/(a)?b', '/\\1c', '/b', '/c'],
    ['/a', '/$1$&', '/a', '/$1$&'],
    ['nothing', 'x', '/a', '/a'],
  ])('%s to %s: %s becomes %s', (match, rewrite, request, expected) => {
    expect(rewritten(undefined, { kind: 'regex', match, rewrite }, request)).toBe(expected);
  });
});

describe('a Gateway API path prefix is replaced by elements', () => {
  // gateway-api httproute_types.go, table of ReplacePrefixMatch.
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
  ])('%s, prefix %s, by %j: %s', (request, prefix, value, expected) => {
    expect(rewritten(uri('pathPrefix', prefix), { kind: 'prefix', value }, request)).toBe(expected);
  });
});

describe('a path that gluing made', () => {
  test.each([
    ['/foo', '/', '/foo../admin', '/admin'],
    ['/foo', '/a/', '/foo.', '/a/'],
    ['/foo', '/a/b/', '/foo../x', '/a/x'],
    ['/foo', '/', '/foo../../../x', '/x'],
    ['/foo', '/a', '/foo/b..c', '/a/b..c'],
  ])('prefix %s by %s on %s is resolved: %s', (prefix, value, request, expected) => {
    expect(rewritten(uri('prefix', prefix), { kind: 'prefix', value }, request)).toBe(expected);
  });
});

test('without a rewrite the path is untouched', () => {
  expect(rewritten(uri('prefix', '/a'), undefined, '/a//b')).toBe('/a//b');
});

test('a full path is replaced whole', () => {
  expect(rewritten(uri('prefix', '/a'), { kind: 'full', value: '/x' }, '/a/b')).toBe('/x');
});
