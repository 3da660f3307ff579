/** Certificates and keys: found, fitting, and what is said of those that are not; never a byte of a key. */
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { authority, type Authority, type Issued } from '../../test/helpers/certificates.ts';
import { credentialName, credentialSource, type CredentialSource } from './credential.ts';
import { type CredentialUse, readCredential } from './read-credential.ts';
import type { ConfigMap } from './kubernetes/types.ts';
import type { Secret } from './resources.ts';

let ca: Authority;
let shop: Issued;
let other: Issued;
const directory = mkdtempSync(join(tmpdir(), 'serin-credentials-'));
afterAll(() => rmSync(directory, { recursive: true }));
beforeAll(async () => {
  ca = await authority();
  [shop, other] = await Promise.all([ca.issue(['shop']), ca.issue(['other'])]);
});

const NOW_MS = Date.now();
const QUARTER_MS = 90 * 86_400_000;

function secret(data: Readonly<Record<string, string>>, name = 'shop'): Secret {
  const packed = Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]));
  const metadata = { name, namespace: 'default' };
  return { apiVersion: 'v1', kind: 'Secret', metadata, spec: { type: 'Opaque', data: packed }, origin: { file: 'x', line: 1, column: 1 } };
}

const SHOP: CredentialSource = { kind: 'secret', namespace: 'default', name: 'shop' };

function said(secrets: readonly Secret[], use: CredentialUse = 'own', source = SHOP, nowMs = NOW_MS): string[] {
  const { problems, credential } = readCredential(source, use, { secrets }, nowMs);
  expect(credential === undefined).toBe(problems.some(({ severity }) => severity === 'error'));
  const keys = [shop.key, other.key].map((key) => key.split('\n')[1] ?? '');
  for (const key of keys) expect(JSON.stringify(problems)).not.toContain(key);
  return problems.map(({ code }) => code);
}

function encryptedKey(): string {
  return generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
  }).privateKey;
}

const JUNK_PEM = '-----BEGIN CERTIFICATE-----\nanVuaw==\n-----END CERTIFICATE-----\n';

describe('a Secret', () => {
  test.each<[what: string, data: () => Record<string, string>, use: CredentialUse, found: string[]]>([
    ['of type kubernetes.io/tls', () => ({ 'tls.crt': shop.cert, 'tls.key': shop.key }), 'own', []],
    ["with Istio's generic keys", () => ({ cert: shop.cert, key: shop.key }), 'own', []],
    ['with a chain', () => ({ 'tls.crt': shop.cert + ca.cert, 'tls.key': shop.key }), 'own', []],
    ['with the CA', () => ({ 'ca.crt': ca.cert }), 'ca', []],
    ['without a key', () => ({ 'tls.crt': shop.cert }), 'own', ['E_TLS_KEY']],
    ['without a certificate', () => ({ 'tls.key': shop.key }), 'own', ['E_TLS_CERTIFICATE']],
    ['with the key of another certificate', () => ({ 'tls.crt': shop.cert, 'tls.key': other.key }), 'own', ['E_TLS_KEY']],
    ['with junk', () => ({ 'tls.crt': 'junk', 'tls.key': shop.key }), 'own', ['E_TLS_CERTIFICATE']],
    ['with junk in PEM', () => ({ 'tls.crt': JUNK_PEM, 'tls.key': shop.key }), 'own', ['E_TLS_CERTIFICATE']],
    ['with a key that is none', () => ({ 'tls.crt': shop.cert, 'tls.key': 'junk' }), 'own', ['E_TLS_KEY']],
    ['with an encrypted key', () => ({ 'tls.crt': shop.cert, 'tls.key': encryptedKey() }), 'own', ['E_TLS_KEY']],
    ['without a CA', () => ({ 'tls.crt': shop.cert }), 'ca', ['E_TLS_CA']],
    ['with a leaf as CA', () => ({ 'ca.crt': shop.cert }), 'ca', ['E_TLS_CA']],
  ])('%s', (_what, data, use, found) => {
    expect(said([secret(data())], use)).toEqual(found);
  });

  test('that is not there, and one in another Secret for the CA', () => {
    expect(said([])).toEqual(['E_TLS_CERTIFICATE']);
    expect(said([secret({ cacert: ca.cert }, 'shop-cacert')], 'ca')).toEqual([]);
  });

  test('whose certificate has expired, or is not valid yet, is used and said', () => {
    const made = [secret({ 'tls.crt': shop.cert, 'tls.key': shop.key })];
    expect(said(made, 'own', SHOP, NOW_MS + QUARTER_MS)).toEqual(['W_TLS_EXPIRED']);
    expect(said(made, 'own', SHOP, NOW_MS - QUARTER_MS)).toEqual(['W_TLS_EXPIRED']);
  });
});

