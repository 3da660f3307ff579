/** The shapes of ReferenceGrant and BackendTLSPolicy (gateway-api apis/v1). What the shapes cannot say is in check-policy.ts. */
import { z } from 'zod';
import { later, optional } from '../istio/fields.ts';
import {
  absoluteUri,
  annotationValue,
  group,
  hostname,
  localRef,
  namespace,
  objectKind,
  objectName,
  preciseHostname,
  sectionName,
  wellKnownCertificates,
} from './fields.ts';

export const referenceGrantSchema = z.strictObject({
  from: z
    .array(z.strictObject({ group, kind: objectKind, namespace }))
    .min(1)
    .max(16),
  to: z
    .array(z.strictObject({ group, kind: objectKind, name: optional(objectName) }))
    .min(1)
    .max(16),
});

export const backendTlsPolicySchema = z.strictObject({
  targetRefs: z
    .array(z.strictObject({ group, kind: objectKind, name: objectName, sectionName: optional(sectionName) }))
    .min(1)
    .max(16),
  validation: z.strictObject({
    caCertificateRefs: optional(z.array(localRef).max(8)),
    wellKnownCACertificates: optional(wellKnownCertificates),
    hostname: preciseHostname,
    subjectAltNames: optional(
      z.array(z.strictObject({ type: z.enum(['Hostname', 'URI']), hostname: optional(hostname), uri: optional(absoluteUri) })).max(5),
    ),
  }),
  options: later(z.record(z.string(), annotationValue), 'TLS has the settings of the engine: no option is known'),
});

export type ParsedBackendTlsPolicy = z.infer<typeof backendTlsPolicySchema>;
