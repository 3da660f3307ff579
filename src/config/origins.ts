/**
 * Where parts of resources stand in the user's files, for those parts whose place is wanted later (the rules of a VirtualService, in
 * explain and access logs). Kept beside the resources, so that these stay exactly what Istio's documents say.
 */
import type { Origin } from './resources.ts';

const ORIGINS = new WeakMap<object, Origin>();
const RULES = new WeakMap<object, RuleSource>();

/** Which rule of which VirtualService or route something is: also where it has been merged into another, or others have come before it. */
export interface RuleSource {
  readonly namespace: string;
  readonly name: string;
  /** Of `spec.http`, or `spec.rules`. */
  readonly index: number;
}

export function ruleSourceOf(rule: object): RuleSource | undefined {
  return RULES.get(rule);
}

export function setRuleSource(rule: object, source: RuleSource): void {
  RULES.set(rule, source);
}

/** Undefined for what did not come from a file, or whose place nobody noted. */
export function originOf(part: object): Origin | undefined {
  return ORIGINS.get(part);
}

export function setOrigin(part: object, origin: Origin): void {
  ORIGINS.set(part, origin);
}

/** For a changed copy of a part: it still stands where the part it was made from does. */
export function copyOrigin<T extends object>(from: object, to: T): T {
  const origin = ORIGINS.get(from);
  if (origin !== undefined) ORIGINS.set(to, origin);
  const source = RULES.get(from);
  if (source !== undefined) RULES.set(to, source);
  return to;
}
