/**
 * `spec.requires` of Rollouts: which releases have to come first. A name that is no Rollout would be waited for without end, and so would a circle:
 * both are refused.
 */
import { nearest } from '../../base/nearest.ts';
import { type Place, show } from '../report.ts';
import type { RolloutSpec } from './rollout-spec.ts';

/** As far as it matters here, of a resource. */
export interface RequiringRollout {
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly spec: Pick<RolloutSpec, 'requires'>;
}

/** Names of Rollouts, `namespace/name`: one without a namespace is in the Rollout's own. */
export function requiredNames({ metadata, spec }: RequiringRollout): readonly string[] {
  return (spec.requires ?? []).map((name) => (name.includes('/') ? name : `${metadata.namespace}/${name}`));
}

/** @param placeOf Of `spec.requires` of a Rollout. */
export function checkRequires<R extends RequiringRollout>(rollouts: readonly R[], placeOf: (rollout: R) => Place | undefined): void {
  if (rollouts.every(({ spec }) => spec.requires === undefined)) return;
  const required = new Map(rollouts.map((rollout) => [nameOf(rollout), requiredNames(rollout)]));
  for (const rollout of rollouts) {
    const own = nameOf(rollout);
    const names = required.get(own) ?? [];
    for (const [index, name] of names.entries()) {
      const at = placeOf(rollout)?.at(index);
      if (names.indexOf(name) < index) at?.error('E_DUPLICATE', `${name} is required twice`);
      else if (!required.has(name)) {
        const close = nearest(name, [...required.keys()]);
        at?.error('E_REQUIRES', `there is no Rollout ${show(name)}`, close === undefined ? undefined : `did you mean ${close}?`);
      } else {
        const way = wayTo(own, name, required);
        if (way !== undefined) at?.error('E_REQUIRES', `it would wait for itself: ${[own, ...way].join(' requires ')}`, 'break the circle');
      }
    }
  }
}

function nameOf({ metadata }: RequiringRollout): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/** The shortest chain of requirements from `from` to `target`, both included; undefined when there is none. */
function wayTo(target: string, from: string, required: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const before = new Map<string, string | undefined>([[from, undefined]]);
  for (const name of before.keys()) {
    if (name === target) {
      const way = [name];
      for (let step = before.get(name); step !== undefined; step = before.get(step)) way.unshift(step);
      return way;
    }
    for (const next of required.get(name) ?? []) if (!before.has(next)) before.set(next, name);
  }
  return undefined;
}
