import { describe, expect, test } from 'vitest';
import { conditionProblem, meets } from './condition.ts';
import { select } from './json-path.ts';
import { forbiddenAddress } from './outbound-url.ts';

describe('a condition', () => {
  test.each<[condition: string, result: unknown, holds: boolean]>([
    ['result[0] >= 0.95', [0.96], true],
    ['result[0] >= 1', [0.96], false],
    ['result[0] * 100 >= 96', [0.96], true],
    ['100 - result > 3.5', 96.4, true],
    ['result == 1', 1, true],
    ['result.all(rate, rate < 0.1)', [0.05, 0.2], false],
    ['len(result) == 2 && result[1] > 0', [0, 1], true],
    ['asFloat(result) < 2', '1.5', true],
    ['result.status == "ok" && result.errors.size() == 0', { status: 'ok', errors: [] }, true],
    ['has(result.rate) ? result.rate > 0.5 : false', {}, false],
    ['result in ["green", "yellow"]', 'red', false],
    ['isInf(result[0])', [Infinity], true],
    ['default(result, 5) == 5', null, true],
    ['asInt(result) == 3', 3.9, true],
  ])('%s of %j is %s', (condition, result, holds) => {
    expect(conditionProblem(condition)).toBeUndefined();
    expect(meets(condition, result)).toEqual({ holds });
  });

  test.each<[condition: string, result: unknown, problem: RegExp]>([
    ['result[1] > 0', [1], /out of bounds/],
    ['result > 1', 'a', /no matching overload/],
    ['result.rate > 1', {}, /rate/],
    ['asFloat(result) > 1', 'many', /not a number/],
    ['result', 1, /neither true nor false/],
    ['len(result) > 1', 1, /len\(\)/],
  ])('%s of %j cannot be told', (condition, result, problem) => {
    expect(conditionProblem(condition)).toBeUndefined();
    expect(meets(condition, result)).toEqual({ problem: expect.stringMatching(problem) });
  });

  test.each([
    ['', 'the condition is empty'],
    ['result[0] > 1 and result[0] < 2', 'the condition is no CEL'],
    ['result[0] > limit', 'unknown name limit'],
    ['result == nil', 'unknown name nil'],
    ['1 < 2', 'the condition does not look at result'],
    ['result.all(x, y > x)', 'unknown name y'],
    ['max(result) > 1', 'unknown function max'],
    [`result > 1${' '.repeat(1024)}`, 'the condition is 1034 characters long'],
  ])('%s is refused before anything is measured', (condition, message) => {
    expect(conditionProblem(condition)?.message).toContain(message);
  });

  test('words of Argo Rollouts are translated in the hint', () => {
    expect(conditionProblem('result[0] > 1 and result[0] < 2')?.hint).toContain('&&');
    expect(conditionProblem('result == nil')?.hint).toContain('isNil');
  });
});

test.each<[path: string, value: unknown]>([
  ['$', { data: { rate: 0.5, list: [1, 2], none: null } }],
  ['{$.data.rate}', 0.5],
  ["$['data'].list[1]", 2],
  ['$.data.list[*]', [1, 2]],
  ['$..rate', [0.5]],
  ['$.data.nothing', undefined],
  ['$.data.nothing[*]', undefined],
  ['$.data.none', null],
])('%s selects %j', (path, value) => {
  expect(select({ data: { rate: 0.5, list: [1, 2], none: null } }, path)).toEqual(value);
});

test.each([
  ['127.0.0.1', false],
  ['10.0.0.8', false],
  ['192.168.1.1', false],
  ['::1', false],
  ['fd12::1', false],
  ['93.184.216.34', false],
  ['169.254.169.254', true],
  ['::ffff:a9fe:a9fe', true],
  ['64:ff9b::169.254.169.254', true],
  ['2002:a9fe:a9fe::1', true],
  ['fe80::1%eth0', true],
  ['100.100.100.200', true],
  ['0.0.0.0', true],
  ['::', true],
  ['255.255.255.255', true],
])('%s may not be asked: %s', (address, isForbidden) => {
  expect(forbiddenAddress(address) !== undefined).toBe(isForbidden);
});
