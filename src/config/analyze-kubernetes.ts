/** What can only be seen across resources of Kubernetes' core and the Gateway API, and no status says. */
import { nearest } from '../base/nearest.ts';
import { SERVICE_NAME_LABEL } from './kubernetes/services.ts';
import type { EndpointSlice } from './kubernetes/types.ts';
import { show, type Place } from './report.ts';
import type { Snapshot } from './snapshot.ts';
import type { Path } from './yaml-node.ts';

/** EndpointSlices whose endpoints are nobody's. */
export function analyzeEndpointSlices(
  { endpointSlices, kubernetesServices }: Pick<Snapshot, 'endpointSlices' | 'kubernetesServices'>,
  placeOf: (slice: EndpointSlice, path: Path) => Place | undefined,
): void {
  if (endpointSlices.length === 0) return;
  const services = new Map<string, Set<string>>();
  for (const { metadata } of kubernetesServices) {
    const names = services.get(metadata.namespace) ?? new Set();
    services.set(metadata.namespace, names.add(metadata.name));
  }
  for (const slice of endpointSlices) {
    const { namespace, labels } = slice.metadata;
    const name = labels?.[SERVICE_NAME_LABEL];
    if (name === undefined) {
      placeOf(slice, ['metadata', labels === undefined ? 'name' : 'labels'])?.warn(
        'W_UNUSED',
        `an EndpointSlice without the label ${SERVICE_NAME_LABEL} is of no Service; its endpoints are not used`,
        `add labels: { ${SERVICE_NAME_LABEL}: SERVICE }`,
      );
      continue;
    }
    const names = services.get(namespace);
    if (names?.has(name) === true) continue;
    const close = nearest(name, [...(names ?? [])].slice(0, MAX_CANDIDATES));
    placeOf(slice, ['metadata', 'labels', SERVICE_NAME_LABEL])?.warn(
      'W_UNUSED',
      `Service ${show(name)} is not there in namespace ${namespace}; the endpoints are not used`,
      close === undefined ? undefined : `did you mean ${close}?`,
    );
  }
}

/** Comparing a slip with thousands of names takes long. */
const MAX_CANDIDATES = 1000;

/** Whether what a VirtualService takes for a Gateway of Istio is one of the Gateway API. */
export function isGatewayApiGateway(
  { gatewayApiGateways }: Pick<Snapshot, 'gatewayApiGateways'>,
  reference: string,
  namespace: string,
): boolean {
  const full = reference.includes('/') ? reference : `${namespace}/${reference}`;
  return gatewayApiGateways.some(({ metadata }) => `${metadata.namespace}/${metadata.name}` === full);
}
