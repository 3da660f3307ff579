/** Kinds of Kubernetes' core that Serin reads, as far as it uses them (core/v1, discovery.k8s.io/v1). */
import type { Resource } from '../resources.ts';

export interface KubernetesServicePort {
  readonly name?: string;
  /** Default `TCP`. */
  readonly protocol?: string;
  readonly appProtocol?: string;
  readonly port: number;
  /** A port, or the name of one; default: `port`. */
  readonly targetPort?: number | string;
  readonly nodePort?: number;
}

export interface KubernetesServiceSpec {
  readonly type?: string;
  /** `None`: headless. */
  readonly clusterIP?: string;
  readonly externalName?: string;
  readonly selector?: Readonly<Record<string, string>>;
  readonly ports?: readonly KubernetesServicePort[];
}
/** `kind: Service`. */
export type KubernetesService = Resource<'Service', KubernetesServiceSpec>;

export interface EndpointConditions {
  /** Default true. */
  readonly ready?: boolean;
  readonly serving?: boolean;
  readonly terminating?: boolean;
}

/** An EndpointSlice has no spec in Kubernetes; this is what stands beside its metadata. */
export interface EndpointSliceSpec {
  readonly addressType: 'IPv4' | 'IPv6' | 'FQDN';
  readonly endpoints: readonly {
    readonly addresses: readonly string[];
    readonly conditions?: EndpointConditions;
    readonly zone?: string;
    readonly nodeName?: string;
  }[];
  readonly ports: readonly { readonly name?: string; readonly protocol?: string; readonly port?: number; readonly appProtocol?: string }[];
}
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
export const MANAGED_BY_LABEL = 'endpointslice.kubernetes.io/managed-by';
/** Who has made a slice of Endpoints. */
export const MIRRORED = 'serin.dev';

/** Of the Service that the label `kubernetes.io/service-name` names. Its other labels are those of its endpoints: subsets go by them. */
export type EndpointSlice = Resource<'EndpointSlice', EndpointSliceSpec>;

export interface NamespaceSpec {
  readonly finalizers?: readonly string[];
}
/** Belongs to no namespace: `metadata.namespace` is empty. Wanted for its labels. */
export type KubernetesNamespace = Resource<'Namespace', NamespaceSpec>;

/** A ConfigMap has no spec in Kubernetes; this is what stands beside its metadata. Wanted for `ca.crt`. */
export interface ConfigMapSpec {
  readonly data: Readonly<Record<string, string>>;
  /** Base64. */
  readonly binaryData?: Readonly<Record<string, string>>;
}
export type ConfigMap = Resource<'ConfigMap', ConfigMapSpec>;

export type KubernetesResource = KubernetesService | EndpointSlice | KubernetesNamespace | ConfigMap;
