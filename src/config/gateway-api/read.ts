/** From a kind of the Gateway API to its schema and rules: one row a kind. */
import { checkAll } from '../istio/salvage.ts';
import { markTree, warnNotHonoured } from '../istio/shape.ts';
import type { Place } from '../report.ts';
import type { ResourceKind } from '../resources.ts';
import { checkGatewayApiGateway, checkListenerSet } from './check-gateway.ts';
import { checkBackendTlsPolicy } from './check-policy.ts';
import { checkGrpcRoute, checkHttpRoute, checkTlsRoute } from './check-route.ts';
import { gatewayApiGatewaySchema, gatewayClassSchema, listenerSetSchema } from './gateway-schema.ts';
import { backendTlsPolicySchema, referenceGrantSchema } from './policy-schema.ts';
import { grpcRouteSchema, httpRouteSchema, type ParsedTlsRoute, tlsRouteSchema } from './route-schema.ts';
import type { GatewayApiResource } from './types.ts';

export type GatewayApiKind = GatewayApiResource['kind'];

/** Kind and spec of a resource whose shape is right. */
export type GatewayApiKindAndSpec = {
  [K in GatewayApiKind]: { readonly kind: K; readonly spec: Extract<GatewayApiResource, { kind: K }>['spec'] };
}[GatewayApiKind];

export const GATEWAY_API_SCHEMAS = {
  GatewayClass: gatewayClassSchema,
  GatewayApiGateway: gatewayApiGatewaySchema,
  ListenerSet: listenerSetSchema,
  HTTPRoute: httpRouteSchema,
  GRPCRoute: grpcRouteSchema,
  TLSRoute: tlsRouteSchema,
  ReferenceGrant: referenceGrantSchema,
  BackendTLSPolicy: backendTlsPolicySchema,
} as const satisfies Record<GatewayApiKind, unknown>;

const MARK_TREES = {
  GatewayClass: markTree(gatewayClassSchema),
  GatewayApiGateway: markTree(gatewayApiGatewaySchema),
  ListenerSet: markTree(listenerSetSchema),
  HTTPRoute: markTree(httpRouteSchema),
  GRPCRoute: markTree(grpcRouteSchema),
  TLSRoute: markTree(tlsRouteSchema),
  ReferenceGrant: markTree(referenceGrantSchema),
  BackendTLSPolicy: markTree(backendTlsPolicySchema),
} as const;

export function isGatewayApiKind(kind: ResourceKind): kind is GatewayApiKind {
  return Object.hasOwn(GATEWAY_API_SCHEMAS, kind);
}

/** @param place Of `spec`. @param version Of the API: `v1`. */
export function readGatewayApi(kind: GatewayApiKind, value: unknown, place: Place, version: string): GatewayApiKindAndSpec | undefined {
  const read = readSpec(kind, value, place, version);
  if (read !== undefined) warnNotHonoured(MARK_TREES[kind], read.spec, place);
  return read;
}

function readSpec(kind: GatewayApiKind, value: unknown, place: Place, version: string): GatewayApiKindAndSpec | undefined {
  switch (kind) {
    case 'GatewayClass':
      return checkAll(gatewayClassSchema, value, place) ? { kind, spec: value } : undefined;
    case 'GatewayApiGateway':
      return checkAll(gatewayApiGatewaySchema, value, place, checkGatewayApiGateway) ? { kind, spec: value } : undefined;
    case 'ListenerSet':
      return checkAll(listenerSetSchema, value, place, checkListenerSet) ? { kind, spec: value } : undefined;
    case 'HTTPRoute':
      return checkAll(httpRouteSchema, value, place, checkHttpRoute) ? { kind, spec: value } : undefined;
    case 'GRPCRoute':
      return checkAll(grpcRouteSchema, value, place, checkGrpcRoute) ? { kind, spec: value } : undefined;
    case 'TLSRoute': {
      const check = (spec: ParsedTlsRoute, at: Place): void => checkTlsRoute(spec, at, version === 'v1alpha2');
      return checkAll(tlsRouteSchema, value, place, check) ? { kind, spec: value } : undefined;
    }
    case 'ReferenceGrant':
      return checkAll(referenceGrantSchema, value, place) ? { kind, spec: value } : undefined;
    default:
      return checkAll(backendTlsPolicySchema, value, place, checkBackendTlsPolicy) ? { kind, spec: value } : undefined;
  }
}
