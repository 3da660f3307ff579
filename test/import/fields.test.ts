/**
 * Every field of the kinds that are imported has a fate: mapped, said to have no equivalent, or ignored on purpose. Samples with all fields are in
 * fields/; ingress-nginx' annotations are listed here, as its documentation has them (annotations-risk.md of controller-v1.15).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { importText, IMPORTED_TOOLS, type ImportedTool, type Imported } from '../../src/importers/import.ts';

interface Leaf {
  readonly document: number;
  readonly path: readonly (string | number)[];
}

function leaves(text: string): readonly Leaf[] {
  return parseAllDocuments(text).flatMap((parsed, document) => below(parsed.toJS(), []).map((path) => ({ document, path })));
}

function below(value: unknown, path: readonly (string | number)[]): readonly (readonly (string | number)[])[] {
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) return [path];
  return Object.entries(value).flatMap(([key, member]) => below(member, [...path, Array.isArray(value) ? Number(key) : key]));
}

function written(path: readonly (string | number)[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(step)) return text === '' ? step : `${text}.${step}`;
    return `${text}[${JSON.stringify(step)}]`;
  }, '');
}

/** Of the leaf itself, or of something it is in. */
function fateOf({ fates }: Imported, { document, path }: Leaf): string | undefined {
  for (let length = path.length; length >= 0; length--) {
    const fate = fates[document]?.fates.get(written(path.slice(0, length)));
    if (fate !== undefined) return fate;
  }
  return undefined;
}

function sample(tool: ImportedTool): string {
  return readFileSync(join(import.meta.dirname, 'fields', `${tool}.yaml`), 'utf8');
}

describe.each(IMPORTED_TOOLS)('%s', (tool) => {
  const text = sample(tool);
  const imported = importText(tool, [{ file: 'all.yaml', content: text }]);

  test('every field has a fate', () => {
    const all = leaves(text);
    expect(all.length).toBeGreaterThan(30);
    expect(all.filter((leaf) => fateOf(imported, leaf) === undefined).map(({ path }) => written(path))).toEqual([]);
  });

  test('and each is known to the import', () => {
    expect(imported.diagnostics.filter(({ code }) => code === 'W_IMPORT_UNKNOWN' || code.startsWith('E_'))).toEqual([]);
  });

  test('what has no equivalent is said at its place', () => {
    const said = imported.diagnostics.filter(({ code }) => code === 'W_IMPORT_NO_EQUIVALENT');
    expect(said.length).toBeGreaterThan(1);
    for (const { file, line, column, message } of said) {
      expect([file, line > 0, column > 0]).toEqual(['all.yaml', true, true]);
      expect(message).not.toBe('');
    }
  });

  test('a field nobody has heard of is told', () => {
    const grown = text.replace(/^spec:\n/m, 'spec:\n  brandNew: { deep: 1 }\n');
    const { diagnostics } = importText(tool, [{ file: 'all.yaml', content: grown }]);
    expect(diagnostics.filter(({ code }) => code === 'W_IMPORT_UNKNOWN').map(({ path }) => path)).toEqual(['spec.brandNew.deep']);
  });
});

