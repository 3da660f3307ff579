/**
 * Where a rule is compiled for. The same rule of a VirtualService means different things on different listeners: `match.port` and
 * `match.gateways` are settled by it, and a destination without a port takes the listener's (Istio route.go, translateRoute).
 */
export interface Scope {
  /** What the callers' port is: the Gateway's declared one, or the service's on mesh. */
  readonly port: number;
  /** Names the rule may be meant for: `mesh`, or `namespace/name` of the Gateways that brought the VirtualService here. */
  readonly gateways: ReadonlySet<string>;
}

/** The reserved name for services addressed by their own name. */
export const MESH_GATEWAY = 'mesh';

/**
 * `mesh` or `namespace/name` of a gateway reference. A bare name is in the VirtualService's own namespace, as is `./name`; `name.namespace` and
 * its longer forms are Istio's old spelling (pilot/pkg/model/virtualservice.go, resolveGatewayName).
 */
export function resolveGatewayName(reference: string, namespace: string): string {
  if (reference === MESH_GATEWAY) return MESH_GATEWAY;
  if (reference.startsWith('./')) return `${namespace}/${reference.slice(2)}`;
  if (reference.includes('/')) return reference;
  const [name = '', itsNamespace] = reference.split('.');
  return `${itsNamespace ?? namespace}/${name}`;
}
