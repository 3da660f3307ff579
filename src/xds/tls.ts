/** TLS contexts (extensions.transport_sockets.tls.v3). Certificates are named by path; what they are is written only where it is handed in. */
import { isIP } from 'node:net';
import { type Credential, type Credentials, credentialSource } from '../config/credential.ts';
import type { TlsSite, TlsVersion, UpstreamTls } from '../routing/table.ts';
import { any, type Message, nonEmpty, present } from './message.ts';
import type { Notes } from './notes.ts';

const VERSIONS: Readonly<Record<TlsVersion, string>> = {
  TLSv1: 'TLSv1_0',
  'TLSv1.1': 'TLSv1_1',
  'TLSv1.2': 'TLSv1_2',
  'TLSv1.3': 'TLSv1_3',
};
/** Where distributions keep the CAs they trust; Debian's. */
const SYSTEM_CA = '/etc/ssl/certs/ca-certificates.crt';
/** Of a Kubernetes TLS Secret that is mounted. */
const FILES: Readonly<Record<keyof Credential, string>> = {
  certificate: 'tls.crt',
  privateKey: 'tls.key',
  ca: 'ca.crt',
  revocations: 'ca.crl',
};

export interface TlsContextOptions {
  /** By name: to be written out. Others are paths. */
  readonly credentials: Credentials;
  readonly notes: Notes;
}

export function downstreamTls(site: TlsSite, options: TlsContextOptions): Message {
  const { minVersion, maxVersion, ciphers, clientCertificate, tcp } = site;
  const cipherSuites = ciphers?.split(':').filter((suite) => !suite.startsWith('TLS_')) ?? [];
  const validation =
    site.clientCa === undefined
      ? undefined
      : present({
          ...peerCa(site.clientCa, options),
          match_typed_subject_alt_names: nonEmpty(site.subjectAltNames.flatMap(nameMatchers)),
          verify_certificate_spki: nonEmpty(site.spkiSha256),
          verify_certificate_hash: nonEmpty(site.certificateSha256),
          ...(clientCertificate === 'unchecked' ? { trust_chain_verification: 'ACCEPT_UNTRUSTED' } : {}),
        });
  return transportSocket('DownstreamTlsContext', {
    common_tls_context: present({
      tls_params: present({
        tls_minimum_protocol_version: VERSIONS[minVersion],
        tls_maximum_protocol_version: VERSIONS[maxVersion],
        cipher_suites: nonEmpty(cipherSuites),
      }),
      tls_certificates: site.certificates.map((name) => ownCertificate(name, options)),
      validation_context: validation,
      // What is inside may be anything where it is no HTTP.
      alpn_protocols: tcp === undefined ? ['h2', 'http/1.1'] : undefined,
    }),
    ...(clientCertificate === 'required' ? { require_client_certificate: true } : {}),
  });
}

export function upstreamTlsContext(
  { sni, subjectAltNames, ca, certificate, isVerified }: UpstreamTls,
  options: TlsContextOptions,
): Message {
  const names = subjectAltNames.length > 0 ? subjectAltNames.flatMap(nameMatchers) : nameMatchers(sni);
  if (isVerified && ca === undefined)
    options.notes.about(
      `TLS to ${sni}`,
      'W_ENVOY_DIFFERS',
      `its certificate is verified with the CAs of ${SYSTEM_CA}; Serin uses those of Node.js`,
      'state caCertificates in the DestinationRule to use others',
    );
  return transportSocket('UpstreamTlsContext', {
    ...(isIP(sni) === 0 ? { sni } : {}),
    common_tls_context: present({
      tls_certificates: certificate === undefined ? undefined : [ownCertificate(certificate, options)],
      validation_context: isVerified
        ? { ...(ca === undefined ? { trusted_ca: { filename: SYSTEM_CA } } : peerCa(ca, options)), match_typed_subject_alt_names: names }
        : undefined,
    }),
  });
}

function transportSocket(context: string, fields: Message): Message {
  return { name: 'envoy.transport_sockets.tls', typed_config: any(`envoy.extensions.transport_sockets.tls.v3.${context}`, fields) };
}

function ownCertificate(name: string, options: TlsContextOptions): Message {
  return { certificate_chain: dataSource(name, 'certificate', options), private_key: dataSource(name, 'privateKey', options) };
}

function peerCa(name: string, options: TlsContextOptions): Message {
  const source = credentialSource(name);
  const hasRevocations =
    options.credentials.get(name)?.revocations !== undefined || (source.kind === 'files' && source.revocations !== undefined);
  return present({
    trusted_ca: dataSource(name, 'ca', options),
    crl: hasRevocations ? dataSource(name, 'revocations', options) : undefined,
  });
}

/** config.core.v3 DataSource. */
function dataSource(name: string, part: keyof Credential, { credentials, notes }: TlsContextOptions): Message {
  const text = credentials.get(name)?.[part];
  if (text !== undefined) return { inline_string: text };
  const source = credentialSource(name);
  if (source.kind === 'files') return { filename: source[part] ?? '' };
  const isSecret = source.kind === 'secret';
  const directory = `${isSecret ? 'secrets' : 'configmaps'}/${source.namespace}/${source.name}`;
  notes.about(
    `${isSecret ? 'Secret' : 'ConfigMap'} ${source.namespace}/${source.name}`,
    'W_ENVOY_SECRET',
    `its ${isSecret ? 'certificate and key are' : 'CA is'} not written out; Envoy is told to read ${isSecret ? 'them' : 'it'} from ${directory}/`,
    'put its entries there as files, or say --with-secrets to have them in the output',
  );
  return { filename: `${directory}/${FILES[part]}` };
}

/** The kind of a name has to be said; what could be several is asked for as each. */
function nameMatchers(name: string): readonly Message[] {
  const kinds = isIP(name) !== 0 ? ['IP_ADDRESS'] : name.includes('://') ? ['URI'] : name.includes('@') ? ['EMAIL'] : ['DNS', 'URI'];
  return kinds.map((san_type) => ({ san_type, matcher: { exact: name } }));
}
