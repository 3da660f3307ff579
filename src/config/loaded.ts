/** A resource together with the way back to the user's lines. */
import { setOrigin, setRuleSource } from './origins.ts';
import type { Locate } from './report.ts';
import type { AnyResource } from './resources.ts';

export interface LoadedResource {
  readonly resource: AnyResource;
  readonly locate: Locate;
}

/** Notes where the rules of routes stand, for explain and logs. */
export function loadedResource(resource: AnyResource, locate: Locate): LoadedResource {
  const { namespace, name } = resource.metadata;
  if (resource.kind === 'VirtualService') {
    for (const [index, rule] of (resource.spec.http ?? []).entries()) {
      setOrigin(rule, locate(['spec', 'http', index], 'value').origin);
      setRuleSource(rule, { namespace, name, index });
    }
  } else if (resource.kind === 'HTTPRoute' || resource.kind === 'GRPCRoute' || resource.kind === 'TLSRoute') {
    for (const [index, rule] of (resource.spec.rules ?? []).entries()) {
      setOrigin(rule, locate(['spec', 'rules', index], 'value').origin);
      setRuleSource(rule, { namespace, name, index });
    }
  }
  return { resource, locate };
}
