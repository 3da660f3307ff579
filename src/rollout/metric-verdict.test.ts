import { describe, expect, test } from 'vitest';
import type { Metric } from '../config/serin/metric-resolve.ts';
import type { MeasurementPhase } from './metric-run.ts';
import { type Answer, judge } from './metric-verdict.ts';

const metric = (conditions: Partial<Metric>): Metric => ({
  name: 'errors',
  provider: {},
  rules: { initialDelayMs: 0, failureLimit: 0, inconclusiveLimit: 0, consecutiveErrorLimit: 4, consecutiveSuccessLimit: 0 },
  dryRun: false,
  file: 'a.yaml',
  fingerprint: 'x',
  ...conditions,
});
const SUCCESS = { successCondition: 'result[0] <= 0.01' };
const BOTH = { successCondition: 'result < 1', failureCondition: 'result > 2' };

test.each<[conditions: Partial<Metric>, answer: Answer, phase: MeasurementPhase]>([
  [SUCCESS, { value: [0.005] }, 'Successful'],
  [SUCCESS, { value: [0.05] }, 'Failed'],
  [{ failureCondition: 'result[0] > 0.01' }, { value: [0.005] }, 'Successful'],
  [{ failureCondition: 'result[0] > 0.01' }, { value: [0.05] }, 'Failed'],
  [BOTH, { value: 0.5 }, 'Successful'],
  [BOTH, { value: 1.5 }, 'Inconclusive'],
  [BOTH, { value: 2.5 }, 'Failed'],
  [{ thresholdRange: { min: 1, max: 2 } }, { value: [2] }, 'Successful'],
  [{ thresholdRange: { max: 2 } }, { value: '2.5' }, 'Failed'],
  [{ thresholdRange: { max: 2 } }, { value: [1, 2] }, 'Error'],
  [{ thresholdRange: { max: 2 } }, { value: Infinity }, 'Failed'],
  // The exit code of a command, where nothing else is asked.
  [{}, { value: '', exitCode: 0 }, 'Successful'],
  [{}, { value: 'no', exitCode: 1 }, 'Failed'],
  [SUCCESS, { value: [0.001], exitCode: 1 }, 'Error'],
])('%j of %j is %s', (conditions, answer, phase) => {
  expect(judge(metric(conditions), answer).phase).toBe(phase);
});

describe('never a success, whatever the condition says', () => {
  test.each<[what: string, condition: string, answer: Answer]>([
    ['an error', 'true || result == 1', { problem: 'nothing listens' }],
    ['nothing', 'isNil(result)', { value: null }],
    ['nothing at all', 'isNil(result)', { value: undefined }],
    ['no sample', 'len(result) == 0', { value: [] }],
    ['no text', 'result == ""', { value: '' }],
    ['NaN', 'isNaN(result)', { value: Number.NaN }],
    ['NaN among others', 'result[0] == 1', { value: [1, Number.NaN] }],
    ['the text NaN', 'result == "NaN"', { value: 'NaN' }],
    ['a condition that cannot be told', 'result.rate > 1', { value: [1] }],
  ])('%s', (_what, successCondition, answer) => {
    const { phase, message } = judge(metric({ successCondition }), answer);
    expect(phase).toBe('Error');
    expect(message).not.toBe('');
  });
});

test('says what was found and what was wanted', () => {
  expect(judge(metric(SUCCESS), { value: [0.05] }).message).toBe('0.05 does not meet result[0] <= 0.01');
  expect(judge(metric({ thresholdRange: { min: 1, max: 2 } }), { value: 3 }).message).toBe('3 is not at least 1 and at most 2');
  expect(judge(metric({}), { value: '', exitCode: 3, detail: 'no such table' }).message).toBe('exit code 3: no such table');
});
