/** Words that validation refuses before anybody asks: what becomes of them where a newer API server has them. */
import { describe, expect, test } from 'vitest';
import { droppedRule, unsupportedFilter } from './rules.ts';

type Rule = Parameters<typeof droppedRule>[0];

describe('a rule', () => {
  test.each<readonly [what: string, rule: object, message: string]>([
    [
      'compares a path in an unknown way',
      { matches: [{}, { path: { type: 'Glob', value: '/a' } }] },
      'match 1: path is matched by Glob, which is not supported',
    ],
    [
      'compares a header in an unknown way',
      { matches: [{ headers: [{ type: 'Prefix', name: 'a', value: 'b' }] }] },
      'match 0: header a is matched by Prefix, which is not supported',
    ],
    [
      'compares a query parameter in an unknown way',
      { matches: [{ queryParams: [{ type: 'Prefix', name: 'a', value: 'b' }] }] },
      'match 0: query parameter a is matched by Prefix, which is not supported',
    ],
    [
      'compares a method in an unknown way',
      { matches: [{ method: { type: 'Prefix', method: 'Get' } }] },
      'match 0: method is matched by Prefix, which is not supported',
    ],
  ])('that %s is dropped', (_what, rule, message) => {
    expect(droppedRule(rule as Rule)).toEqual({ reason: 'UnsupportedValue', message });
  });

  test('with a filter of an unknown type is not dropped, so that its requests are refused and not somebody else’s', () => {
    const rule = { filters: [{ type: 'RequestHeaderModifier' }, { type: 'Compress' }] };
    expect(droppedRule(rule as Rule)).toBeUndefined();
    expect(unsupportedFilter(rule)).toEqual({
      index: 1,
      reason: 'UnsupportedValue',
      message: 'filter 1 is of type Compress, which is not supported',
    });
  });
});
