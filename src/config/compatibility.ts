/** What becomes of every field of every kind, as data: docs/compatibility.md is generated from it, and it comes from the schemas themselves. */
import { GATEWAY_API_SCHEMAS, type GatewayApiKind } from './gateway-api/read.ts';
import { SCHEMAS, type SpecKind } from './istio/kinds.ts';
import { schemaFields } from './istio/shape.ts';
import { endpointsSchema } from './kubernetes/endpoints.ts';
import { KUBERNETES_SCHEMAS, type KubernetesKind } from './kubernetes/read.ts';

export interface FieldFate {
  readonly kind: SpecKind | GatewayApiKind | KubernetesKind | 'Endpoints';
  /** `spec.http[].match[].headers`; `{}` stands for the keys of a map. */
  readonly path: string;
  /**
   * `partly`: some values have no effect, each with a warning or in the status. `unused`: says something to a kubeCluster only. The fields of one that is
   * `warned` share its fate.
   */
  readonly fate: 'honoured' | 'partly' | 'warned' | 'unused';
  /** What is not done; empty when the field is honoured. */
  readonly note: string;
}

const KINDS = [
  'VirtualService',
  'DestinationRule',
  'Gateway',
  'ServiceEntry',
  'WorkloadEntry',
  'GatewayClass',
  'GatewayApiGateway',
  'ListenerSet',
  'HTTPRoute',
  'GRPCRoute',
  'TLSRoute',
  'ReferenceGrant',
  'BackendTLSPolicy',
  'Service',
  'EndpointSlice',
  'Endpoints',
  'Namespace',
  'ConfigMap',
  'Rollout',
  'MetricTemplate',
  'Notification',
] as const satisfies readonly FieldFate['kind'][];

/** What they say stands beside their metadata. */
const CORE_SCHEMAS = { ...KUBERNETES_SCHEMAS, Endpoints: endpointsSchema };
const ALL_SCHEMAS = { ...SCHEMAS, ...GATEWAY_API_SCHEMAS, ...CORE_SCHEMAS };

/** In the order of the kinds and of the fields in their schemas. */
export function compatibility(): readonly FieldFate[] {
  return KINDS.flatMap((kind) =>
    [...schemaFields(ALL_SCHEMAS[kind], Object.hasOwn(CORE_SCHEMAS, kind) ? '' : 'spec')].map(({ path, mark }) => ({
      kind,
      path,
      fate: mark?.fate ?? 'honoured',
      note: mark?.text ?? '',
    })),
  );
}

/** Where Serin is stricter than Istio (and, where that is said, the Gateway API), on purpose: valid there, refused here. */
export const STRICTER: readonly { readonly what: string; readonly why: string }[] = [
  {
    what: 'in the Gateway API too: an empty value (null) where a field expects one',
    why: 'it is nearly always a forgotten value, and dropping it can widen a match',
  },
  { what: 'redirectCode other than 301, 302, 303, 307 and 308', why: 'Istio accepts it and leaves the rule without an action' },
  {
    what: 'redirect.uri and prefixRewrite that do not begin with one /, rewrite.uri that does not begin with /',
    why: 'the result is no valid request or Location',
  },
  { what: 'status 600 of directResponse and fault.abort', why: 'it is no HTTP status' },
  {
    what: 'in the Gateway API too: Connection, Content-Length, Transfer-Encoding and other framing fields in header operations',
    why: 'they decide where a message ends; changing them is request smuggling',
  },
  {
    what: 'a cipherSuites entry of a Gateway that OpenSSL does not know',
    why: 'Istio warns and leaves it out; a list that is shorter than it reads may refuse every client',
  },
  {
    what: 'in the Gateway API too: regular expressions that are not RE2 or longer than 1024 bytes',
    why: 'a rule whose match can never hold leaves its requests to the next rule',
  },
  { what: 'the same header twice in one set or add in other letters', why: 'which of the two counts would be chance' },
  {
    what: 'negative durations, and durations finer than a millisecond, in every field',
    why: 'Istio checks some of its duration fields only',
  },
  { what: 'keys __proto__, constructor and prototype anywhere', why: 'they can reach the runtime' },
  { what: 'IPv4 addresses in other than four plain decimal numbers', why: 'readers disagree about what they mean' },
];
