/**
 * The shapes of Service, EndpointSlice, Namespace and ConfigMap: what stands beside apiVersion, kind and metadata. All fields an API server knows are
 * accepted, as what `kubectl get -o yaml` prints has them; those that say something to a kubeCluster only are held to no shape.
 *
 * Source: Kubernetes API reference v1.36, core/v1 and discovery/v1. What the shapes cannot say is in check.ts.
 */
import { z } from 'zod';
import { optional, partly, textMap, texts, unused } from '../istio/fields.ts';

/** Held to no shape. */
const ofTheCluster = (): z.ZodExactOptional<z.ZodUnknown> => unused(z.unknown(), 'there is no cluster to do it');
const status = (): z.ZodExactOptional<z.ZodUnknown> => unused(z.unknown(), 'what a controller has written');
const port = z.int32().min(1).max(65_535);

const servicePort = z.strictObject({
  name: optional(z.string()),
  protocol: partly(z.enum(['TCP', 'UDP', 'SCTP']), 'ports of UDP and SCTP are left out'),
  appProtocol: optional(z.string()),
  port,
  targetPort: optional(z.union([z.int32(), z.string()])),
  nodePort: unused(z.int32(), 'there are no nodes: --listen says where a port is open'),
});

export const serviceSchema = z.strictObject({
  spec: optional(
    z.strictObject({
      type: optional(z.enum(['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'])),
      clusterIP: partly(z.string(), 'None needs no ports; services are found by Host, not by address'),
      externalName: optional(z.string()),
      selector: unused(textMap, 'there are no Pods: endpoints are those of the EndpointSlices'),
      ports: optional(z.array(servicePort)),
      sessionAffinity: partly(z.enum(['None', 'ClientIP']), 'ClientIP keeps no client at its endpoint'),
      allocateLoadBalancerNodePorts: ofTheCluster(),
      clusterIPs: ofTheCluster(),
      externalIPs: ofTheCluster(),
      externalTrafficPolicy: ofTheCluster(),
      healthCheckNodePort: ofTheCluster(),
      internalTrafficPolicy: ofTheCluster(),
      ipFamilies: ofTheCluster(),
      ipFamilyPolicy: ofTheCluster(),
      loadBalancerClass: ofTheCluster(),
      loadBalancerIP: ofTheCluster(),
      loadBalancerSourceRanges: ofTheCluster(),
      publishNotReadyAddresses: ofTheCluster(),
      sessionAffinityConfig: ofTheCluster(),
      trafficDistribution: ofTheCluster(),
    }),
  ),
  status: status(),
});

const endpoint = z.strictObject({
  addresses: z.array(z.string()).min(1).max(100),
  conditions: optional(
    z.strictObject({
      ready: optional(z.boolean()),
      serving: unused(z.boolean(), 'ready alone decides'),
      terminating: unused(z.boolean(), 'ready alone decides'),
    }),
  ),
  zone: optional(z.string()),
  nodeName: unused(z.string(), 'there are no nodes'),
  hostname: ofTheCluster(),
  targetRef: ofTheCluster(),
  deprecatedTopology: ofTheCluster(),
  hints: ofTheCluster(),
});

/** Lists are null where an API server has none. */
export const endpointSliceSchema = z.strictObject({
  addressType: z.enum(['IPv4', 'IPv6', 'FQDN']),
  endpoints: optional(z.nullable(z.array(endpoint).max(1000))),
  ports: optional(
    z.nullable(
      z
        .array(
          z.strictObject({
            name: optional(z.string()),
            protocol: unused(z.enum(['TCP', 'UDP', 'SCTP']), 'that of the port of the Service counts'),
            port: optional(port),
            appProtocol: unused(z.string(), 'that of the port of the Service counts'),
          }),
        )
        .max(100),
    ),
  ),
});

export const namespaceSchema = z.strictObject({
  spec: optional(z.strictObject({ finalizers: unused(texts, 'nothing is deleted through it') })),
  status: status(),
});

export const configMapSchema = z.strictObject({
  data: optional(z.nullable(textMap)),
  binaryData: optional(z.nullable(textMap)),
  immutable: unused(z.boolean(), 'whoever writes the files decides'),
});

export type ParsedService = z.infer<typeof serviceSchema>;
export type ParsedEndpointSlice = z.infer<typeof endpointSliceSchema>;
export type ParsedConfigMap = z.infer<typeof configMapSchema>;
