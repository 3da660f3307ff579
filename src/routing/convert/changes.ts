/**
 * What a conversion between the two dialects does not carry over, or what behaves in another way afterwards: nothing is dropped in silence. The same thing about
 * the same place is said once, on however many listeners it is found.
 */
import type { Diagnostic } from '../../base/diagnostic.ts';
import type { Code } from '../../config/codes.ts';
import { originOf, ruleSourceOf } from '../../config/origins.ts';
import type { AnyResource, Origin } from '../../config/resources.ts';

export type ConvertCode = Extract<Code, `W_CONVERT_${string}`>;

/** Where a change is: a resource, or one of its rules. */
export interface Spot {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** `spec.http[2]`; empty for the whole resource. */
  readonly path: string;
  readonly origin: Origin;
}

export class Changes {
  readonly #found = new Map<string, Diagnostic>();

  get diagnostics(): readonly Diagnostic[] {
    return [...this.#found.values()];
  }

  /** A rule or a resource has no equivalent: what it did is not done. */
  leftOut(spot: Spot, message: string, hint?: string): void {
    this.#add('W_CONVERT_LEFT_OUT', spot, message, hint);
  }

  /** One field has no equivalent; the rest is carried over without it. */
  omitted(spot: Spot, message: string, hint?: string): void {
    this.#add('W_CONVERT_OMITTED', spot, message, hint);
  }

  /** It is carried over, and some request meets something else. */
  differs(spot: Spot, message: string, hint?: string): void {
    this.#add('W_CONVERT_DIFFERS', spot, message, hint);
  }

  /** Another rule than before takes requests that two of them fit. */
  order(spot: Spot, message: string, hint?: string): void {
    this.#add('W_CONVERT_ORDER', spot, message, hint);
  }

  #add(code: ConvertCode, { kind, namespace, name, path, origin }: Spot, message: string, hint: string | undefined): void {
    const key = [kind, namespace, name, path, code, message].join('\n');
    if (this.#found.has(key)) return;
    const { file, line, column } = origin;
    const said = { file, line, column, code, severity: 'warning', kind, namespace, name, path, message } as const;
    this.#found.set(key, hint === undefined ? said : { ...said, hint });
  }
}

export function spotOf({ kind, metadata: { namespace, name }, origin }: AnyResource, path = ''): Spot {
  return { kind, namespace, name, path, origin };
}

/** A rule of a resource, where it was written: of a delegate's rule that is the delegate. `list` is `spec.http`, `spec.rules`. */
export function ruleSpot(resource: AnyResource, rule: object, list: string, index: number): Spot {
  const written = ruleSourceOf(rule);
  const { namespace, name } = written ?? resource.metadata;
  return { kind: resource.kind, namespace, name, path: `${list}[${written?.index ?? index}]`, origin: originOf(rule) ?? resource.origin };
}

/** A field below. */
export function below(spot: Spot, field: string): Spot {
  return { ...spot, path: spot.path === '' ? field : `${spot.path}.${field}` };
}
