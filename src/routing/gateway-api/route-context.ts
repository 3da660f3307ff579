import type { BackendObjectReference, GatewayApiRoute } from '../../config/gateway-api/types.ts';
import { resolveHost } from '../../config/hosts.ts';
import { originOf, ruleSourceOf } from '../../config/origins.ts';
import type { Compilation } from '../compilation.ts';
import type { RouteSource } from '../table.ts';
import type { ResolvedBackend } from './model.ts';

/** Where a route of the Gateway API is compiled for. */
export interface RouteContext<R extends GatewayApiRoute = GatewayApiRoute> {
  readonly compilation: Compilation;
  readonly route: R;
  /** What callers take the port for: the listener's declared one, or the Service's on the mesh. */
  readonly port: number;
  /** Follows a reference of this route. */
  readonly resolve: (reference: BackendObjectReference) => ResolvedBackend;
  /** Name of the credential that the Gateway shows to backends that speak TLS. */
  readonly clientCertificate?: string;
}

/** `spec.rules[1]` of the route. */
export function ruleSource({ kind, metadata, origin }: GatewayApiRoute, rule: object, index: number): RouteSource {
  const { file, line } = originOf(rule) ?? origin;
  return { kind, namespace: metadata.namespace, name: metadata.name, path: rulePath(index), file, line };
}

/** Where the user's file has the rule: copies that the overlay puts before it do not count. */
export function writtenIndex(rule: object, position: number): number {
  return ruleSourceOf(rule)?.index ?? position;
}

export function rulePath(index: number): string {
  return `spec.rules[${index}]`;
}

/** Its `name`, or its position. */
export function ruleName({ name }: { readonly name?: string }, index: number): string {
  return name ?? `rules[${index}]`;
}

/**
 * Index of the cluster that a reference leads to. One that leads nowhere keeps its share of the requests, which are answered with 500, or with the 503
 * that gRPC clients take for UNAVAILABLE (httproute_types.go, grpcroute_types.go, `backendRefs`).
 */
export function backendCluster(
  { compilation, route, resolve, clientCertificate }: RouteContext,
  reference: BackendObjectReference,
): number {
  const resolved = resolve(reference);
  if (resolved.kind === 'service') {
    const { host, port } = resolved;
    return compilation.clusters.use(host, '', port, port, clientCertificate);
  }
  return refusedCluster(compilation, route, reference, resolved.message);
}

/** A cluster that answers as an invalid reference does. */
export function refusedCluster(
  { clusters }: Compilation,
  { kind, metadata }: GatewayApiRoute,
  { name, namespace = metadata.namespace, port = 0 }: BackendObjectReference,
  message: string,
): number {
  return clusters.useInvalid(resolveHost(name, namespace), port, message, kind === 'HTTPRoute' ? 500 : undefined);
}
