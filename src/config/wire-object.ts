/** A resource as documents have it, which is not always how Serin keeps it. */
import { type AnyResource, isClusterScoped, wireKind } from './resources.ts';

export interface WireObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

/** A Secret keeps its `spec`: what is shown of it is no Secret that anybody could apply. */
export function wireObject({ apiVersion, kind, metadata, spec }: AnyResource): WireObject {
  const { namespace, ...others } = metadata;
  const head = { apiVersion, kind: wireKind(kind), metadata: isClusterScoped(kind) ? others : { namespace, ...others } };
  return kind === 'EndpointSlice' || kind === 'ConfigMap' ? { ...head, ...spec } : { ...head, spec: { ...spec } };
}
