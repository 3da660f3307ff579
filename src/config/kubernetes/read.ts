/** Kinds of Kubernetes' core but Secret, which has a file of its own: one row a kind. */
import { checkAll } from '../istio/salvage.ts';
import type { Place } from '../report.ts';
import type { ResourceKind } from '../resources.ts';
import { checkConfigMap, checkEndpointSlice, checkService } from './check.ts';
import { configMapSchema, endpointSliceSchema, namespaceSchema, serviceSchema } from './schemas.ts';
import type { KubernetesResource } from './types.ts';

export type KubernetesKind = KubernetesResource['kind'];

export type KubernetesKindAndSpec = {
  [K in KubernetesKind]: { readonly kind: K; readonly spec: Extract<KubernetesResource, { kind: K }>['spec'] };
}[KubernetesKind];

export const KUBERNETES_SCHEMAS = {
  Service: serviceSchema,
  EndpointSlice: endpointSliceSchema,
  Namespace: namespaceSchema,
  ConfigMap: configMapSchema,
} as const satisfies Record<KubernetesKind, unknown>;

export function isKubernetesKind(kind: ResourceKind): kind is KubernetesKind {
  return Object.hasOwn(KUBERNETES_SCHEMAS, kind);
}

/** @param value The document without apiVersion, kind and metadata. @param place Of the document. */
export function readKubernetes(
  kind: KubernetesKind,
  value: Readonly<Record<string, unknown>>,
  place: Place,
): KubernetesKindAndSpec | undefined {
  switch (kind) {
    case 'Service': {
      if (!checkAll(serviceSchema, value, place, checkService)) return undefined;
      return { kind, spec: value.spec ?? {} };
    }
    case 'EndpointSlice': {
      if (!checkAll(endpointSliceSchema, value, place, checkEndpointSlice)) return undefined;
      const { addressType, endpoints, ports } = value;
      return { kind, spec: { addressType, endpoints: endpoints ?? [], ports: ports ?? [] } };
    }
    case 'Namespace':
      return checkAll(namespaceSchema, value, place) ? { kind, spec: value.spec ?? {} } : undefined;
    default: {
      if (!checkAll(configMapSchema, value, place, checkConfigMap)) return undefined;
      const { data, binaryData } = value;
      return { kind, spec: { data: data ?? {}, ...(typeof binaryData === 'object' && binaryData !== null ? { binaryData } : {}) } };
    }
  }
}
