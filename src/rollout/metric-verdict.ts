/** From the answer of a provider to a measurement. Pure. */
import { meets } from '../config/serin/condition.ts';
import type { Metric } from '../config/serin/metric-resolve.ts';
import { conditionOf } from './checks.ts';
import type { Measurement } from './metric-run.ts';

/** What a provider brought: a value (plain JSON, numbers may be NaN), or why there is none; of a command its exit code as well. */
export type Answer = { readonly value: unknown; readonly exitCode?: number; readonly detail?: string } | { readonly problem: string };

type Judged = Pick<Measurement, 'phase' | 'value' | 'message'>;

const MAX_VALUE_CHARS = 200;

/** An answer that is empty or no number is never a success, whatever the condition would say of it. */
export function judge(metric: Metric, answer: Answer): Judged {
  if ('problem' in answer) return { phase: 'Error', message: answer.problem };
  const { value, exitCode = 0, detail = '' } = answer;
  const { successCondition, failureCondition, thresholdRange } = metric;
  const text = textOf(value);
  const shown = text === '' ? {} : { value: text };
  const said = (phase: Measurement['phase'], message: string): Judged => ({ phase, ...shown, message });
  const exit = `exit code ${exitCode}${detail === '' ? '' : `: ${detail}`}`;
  if (successCondition === undefined && failureCondition === undefined && thresholdRange === undefined)
    return exitCode === 0 ? said('Successful', '') : { phase: 'Failed', value: `exit code ${exitCode}`, message: exit };
  if (exitCode !== 0) return said('Error', exit);
  if (isEmpty(value)) return { phase: 'Error', message: 'the answer is empty' };
  if (hasNaN(value)) return said('Error', `the answer is not a number: ${text}`);
  if (thresholdRange !== undefined) {
    const number = singleNumber(value);
    if (number === undefined) return said('Error', `the answer is not one number: ${text}`);
    const { min = -Infinity, max = Infinity } = thresholdRange;
    return number >= min && number <= max ? said('Successful', '') : said('Failed', `${text} is not ${conditionOf(metric)}`);
  }
  const succeeds = successCondition === undefined ? undefined : meets(successCondition, value);
  const fails = failureCondition === undefined ? undefined : meets(failureCondition, value);
  for (const verdict of [succeeds, fails])
    if (verdict !== undefined && 'problem' in verdict) return said('Error', `the condition cannot be told of ${text}: ${verdict.problem}`);
  if (isTrue(fails)) return said('Failed', `${text}: ${failureCondition} holds`);
  if (isTrue(succeeds) || succeeds === undefined) return said('Successful', '');
  return fails === undefined
    ? said('Failed', `${text} does not meet ${successCondition}`)
    : said('Inconclusive', `${text} meets neither ${successCondition} nor ${failureCondition}`);
}

function isTrue(verdict: ReturnType<typeof meets> | undefined): boolean {
  return verdict !== undefined && 'holds' in verdict && verdict.holds;
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0);
}

function hasNaN(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasNaN);
  return Number.isNaN(value) || (typeof value === 'string' && /^\s*[+-]?nan\s*$/i.test(value));
}

/** Of a list with one number, that. */
function singleNumber(value: unknown): number | undefined {
  const only: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value;
  if (typeof only === 'number') return only;
  const number = typeof only === 'string' && only.trim() !== '' ? Number(only) : Number.NaN;
  return Number.isNaN(number) ? undefined : number;
}

/** As JSON, in which infinite numbers would be null; short enough for a status. */
function textOf(value: unknown): string {
  if (value === undefined) return '';
  const text = Array.isArray(value) && value.every((item) => typeof item === 'number') ? value.join(', ') : plainText(value);
  return text.length > MAX_VALUE_CHARS ? `${text.slice(0, MAX_VALUE_CHARS)}…` : text;
}

function plainText(value: unknown): string {
  return typeof value === 'number' || typeof value === 'string' ? String(value) : JSON.stringify(value);
}
