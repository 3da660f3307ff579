/** The shapes of ServiceEntry and WorkloadEntry (istio/api networking/v1). What the shapes cannot say is in service-entry.ts. */
import { z } from 'zod';
import { later, optional, partly, textMap, texts, uint32 } from './fields.ts';

export const workloadEntrySchema = z.strictObject({
  address: partly(z.string().max(256), 'unix:// addresses are not connected to'),
  ports: optional(z.record(z.string(), uint32)),
  labels: optional(textMap),
  network: later(z.string().max(2048), 'there is one network'),
  locality: optional(z.string().max(2048)),
  weight: optional(uint32),
  serviceAccount: later(z.string().max(253), 'there is no mutual TLS between workloads'),
});

export const serviceEntrySchema = z.strictObject({
  hosts: texts.min(1).max(256),
  addresses: later(z.array(z.string().max(64)).max(256), 'services are found by Host, not by address'),
  ports: optional(
    z
      .array(
        z.strictObject({
          number: uint32,
          protocol: partly(z.string().max(256), 'on the mesh listener all is taken for HTTP; TCP and TLS are reached through Gateways'),
          name: z.string().max(256),
          targetPort: optional(uint32),
        }),
      )
      .max(256),
  ),
  location: optional(z.enum(['MESH_EXTERNAL', 'MESH_INTERNAL'])),
  resolution: partly(
    z.enum(['NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS']),
    'NONE and DYNAMIC_DNS have no endpoints to send to: there is no original destination here',
  ),
  endpoints: optional(z.array(workloadEntrySchema).max(4096)),
  workloadSelector: optional(z.strictObject({ labels: optional(z.record(z.string(), z.string().max(63))) })),
  exportTo: later(texts, 'the resource is seen from every namespace'),
  subjectAltNames: later(texts, 'there is no TLS to the endpoints'),
});

export type ParsedWorkloadEntry = z.infer<typeof workloadEntrySchema>;
export type ParsedServiceEntry = z.infer<typeof serviceEntrySchema>;
