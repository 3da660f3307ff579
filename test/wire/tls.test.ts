/** TLS towards clients: which certificate, whose certificate, what the upstream is told, and bytes that are no handshake. */
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Credential } from '../../src/config/credential.ts';
import { createProxy } from '../../src/proxy/proxy.ts';
import type { RoutingTable, TlsSite } from '../../src/routing/table.ts';
import { connect as http2Connect } from 'node:http2';
import { authority, type Authority, type Issued } from '../helpers/certificates.ts';
import { http2Ask } from '../helpers/http2-client.ts';
import { RawClient } from '../helpers/raw-client.ts';
import { RawUpstream } from '../helpers/raw-upstream.ts';
import { startProxy } from '../helpers/rig.ts';
import { cluster, forward, hosts, route, singleTable, table } from '../helpers/tables.ts';

let ca: Authority;
let strangers: Authority;
let shop: Issued;
let wild: Issued;

beforeAll(async () => {
  [ca, strangers] = await Promise.all([authority(), authority('strangers')]);
  [shop, wild] = await Promise.all([ca.issue(['shop.example.com']), ca.issue(['*.example.com'])]);
});

const site = (name: string, changes: Partial<TlsSite> = {}): TlsSite => ({
  name,
  serverNames: [name],
  certificates: [name],
  clientCertificate: 'none',
  subjectAltNames: [],
  spkiSha256: [],
  certificateSha256: [],
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  ...changes,
});

const credential = ({ cert, key }: Issued): Credential => ({ certificate: cert, privateKey: key });

interface Rig {
  readonly port: number;
  readonly upstream: RawUpstream;
  readonly apply: (sites: readonly TlsSite[], credentials?: Record<string, Credential>) => Promise<void>;
}

async function rig(sites: readonly TlsSite[], more: Record<string, Credential> = {}, workers = 0): Promise<Rig> {
  const upstream = await RawUpstream.start();
  onTestFinished(() => upstream.close());
  const errors: unknown[] = [];
  const proxy = createProxy({ workers, onInternalError: (error) => errors.push(error) });
  onTestFinished(async () => {
    await proxy.close();
    expect(errors).toEqual([]);
  });
  const tableOf = (tls: readonly TlsSite[]): RoutingTable => {
    const plain = singleTable(upstream.port);
    return { ...plain, listeners: plain.listeners.map((listener) => ({ ...listener, tls })) };
  };
  const all = (extra: Record<string, Credential>): ReadonlyMap<string, Credential> =>
    new Map(Object.entries({ 'shop.example.com': credential(shop), '*.example.com': credential(wild), ca: { ca: ca.cert }, ...extra }));
  const [bound] = await proxy.apply(tableOf(sites), [{ listener: 'mesh', host: '127.0.0.1', port: 0 }], all(more));
  const port = bound?.port ?? 0;
  return {
    port,
    upstream,
    apply: async (tls, credentials = {}) => {
      await proxy.apply(tableOf(tls), [{ listener: 'mesh', host: '127.0.0.1', port: 0 }], all(credentials));
    },
  };
}

async function client(port: number, servername: string | undefined, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ca: ca.cert, ...(servername === undefined ? {} : { servername }), ...options });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

async function ask(socket: TLSSocket, host: string, path = '/'): Promise<string> {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  return bytes.toString('latin1');
}

/** Why a handshake, or the first request after it, came to nothing. */
async function failure(port: number, servername: string | undefined, options: ConnectionOptions = {}): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, ca: ca.cert, ...(servername === undefined ? {} : { servername }), ...options });
  onTestFinished(() => void socket.destroy());
  // TLS 1.3: a client knows only from the first read that its certificate was refused.
  socket.on('secureConnect', () => socket.write('GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n'));
  socket.on('data', () => socket.destroy(new Error('answered')));
  const [error] = await Promise.race([once(socket, 'error'), once(socket, 'close').then(() => [new Error('closed')])]);
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

