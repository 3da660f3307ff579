/**
 * Rules for whole connections in a real Envoy (SERIN_ENVOY: its program): the same connections to it, with what `serin render --to envoy` prints, and to
 * `serin up` with the same files get the same answers.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { authority, type Authority, type Issued } from '../helpers/certificates.ts';
import { ENVOY, EnvoyProcess, validationProblem } from '../helpers/envoy-process.ts';
import { serin, SerinProcess } from '../helpers/serin-process.ts';

const Bootstrap = z.looseObject({ static_resources: z.looseObject({}) });

interface Ports {
  readonly plain: readonly [number, number];
  readonly secure: readonly [number, number];
  readonly web: number;
}

const config = ({ plain, secure, web }: Ports): string => `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: front }
spec:
  servers:
    - { port: { number: 31400, name: addresses, protocol: TCP }, hosts: ['*'] }
    - { port: { number: 31401, name: weights, protocol: TCP }, hosts: ['*'] }
    - { port: { number: 31402, name: nobody, protocol: TCP }, hosts: ['*'] }
    - { port: { number: 443, name: web, protocol: HTTPS }, hosts: [shop.example], tls: { mode: SIMPLE, credentialName: own } }
    - { port: { number: 443, name: ended, protocol: TLS }, hosts: [bytes.example], tls: { mode: SIMPLE, credentialName: own } }
    - { port: { number: 443, name: passed, protocol: TLS }, hosts: ['*.example'], tls: { mode: PASSTHROUGH } }
    - { port: { number: 8443, name: narrow, protocol: TLS }, hosts: ['*'], tls: { mode: PASSTHROUGH } }
    - { port: { number: 9443, name: inner, protocol: TLS }, hosts: ['*'], tls: { mode: SIMPLE, credentialName: own } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: bytes }
spec:
  hosts: ['*']
  gateways: [front]
  tcp:
    - { match: [{ port: 31400, sourceSubnet: 127.0.0.0/30, destinationSubnets: [192.0.2.0/24] }], route: [{ destination: { host: nobody } }] }
    - { match: [{ port: 31400, sourceSubnet: 127.0.0.3 }], route: [{ destination: { host: echo, subset: v2 } }] }
    - { match: [{ port: 31400, sourceSubnet: 127.0.0.0/29 }], route: [{ destination: { host: echo, subset: v1 } }] }
    - match: [{ port: 31401 }]
      route: [{ destination: { host: echo, subset: v1 }, weight: 50 }, { destination: { host: echo, subset: v2 }, weight: 50 }]
    - { match: [{ port: 31402 }], route: [{ destination: { host: nobody } }] }
    - { match: [{ port: 443 }], route: [{ destination: { host: echo, subset: v1, port: { number: 9000 } } }] }
    - { match: [{ port: 9443, sourceSubnet: 127.0.0.3 }], route: [{ destination: { host: echo, subset: v2, port: { number: 9000 } } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: names }
spec:
  hosts: ['*']
  gateways: [front]
  tls:
    - { match: [{ port: 443, sniHosts: ['*.example'] }], route: [{ destination: { host: through, subset: v2 } }] }
    - { match: [{ port: 443, sniHosts: [a.example, b.a.example] }], route: [{ destination: { host: through, subset: v1 } }] }
    - { match: [{ port: 443, sniHosts: [shop.example] }], route: [{ destination: { host: through, subset: v1 } }] }
    - { match: [{ port: 8443, sniHosts: ['*'] }], route: [{ destination: { host: through, subset: v2 } }] }
    - { match: [{ port: 8443, sniHosts: [a.example], destinationSubnets: [192.0.2.0/24] }], route: [{ destination: { host: nobody } }] }
    - { match: [{ port: 8443, sniHosts: ['*.example'], destinationSubnets: [127.0.0.0/8, '::1'] }], route: [{ destination: { host: through, subset: v1 } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shop }
spec: { hosts: [shop.example], gateways: [front], http: [{ route: [{ destination: { host: shop } }] }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: echo }
spec: { host: echo, subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: through }
spec: { host: through, subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }] }
---
${service('echo', 9000, 'TCP', plain)}---
${service('through', 9443, 'TLS', secure)}---
${service('shop', 80, 'HTTP', [web])}`;

function service(name: string, port: number, protocol: string, ports: readonly number[]): string {
  const endpoints = ports.map((own, index) => `    - { address: 127.0.0.1, ports: { p: ${own} }, labels: { version: v${index + 1} } }\n`);
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name} }
spec:
  hosts: [${name}]
  ports: [{ number: ${port}, name: p, protocol: ${protocol} }]
  resolution: STATIC
  endpoints:
${endpoints.join('')}`;
}

interface Asked {
  readonly port: string;
  /** Address the connection comes from. */
  readonly from?: string;
  readonly serverName?: string;
}

let directory: string;
let ca: Authority;
let own: Issued;
const servers: Server[] = [];
const ends: (() => Promise<void>)[] = [];
let daemon: SerinProcess;
let envoy: EnvoyProcess;
let rendered: { readonly out: string; readonly err: string; readonly code: number | null };

