/** What becomes of every field of every kind, as data: docs/compatibility.md is generated from it, and it comes from the schemas themselves. */
import { SCHEMAS } from './istio/kinds.ts';
import { schemaFields } from './istio/shape.ts';
import type { ResourceKind } from './resources.ts';

export interface FieldFate {
  readonly kind: ResourceKind;
  /** `spec.http[].match[].headers`; `{}` stands for the keys of a map. */
  readonly path: string;
  /** `partly`: some values have no effect, each with a warning. A warned field's own fields share its fate. */
  readonly fate: 'honoured' | 'partly' | 'warned';
  /** What is not done; empty when the field is honoured. */
  readonly note: string;
}

const KINDS: readonly ResourceKind[] = ['VirtualService', 'DestinationRule', 'Gateway', 'ServiceEntry', 'WorkloadEntry', 'Rollout'];

/** In the order of the kinds and of the fields in their schemas. */
export function compatibility(): readonly FieldFate[] {
  return KINDS.flatMap((kind) =>
    [...schemaFields(SCHEMAS[kind], 'spec')].map(({ path, mark }) => ({
      kind,
      path,
      fate: mark?.fate ?? 'honoured',
      note: mark?.text ?? '',
    })),
  );
}

/** Where Serin is stricter than Istio, on purpose: valid there, refused here. */
export const STRICTER: readonly { readonly what: string; readonly why: string }[] = [
  {
    what: 'an empty value (null) where a field expects one',
    why: 'it is nearly always a forgotten value, and dropping it can widen a match',
  },
  { what: 'redirectCode other than 301, 302, 303, 307 and 308', why: 'Istio accepts it and leaves the rule without an action' },
  {
    what: 'redirect.uri and prefixRewrite that do not begin with one /, rewrite.uri that does not begin with /',
    why: 'the result is no valid request or Location',
  },
  { what: 'status 600 of directResponse and fault.abort', why: 'it is no HTTP status' },
  {
    what: 'Connection, Content-Length, Transfer-Encoding and other framing fields in header operations',
    why: 'they decide where a message ends; changing them is request smuggling',
  },
  { what: 'the same header twice in one set or add in other letters', why: 'which of the two counts would be chance' },
  {
    what: 'negative durations, and durations finer than a millisecond, in every field',
    why: 'Istio checks some of its duration fields only',
  },
  { what: 'keys __proto__, constructor and prototype anywhere', why: 'they can reach the runtime' },
  { what: 'IPv4 addresses in other than four plain decimal numbers', why: 'readers disagree about what they mean' },
];