test('files: read, missing, a directory, a key that others can read', () => {
  const path = (name: string): string => join(directory, name);
  writeFileSync(path('cert.pem'), shop.cert);
  writeFileSync(path('key.pem'), shop.key);
  chmodSync(path('key.pem'), 0o600);
  const files = (changes: object = {}): CredentialSource => ({
    kind: 'files',
    certificate: path('cert.pem'),
    privateKey: path('key.pem'),
    ...changes,
  });
  expect(said([], 'own', files())).toEqual([]);
  expect(said([], 'own', files({ certificate: path('none.pem') }))).toEqual(['E_TLS_CERTIFICATE']);
  expect(said([], 'own', files({ privateKey: directory }))).toContain('E_TLS_KEY');
  chmodSync(path('key.pem'), 0o644);
  expect(said([], 'own', files())).toEqual(['W_SECRET_PERMS']);
});

describe('a ConfigMap', () => {
  const source: CredentialSource = { kind: 'configMap', namespace: 'default', name: 'trusted' };
  const configMap = (spec: ConfigMap['spec'], name = 'trusted'): ConfigMap => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default' },
    spec,
    origin: { file: 'x', line: 1, column: 1 },
  });

  test.each<[what: string, spec: () => ConfigMap['spec'], found: string[]]>([
    ['with the CA', () => ({ data: { 'ca.crt': ca.cert } }), []],
    ['with the CA in base64', () => ({ data: {}, binaryData: { 'ca.crt': Buffer.from(ca.cert).toString('base64') } }), []],
    ['with the CA under another key', () => ({ data: { cacert: ca.cert } }), ['E_TLS_CA']],
    ['with an empty CA', () => ({ data: { 'ca.crt': '' } }), ['E_TLS_CA']],
    ['with a leaf as CA', () => ({ data: { 'ca.crt': shop.cert } }), ['E_TLS_CA']],
    ['with junk', () => ({ data: { 'ca.crt': 'junk' } }), ['E_TLS_CA']],
  ])('%s', (_what, spec, found) => {
    const { problems, credential } = readCredential(source, 'ca', { secrets: [], configMaps: [configMap(spec())] }, NOW_MS);
    expect(problems.map(({ code }) => code)).toEqual(found);
    expect(credential?.ca).toBe(found.length === 0 ? ca.cert : undefined);
  });

  test('that is not there', () => {
    const stores = { secrets: [], configMaps: [configMap({ data: { 'ca.crt': ca.cert } }, 'other')] };
    expect(readCredential(source, 'ca', stores, NOW_MS).problems.map(({ message }) => message)).toEqual([
      'there is no ConfigMap trusted in namespace default',
    ]);
  });

  test('is no place for a certificate with its key', () => {
    const spec = { data: { 'tls.crt': shop.cert, 'tls.key': shop.key, 'ca.crt': ca.cert } };
    const { problems, credential } = readCredential(source, 'own', { secrets: [], configMaps: [configMap(spec)] }, NOW_MS);
    expect(credential).toBeUndefined();
    expect(problems.map(({ code }) => code)).toEqual(['E_TLS_CERTIFICATE', 'E_TLS_KEY']);
  });
});

test('a name says where it came from', () => {
  const inConfigMap = { kind: 'configMap', namespace: 'default', name: 'trusted' } as const;
  for (const source of [SHOP, inConfigMap, { kind: 'files', certificate: '/a b/"c"', privateKey: '/k', ca: '/ca' } as const])
    expect(credentialSource(credentialName(source))).toEqual(source);
});
