/** TLS settings of a Gateway's server, and of a DestinationRule, as the table has them: with the names of credentials instead of what they are. */
import { clientCredentials, credentialName, serverCredentials } from '../config/credential.ts';
import type { ClientTlsSettings, Gateway, GatewayServer, Origin, TlsProtocolVersion } from '../config/resources.ts';
import { parseServerHost } from './bound-hosts.ts';
import type { TcpRoute, TlsSite, TlsVersion, UpstreamTls } from './table.ts';

/** `TLS_AUTO` is 1.2 at least and 1.3 at most, as in Envoy. */
const VERSIONS: Readonly<Record<TlsProtocolVersion, TlsVersion | undefined>> = {
  TLS_AUTO: undefined,
  TLSV1_0: 'TLSv1',
  TLSV1_1: 'TLSv1.1',
  TLSV1_2: 'TLSv1.2',
  TLSV1_3: 'TLSv1.3',
};
/** A list of cipher suites is of those before TLS 1.3, whose own are always on (envoy.extensions.transport_sockets.tls.v3.TlsParameters). */
const TLS13_SUITES = ['TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256', 'TLS_AES_128_GCM_SHA256'];
const CLIENT_CERTIFICATE = { MUTUAL: 'required', OPTIONAL_MUTUAL: 'optional' } as const;

/**
 * @param path Of the server: `spec.servers[0]`.
 * @param tcp  Where what is inside goes, if it is no HTTP.
 */
export function tlsSite(gateway: Gateway, server: GatewayServer, path: string, tcp: readonly TcpRoute[] | undefined): TlsSite {
  const { metadata, origin } = gateway;
  const tls = server.tls ?? {};
  const { certificates, clientCa } = serverCredentials(tls, metadata.namespace, origin);
  const { mode, cipherSuites = [] } = tls;
  return {
    name: `${metadata.namespace}/${metadata.name} ${path}`,
    serverNames: server.hosts.map((host) => parseServerHost(host, metadata.namespace).host),
    certificates: certificates.map(({ source }) => credentialName(source)),
    clientCertificate: mode === 'MUTUAL' || mode === 'OPTIONAL_MUTUAL' ? CLIENT_CERTIFICATE[mode] : 'none',
    ...(clientCa === undefined ? {} : { clientCa: credentialName(clientCa.source) }),
    subjectAltNames: tls.subjectAltNames ?? [],
    spkiSha256: tls.verifyCertificateSpki ?? [],
    certificateSha256: (tls.verifyCertificateHash ?? []).map((hash) => hash.replaceAll(':', '').toLowerCase()),
    minVersion: VERSIONS[tls.minProtocolVersion ?? 'TLS_AUTO'] ?? 'TLSv1.2',
    maxVersion: VERSIONS[tls.maxProtocolVersion ?? 'TLS_AUTO'] ?? 'TLSv1.3',
    ...(cipherSuites.length === 0 ? {} : { ciphers: [...TLS13_SUITES, ...cipherSuites].join(':') }),
    ...(tcp === undefined ? {} : { tcp }),
  };
}

/** @param host Of the cluster: what its endpoints are called where the rule names nobody. Undefined where the connection is plain. */
export function upstreamTls(tls: ClientTlsSettings | undefined, host: string, namespace: string, origin: Origin): UpstreamTls | undefined {
  if (tls === undefined || (tls.mode !== 'SIMPLE' && tls.mode !== 'MUTUAL')) return undefined;
  const { certificate, ca } = clientCredentials(tls, namespace, origin);
  const isVerified = tls.insecureSkipVerify !== true;
  return {
    sni: tls.sni === undefined || tls.sni === '' ? host : tls.sni,
    subjectAltNames: tls.subjectAltNames ?? [],
    ...(ca === undefined || !isVerified ? {} : { ca: credentialName(ca) }),
    ...(certificate === undefined ? {} : { certificate: credentialName(certificate) }),
    isVerified,
  };
}
