/** How conditions are written, and who is older than whom. */
import type { ObjectMeta } from '../../config/resources.ts';
import type { Condition } from './status.ts';

export interface Verdict {
  readonly type: string;
  readonly status: boolean;
  readonly reason: string;
  readonly message: string;
}

export function yes(type: string, reason = type, message = ''): Verdict {
  return { type, status: true, reason, message };
}

export function no(type: string, reason: string, message: string): Verdict {
  return { type, status: false, reason, message };
}

export function conditionsOf({ generation = 1 }: Pick<ObjectMeta, 'generation'>, verdicts: readonly Verdict[]): readonly Condition[] {
  return verdicts.map(({ type, status, reason, message }) => ({
    type,
    status: status ? 'True' : 'False',
    reason,
    message,
    observedGeneration: generation,
  }));
}

interface Aged {
  readonly metadata: Pick<ObjectMeta, 'creationTimestamp' | 'namespace' | 'name'>;
}

/** Who counts first: the older by `creationTimestamp`, then by `namespace/name`. Without a timestamp as young as can be. */
export function byPrecedence(a: Aged, b: Aged): number {
  const difference = instant(a.metadata.creationTimestamp) - instant(b.metadata.creationTimestamp);
  if (difference !== 0) return difference;
  return compare(a.metadata.namespace, b.metadata.namespace) || compare(a.metadata.name, b.metadata.name);
}

function instant(timestamp: string | undefined): number {
  const ms = timestamp === undefined ? Number.NaN : Date.parse(timestamp);
  return Number.isNaN(ms) ? Number.MAX_SAFE_INTEGER : ms;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
