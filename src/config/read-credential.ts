/**
 * Reads a credential, from a Secret of the files or from files of its own, and says what is wrong with it: missing, no PEM, a key of another certificate, expired.
 * No message has a byte of a key in it.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { Severity } from '../base/diagnostic.ts';
import type { Code } from './codes.ts';
import type { Credential, CredentialSource } from './credential.ts';
import type { ConfigMap } from './kubernetes/types.ts';
import { show } from './report.ts';
import type { Secret } from './resources.ts';

export interface CredentialProblem {
  readonly severity: Severity;
  readonly code: Code;
  readonly message: string;
  readonly hint?: string;
}

export interface ReadCredential {
  /** Absent when there is an error among the problems. */
  readonly credential?: Credential;
  readonly problems: readonly CredentialProblem[];
}

/** What it is wanted for: a certificate with its key, or the CA of somebody else's. */
export type CredentialUse = 'own' | 'ca';

/** Where they are looked for besides in files. */
export interface CredentialStores {
  readonly secrets: readonly Secret[];
  readonly configMaps?: readonly ConfigMap[];
}

/** Longer than any chain. */
const MAX_FILE_BYTES = 1024 * 1024;
/** Of a Kubernetes TLS Secret, and of Istio's generic ones. */
const KEYS = {
  certificate: ['tls.crt', 'cert'],
  privateKey: ['tls.key', 'key'],
  ca: ['ca.crt', 'cacert'],
  revocations: ['ca.crl', 'crl'],
} as const;
type Part = keyof typeof KEYS;

/** @param nowMs Wall time certificates have to be valid at; undefined: not looked at. */
export function readCredential(
  source: CredentialSource,
  use: CredentialUse,
  { secrets, configMaps = [] }: CredentialStores,
  nowMs: number | undefined,
): ReadCredential {
  const problems: CredentialProblem[] = [];
  const read =
    source.kind === 'secret'
      ? fromSecret(source, use, secrets, problems)
      : source.kind === 'configMap'
        ? fromConfigMap(source, configMaps, problems)
        : fromFiles(source, problems);
  if (read === undefined || problems.some(({ severity }) => severity === 'error')) return { problems };
  const wanted: readonly Part[] = use === 'own' ? ['certificate', 'privateKey'] : ['ca'];
  for (const part of wanted) {
    if (read[part] === undefined)
      problems.push(error(codeOf(part), `${nameOf(source)} has no ${label(part)}`, `it is looked for under ${KEYS[part].join(' and ')}`));
  }
  for (const part of ['certificate', 'ca'] as const) {
    const pem = read[part];
    if (pem !== undefined && (part === 'ca' || use === 'own')) checkCertificates(pem, part, nameOf(source), nowMs, problems);
  }
  if (use === 'own' && !problems.some(({ severity }) => severity === 'error')) checkKey(read, nameOf(source), problems);
  return problems.some(({ severity }) => severity === 'error') ? { problems } : { credential: read, problems };
}

function fromSecret(
  { namespace, name }: Extract<CredentialSource, { kind: 'secret' }>,
  use: CredentialUse,
  secrets: readonly Secret[],
  problems: CredentialProblem[],
): Credential | undefined {
  const find = (wanted: string): Secret | undefined =>
    secrets.find(({ metadata }) => metadata.namespace === namespace && metadata.name === wanted);
  const own = find(name);
  // Istio looks for the CA in a Secret of its own first.
  const ca = use === 'ca' ? find(`${name}-cacert`) : undefined;
  if (own === undefined && ca === undefined) {
    const known = secrets.filter(({ metadata }) => metadata.namespace === namespace).map(({ metadata }) => metadata.name);
    const hint =
      known.length === 0 ? 'add a Secret of type kubernetes.io/tls to the files' : `Secrets there: ${known.slice(0, 10).join(', ')}`;
    problems.push(error('E_TLS_CERTIFICATE', `there is no Secret ${name} in namespace ${namespace}`, hint));
    return undefined;
  }
  const parts: [Part, string][] = [];
  for (const part of Object.keys(KEYS) as Part[]) {
    for (const secret of [ca, own]) {
      const data = KEYS[part].map((key) => secret?.spec.data[key]).find((value) => value !== undefined && value !== '');
      if (data === undefined) continue;
      parts.push([part, Buffer.from(data, 'base64').toString('latin1')]);
      break;
    }
  }
  return Object.fromEntries(parts);
}

/** Only the CA: what else is there was not meant as a credential. */
function fromConfigMap(
  { namespace, name }: Extract<CredentialSource, { kind: 'configMap' }>,
  configMaps: readonly ConfigMap[],
  problems: CredentialProblem[],
): Credential | undefined {
  const found = configMaps.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
  if (found === undefined) {
    problems.push(error('E_TLS_CA', `there is no ConfigMap ${name} in namespace ${namespace}`, 'its key ca.crt is to have the CA'));
    return undefined;
  }
  const { data, binaryData = {} } = found.spec;
  const binary = binaryData['ca.crt'];
  const ca = data['ca.crt'] ?? (binary === undefined ? undefined : Buffer.from(binary, 'base64').toString('latin1'));
  return ca === undefined || ca === '' ? {} : { ca };
}

