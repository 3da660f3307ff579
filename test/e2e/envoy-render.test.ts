/** `serin render --to envoy` as a user runs it: what is printed, what is said, and (SERIN_ENVOY: its program) that a real Envoy starts with it and serves. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { authority, type Authority, type Issued } from '../helpers/certificates.ts';
import { ENVOY, EnvoyProcess, validationProblem } from '../helpers/envoy-process.ts';
import { serin } from '../helpers/serin-process.ts';
import { close, listen } from '../helpers/upstream.ts';

const ROOT = join(import.meta.dirname, '../..');
const Bootstrap = z.looseObject({ static_resources: z.looseObject({}) });

let ca: Authority;
let shop: Issued;
let directory: string;

beforeAll(async () => {
  ca = await authority();
  shop = await ca.issue(['shop.example']);
});

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-render-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

const indent = (text: string): string => text.replaceAll('\n', '\n    ');

const secret = (): string => `
apiVersion: v1
kind: Secret
metadata: { name: shop }
type: kubernetes.io/tls
stringData:
  tls.crt: |
    ${indent(shop.cert)}
  tls.key: |
    ${indent(shop.key)}
  ca.crt: |
    ${indent(ca.cert)}
`;

/** Every policy there is, with TLS in both directions. */
const everything = (port: number): string => `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: front }
spec:
  servers:
    - { port: { number: 443, name: https, protocol: HTTPS }, hosts: [shop.example], tls: { mode: SIMPLE, credentialName: shop, cipherSuites: [ECDHE-ECDSA-AES128-GCM-SHA256] } }
    - { port: { number: 443, name: mutual, protocol: HTTPS }, hosts: ['*.partners.example'], tls: { mode: MUTUAL, credentialName: shop, subjectAltNames: ['spiffe://a/b'], minProtocolVersion: TLSV1_3 } }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: shop
  annotations: { serin.dev/health-check: '{"path":"/healthz"}' }
spec:
  hosts: [shop]
  ports: [{ number: 80, name: http, protocol: HTTP }, { number: 81, name: secure, protocol: HTTP }, { number: 82, name: grpc, protocol: GRPC }]
  resolution: STATIC
  endpoints:
    - { address: 127.0.0.1, ports: { http: ${port} }, labels: { version: v1 }, locality: here/a }
    - { address: 127.0.0.1, ports: { http: ${port} }, labels: { version: v2 }, locality: there/a }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: shop }
spec:
  host: shop
  trafficPolicy:
    connectionPool:
      tcp: { maxConnections: 10, connectTimeout: 1s, maxConnectionDuration: 60s, tcpKeepalive: { time: 30s } }
      http: { http1MaxPendingRequests: 5, http2MaxRequests: 50, maxRetries: 2, idleTimeout: 5s, maxRequestsPerConnection: 100 }
    outlierDetection: { consecutive5xxErrors: 0, consecutiveGatewayErrors: 3, splitExternalLocalOriginErrors: true, interval: 1s, maxEjectionPercent: 100, minHealthPercent: 20 }
    loadBalancer: { simple: ROUND_ROBIN, warmup: { duration: 30s } }
    portLevelSettings:
      - { port: { number: 81 }, tls: { mode: SIMPLE, sni: shop.example, credentialName: shop }, loadBalancer: { consistentHash: { httpCookie: { name: c, path: /, ttl: 60s, attributes: [{ name: SameSite, value: Lax }] }, maglev: {} } } }
      - { port: { number: 82 }, loadBalancer: { consistentHash: { useSourceIp: true, minimumRingSize: 512 } }, tls: { mode: MUTUAL, credentialName: shop, subjectAltNames: [a.example] } }
  subsets:
    - { name: v1, labels: { version: v1 } }
    - { name: v2, labels: { version: v2 }, trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: x-user } } } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shop }
spec:
  hosts: [shop.example, a.partners.example]
  gateways: [front]
  http:
    - match: [{ uri: { regex: '/(items|orders)/[0-9]{1,40}/[a-z0-9-]{1,200}' }, queryParams: { debug: {} }, withoutHeaders: { x-bot: { prefix: a } } }]
      rewrite: { uriRegexRewrite: { match: '^/(items)/', rewrite: '/v2/\\1/' }, authority: inner.example }
      route:
        - { destination: { host: shop, subset: v1, port: { number: 80 } }, weight: 90, headers: { request: { set: { x-a: '%REQ(:path)%', host: v1.example } } } }
        - { destination: { host: shop, subset: v2, port: { number: 80 } }, weight: 10, headers: { response: { remove: [x-b] } } }
      timeout: 2s
      retries: { attempts: 2, perTryTimeout: 500ms, retryOn: '5xx,reset,409' }
      fault: { delay: { percentage: { value: 0.0001 }, fixedDelay: 1s }, abort: { percentage: { value: 0.5 }, grpcStatus: UNAVAILABLE } }
      mirrors: [{ destination: { host: shop, subset: v2, port: { number: 80 } }, percentage: { value: 12.5 } }]
      corsPolicy: { allowOrigins: [{ exact: 'https://a.example' }, { regex: '.*' }], allowMethods: [GET], maxAge: 60s, allowCredentials: true, unmatchedPreflights: IGNORE }
    - { match: [{ uri: { prefix: /old } }], redirect: { prefixRewrite: /new, derivePort: FROM_PROTOCOL_DEFAULT, redirectCode: 308 } }
    - { match: [{ uri: { exact: /secure } }], route: [{ destination: { host: shop, port: { number: 81 } } }] }
    - { match: [{ uri: { exact: /grpc } }], route: [{ destination: { host: shop, port: { number: 82 } } }] }
    - { match: [{ uri: { exact: /bytes } }], directResponse: { status: 200, body: { bytes: /w== } } }
    - { match: [{ uri: { exact: /gone } }], directResponse: { status: 410, body: { string: gone } } }
    - route: [{ destination: { host: shop, subset: v1, port: { number: 80 } } }]
`;

