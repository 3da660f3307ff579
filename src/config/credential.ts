/**
 * Certificates and keys: what they are called, and where a Gateway or a DestinationRule says they are. The names go into the routing table, which is printed and
 * compared; what they stand for is read beside it (read-credential.ts) and shown nowhere.
 */
import { dirname, resolve } from 'node:path';
import type { ClientTlsSettings, Origin, ServerTlsSettings } from './resources.ts';

/** All PEM. */
export interface Credential {
  readonly certificate?: string;
  readonly privateKey?: string;
  /** What certificates of the peer must lead to. */
  readonly ca?: string;
  readonly revocations?: string;
}

/** By name. */
export type Credentials = ReadonlyMap<string, Credential>;

export type CredentialSource =
  | { readonly kind: 'secret'; readonly namespace: string; readonly name: string }
  /** Of a CA only (Gateway API, caCertificateRefs): a ConfigMap is no place for keys. */
  | { readonly kind: 'configMap'; readonly namespace: string; readonly name: string }
  /** Absolute paths. */
  | {
      readonly kind: 'files';
      readonly certificate?: string;
      readonly privateKey?: string;
      readonly ca?: string;
      readonly revocations?: string;
    };

/** The same source has the same name. */
export function credentialName(source: CredentialSource): string {
  if (source.kind === 'secret') return `secret ${source.namespace}/${source.name}`;
  if (source.kind === 'configMap') return `configMap ${source.namespace}/${source.name}`;
  const { certificate, privateKey, ca, revocations } = source;
  return `files ${JSON.stringify([certificate ?? '', privateKey ?? '', ca ?? '', revocations ?? ''])}`;
}

/** What `credentialName` was made of. */
export function credentialSource(name: string): CredentialSource {
  for (const kind of ['secret', 'configMap'] as const) {
    if (!name.startsWith(`${kind} `)) continue;
    const [namespace = '', object = ''] = name.slice(kind.length + 1).split('/');
    return { kind, namespace, name: object };
  }
  const paths: unknown = JSON.parse(name.slice('files '.length));
  const [certificate = '', privateKey = '', ca = '', revocations = ''] = Array.isArray(paths) ? paths.map(String) : [];
  return files({ certificate, privateKey, ca, revocations });
}

export interface ServerCredentials {
  /** Where each stands, from `tls` on, for messages. */
  readonly certificates: readonly { readonly source: CredentialSource; readonly field: readonly (string | number)[] }[];
  /** What certificates of clients must lead to; undefined where none are asked for. */
  readonly clientCa?: { readonly source: CredentialSource; readonly field: readonly (string | number)[] };
}

/** Of one server of a Gateway. @param namespace Of the Gateway: its Secrets are there (gateway.proto). */
export function serverCredentials(tls: ServerTlsSettings, namespace: string, origin: Origin): ServerCredentials {
  const { mode, credentialName: own = '', credentialNames = [], tlsCertificates = [], caCertCredentialName = '' } = tls;
  const { serverCertificate = '', privateKey = '', caCertificates = '', caCrl = '' } = tls;
  const at = (path: string): string => pathOf(path, origin);
  const secret = (name: string): CredentialSource => ({ kind: 'secret', namespace, name });
  const certificates =
    own !== ''
      ? [{ source: secret(own), field: ['credentialName'] }]
      : credentialNames.length > 0
        ? credentialNames.map((name, index) => ({ source: secret(name), field: ['credentialNames', index] }))
        : tlsCertificates.length > 0
          ? tlsCertificates.map((pair, index) => ({
              source: files({ certificate: at(pair.serverCertificate ?? ''), privateKey: at(pair.privateKey ?? '') }),
              field: ['tlsCertificates', index],
            }))
          : [{ source: files({ certificate: at(serverCertificate), privateKey: at(privateKey) }), field: ['serverCertificate'] }];
  if (mode !== 'MUTUAL' && mode !== 'OPTIONAL_MUTUAL') return { certificates };
  const pairCa = tlsCertificates.find((pair) => (pair.caCertificates ?? '') !== '')?.caCertificates ?? '';
  const [first] = certificates;
  const clientCa =
    caCertCredentialName !== ''
      ? { source: secret(caCertCredentialName), field: ['caCertCredentialName'] }
      : caCertificates !== '' || pairCa !== ''
        ? {
            source: files({ ca: at(caCertificates === '' ? pairCa : caCertificates), ...(caCrl === '' ? {} : { revocations: at(caCrl) }) }),
            field: ['caCertificates'],
          }
        : first;
  return { certificates, ...(clientCa === undefined ? {} : { clientCa }) };
}

export interface ClientCredentials {
  readonly certificate?: CredentialSource;
  readonly ca?: CredentialSource;
}

/** Of a DestinationRule. */
export function clientCredentials(tls: ClientTlsSettings, namespace: string, origin: Origin): ClientCredentials {
  const { mode, credentialName: own = '', clientCertificate = '', privateKey = '', caCertificates = '', caCrl = '' } = tls;
  const at = (path: string): string => pathOf(path, origin);
  if (own !== '') {
    const source: CredentialSource = { kind: 'secret', namespace, name: own };
    return { ca: source, ...(mode === 'MUTUAL' ? { certificate: source } : {}) };
  }
  return {
    ...(mode === 'MUTUAL' ? { certificate: files({ certificate: at(clientCertificate), privateKey: at(privateKey) }) } : {}),
    ...(caCertificates === '' ? {} : { ca: files({ ca: at(caCertificates), ...(caCrl === '' ? {} : { revocations: at(caCrl) }) }) }),
  };
}

/** A relative path begins at the directory of the configuration file. */
function pathOf(path: string, origin: Origin): string {
  return path === '' ? '' : resolve(dirname(resolve(origin.file)), path);
}

type Files = Omit<Extract<CredentialSource, { kind: 'files' }>, 'kind'>;

function files(paths: Files): CredentialSource {
  return { kind: 'files', ...Object.fromEntries(Object.entries(paths).filter(([, path]) => path !== '')) };
}