describe('the site a client means', () => {
  test.each([
    ['an exact name', 'shop.example.com', 'shop.example.com'],
    ['in capitals', 'SHOP.example.com', 'shop.example.com'],
    ['a name under a wildcard', 'books.example.com', '*.example.com'],
    ['a name two levels under it', 'a.b.example.com', '*.example.com'],
  ])('%s', async (_what, name, expected) => {
    const { port } = await rig([site('*.example.com'), site('shop.example.com')]);
    const socket = await client(port, name, { checkServerIdentity: () => undefined });
    expect(socket.getPeerX509Certificate()?.subjectAltName).toBe(`DNS:${expected}`);
    expect(await ask(socket, name)).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  test.each([
    ['a name of nobody', 'elsewhere.org'],
    ['the domain a wildcard stands under', 'example.com'],
    ['no name at all', undefined],
    ['__proto__', '__proto__'],
  ])('%s: told so, and no certificate shown', async (_what, name) => {
    const { port } = await rig([site('*.example.com')]);
    expect(await failure(port, name)).toBe('ERR_SSL_TLSV1_UNRECOGNIZED_NAME');
  });

  test('a site for * takes who names nobody', async () => {
    const { port } = await rig([site('shop.example.com', { serverNames: ['*'] })]);
    const socket = await client(port, undefined, { checkServerIdentity: () => undefined });
    expect(await ask(socket, 'anything')).toMatch(/^HTTP\/1\.1 200 OK/);
  });
});

test('the upstream hears that it was https, and nothing a client says about itself', async () => {
  const { port, upstream } = await rig([site('shop.example.com')]);
  const socket = await client(port, 'shop.example.com');
  socket.write('GET / HTTP/1.1\r\nHost: shop.example.com\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Client-Cert: Hash=forged\r\n\r\n');
  await once(socket, 'data');
  expect(upstream.text).toContain('x-forwarded-proto: https\r\n');
  expect(upstream.text).not.toMatch(/forged|proto: http\r/i);
});

test('[P25] a request for another site on the same connection is misdirected, for a name of no site it is not', async () => {
  const { port } = await rig([site('*.example.com'), site('shop.example.com')]);
  const socket = await client(port, 'shop.example.com');
  expect(await ask(socket, 'books.example.com')).toMatch(/^HTTP\/1\.1 421 Misdirected Request/);
  expect(await ask(socket, 'SHOP.example.com:443')).toMatch(/^HTTP\/1\.1 200 OK/);
  expect(await ask(socket, '127.0.0.1')).toMatch(/^HTTP\/1\.1 200 OK/);
});

describe('[P25] requests that are for another listener than their connection (gateway-api GEP-3567)', () => {
  const LISTENERS = ['*', 'second-example.org', '*.wildcard.org', 'fourth-example.wildcard.org'];
  // sni, host, status: the table of the Gateway API's conformance test HTTPRouteHTTPSListenerDetectMisdirectedRequests.
  const EXPECTED: readonly (readonly [string, string, number])[] = [
    ['example.org', 'example.org', 200],
    ['example.org', 'second-example.org', 421],
    ['example.org', 'unknown-example.org', 404],
    ['second-example.org', 'second-example.org', 200],
    ['second-example.org', 'example.org', 421],
    ['second-example.org', 'unknown-example.org', 421],
    ['third-example.wildcard.org', 'third-example.wildcard.org', 200],
    ['third-example.wildcard.org', 'fith-example.wildcard.org', 200],
    ['third-example.wildcard.org', 'fourth-example.wildcard.org', 421],
    ['third-example.wildcard.org', 'second-example.org', 421],
    ['third-example.wildcard.org', 'unknown-example.org', 421],
    ['fourth-example.wildcard.org', 'fourth-example.wildcard.org', 200],
    ['fourth-example.wildcard.org', 'fith-example.wildcard.org', 421],
    ['unknown-example.org', 'example.org', 200],
    ['unknown-example.org', 'unknown-example.org', 404],
  ];

  /** Hosts of each listener, as its routes name them. */
  async function started(hosted: readonly (readonly [site: string, domain: string])[], options = { isPlain: false }): Promise<number> {
    const upstream = await RawUpstream.start();
    onTestFinished(() => upstream.close());
    const every = await ca.issue(['example.org', ...LISTENERS.slice(1)]);
    const virtualHosts = hosted.map(([tlsSite, domain]) => ({ ...hosts([domain], [route('/', forward())]), tlsSite }));
    const plain = table(virtualHosts, [cluster(upstream.port)]);
    const tls = LISTENERS.map((name) => site(name, { certificates: ['every'] }));
    const listeners = plain.listeners.map((listener) => (options.isPlain ? listener : { ...listener, tls }));
    const running = await startProxy({ ...plain, listeners }, {}, new Map([['every', credential(every)]]));
    onTestFinished(() => running.close());
    return running.port;
  }

  const HOSTED = [
    ['*', 'example.org'],
    ['second-example.org', 'second-example.org'],
    ['*.wildcard.org', '*.wildcard.org'],
    ['fourth-example.wildcard.org', 'fourth-example.wildcard.org'],
  ] as const;

  test.each(['http/1.1', 'h2'])('over %s', async (protocol) => {
    const port = await started(HOSTED);
    const got: (readonly [string, string, number])[] = [];
    for (const [servername, host] of EXPECTED) {
      // The certificate is for none of the unknown names, which is not what this is about.
      const options = { ALPNProtocols: [protocol], rejectUnauthorized: false };
      if (protocol === 'h2') {
        const session = http2Connect(`https://${host}`, {
          createConnection: () => connect({ host: '127.0.0.1', port, servername, ...options }),
        });
        onTestFinished(() => session.destroy());
        got.push([servername, host, (await http2Ask(session)).status]);
      } else {
        const socket = await client(port, servername, options);
        got.push([servername, host, Number((await ask(socket, host)).slice(9, 12))]);
      }
    }
    expect(got).toEqual(EXPECTED);
  });

  test('a name with its last dot and a port is the same name', async () => {
    const port = await started(HOSTED);
    const socket = await client(port, 'second-example.org');
    expect(await ask(socket, 'second-example.org.:8443')).toMatch(/^HTTP\/1\.1 200/);
    expect(await ask(socket, 'second-example.org.')).toMatch(/^HTTP\/1\.1 200/);
  });

  test('what belongs to one listener is never served on the connection of another that has nothing of its own', async () => {
    const port = await started([['*.wildcard.org', '*.wildcard.org']]);
    const socket = await client(port, 'fourth-example.wildcard.org');
    expect(await ask(socket, 'fourth-example.wildcard.org')).toMatch(/^HTTP\/1\.1 421/);
  });

  test('without TLS nothing is misdirected', async () => {
    const port = await started(HOSTED, { isPlain: true });
    for (const [, host, status] of EXPECTED) {
      const asked = await RawClient.connect(port);
      const answer = await asked.ask(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      asked.close();
      expect(answer.status).toBe(status === 421 && !host.startsWith('unknown') ? 200 : status === 421 ? 404 : status);
    }
  });
});

describe('client certificates', () => {
  const mutual = (changes: Partial<TlsSite> = {}): TlsSite =>
    site('shop.example.com', { clientCertificate: 'required', clientCa: 'ca', ...changes });

  test('required: a good one is let in and described to the upstream', async () => {
    const { port, upstream } = await rig([mutual()]);
    const own = await ca.issue(['jason', 'spiffe://cluster.local/ns/default/sa/jason']);
    const socket = await client(port, 'shop.example.com', { cert: own.cert, key: own.key });
    expect(await ask(socket, 'shop.example.com')).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(upstream.text).toMatch(
      /x-forwarded-client-cert: Hash=[0-9a-f]{64};Subject="CN=jason";URI=spiffe:\/\/cluster.local\/ns\/default\/sa\/jason;DNS=jason\r\n/,
    );
  });

  test('required: none, a stranger’s and an expired one are refused', async () => {
    const { port, upstream } = await rig([mutual()]);
    const [stranger, expired] = await Promise.all([strangers.issue(['jason']), ca.issue(['jason'], -1)]);
    expect(await failure(port, 'shop.example.com')).not.toContain('answered');
    expect(await failure(port, 'shop.example.com', { cert: stranger.cert, key: stranger.key })).not.toContain('answered');
    expect(await failure(port, 'shop.example.com', { cert: expired.cert, key: expired.key })).not.toContain('answered');
    expect(upstream.connections).toHaveLength(0);
  });

  test('optional: none is let in, a stranger’s is refused', async () => {
    const { port, upstream } = await rig([mutual({ clientCertificate: 'optional' })]);
    const stranger = await strangers.issue(['jason']);
    expect(await ask(await client(port, 'shop.example.com'), 'shop.example.com')).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(upstream.text).not.toContain('x-forwarded-client-cert');
    expect(await failure(port, 'shop.example.com', { cert: stranger.cert, key: stranger.key })).not.toContain('answered');
  });

  test('unchecked: whoever asks is let in, and only a good certificate is described', async () => {
    const { port, upstream } = await rig([mutual({ clientCertificate: 'unchecked' })]);
    const [stranger, expired, own] = await Promise.all([strangers.issue(['jason']), ca.issue(['jason'], -1), ca.issue(['jason'])]);
    for (const shown of [undefined, stranger, expired]) {
      const options = shown === undefined ? {} : { cert: shown.cert, key: shown.key };
      expect(await ask(await client(port, 'shop.example.com', options), 'shop.example.com')).toMatch(/^HTTP\/1\.1 200 OK/);
    }
    expect(upstream.text).not.toContain('x-forwarded-client-cert');
    await ask(await client(port, 'shop.example.com', { cert: own.cert, key: own.key }), 'shop.example.com');
    expect(upstream.text).toContain('x-forwarded-client-cert: Hash=');
  });

  test('of other names than those that are asked for: refused', async () => {
    const { port } = await rig([mutual({ subjectAltNames: ['jason'] })]);
    const [jason, other] = await Promise.all([ca.issue(['jason']), ca.issue(['other'])]);
    const socket = await client(port, 'shop.example.com', { cert: jason.cert, key: jason.key });
    expect(await ask(socket, 'shop.example.com')).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(await failure(port, 'shop.example.com', { cert: other.cert, key: other.key })).not.toContain('answered');
  });

  test('pinned by hash: another one of the same CA is refused', async () => {
    const [jason, other] = await Promise.all([ca.issue(['jason']), ca.issue(['jason'])]);
    const { X509Certificate } = await import('node:crypto');
    const pin = new X509Certificate(jason.cert).fingerprint256.replaceAll(':', '').toLowerCase();
    const { port } = await rig([mutual({ certificateSha256: [pin] })]);
    expect(await ask(await client(port, 'shop.example.com', { cert: jason.cert, key: jason.key }), 'shop.example.com')).toMatch(/ 200 OK/);
    expect(await failure(port, 'shop.example.com', { cert: other.cert, key: other.key })).not.toContain('answered');
  });
});

test('versions that a site does not speak are refused', async () => {
  const { port } = await rig([site('shop.example.com', { minVersion: 'TLSv1.3' })]);
  expect(await failure(port, 'shop.example.com', { maxVersion: 'TLSv1.2' })).toBe('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
  expect((await client(port, 'shop.example.com')).getProtocol()).toBe('TLSv1.3');
});

test('a new certificate is shown to new clients, and old connections go on', async () => {
  const { port, apply } = await rig([site('shop.example.com')], {}, 1);
  const old = await client(port, 'shop.example.com');
  expect(await ask(old, 'shop.example.com')).toMatch(/ 200 OK/);
  const renewed = await ca.issue(['shop.example.com']);
  await apply([site('shop.example.com')], { 'shop.example.com': credential(renewed) });
  const fresh = await client(port, 'shop.example.com');
  expect(fresh.getPeerX509Certificate()?.fingerprint256).not.toBe(old.getPeerX509Certificate()?.fingerprint256);
  expect(await ask(old, 'shop.example.com')).toMatch(/ 200 OK/);
  expect(await ask(fresh, 'shop.example.com')).toMatch(/ 200 OK/);
});

test('bodies of every size keep their bytes', async () => {
  const { port, upstream } = await rig([site('shop.example.com')]);
  const socket = await client(port, 'shop.example.com');
  const body = Buffer.alloc(300_000, 'serin');
  socket.write(`POST / HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: ${body.length}\r\n\r\n`);
  socket.write(body);
  await once(socket, 'data');
  expect(upstream.text.endsWith(body.toString())).toBe(true);
});

test.each([
  ['plain HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n')],
  ['garbage', Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0])],
])('%s on a TLS port: closed, without an answer', async (_what, bytes) => {
  const { port, upstream } = await rig([site('shop.example.com')]);
  const socket = connectTcp({ host: '127.0.0.1', port });
  onTestFinished(() => void socket.destroy());
  let received = 0;
  socket.on('data', (data: Buffer) => {
    received += data.length;
  });
  socket.write(bytes);
  await once(socket, 'close');
  expect([received, upstream.connections.length]).toEqual([0, 0]);
});

describe('ALPN', () => {
  test.each(['h2', 'http/1.1'])('%s', async (protocol) => {
    const { port, upstream } = await rig([site('shop.example.com')]);
    const session = http2Connect('https://shop.example.com', {
      createConnection: () => connect({ host: '127.0.0.1', port, ca: ca.cert, servername: 'shop.example.com', ALPNProtocols: [protocol] }),
    });
    onTestFinished(() => session.destroy());
    session.on('error', () => undefined);
    await once(session, 'connect');
    expect(session.alpnProtocol).toBe(protocol);
    if (protocol !== 'h2') return;
    const answers = await Promise.all(Array.from({ length: 50 }, () => http2Ask(session)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(upstream.text).toContain('x-forwarded-proto: https');
  });

  test('[RFC 9110 §7.4] a request for another site of the port is sent elsewhere, and the session goes on', async () => {
    const { port } = await rig([site('shop.example.com'), site('*.example.com')]);
    const session = http2Connect('https://shop.example.com', {
      createConnection: () => connect({ host: '127.0.0.1', port, ca: ca.cert, servername: 'shop.example.com', ALPNProtocols: ['h2'] }),
    });
    onTestFinished(() => session.destroy());
    expect((await http2Ask(session, { ':authority': 'books.example.com' })).status).toBe(421);
    expect((await http2Ask(session)).status).toBe(200);
  });
});
