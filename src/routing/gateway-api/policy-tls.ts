import type { UpstreamTls } from '../table.ts';
import type { BackendTls } from './model.ts';

/**
 * What a BackendTLSPolicy says of the connections to a backend. Where it lists alternative names, one of them must be in the certificate and `hostname` is only
 * what is asked for (backendtlspolicy_types.go, SubjectAltNames).
 */
export function policyTls({ policy, ca }: BackendTls, clientCertificate: string | undefined): UpstreamTls {
  const { hostname, subjectAltNames = [] } = policy.spec.validation;
  return {
    sni: hostname,
    subjectAltNames: subjectAltNames.flatMap(({ type, hostname: name, uri }) => (type === 'URI' ? uri : name) ?? []),
    ...(ca === undefined ? {} : { ca }),
    ...(clientCertificate === undefined ? {} : { certificate: clientCertificate }),
    isVerified: true,
  };
}