async function started(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

const answers =
  (name: string) =>
  (socket: Socket | TLSSocket): void => {
    socket.on('error', () => undefined);
    socket.on('data', () => socket.end(name));
  };

describe.runIf(ENVOY !== undefined)('connections', () => {
  beforeAll(async () => {
    ca = await authority();
    own = await ca.issue(['own']);
    const theirs = await ca.issue(['theirs']);
    const secure = (name: string): Promise<number> => started(createTlsServer({ cert: theirs.cert, key: theirs.key }, answers(name)));
    const web = createHttpServer((_request, response) => response.end('web'));
    const ports: Ports = {
      plain: [await started(createServer(answers('v1'))), await started(createServer(answers('v2')))],
      secure: [await secure('v1'), await secure('v2')],
      web: await started(web),
    };
    directory = mkdtempSync(join(tmpdir(), 'serin-envoy-tcp-'));
    const file = join(directory, 'serin.yaml');
    const indent = (text: string): string => text.replaceAll('\n', '\n    ');
    const secret = `---\napiVersion: v1\nkind: Secret\nmetadata: { name: own }\nstringData:\n  tls.crt: |\n    ${indent(own.cert)}\n  tls.key: |\n    ${indent(own.key)}\n`;
    writeFileSync(file, `${config(ports)}${secret}`, { mode: 0o600 });
    const listen = ['31400', '31401', '31402', '443', '8443', '9443'].flatMap((port) => ['--listen', `${port}=127.0.0.1:0`]);
    rendered = await serin(['render', '-f', file, '--to', 'envoy', '--with-secrets', '--mesh', 'off', ...listen]);
    if (rendered.code !== 0) throw new Error(rendered.err);
    envoy = await EnvoyProcess.start(Bootstrap.parse(parse(rendered.out)));
    ends.push(() => envoy.end());
    daemon = new SerinProcess([
      'up',
      '-f',
      file,
      '--state',
      join(directory, 'state'),
      '--mesh',
      'off',
      '--admin',
      '127.0.0.1:0',
      ...listen,
    ]);
    ends.push(() => daemon.end());
    await daemon.ready();
  }, 60_000);

  afterAll(async () => {
    for (const end of ends) await end();
    for (const server of servers) server.close();
    rmSync(directory, { recursive: true, force: true });
  });

  test('Envoy finds nothing wrong, and nothing is said to be left out', async () => {
    const file = join(directory, 'envoy.yaml');
    writeFileSync(file, rendered.out);
    expect(await validationProblem(file)).toBe('');
    expect([rendered.code, rendered.err]).toEqual([0, '']);
  });

  test.each<[asked: Asked, answer: string]>([
    // The order of the rules, not the narrowest network.
    [{ port: '31400' }, 'v1'],
    [{ port: '31400', from: '127.0.0.3' }, 'v2'],
    [{ port: '31400', from: '127.0.0.9' }, 'closed'],
    // A destination that is not there.
    [{ port: '31402' }, 'closed'],
    // A server that ends TLS wins over a rule that passes the same name on; exact names over wildcards, in whatever order they are written.
    [{ port: '443', serverName: 'shop.example' }, 'HTTP by own'],
    [{ port: '443', serverName: 'bytes.example' }, 'v1 by own'],
    [{ port: '443', serverName: 'a.example' }, 'v1 by theirs'],
    [{ port: '443', serverName: 'b.a.example' }, 'v1 by theirs'],
    [{ port: '443', serverName: 'c.a.example' }, 'v2 by theirs'],
    [{ port: '443', serverName: 'A.Example' }, 'v1 by theirs'],
    [{ port: '443', serverName: 'other.org' }, 'closed'],
    [{ port: '443' }, 'closed'],
    // The name comes before the network.
    [{ port: '8443', serverName: 'a.example' }, 'v1 by theirs'],
    [{ port: '8443', serverName: 'other.org' }, 'v2 by theirs'],
    [{ port: '8443' }, 'closed'],
    // What is in TLS, by the address it comes from; no other rule gets what none of the server's takes.
    [{ port: '9443', serverName: 'a.example', from: '127.0.0.3' }, 'v2 by own'],
    [{ port: '9443', serverName: 'a.example' }, 'closed'],
  ])('%o: %s', async (asked, answer) => {
    expect(await ask(asked, daemon.address(asked.port).port), 'Serin').toBe(answer);
    expect(await ask(asked, envoy.ports.get(asked.port) ?? 0), 'Envoy').toBe(answer);
  });

  test('by weight', async () => {
    const seen = new Set<string>();
    // One side of two is missed by 40 draws once in 10^12.
    for (let draw = 0; draw < 40 && seen.size < 2; draw++) seen.add(await ask({ port: '31401' }, envoy.ports.get('31401') ?? 0));
    expect([...seen].sort()).toEqual(['v1', 'v2']);
  });
});

/** What comes back for a few bytes, and whose certificate was shown: `v1 by own`; `closed` where nothing does. */
function ask({ from, serverName }: Asked, port: number): Promise<string> {
  return new Promise((resolve) => {
    const where = { host: '127.0.0.1', port, ...(from === undefined ? {} : { localAddress: from }) };
    const socket = serverName === undefined ? connect(where) : connectTls({ ...where, servername: serverName, rejectUnauthorized: false });
    let text = '';
    let by = '';
    socket.on('error', () => undefined);
    socket.on(serverName === undefined ? 'connect' : 'secureConnect', () => {
      if ('getPeerCertificate' in socket) by = ` by ${String(socket.getPeerCertificate().subject.CN)}`;
      socket.write('GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n');
    });
    socket.setEncoding('utf8').on('data', (bytes: string) => (text += bytes));
    socket.on('close', () => resolve(text === '' ? 'closed' : `${/^HTTP(?=\/)|^.*$/m.exec(text)?.[0]}${by}`));
  });
}
