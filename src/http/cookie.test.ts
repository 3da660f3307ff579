/** Cookies as browsers and others send them. */
import { expect, test } from 'vitest';
import { cookieValue } from './cookie.ts';

test.each([
  ['user=ann', 'ann'],
  ['a=1; user=ann; b=2', 'ann'],
  ['a=1;user=ann', 'ann'],
  ['user="ann"', 'ann'],
  ['user=', ''],
  ['user=a=b', 'a=b'],
  ['user=ann; user=bob', 'ann'],
  ['', undefined],
  ['superuser=ann', undefined],
  ['users=ann', undefined],
  ['user', undefined],
  [';;;=;', undefined],
])('%j', (cookies, expected) => {
  expect(cookieValue(cookies, 'user')).toBe(expected);
});

test('thousands of pairs are read in one pass', () => {
  expect(cookieValue(`${'x=y; '.repeat(4096)}user=ann`, 'user')).toBe('ann');
});
