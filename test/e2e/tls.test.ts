/** HTTPS end to end: a Gateway with a certificate from a Secret or from files, renewed while requests run, and an upstream that speaks TLS. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:https';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { authority, type Authority, type Issued } from '../helpers/certificates.ts';
import { serin, SerinProcess } from '../helpers/serin-process.ts';

let ca: Authority;
let shop: Issued;
let directory: string;
const started: SerinProcess[] = [];

beforeAll(async () => {
  ca = await authority();
  shop = await ca.issue(['shop.example']);
});

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-tls-'));
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((process) => process.end()));
  rmSync(directory, { recursive: true, force: true });
});

const indent = (text: string): string => text.replaceAll('\n', '\n    ');

function write(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

const SECRET = (issued: Issued): string => `
apiVersion: v1
kind: Secret
metadata: { name: shop }
type: kubernetes.io/tls
stringData:
  tls.crt: |
    ${indent(issued.cert)}
  tls.key: |
    ${indent(issued.key)}
---`;

const gateway = (tls: string): string => `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: front }
spec:
  servers:
    - { port: { number: 443, name: https, protocol: HTTPS }, hosts: [shop.example], tls: ${tls} }
    - { port: { number: 80, name: http, protocol: HTTP }, hosts: [shop.example], tls: { httpsRedirect: true } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shop }
spec:
  hosts: [shop.example]
  gateways: [front]
  http: [{ route: [{ destination: { host: ratings.example } }] }]
---`;

/** An upstream that speaks TLS and says what it is told about the request. */
async function ratings(): Promise<{ readonly yaml: string }> {
  const own = await ca.issue(['ratings.example']);
  const server = createServer({ cert: own.cert, key: own.key }, (incoming, response) => {
    response.end(JSON.stringify({ proto: incoming.headers['x-forwarded-proto'], host: incoming.headers.host }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    yaml: `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ratings }
spec:
  hosts: [ratings.example]
  ports: [{ number: 443, name: https, protocol: HTTPS }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1, ports: { https: ${port} } }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ratings }
spec: { host: ratings.example, trafficPolicy: { tls: { mode: SIMPLE, caCertificates: ca.pem } } }
`,
  };
}

async function up(file: string): Promise<SerinProcess> {
  const ports = ['--listen', '443=127.0.0.1:0', '--listen', '80=127.0.0.1:0', '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
  const process = new SerinProcess(['up', '-f', file, '--state', join(directory, 'state'), ...ports]);
  started.push(process);
  return process.ready();
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly fingerprint: string;
}

function ask(port: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { host: '127.0.0.1', port, servername: 'shop.example', headers: { host: 'shop.example' }, ca: ca.cert, agent: false },
      (response) => {
        const { fingerprint256 } = (response.socket as TLSSocket).getPeerCertificate();
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => (body += text));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body, fingerprint: fingerprint256 }));
      },
    );
    asked.on('error', reject);
    asked.end();
  });
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 50));
}

test('a Secret in the files: served, renewed with the file, and shown by name only', async () => {
  write('ca.pem', ca.cert);
  const { yaml } = await ratings();
  const file = write('serin.yaml', SECRET(shop) + gateway('{ mode: SIMPLE, credentialName: shop }') + yaml);
  const process = await up(file);
  const { port } = process.address('443');
  const before = await ask(port);
  expect([before.status, before.body]).toEqual([200, '{"proto":"https","host":"shop.example"}']);

  const renewed = await ca.issue(['shop.example']);
  write('serin.yaml', SECRET(renewed) + gateway('{ mode: SIMPLE, credentialName: shop }') + yaml);
  await until(async () => (await ask(port)).fingerprint !== before.fingerprint);

  const state = ['--state', join(directory, 'state')];
  const shown = await serin(['get', 'secrets', '-o', 'json', ...state]);
  expect(shown.out).toContain('tls.key');
  const secretLine = shop.key.split('\n')[1] ?? '';
  expect(secretLine.length).toBeGreaterThan(30);
  for (const text of [shown.out, process.out, process.err]) {
    expect(text).not.toContain(secretLine);
    expect(text).not.toContain(Buffer.from(shop.key).toString('base64').slice(40, 80));
  }
  for (const name of readdirSync(join(directory, 'state'))) {
    const path = join(directory, 'state', name);
    if (statSync(path).isFile()) expect(readFileSync(path, 'latin1')).not.toContain(secretLine);
  }
});

test('files of its own: a renewed certificate is served without a reload of the configuration, a broken one is not', async () => {
  write('ca.pem', ca.cert);
  write('shop.pem', shop.cert);
  write('shop.key', shop.key);
  const { yaml } = await ratings();
  const file = write('serin.yaml', gateway('{ mode: SIMPLE, serverCertificate: shop.pem, privateKey: shop.key }') + yaml);
  const process = await up(file);
  const { port } = process.address('443');
  const before = await ask(port);
  expect(before.status).toBe(200);

  const from = process.err.length;
  write('shop.pem', 'broken');
  await process.logged(/is no PEM certificate; the last good one is used/, from);
  expect((await ask(port)).fingerprint).toBe(before.fingerprint);

  const renewed = await ca.issue(['shop.example']);
  write('shop.pem', renewed.cert);
  write('shop.key', renewed.key);
  await until(async () => (await ask(port)).fingerprint !== before.fingerprint);
});

test.each([
  [
    'no Secret of the name',
    () => gateway('{ mode: SIMPLE, credentialName: shopp }') + SECRET(shop),
    /there is no Secret shopp in namespace default \[E_TLS_CERTIFICATE\]/,
  ],
  [
    'a file that is not there',
    () => gateway('{ mode: SIMPLE, serverCertificate: none.pem, privateKey: none.key }'),
    /E_TLS_CERTIFICATE.*E_TLS_KEY|E_TLS_KEY.*E_TLS_CERTIFICATE/s,
  ],
  ['client certificates without a CA', () => gateway('{ mode: MUTUAL, credentialName: shop }') + SECRET(shop), /E_TLS_CA/],
  ['an unknown cipher', () => gateway('{ mode: SIMPLE, credentialName: shop, cipherSuites: [ROT13] }') + SECRET(shop), /E_TLS_CIPHER/],
])('%s is said by validate, with its line', async (_what, yaml, said) => {
  const { code, out, err } = await serin(['validate', '-f', write('serin.yaml', yaml())]);
  expect([code, out + err]).toEqual([3, expect.stringMatching(said)]);
});
