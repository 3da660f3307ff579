/** How connections to a cluster's endpoints are secured: what Node's `tls.connect` takes, made once a cluster. */
import { isIP } from 'node:net';
import { checkServerIdentity, type ConnectionOptions, createSecureContext, type PeerCertificate } from 'node:tls';
import type { UpstreamTls } from '../routing/table.ts';
import type { Credentials } from '../config/credential.ts';

/** @throws When a credential cannot be used. */
export function upstreamTlsOptions(tls: UpstreamTls, credentials: Credentials): ConnectionOptions {
  const { sni, subjectAltNames, isVerified } = tls;
  const ca = tls.ca === undefined ? undefined : credentials.get(tls.ca);
  const own = tls.certificate === undefined ? undefined : credentials.get(tls.certificate);
  const secureContext = createSecureContext({
    ...(ca?.ca === undefined ? {} : { ca: ca.ca }),
    ...(ca?.revocations === undefined ? {} : { crl: ca.revocations }),
    ...(own?.certificate === undefined ? {} : { cert: own.certificate }),
    ...(own?.privateKey === undefined ? {} : { key: own.privateKey }),
    minVersion: 'TLSv1.2',
  });
  return {
    secureContext,
    // RFC 6066 §3: an address is no server name.
    ...(isIP(sni) === 0 ? { servername: sni } : {}),
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: isVerified,
    checkServerIdentity: (_host, certificate) => (isVerified ? identityProblem(sni, subjectAltNames, certificate) : undefined),
  };
}

function identityProblem(sni: string, wanted: readonly string[], certificate: PeerCertificate): Error | undefined {
  if (wanted.length === 0) return checkServerIdentity(sni, certificate);
  const names = new Set((certificate.subjectaltname ?? '').split(', ').map((entry) => entry.slice(entry.indexOf(':') + 1)));
  if (wanted.some((name) => names.has(name))) return undefined;
  return new Error(`the certificate is for ${[...names].join(', ')}, not for ${wanted.join(' or ')}`);
}
