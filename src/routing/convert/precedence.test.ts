import { describe, expect, test } from 'vitest';
import type { GatewayApiHttpMatch } from '../../config/gateway-api/types.ts';
import { bySpecificity, overlaps } from './precedence.ts';

const exact = (value: string): GatewayApiHttpMatch => ({ path: { type: 'Exact', value } });
const prefix = (value: string): GatewayApiHttpMatch => ({ path: { type: 'PathPrefix', value } });
const regex = (value: string): GatewayApiHttpMatch => ({ path: { type: 'RegularExpression', value } });

describe('the more specific goes first (vector A11)', () => {
  test.each<[string, GatewayApiHttpMatch, GatewayApiHttpMatch]>([
    ['exact before prefix', exact('/a/b'), prefix('/a/b/c')],
    ['longer before shorter', prefix('/a/b'), prefix('/a')],
    ['prefix before regex', prefix('/a'), regex('/aaaa.*')],
    ['regex before everything', regex('/.*'), prefix('/')],
    [
      'method before headers',
      { method: 'GET' },
      {
        headers: [
          { name: 'a', value: '1' },
          { name: 'b', value: '1' },
        ],
      },
    ],
    [
      'two headers before one',
      {
        headers: [
          { name: 'a', value: '1' },
          { name: 'b', value: '1' },
        ],
      },
      { headers: [{ name: 'a', value: '1' }] },
    ],
    ['a header before a query', { headers: [{ name: 'a', value: '1' }] }, { queryParams: [{ name: 'a', value: '1' }] }],
  ])('%s', (_name, first, second) => {
    expect(bySpecificity(first, second)).toBeLessThan(0);
    expect(bySpecificity(second, first)).toBeGreaterThan(0);
  });

  test('a trailing slash counts for nothing', () => {
    expect(bySpecificity(prefix('/a/'), prefix('/b'))).toBe(0);
  });
});

describe('whether a request can fit both', () => {
  test.each<[boolean, GatewayApiHttpMatch, GatewayApiHttpMatch]>([
    [true, exact('/a/b'), prefix('/a')],
    [false, exact('/ab'), prefix('/a')],
    [true, prefix('/a'), prefix('/a/b/')],
    [false, prefix('/a'), prefix('/ab')],
    [true, {}, prefix('/x')],
    [true, exact('/v1'), regex(String.raw`/v\d`)],
    [false, exact('/v12'), regex(String.raw`/v\d`)],
    [true, prefix('/items'), regex('/items/.*')],
    [false, prefix('/items'), regex('/itemsx.*')],
    [false, prefix('/other'), regex('/items/.*')],
    [true, prefix('/items/1'), regex('/items.*')],
    [false, prefix('/a'), regex('/b')],
    [false, regex('/a.*'), regex('/b.*')],
    [true, regex('/a.*'), regex('.*b')],
    [false, regex('/a'), regex('.*b')],
    [false, { method: 'GET' }, { method: 'POST' }],
    [true, { method: 'GET' }, {}],
    [false, { headers: [{ name: 'X', value: '1' }] }, { headers: [{ name: 'x', value: '2' }] }],
    [true, { headers: [{ name: 'x', value: '1' }] }, { headers: [{ name: 'y', value: '2' }] }],
    [true, { headers: [{ name: 'x', value: 'ab' }] }, { headers: [{ type: 'RegularExpression', name: 'x', value: 'a.*' }] }],
    [false, { queryParams: [{ name: 'q', value: '1' }] }, { queryParams: [{ name: 'q', value: '2' }] }],
    [true, { queryParams: [{ name: 'q', value: '1' }] }, { queryParams: [{ name: 'Q', value: '2' }] }],
  ])('%s: %j and %j', (expected, a, b) => {
    expect([overlaps(a, b), overlaps(b, a)]).toEqual([expected, expected]);
  });
});