test('keys are written out only on request', async () => {
  const paths = ['-f', write('shop.yaml', everything(9080)), write('secret.yaml', secret())];
  const plain = await serin(['render', ...paths, '--to', 'envoy']);
  expect(plain).toMatchObject({ code: 0 });
  expect(plain.out).not.toContain('PRIVATE KEY');
  expect(plain.out).toContain('filename: secrets/default/shop/tls.key');
  expect(plain.err).toMatch(/Secret default\/shop: warning: .*\[W_ENVOY_SECRET\]/);
  const asked = await serin(['render', ...paths, '--to', 'envoy', '--with-secrets']);
  expect(asked.out).toContain('PRIVATE KEY');
  expect(asked.err).not.toContain('W_ENVOY_SECRET');
});

test('what Envoy does in another way is said with its place', async () => {
  const finished = await serin(['render', '-f', write('shop.yaml', everything(9080)), write('secret.yaml', secret()), '--to', 'envoy']);
  expect(finished.err).toMatch(/shop\.yaml:\d+:1: warning: spec\.http\[0\]: requests that are not idempotent .*\[W_ENVOY_DIFFERS\]/);
  expect(finished.err).toMatch(/shop\.yaml:\d+:1: warning: spec\.http\[0\]: faults come once and before timeouts and retries/);
});

test('options that are about Envoy go with it only, and a port nobody declares is a slip', async () => {
  const path = write('shop.yaml', 'services: { shop: { versions: { v1: http://127.0.0.1:9080 } } }\n');
  expect(await serin(['render', '-f', path, '--to', 'istio', '--mesh', 'off'])).toMatchObject({
    code: 2,
    err: "serin: option '--mesh' goes with --to envoy only\n",
  });
  const slip = await serin(['render', '-f', path, '--to', 'envoy', '--listen', '81=127.0.0.1:8081']);
  expect(slip).toMatchObject({ code: 2, out: '' });
  expect(slip.err).toContain('no Gateway declares what --listen 81 names');
});

test('releases and processes are said to be left out', async () => {
  const path = write(
    'shop.yaml',
    `
services: { shop: { versions: { v1: { run: node shop.js }, v2: http://127.0.0.1:9080 } } }
---
apiVersion: serin.dev/v1alpha1
kind: Rollout
metadata: { name: shop }
spec: { host: shop, stable: v1, canary: v2, strategy: { canary: { steps: [{ setWeight: 10 }] } }, paused: true }
`,
  );
  const finished = await serin(['render', '-f', path, '--to', 'envoy']);
  expect(finished).toMatchObject({ code: 0 });
  expect(finished.err).toContain('nothing starts default/shop/v1');
  expect(finished.err).toContain('Rollout default/shop is left out');
});

describe.runIf(ENVOY !== undefined)('a real Envoy', () => {
  test('starts with every policy and serves over TLS what is behind it', async () => {
    const upstream = createServer((_request, response) => response.end('shop'));
    const port = await listen(upstream);
    const paths = ['-f', write('shop.yaml', everything(port)), write('secret.yaml', secret())];
    const flags = ['--with-secrets', '--listen', '443=127.0.0.1:0', '--mesh', 'off', '--locality', 'here/a'];
    const rendered = await serin(['render', ...paths, '--to', 'envoy', ...flags]);
    expect(rendered).toMatchObject({ code: 0 });
    expect(await validationProblem(write('envoy.yaml', rendered.out))).toBe('');
    const envoy = await EnvoyProcess.start(Bootstrap.parse(parse(rendered.out)));
    try {
      const answers = await Promise.all(['/', '/gone', '/old/a'].map((path) => askTls(envoy.ports.get('443') ?? 0, path)));
      expect(answers).toEqual(['200 shop', '410 gone', '308 https://shop.example:443/new/a']);
    } finally {
      await envoy.end();
      await close(upstream);
    }
  });

  const examples = readdirSync(join(ROOT, 'examples/bookinfo'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.yaml'),
  );
  test.each(examples)('starts with examples/bookinfo/%s', async (name) => {
    // The routings need the services; a Rollout names none.
    const file = join(ROOT, 'examples/bookinfo', name);
    const services = name.startsWith('tutorial/') ? ['tutorial/services.yaml'] : ['serin.yaml'];
    const others = services.filter((other) => other !== name).map((other) => join(ROOT, 'examples/bookinfo', other));
    let rendered = await serin(['render', '-f', file, '--to', 'envoy']);
    if (rendered.code !== 0) rendered = await serin(['render', '-f', file, ...others, '--to', 'envoy']);
    expect(rendered).toMatchObject({ code: 0 });
    expect(await validationProblem(write('envoy.yaml', rendered.out))).toBe('');
  });
});

/** @returns Status, and Location or body. */
function askTls(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { host: '127.0.0.1', port, path, servername: 'shop.example', headers: { host: 'shop.example' }, ca: ca.cert, agent: false },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => (body += text));
        response.on('end', () => resolve(`${response.statusCode} ${response.headers.location ?? body}`));
      },
    );
    asked.on('error', reject);
    asked.end();
  });
}
