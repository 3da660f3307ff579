/** The shape of a Gateway of Istio (istio/api networking/v1 gateway.proto). What the shape cannot say is in gateway.ts. */
import { z } from 'zod';
import { bool, later, optional, partly, text, textMap, texts, uint32 } from './fields.ts';

const protocolVersion = z.enum(['TLS_AUTO', 'TLSV1_0', 'TLSV1_1', 'TLSV1_2', 'TLSV1_3']);

const serverTls = z.strictObject({
  httpsRedirect: optional(bool),
  mode: optional(z.enum(['PASSTHROUGH', 'SIMPLE', 'MUTUAL', 'AUTO_PASSTHROUGH', 'ISTIO_MUTUAL', 'OPTIONAL_MUTUAL'])),
  serverCertificate: optional(text),
  privateKey: optional(text),
  caCertificates: optional(text),
  caCrl: optional(text),
  tlsCertificates: optional(
    z
      .array(z.strictObject({ serverCertificate: optional(text), privateKey: optional(text), caCertificates: optional(text) }))
      .min(1)
      .max(2),
  ),
  credentialName: optional(text),
  credentialNames: optional(texts.min(1).max(2)),
  caCertCredentialName: optional(text),
  subjectAltNames: optional(texts),
  verifyCertificateSpki: optional(texts),
  verifyCertificateHash: optional(texts),
  minProtocolVersion: optional(protocolVersion),
  maxProtocolVersion: optional(protocolVersion),
  cipherSuites: optional(texts),
  insecureSkipVerify: optional(bool),
});

const server = z.strictObject({
  port: z.strictObject({
    number: uint32,
    protocol: text,
    name: text,
    targetPort: later(uint32, 'the port is bound as the operator maps it (--listen)'),
  }),
  bind: optional(text),
  hosts: texts,
  tls: partly(serverTls, "a server that goes by the mesh's own names (AUTO_PASSTHROUGH) or certificates (ISTIO_MUTUAL) is not opened"),
  defaultEndpoint: later(text, 'requests that match nothing get 404'),
  name: optional(text),
});

export const gatewaySchema = z.strictObject({
  servers: optional(z.array(server)),
  selector: partly(textMap, 'not compared: this one process serves every Gateway'),
});

export type ParsedServer = z.infer<typeof server>;
export type ParsedGateway = z.infer<typeof gatewaySchema>;
