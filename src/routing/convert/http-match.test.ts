import { describe, expect, test } from 'vitest';
import type { HttpMatchRequest } from '../../config/resources.ts';
import { compileMatch } from '../compile-match.ts';
import { convertMatch } from './http-match.ts';

const SCOPE = { port: 80, gateways: new Set(['mesh']) };
const convert = (match: HttpMatchRequest): unknown => convertMatch(compileMatch(match, 'spec.http[0].match[0]', 'default', SCOPE));
const said = (match: HttpMatchRequest): unknown => {
  const found = convertMatch(compileMatch(match, 'spec.http[0].match[0]', 'default', SCOPE));
  return found.kind === 'none' ? `${found.field}: ${found.reason}` : found.paths.map(({ message }) => message);
};

describe('what can be said exactly is, and nothing is listed', () => {
  test.each<[string, HttpMatchRequest, object[]]>([
    ['no condition', {}, [{}]],
    ['everything', { uri: { prefix: '/' } }, [{}]],
    ['everything, as a pattern', { uri: { regex: '.*' } }, [{}]],
    ['exact path', { uri: { exact: '/foo' } }, [{ path: { type: 'Exact', value: '/foo' } }]],
    ['pattern', { uri: { regex: String.raw`/v\d` } }, [{ path: { type: 'RegularExpression', value: String.raw`/v\d` } }]],
    [
      'a prefix that may not stand in a PathPrefix',
      { uri: { prefix: '/a//b' } },
      [{ path: { type: 'RegularExpression', value: '/a//b.*' } }],
    ],
    ['either case', { uri: { prefix: '/a1' }, ignoreUriCase: true }, [{ path: { type: 'RegularExpression', value: '/[aA]1.*' } }]],
    ['either case of no letters', { uri: { exact: '/1' }, ignoreUriCase: true }, [{ path: { type: 'Exact', value: '/1' } }]],
    ['method', { method: { exact: 'GET' } }, [{ method: 'GET' }]],
    ['methods', { method: { regex: 'GET|HEAD' } }, [{ method: 'GET' }, { method: 'HEAD' }]],
    ['exact header', { headers: { 'end-user': { exact: 'jason' } } }, [{ headers: [{ name: 'end-user', value: 'jason' }] }]],
    [
      'empty, begun with, present',
      { headers: { a: { exact: '' }, b: { prefix: 'x.' }, c: {} } },
      [
        {
          headers: [
            { type: 'RegularExpression', name: 'a', value: '^$' },
            { type: 'RegularExpression', name: 'b', value: String.raw`x\..*` },
            { type: 'RegularExpression', name: 'c', value: '.*' },
          ],
        },
      ],
    ],
    ['a key that Istio ignores', { headers: { uri: { exact: '/x' } } }, [{}]],
    ['query', { queryParams: { q: { exact: '1' } } }, [{ queryParams: [{ name: 'q', value: '1' }] }]],
  ])('%s', (_name, match, matches) => {
    expect(convert(match)).toEqual({ kind: 'matches', matches, paths: [] });
  });
});

test('a prefix of the text becomes one of elements, and the paths that differ are named', () => {
  expect(said({ uri: { prefix: '/foo' } })).toEqual(['paths that go on after /foo without a slash, such as /foox, are not taken any more']);
  expect(said({ uri: { prefix: '/foo/' } })).toEqual(['/foo is taken as well: a trailing slash says nothing in a PathPrefix']);
});

describe('what cannot be said has no equivalent', () => {
  test.each<[HttpMatchRequest, string]>([
    [{ withoutHeaders: { authorization: {} } }, 'withoutHeaders: nothing can ask that authorization is not there'],
    [{ withoutHeaders: { x: { exact: 'a' } } }, 'withoutHeaders: nothing can ask that x has another value'],
    [{ scheme: { exact: 'https' } }, 'scheme: routes are for listeners, not for schemes'],
    [{ authority: { exact: 'a' } }, 'authority: hostnames are those of the whole route'],
    [{ method: { prefix: 'P' } }, 'method: a method can only be named'],
    [{ method: { exact: 'PURGE' } }, 'method: a method can only be named'],
    [{ headers: { ':path': { prefix: '/x' } } }, 'headers: :path is no name that can be asked for'],
  ])('%j', (match, expected) => {
    expect(said(match)).toBe(expected);
  });
});
