/** What `serin simulate` takes: rates, shares, latencies and regressions as people write them. */
import { InvalidArgumentError } from 'commander';
import { parseDuration } from '../base/duration.ts';
import { HIGHEST_RATE_PER_S, LATENCY_LIMITS_MS, type Traffic, type Version } from '../simulate/question.ts';

const PER_S: Readonly<Record<string, number>> = { s: 1, min: 60, m: 60, h: 3600 };

/** `100/s`, `3000/min`, `100/h`. @returns Requests a second. */
export function parseRate(text: string): number {
  const { number = '', unit = '' } = /^(?<number>\d+(?:\.\d+)?)\/(?<unit>s|min|m|h)$/.exec(text)?.groups ?? {};
  const rate = Number(number) / (PER_S[unit] ?? Number.NaN);
  if (Number.isNaN(rate))
    throw new InvalidArgumentError(`expected requests a second, minute or hour as 100/s, 3000/min or 100/h, found '${text}'`);
  if (rate === 0) throw new InvalidArgumentError('without requests nothing can be decided: expected a rate above 0');
  if (rate > HIGHEST_RATE_PER_S)
    throw new InvalidArgumentError(`expected at most ${HIGHEST_RATE_PER_S}/s, found '${text}'; more traffic changes little`);
  return rate;
}

/** `1%`. @returns A fraction, in [0, 1). */
export function parseFailing(text: string): number {
  const failing = percentOf(text);
  if (failing === undefined || failing >= 1)
    throw new InvalidArgumentError(`expected the percentage of requests that fail, below 100, as 1% or 0.1%, found '${text}'`);
  return failing;
}

export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** `p50=80ms,p99=256ms`. */
export function parseLatency(text: string): Latency {
  const { p50 = '', p99 = '' } = /^p50=(?<p50>[^,]+),p99=(?<p99>[^,]+)$/.exec(text)?.groups ?? {};
  const [p50Ms, p99Ms] = [parseDuration(p50), parseDuration(p99)];
  if (p50Ms === undefined || p99Ms === undefined) throw new InvalidArgumentError(`expected p50=80ms,p99=256ms, found '${text}'`);
  const { low, high } = LATENCY_LIMITS_MS;
  if (p50Ms < low || p99Ms > high) throw new InvalidArgumentError(`expected latencies from ${low}ms to ${high / 1000}s, found '${text}'`);
  if (p99Ms <= p50Ms) throw new InvalidArgumentError(`expected p99 above p50, found '${text}'`);
  return { p50Ms, p99Ms };
}

/** How a canary differs from stable. */
export interface Difference {
  readonly text: string;
  /** Failing share from stable's. */
  readonly failing?: (stable: number) => number;
  readonly slower?: number;
}

export const USUAL_DIFFERENCES = ['errors=100%', 'errors=+2%', 'latency=x1.2'] as const;

/** `errors=+2%` (points), `errors=5%`, `errors=x3`, `latency=x1.2`, `latency=+20%`, or one of each with a comma between. */
export function parseDifference(text: string): Difference {
  let failing: Difference['failing'];
  let slower: number | undefined;
  for (const part of text.split(',')) {
    const [what = '', by = ''] = part.split('=', 2);
    if (what === 'errors' && failing === undefined) failing = failingBy(by) ?? notADifference(text);
    else if (what === 'latency' && slower === undefined) slower = slowerBy(by) ?? notADifference(text);
    else notADifference(text);
  }
  return { text, ...(failing === undefined ? {} : { failing }), ...(slower === undefined ? {} : { slower }) };
}

function notADifference(text: string): never {
  throw new InvalidArgumentError(`expected errors=+2%, errors=5%, errors=x3, latency=x1.2 or latency=+20%, found '${text}'`);
}

/** @returns The version that differs so from stable, or undefined when it is no worse. */
export function versionOf({ failing: failingFrom, slower = 1 }: Difference, traffic: Traffic): Version | undefined {
  const failing = Math.min(1, failingFrom?.(traffic.failing) ?? traffic.failing);
  const isWorse = failing > traffic.failing || slower > 1;
  const isBetter = failing < traffic.failing || slower < 1;
  if (!isWorse || isBetter) return undefined;
  const errors =
    failing === 1 ? 'every request fails' : `${percentText(failing)} of requests fail instead of ${percentText(traffic.failing)}`;
  const parts = [...(failing > traffic.failing ? [errors] : []), ...(slower > 1 ? [slowerText(slower)] : [])];
  return { title: parts.join(', '), failing, slower };
}

/** The same as stable. */
export function goodVersion({ failing }: Traffic): Version {
  return { title: 'a good release', failing, slower: 1 };
}

/** At most three figures: `0.25 %`. */
export function percentText(share: number): string {
  return `${Number((100 * share).toPrecision(3))} %`;
}

function slowerText(factor: number): string {
  return factor < 2 ? `${Number((100 * (factor - 1)).toPrecision(3))} % slower` : `${Number(factor.toPrecision(3))} times as slow`;
}

function failingBy(text: string): ((stable: number) => number) | undefined {
  const factor = factorOf(text);
  if (factor !== undefined) return (stable) => stable * factor;
  const isMore = text.startsWith('+');
  const share = percentOf(isMore ? text.slice(1) : text);
  if (share === undefined) return undefined;
  return (stable) => (isMore ? stable + share : share);
}

function slowerBy(text: string): number | undefined {
  if (!text.startsWith('+')) return factorOf(text);
  const share = percentOf(text.slice(1));
  return share === undefined ? undefined : 1 + share;
}

function factorOf(text: string): number | undefined {
  return /^x\d{1,4}(?:\.\d+)?$/.test(text) ? Number(text.slice(1)) : undefined;
}

function percentOf(text: string): number | undefined {
  if (!/^\d{1,3}(?:\.\d+)?%$/.test(text)) return undefined;
  const share = Number(text.slice(0, -1)) / 100;
  return share <= 1 ? share : undefined;
}

export function parseCount(low: number, high: number): (text: string) => number {
  return (text) => {
    const count = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (count >= low && count <= high) return count;
    throw new InvalidArgumentError(`expected a whole number from ${low} to ${high}, found '${text}'`);
  };
}

/** @returns Seconds, a minute at least. */
export function parseWithin(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms < 60_000 || ms > 7 * 24 * 3_600_000)
    throw new InvalidArgumentError(`expected a duration from 1m to 168h as 1h or 90m, found '${text}'`);
  return ms / 1000;
}
