/**
 * `x-forwarded-client-cert` of a connection whose client has shown a certificate: what Envoy writes with SANITIZE_SET and the details Istio's gateways
 * ask for (envoy.extensions.filters.network.http_connection_manager.v3, set_current_client_cert_details): hash, subject, URI and DNS names.
 */
import type { TLSSocket } from 'node:tls';

/** A header line, or nothing. */
export function clientCertificateLine(secure: TLSSocket): string {
  const certificate = secure.authorized ? secure.getPeerX509Certificate() : undefined;
  if (certificate === undefined) return '';
  const names = (certificate.subjectAltName ?? '').split(', ');
  const named = (kind: string, key: string): string[] =>
    names.filter((entry) => entry.startsWith(`${kind}:`)).map((entry) => `${key}=${entry.slice(kind.length + 1)}`);
  // Node has a line for each part, most general first; RFC 2253 §2.1, which Envoy writes, the other way round.
  const subject = certificate.subject.split('\n').toReversed().join(',');
  const parts = [
    `Hash=${certificate.fingerprint256.replaceAll(':', '').toLowerCase()}`,
    `Subject="${subject.replaceAll('"', '\\"')}"`,
    ...named('URI', 'URI'),
    ...named('DNS', 'DNS'),
  ];
  const value = parts.join(';');
  // A certificate may hold anything; a header line may not.
  return /[^\x20-\x7e]/.test(value) ? '' : `x-forwarded-client-cert: ${value}\r\n`;
}
