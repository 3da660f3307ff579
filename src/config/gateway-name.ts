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
