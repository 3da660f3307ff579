/** What `npm run demo -- ...` can be told. */
import { parseArgs } from 'node:util';
import { DEFAULT_RATE_PER_S, MAX_RATE_PER_S } from './traffic.ts';

export const USAGE = `npm run demo [-- [--port-base N] [--traffic N]]

Runs Bookinfo behind Serin on ten ports from N on; without --port-base, from 9080 on or the next free range.
--traffic N sends N page views a second, ${DEFAULT_RATE_PER_S} unless told otherwise, ${MAX_RATE_PER_S} at most; 0 sends none.`;

export interface DemoOptions {
  /** Undefined: the first free range. */
  readonly portBase: number | undefined;
  readonly trafficPerS: number;
}

/** Undefined: help is asked for. @throws Error saying what is wrong */
export function demoOptions(): DemoOptions | undefined {
  const { values } = parseArgs({
    options: { 'port-base': { type: 'string' }, traffic: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help === true) return undefined;
  return { portBase: portBaseIn(values['port-base']), trafficPerS: trafficIn(values.traffic) };
}

function portBaseIn(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const base = Number(text);
  if (!Number.isInteger(base) || base < 1 || base > 65_526)
    throw new Error(`--port-base: expected a port from 1 to 65526, found "${text}"`);
  return base;
}

function trafficIn(text: string | undefined): number {
  if (text === undefined) return DEFAULT_RATE_PER_S;
  const rate = text.trim() === '' ? Number.NaN : Number(text);
  if (!(rate >= 0 && rate <= MAX_RATE_PER_S))
    throw new Error(`--traffic: expected page views a second from 0 to ${MAX_RATE_PER_S}, found "${text}"`);
  return rate;
}
