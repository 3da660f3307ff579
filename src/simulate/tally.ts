/** What came of many replications of one scenario under one method, and the few summaries that are asked of them. */
import type { Result } from './run-methods.ts';

export interface Tally {
  replications: number;
  readonly stoppedAtS: number[];
  readonly promotedAtS: number[];
  /** Ended on stable, as planned. */
  ended: number;
  /** Waiting for somebody to decide when time was up. */
  held: number;
  readonly harm: number[];
  /** Of promotions: rises of the failing share that were ruled out; infinite where nothing was. */
  readonly ruledOut: number[];
}

export function newTally(): Tally {
  return { replications: 0, stoppedAtS: [], promotedAtS: [], ended: 0, held: 0, harm: [], ruledOut: [] };
}

export function addResult(tally: Tally, { kind, atS, harm, ruledOut }: Result): void {
  tally.replications++;
  tally.harm.push(harm);
  if (kind === 'stopped') tally.stoppedAtS.push(atS);
  if (kind === 'ended') tally.ended++;
  if (kind === 'held') tally.held++;
  if (kind !== 'promoted') return;
  tally.promotedAtS.push(atS);
  tally.ruledOut.push(ruledOut ?? Number.POSITIVE_INFINITY);
}

export function merge(into: Tally, from: Tally): void {
  into.replications += from.replications;
  into.ended += from.ended;
  into.held += from.held;
  into.stoppedAtS.push(...from.stoppedAtS);
  into.promotedAtS.push(...from.promotedAtS);
  into.harm.push(...from.harm);
  into.ruledOut.push(...from.ruledOut);
}

export function stoppedShare(tally: Tally): number {
  return tally.stoppedAtS.length / tally.replications;
}

export function promotedShare(tally: Tally): number {
  return tally.promotedAtS.length / tally.replications;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Nearest rank; NaN without values, which no bar passes. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}
