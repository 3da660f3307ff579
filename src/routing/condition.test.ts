import { describe, expect, test } from 'vitest';
import type { HttpMatchRequest } from '../config/resources.ts';
import { compileMatch } from './compile-match.ts';
import { prepareConditions } from './condition.ts';
import type { RequestView } from './request-view.ts';

// What one match block of a VirtualService takes: the vectors of Istio's and Envoy's documented semantics, one row a request.

interface Request {
  readonly method?: string;
  readonly scheme?: 'http' | 'https';
  readonly authority?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function view({ method = 'GET', scheme = 'http', authority = 'reviews', path = '/', headers = {} }: Request): RequestView {
  const [pathOnly = '', query = ''] = path.split('?');
  return { method, scheme, authority, path: pathOnly, query, header: (name) => headers[name] };
}

const SCOPE = { port: 80, gateways: new Set(['mesh']) };

function takes(match: HttpMatchRequest, request: Request): boolean {
  return prepareConditions(compileMatch(match, '', 'default', SCOPE)).every((condition) => condition.holds(view(request)));
}

const ROWS: readonly (readonly [string, HttpMatchRequest, Request, boolean])[] = [
  // A prefix is a prefix of characters.
  ['prefix, equal', { uri: { prefix: '/foo' } }, { path: '/foo' }, true],
  ['prefix, with slash', { uri: { prefix: '/foo' } }, { path: '/foo/' }, true],
  ['prefix, below', { uri: { prefix: '/foo' } }, { path: '/foo/bar' }, true],
  ['prefix, longer word', { uri: { prefix: '/foo' } }, { path: '/foobar' }, true],
  ['prefix, other case', { uri: { prefix: '/foo' } }, { path: '/Foo' }, false],
  ['prefix, other case ignored', { uri: { prefix: '/foo' }, ignoreUriCase: true }, { path: '/Foo' }, true],
  ['prefix written in capitals, case ignored', { uri: { prefix: '/FOO' }, ignoreUriCase: true }, { path: '/foo/x' }, true],
  ['prefix, with query', { uri: { prefix: '/foo' } }, { path: '/foo?x=1' }, true],
  ['prefix with slash, without', { uri: { prefix: '/foo/' } }, { path: '/foo' }, false],
  // Exact.
  ['exact, equal', { uri: { exact: '/foo' } }, { path: '/foo' }, true],
  ['exact, with slash', { uri: { exact: '/foo' } }, { path: '/foo/' }, false],
  ['exact, with query', { uri: { exact: '/foo' } }, { path: '/foo?x=1' }, true],
  ['exact, case ignored', { uri: { exact: '/foo' }, ignoreUriCase: true }, { path: '/FOO' }, true],
  // A regular expression takes the whole path or nothing.
  ['regex, whole', { uri: { regex: '/v\\d' } }, { path: '/v1' }, true],
  ['regex, longer', { uri: { regex: '/v\\d' } }, { path: '/v12' }, false],
  ['regex, in the middle', { uri: { regex: '/v\\d' } }, { path: '/x/v1' }, false],
  ['regex, open end', { uri: { regex: '/v\\d.*' } }, { path: '/v12' }, true],
  ['regex is not touched by ignoreUriCase', { uri: { regex: '/foo' }, ignoreUriCase: true }, { path: '/FOO' }, false],
  // Header values keep their case, names do not.
  ['header, equal', { headers: { 'end-user': { exact: 'jason' } } }, { headers: { 'end-user': 'jason' } }, true],
  ['header, other case', { headers: { 'end-user': { exact: 'jason' } } }, { headers: { 'end-user': 'Jason' } }, false],
  ['header name in capitals', { headers: { 'End-User': { exact: 'jason' } } }, { headers: { 'end-user': 'jason' } }, true],
  ['header, absent', { headers: { 'end-user': { exact: 'jason' } } }, {}, false],
  ['header, exact empty, absent', { headers: { x: { exact: '' } } }, {}, false],
  ['header, exact empty, empty', { headers: { x: { exact: '' } } }, { headers: { x: '' } }, true],
  ['header, prefix', { headers: { x: { prefix: 'ab' } } }, { headers: { x: 'abc' } }, true],
  // Presence, and its opposite.
  ['presence, empty value', { headers: { x: {} } }, { headers: { x: '' } }, true],
  ['presence, absent', { headers: { x: {} } }, {}, false],
  ['presence by regex *', { headers: { x: { regex: '*' } } }, { headers: { x: 'anything' } }, true],
  ['without, absent', { withoutHeaders: { x: {} } }, {}, true],
  ['without, present', { withoutHeaders: { x: {} } }, { headers: { x: '' } }, false],
  ['without regex *, present', { withoutHeaders: { x: { regex: '*' } } }, { headers: { x: 'y' } }, false],
  ['without value, absent', { withoutHeaders: { x: { exact: 'a' } } }, {}, true],
  ['without value, other', { withoutHeaders: { x: { exact: 'a' } } }, { headers: { x: 'b' } }, true],
  ['without value, equal', { withoutHeaders: { x: { exact: 'a' } } }, { headers: { x: 'a' } }, false],
  ['without empty value, absent counts as empty', { withoutHeaders: { x: { exact: '' } } }, {}, false],
  // Several values are one, joined.
  ['two values, first', { headers: { x: { exact: 'a' } } }, { headers: { x: 'a,b' } }, false],
  ['two values, joined', { headers: { x: { exact: 'a,b' } } }, { headers: { x: 'a,b' } }, true],
  ['two values, regex', { headers: { x: { regex: 'a.*' } } }, { headers: { x: 'a,b' } }, true],
  // Query parameters: the first of a name, as received.
  ['query, equal', { queryParams: { q: { exact: '1' } } }, { path: '/?q=1' }, true],
  ['query, first of two', { queryParams: { q: { exact: '1' } } }, { path: '/?q=1&q=2' }, true],
  ['query, second of two', { queryParams: { q: { exact: '1' } } }, { path: '/?q=2&q=1' }, false],
  ['query, absent', { queryParams: { q: { exact: '1' } } }, { path: '/' }, false],
  ['query, later name', { queryParams: { q: { exact: '1' } } }, { path: '/?qq=2&q=1' }, true],
  ['query, present without value', { queryParams: { q: {} } }, { path: '/?a&q' }, true],
  ['query, present, only a longer name', { queryParams: { q: {} } }, { path: '/?qq=1' }, false],
  ['query, not decoded', { queryParams: { q: { exact: 'a b' } } }, { path: '/?q=a%20b' }, false],
  ['query, escapes compared as they are', { queryParams: { q: { exact: 'a%20b' } } }, { path: '/?q=a%20b' }, true],
  ['query, prefix', { queryParams: { q: { prefix: 'a' } } }, { path: '/?q=ab' }, true],
  // The request line, also by the names of pseudo headers.
  ['method', { method: { exact: 'POST' } }, { method: 'POST' }, true],
  ['method keeps its case', { method: { exact: 'post' } }, { method: 'POST' }, false],
  ['method by regex', { method: { regex: 'GET|HEAD' } }, { method: 'HEAD' }, true],
  ['scheme', { scheme: { exact: 'https' } }, { scheme: 'http' }, false],
  ['authority, with port', { authority: { exact: 'a:80' } }, { authority: 'a:80' }, true],
  ['authority, without', { authority: { exact: 'a' } }, { authority: 'a:80' }, false],
  [':path has the query', { headers: { ':path': { exact: '/a?b=c' } } }, { path: '/a?b=c' }, true],
  [':method', { headers: { ':method': { exact: 'GET' } } }, {}, true],
  // Conditions of a block are all asked.
  ['both hold', { uri: { prefix: '/a' }, headers: { x: { exact: '1' } } }, { path: '/a', headers: { x: '1' } }, true],
  ['one fails', { uri: { prefix: '/a' }, headers: { x: { exact: '1' } } }, { path: '/a' }, false],
  ['nothing is asked', {}, {}, true],
  ['keys that Istio documents as ignored', { headers: { uri: { exact: '/x' } } }, { path: '/a' }, true],
];

describe('a match block takes', () => {
  test.each(ROWS)('%s', (_, match, request, expected) => {
    expect(takes(match, request)).toBe(expected);
  });
});

describe('a block that cannot hold on this listener says why', () => {
  test.each<readonly [string, HttpMatchRequest, string | undefined]>([
    ['another port', { port: 9080 }, 'port: only for 9080, and this is 80'],
    ['this port', { port: 80 }, undefined],
    ['another gateway', { gateways: ['bookinfo'] }, 'gateways: only for bookinfo, and this is mesh'],
    ['this one among others', { gateways: ['bookinfo', 'mesh'] }, undefined],
    ['labels of the caller', { sourceLabels: { app: 'x' } }, 'sourceLabels: only for callers with app=x, and callers have no labels here'],
    ['namespace of the caller', { sourceNamespace: 'b' }, 'sourceNamespace: only for callers in b, and callers have no namespace here'],
    [
      'a claim of a token',
      { headers: { '@request.auth.claims.group': { exact: 'a' } } },
      'headers: @request.auth.claims.group needs a validated JWT, and none is validated here',
    ],
    ['the absence of a claim', { withoutHeaders: { '@request.auth.claims.group': { exact: 'a' } } }, undefined],
  ])('%s', (_, match, reason) => {
    expect(compileMatch(match, '', 'default', SCOPE).never).toBe(reason);
  });
});
