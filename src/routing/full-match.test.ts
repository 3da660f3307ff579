import * as fc from 'fast-check';
import { RE2JS } from 're2js';
import { describe, expect, test } from 'vitest';
import { fullMatch } from './full-match.ts';

describe('a pattern takes the whole value', () => {
  test.each([
    ['abc', 'abc', true],
    ['abc', 'xabc', false],
    ['abc', 'abcx', false],
    ['a|b', 'b', true],
    ['.*', '', true],
    ['.*', 'a\nb', false],
    ['.*x', 'ax', true],
    ['.*x', 'axb', false],
    ['x.*', 'xb', true],
    ['.*x.*', 'axb', true],
    ['a.c', 'abc', true],
    ['a\\.c', 'abc', false],
    ['(?i)abc', 'ABC', true],
  ])('%s on %j: %s', (pattern, value, expected) => {
    expect(fullMatch(pattern)(value)).toBe(expected);
  });

  test('shortcuts for plain shapes answer as RE2 does', () => {
    const literal = fc.string({ unit: fc.constantFrom('a', 'b', '/', '-', '.', '*', '\n'), maxLength: 5 });
    const pattern = fc.tuple(fc.constantFrom('', '.*'), literal, fc.constantFrom('', '.*')).map((parts) => parts.join(''));
    fc.assert(
      fc.property(pattern, literal, (text, value) => {
        let expected: boolean;
        try {
          expected = RE2JS.compile(text).matches(value);
        } catch {
          return;
        }
        expect(fullMatch(text)(value)).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });

  test('a pattern that runs away in backtracking engines answers at once', () => {
    expect(fullMatch('(a+)+b')('a'.repeat(5000))).toBe(false);
  });
});
