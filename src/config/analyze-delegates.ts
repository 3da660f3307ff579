/** What can be wrong between VirtualServices and their delegates. */
import { nearest } from '../base/nearest.ts';
import { delegateName, delegatesOf, delegatedMatches, isDelegate } from './delegates.ts';
import { type Place, show } from './report.ts';
import type { VirtualService } from './resources.ts';
import type { Path } from './yaml-node.ts';

/** @param placeOf  Where a part of a resource stands; undefined for what no file has. */
export function analyzeDelegates(
  virtualServices: readonly VirtualService[],
  placeOf: (resource: VirtualService, path: Path) => Place | undefined,
): void {
  const delegates = delegatesOf(virtualServices);
  const used = new Set<string>();
  for (const root of virtualServices) {
    for (const [index, rule] of (root.spec.http ?? []).entries()) {
      if (rule.delegate === undefined || isDelegate(root)) continue;
      const name = delegateName(rule, root.metadata.namespace);
      const delegate = delegates.get(name);
      used.add(name);
      if (delegate === undefined) {
        const isRoot = virtualServices.some(({ metadata }) => `${metadata.namespace}/${metadata.name}` === name);
        const close = nearest(name, [...delegates.keys()]);
        placeOf(root, ['spec', 'http', index, 'delegate'])?.warn(
          'W_DELEGATE',
          isRoot
            ? `VirtualService ${show(name)} has hosts, so it is no delegate; the rule is left out`
            : `no delegate ${show(name)}; the rule is left out`,
          isRoot ? 'remove its hosts and gateways' : close === undefined ? undefined : `did you mean ${close}?`,
        );
        continue;
      }
      for (const [at, own] of (delegate.spec.http ?? []).entries()) {
        if (delegatedMatches(rule, root.metadata.namespace, own, delegate.metadata.namespace) !== undefined) continue;
        placeOf(delegate, ['spec', 'http', at])?.warn(
          'W_DELEGATE',
          `not all of its match lies within what ${root.metadata.namespace}/${root.metadata.name} delegates in spec.http[${index}]; the rule is left out there`,
          'ask for a part of what the root asks for',
        );
      }
    }
  }
  for (const [name, delegate] of delegates) {
    if (!used.has(name)) placeOf(delegate, [])?.warn('W_DELEGATE', 'without hosts it is a delegate, but no VirtualService delegates to it');
  }
}
