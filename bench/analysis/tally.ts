/** What came of many replications of one scenario under one method, and the few summaries that are asked of them. */
import type { Result } from './replicate.ts';

export interface Tally {
  replications: number;
  readonly stoppedAtS: number[];
  readonly promotedAtS: number[];
  readonly harm: number[];
}

export function newTally(): Tally {
  return { replications: 0, stoppedAtS: [], promotedAtS: [], harm: [] };
}

export function addResult(tally: Tally, { kind, atS, harm }: Result): void {
  tally.replications++;
  tally.harm.push(harm);
  if (kind === 'stopped') tally.stoppedAtS.push(atS);
  if (kind === 'promoted') tally.promotedAtS.push(atS);
}

export function merge(into: Tally, from: Tally): void {
  into.replications += from.replications;
  into.stoppedAtS.push(...from.stoppedAtS);
  into.promotedAtS.push(...from.promotedAtS);
  into.harm.push(...from.harm);
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
