/** A resource together with the way back to the user's lines. */
import { setOrigin } from './origins.ts';
import type { Locate } from './report.ts';
import type { AnyResource } from './resources.ts';

export interface LoadedResource {
  readonly resource: AnyResource;
  readonly locate: Locate;
}

/** Notes where the rules of a VirtualService stand, for explain and logs. */
export function loadedResource(resource: AnyResource, locate: Locate): LoadedResource {
  if (resource.kind === 'VirtualService') {
    for (const [index, rule] of (resource.spec.http ?? []).entries()) setOrigin(rule, locate(['spec', 'http', index], 'value').origin);
  }
  return { resource, locate };
}