function fromFiles(source: Extract<CredentialSource, { kind: 'files' }>, problems: CredentialProblem[]): Credential {
  const parts: [Part, string][] = [];
  for (const part of Object.keys(KEYS) as Part[]) {
    const path = source[part];
    if (path === undefined) continue;
    try {
      const status = statSync(path);
      if (!status.isFile()) problems.push(error(codeOf(part), `${show(path)} is not a plain file`));
      else if (status.size > MAX_FILE_BYTES)
        problems.push(error(codeOf(part), `${show(path)} is ${status.size} bytes, ${MAX_FILE_BYTES} are allowed`));
      else parts.push([part, readFileSync(path, 'latin1')]);
      if (part === 'privateKey' && process.platform !== 'win32' && (status.mode & 0o077) !== 0) {
        const mode = (status.mode & 0o777).toString(8);
        problems.push({
          severity: 'warning',
          code: 'W_SECRET_PERMS',
          message: `${show(path)} can be read by other users (mode 0${mode})`,
          hint: `chmod 600 ${path}`,
        });
      }
    } catch (failure) {
      problems.push(
        error(codeOf(part), `the ${label(part)} cannot be read: ${failure instanceof Error ? failure.message : String(failure)}`),
      );
    }
  }
  return Object.fromEntries(parts);
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function checkCertificates(
  pem: string,
  part: 'certificate' | 'ca',
  where: string,
  nowMs: number | undefined,
  problems: CredentialProblem[],
): void {
  const blocks = pem.match(PEM_CERTIFICATE);
  if (blocks === null) {
    problems.push(
      error(codeOf(part), `the ${label(part)} of ${where} is no PEM certificate`, 'it begins with -----BEGIN CERTIFICATE-----'),
    );
    return;
  }
  for (const block of blocks) {
    let parsed: X509Certificate;
    try {
      parsed = new X509Certificate(block);
    } catch {
      problems.push(error(codeOf(part), `a certificate in the ${label(part)} of ${where} cannot be parsed`));
      return;
    }
    const { validFrom, validTo, subject } = parsed;
    const who = subject.replaceAll('\n', ', ');
    if (nowMs !== undefined && Date.parse(validTo) < nowMs)
      problems.push(expired(`the certificate of ${who} in ${where} has expired: ${validTo}`));
    else if (nowMs !== undefined && Date.parse(validFrom) > nowMs)
      problems.push(expired(`the certificate of ${who} in ${where} is not valid before ${validFrom}`));
    if (part === 'ca' && !parsed.ca)
      problems.push(
        error('E_TLS_CA', `the certificate of ${who} in ${where} is no CA`, 'give the certificate that signs those of the peers'),
      );
  }
}

function checkKey({ certificate, privateKey }: Credential, where: string, problems: CredentialProblem[]): void {
  if (privateKey === undefined || certificate === undefined) return;
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED/.test(privateKey)) {
    problems.push(error('E_TLS_KEY', `the private key of ${where} is encrypted`, 'decrypt it: openssl pkey -in KEY -out KEY'));
    return;
  }
  try {
    const [leaf] = certificate.match(PEM_CERTIFICATE) ?? [];
    if (leaf === undefined) return;
    const parsed = new X509Certificate(leaf);
    if (!parsed.checkPrivateKey(createPrivateKey(privateKey)))
      problems.push(
        error('E_TLS_KEY', `the private key of ${where} is not that of its certificate (${parsed.subject.replaceAll('\n', ', ')})`),
      );
  } catch {
    problems.push(error('E_TLS_KEY', `the private key of ${where} is no PEM key`, 'it begins with -----BEGIN PRIVATE KEY-----'));
  }
}

function nameOf(source: CredentialSource): string {
  if (source.kind === 'secret') return `Secret ${source.namespace}/${source.name}`;
  if (source.kind === 'configMap') return `ConfigMap ${source.namespace}/${source.name}`;
  return show(source.certificate ?? source.ca ?? source.privateKey ?? '');
}

function codeOf(part: Part): 'E_TLS_CERTIFICATE' | 'E_TLS_KEY' | 'E_TLS_CA' {
  if (part === 'privateKey') return 'E_TLS_KEY';
  return part === 'certificate' ? 'E_TLS_CERTIFICATE' : 'E_TLS_CA';
}

function label(part: Part): string {
  return { certificate: 'certificate', privateKey: 'private key', ca: 'CA', revocations: 'revocation list' }[part];
}

function error(code: Code, message: string, hint?: string): CredentialProblem {
  return { severity: 'error', code, message, ...(hint === undefined ? {} : { hint }) };
}

/** Serving on with it is for the peers to refuse; refusing the whole configuration would take down what is well. */
function expired(message: string): CredentialProblem {
  return { severity: 'warning', code: 'W_TLS_EXPIRED', message, hint: 'renew it: files and Secrets are read again when they change' };
}
