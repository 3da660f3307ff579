import { describe, expect, test } from 'vitest';
import { parseDuration } from './duration.ts';

describe('parseDuration', () => {
  test.each([
    ['0', 0],
    ['0s', 0],
    ['1ms', 1],
    ['500ms', 500],
    ['1.5s', 1500],
    ['.5s', 500],
    ['1.s', 1000],
    ['0.1s', 100],
    ['1h30m', 5_400_000],
    ['1h1m1s1ms', 3_661_001],
    ['1us', 0.001],
    ['250µs', 0.25],
    ['2h', 7_200_000],
    ['1s1s', 2000],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each([
    '',
    '5',
    '5 minutes',
    '-1s',
    '+1s',
    '1:30',
    '1e9d',
    '1d',
    '1m30',
    '1,000s',
    's',
    '.s',
    '1 s',
    '1S',
    ' 1s',
    '1s ',
    '1s\n',
    'infinity',
    '9'.repeat(40) + 'h',
  ])('%j is none', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });
});
