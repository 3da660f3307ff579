import { describe, expect, test } from 'vitest';
import { hostCovers, hostMatches, hostsOverlap, OverlapIndex, resolveHost, shortNames } from './hosts.ts';

test.each([
  ['reviews', 'default', 'reviews.default.svc.cluster.local'],
  ['Reviews', 'prod', 'reviews.prod.svc.cluster.local'],
  ['reviews.prod', 'default', 'reviews.prod'],
  ['api.example.com.', 'default', 'api.example.com'],
  ['*', 'default', '*'],
  ['*.Example.com', 'default', '*.example.com'],
  ['10.0.0.1', 'default', '10.0.0.1'],
  ['2001:db8::1', 'default', '2001:db8::1'],
])('%s in %s is %s', (host, namespace, expected) => {
  expect(resolveHost(host, namespace)).toBe(expected);
});

test.each([
  ['a.com', 'a.com', true],
  ['*', 'a.com', true],
  ['*.a.com', 'b.a.com', true],
  ['*.a.com', 'c.b.a.com', true],
  ['*.a.com', 'a.com', false],
  ['*.a.com', 'ba.com', false],
  ['a.com', 'b.com', false],
])('pattern %s and host %s: %s', (pattern, host, expected) => {
  expect(hostMatches(pattern, host)).toBe(expected);
});

test('which wildcard means more', () => {
  expect(hostCovers('*.com', '*.a.com')).toBe(true);
  expect(hostCovers('*.a.com', '*.com')).toBe(false);
  expect(hostCovers('*', '*.a.com')).toBe(true);
  expect(hostsOverlap('*.a.com', '*.com')).toBe(true);
  expect(hostsOverlap('*.a.com', '*.b.com')).toBe(false);
});

test('every name of a service of the cluster, and the one name of others', () => {
  expect(shortNames('reviews.default.svc.cluster.local')).toEqual([
    'reviews',
    'reviews.default',
    'reviews.default.svc',
    'reviews.default.svc.cluster.local',
  ]);
  expect(shortNames('api.example.com')).toEqual(['api.example.com']);
});

describe('OverlapIndex', () => {
  const NAMES = ['*', 'a', 'a.com', 'b.a.com', '*.a.com', '*.com', 'c.com', '*.b.a.com', 'x.org', '*.org'];

  test('says of every pair what comparing them says', () => {
    for (const first of NAMES) {
      for (const second of NAMES) {
        const index = new OverlapIndex();
        index.add(first);
        expect({ first, second, found: index.add(second) !== undefined }).toEqual({ first, second, found: hostsOverlap(first, second) });
      }
    }
  });
});
