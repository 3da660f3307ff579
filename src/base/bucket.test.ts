/** Buckets must never move: users are remembered by nothing else. The hash is checked against published vectors of MurmurHash3 x86 32. */
import { describe, expect, test } from 'vitest';
import { BUCKETS, bucketOf, murmur3 } from './bucket.ts';

describe('murmur3', () => {
  test.each([
    ['', 0, 0],
    ['', 1, 0x514e28b7],
    ['', 0xffffffff, 0x81f16f39],
    ['test', 0, 0xba6bd213],
    ['test', 0x9747b28c, 0x704b81dc],
    ['Hello, world!', 0, 0xc0363e43],
    ['Hello, world!', 0x9747b28c, 0x24884cba],
    ['The quick brown fox jumps over the lazy dog', 0x9747b28c, 0x2fa826cd],
  ])('%j with seed %i', (text, seed, expected) => {
    expect(murmur3(Buffer.from(text), seed)).toBe(expected);
  });
});

describe('bucketOf', () => {
  test('a user keeps the bucket', () => {
    expect(bucketOf('reviews-1', 'jason')).toBe(bucketOf('reviews-1', 'jason'));
  });

  test('10,000 users at 10 %: the share is within a point, and another salt picks others', () => {
    const users = Array.from({ length: 10_000 }, (_, user) => `user-${user}`);
    const first = new Set(users.filter((user) => bucketOf('a', user) < BUCKETS / 10));
    const second = users.filter((user) => bucketOf('b', user) < BUCKETS / 10);
    expect(Math.abs(first.size - 1000)).toBeLessThan(100);
    expect(Math.abs(second.filter((user) => first.has(user)).length - 100)).toBeLessThan(40);
  });
});