/** With a value that has an effect. */
const ANNOTATIONS: Readonly<Record<string, string>> = {
  'server-alias': 'b.example.com',
  'allowlist-source-range': '10.0.0.0/8',
  'whitelist-source-range': '10.0.0.0/8',
  'backend-protocol': 'GRPCS',
  'auth-realm': 'a',
  'auth-secret': 'a',
  'auth-secret-type': 'auth-file',
  'auth-type': 'basic',
  canary: 'false',
  'auth-tls-error-page': 'http://a',
  'auth-tls-match-cn': 'CN=a',
  'auth-tls-pass-certificate-to-upstream': 'true',
  'auth-tls-secret': 'a/b',
  'auth-tls-verify-client': 'on',
  'auth-tls-verify-depth': '1',
  'client-body-buffer-size': '1m',
  'configuration-snippet': 'more_set_headers "a: b";',
  'connection-proxy-header': 'keep-alive',
  'cors-allow-credentials': 'true',
  'cors-allow-headers': 'a',
  'cors-allow-methods': 'GET',
  'cors-allow-origin': 'https://a.example.com',
  'cors-expose-headers': 'a',
  'cors-max-age': '10',
  'enable-cors': 'true',
  'custom-http-errors': '404',
  'custom-headers': 'default/a',
  'default-backend': 'a',
  'denylist-source-range': '10.0.0.0/8',
  'disable-proxy-intercept-errors': 'true',
  'enable-global-auth': 'false',
  'auth-always-set-cookie': 'true',
  'auth-cache-duration': '200 5m',
  'auth-cache-key': '$remote_user',
  'auth-keepalive': '10',
  'auth-keepalive-requests': '10',
  'auth-keepalive-share-vars': 'true',
  'auth-keepalive-timeout': '10',
  'auth-method': 'GET',
  'auth-proxy-set-headers': 'a/b',
  'auth-request-redirect': 'a',
  'auth-response-headers': 'a',
  'auth-signin': 'http://a',
  'auth-signin-redirect-param': 'rd',
  'auth-snippet': 'a',
  'auth-url': 'http://a',
  'fastcgi-index': 'index.php',
  'fastcgi-params-configmap': 'a',
  'http2-push-preload': 'true',
  'load-balance': 'ewma',
  'enable-access-log': 'false',
  'enable-rewrite-log': 'true',
  'mirror-host': 'a',
  'mirror-request-body': 'off',
  'mirror-target': 'http://a',
  'enable-modsecurity': 'true',
  'enable-owasp-core-rules': 'true',
  'modsecurity-snippet': 'SecRuleEngine On',
  'modsecurity-transaction-id': 'a',
  'enable-opentelemetry': 'true',
  'opentelemetry-operation-name': 'a',
  'opentelemetry-trust-incoming-span': 'true',
  'proxy-body-size': '8m',
  'proxy-buffer-size': '8k',
  'proxy-buffering': 'on',
  'proxy-buffers-number': '4',
  'proxy-connect-timeout': '5',
  'proxy-cookie-domain': 'a b',
  'proxy-cookie-path': 'a b',
  'proxy-http-version': '1.1',
  'proxy-max-temp-file-size': '1m',
  'proxy-next-upstream': 'error http_502 non_idempotent',
  'proxy-next-upstream-timeout': '10',
  'proxy-next-upstream-tries': '3',
  'proxy-read-timeout': '60',
  'proxy-redirect-from': 'a',
  'proxy-redirect-to': 'b',
  'proxy-request-buffering': 'on',
  'proxy-send-timeout': '60',
  'proxy-ssl-ciphers': 'HIGH',
  'proxy-ssl-name': 'a',
  'proxy-ssl-protocols': 'TLSv1.3',
  'proxy-ssl-secret': 'default/a',
  'proxy-ssl-server-name': 'on',
  'proxy-ssl-verify': 'on',
  'proxy-ssl-verify-depth': '1',
  'limit-allowlist': '10.0.0.0/8',
  'limit-burst-multiplier': '5',
  'limit-connections': '5',
  'limit-rate': '5',
  'limit-rate-after': '5',
  'limit-rpm': '5',
  'limit-rps': '5',
  'from-to-www-redirect': 'true',
  'permanent-redirect': 'https://a.example.com/b',
  'permanent-redirect-code': '308',
  'temporal-redirect': 'https://a.example.com/b',
  'temporal-redirect-code': '307',
  'app-root': '/a',
  'force-ssl-redirect': 'true',
  'preserve-trailing-slash': 'true',
  'rewrite-target': '/',
  'ssl-redirect': 'false',
  'use-regex': 'true',
  'ssl-ciphers': 'HIGH',
  'ssl-prefer-server-ciphers': 'true',
  'ssl-passthrough': 'true',
  satisfy: 'any',
  'server-snippet': 'client_header_timeout 1s;',
  'service-upstream': 'true',
  affinity: 'cookie',
  'affinity-canary-behavior': 'sticky',
  'affinity-mode': 'balanced',
  'session-cookie-change-on-failure': 'true',
  'session-cookie-conditional-samesite-none': 'true',
  'session-cookie-domain': 'a',
  'session-cookie-expires': '100',
  'session-cookie-max-age': '100',
  'session-cookie-name': 'a',
  'session-cookie-partitioned': 'true',
  'session-cookie-path': '/a',
  'session-cookie-samesite': 'Lax',
  'session-cookie-secure': 'true',
  'stream-snippet': 'a',
  'upstream-hash-by': '$request_uri',
  'upstream-hash-by-subset': 'true',
  'upstream-hash-by-subset-size': '3',
  'upstream-vhost': 'a.internal',
  'use-port-in-redirects': 'true',
  'x-forwarded-prefix': '/a',
};

const CANARY_ANNOTATIONS: Readonly<Record<string, string>> = {
  'canary-by-cookie': 'a',
  'canary-by-header': 'a',
  'canary-by-header-value': 'b',
  'canary-by-header-pattern': 'c',
  'canary-weight': '5',
  'canary-weight-total': '1000',
};

function ingress(name: string, annotations: Readonly<Record<string, string>>): string {
  const lines = Object.entries(annotations).map(([key, value]) => `    nginx.ingress.kubernetes.io/${key}: ${JSON.stringify(value)}\n`);
  return `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: ${name}
  annotations:
${lines.join('')}spec:
  rules:
    - host: a.example.com
      http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: ${name}, port: { number: 80 } } } }] }
`;
}

describe("ingress-nginx' annotations", () => {
  test.each(Object.entries(ANNOTATIONS))('%s has a fate', (name, value) => {
    const { diagnostics } = importText('ingress-nginx', [{ file: 'a.yaml', content: ingress('main', { [name]: value }) }]);
    expect(diagnostics.filter(({ code }) => code === 'W_IMPORT_UNKNOWN' || code === 'E_TYPE')).toEqual([]);
  });

  test.each(Object.entries(CANARY_ANNOTATIONS))('%s of a canary has a fate', (name, value) => {
    const content = `${ingress('main', { canary: 'false' })}---\n${ingress('canary', { canary: 'true', [name]: value })}`;
    const { diagnostics } = importText('ingress-nginx', [{ file: 'a.yaml', content }]);
    expect(diagnostics).toEqual([]);
  });

  test('one that is new is told', () => {
    const { diagnostics } = importText('ingress-nginx', [{ file: 'a.yaml', content: ingress('main', { 'brand-new': 'x' }) }]);
    expect(diagnostics.map(({ code, line }) => [code, line])).toEqual([['W_IMPORT_UNKNOWN', 6]]);
  });
});
