import { describe, expect, test } from 'vitest';
import { fullMatch } from '../full-match.ts';
import { exactRegex, ignoringCase, literalStart, prefixRegex } from './regex-text.ts';

const AWKWARD = String.raw`a.b*c+d?(e)[f]{1}^$|\g`;

test('a text is matched by its own expression and a changed one is not', () => {
  expect(fullMatch(exactRegex(AWKWARD))(AWKWARD)).toBe(true);
  expect(fullMatch(exactRegex('a.b'))('axb')).toBe(false);
  expect(fullMatch(exactRegex(''))('')).toBe(true);
  expect(fullMatch(exactRegex(''))('x')).toBe(false);
});

test('a prefix is matched with anything behind it', () => {
  expect([AWKWARD, `${AWKWARD}x`, 'a'].map(fullMatch(prefixRegex(AWKWARD)))).toEqual([true, true, false]);
});

test('letters in either case, and nothing else is folded', () => {
  expect(['/Foo.', '/fOO.', '/foox', '/fo'].map(fullMatch(ignoringCase('/foo.')))).toEqual([true, true, false, false]);
  // U+212A is a K to `(?i)`.
  expect(fullMatch(ignoringCase('k'))('\u212A')).toBe(false);
});

describe('what every match begins with', () => {
  test.each([
    ['/v1/x', '/v1/x', true],
    [String.raw`/v\d.*`, '/v', false],
    [String.raw`/a\.b.*`, '/a.b', false],
    ['/items?', '/item', false],
    ['/items+x', '/items', false],
    ['/a|/b', '', false],
    ['^/x$', '/x', true],
    ['.*', '', false],
    ['(a)b', '', false],
    ['/ab{2}', '/a', false],
  ])('%s', (pattern, text, isWhole) => {
    expect(literalStart(pattern)).toEqual({ text, isWhole });
  });
});
