/** TLS towards upstreams: whose certificate is believed, ours where it is asked for, and bytes that arrive. */
import { once } from 'node:events';
import { createServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createProxy } from '../../src/proxy/proxy.ts';
import type { Credential } from '../../src/config/credential.ts';
import type { UpstreamTls } from '../../src/routing/table.ts';
import { authority, type Authority, type Issued } from '../helpers/certificates.ts';
import { RawClient } from '../helpers/raw-client.ts';
import { cluster, forward, hosts, route, table } from '../helpers/tables.ts';

let ca: Authority;
let own: Issued;

beforeAll(async () => {
  ca = await authority();
  own = await ca.issue(['ratings.example.com']);
});

const TLS: UpstreamTls = { sni: 'ratings.example.com', subjectAltNames: [], ca: 'ca', isVerified: true };

interface Seen {
  readonly servername: unknown;
  readonly client: string | undefined;
  readonly body: string;
}

/** A TLS upstream, and Serin before it. @returns What a request is answered, and what the upstream saw. */
async function ask(
  tls: UpstreamTls,
  options: ServerOptions = {},
  credentials: Record<string, Credential> = {},
  request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
): Promise<{ readonly status: number; readonly seen: readonly Seen[]; readonly body: string }> {
  const seen: Seen[] = [];
  const server = createServer({ cert: own.cert, key: own.key, ...options }, (incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const socket = incoming.socket as TLSSocket & { servername?: string | false };
      const body = Buffer.concat(chunks).toString();
      seen.push({ servername: socket.servername, client: socket.getPeerX509Certificate()?.subject, body });
      response.end(body === '' ? 'hello' : body);
    });
  });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const proxy = createProxy({ workers: 0, onInternalError: (error) => expect.unreachable(String(error)) });
  onTestFinished(() => proxy.close());
  const [bound] = await proxy.apply(
    table([hosts(['*'], [route('/', forward())])], [cluster(port, { tls })]),
    [{ listener: 'mesh', host: '127.0.0.1', port: 0 }],
    new Map(Object.entries({ ca: { ca: ca.cert }, ...credentials })),
  );
  const client = await RawClient.connect(bound?.port ?? 0);
  onTestFinished(() => client.close());
  const answer = await client.ask(request);
  return { status: answer.status, seen, body: answer.body.toString() };
}

test('a certificate for the name, by a CA that is trusted, is believed; the upstream is told the name', async () => {
  const { status, seen, body } = await ask(TLS);
  expect([status, body, seen[0]?.servername]).toEqual([200, 'hello', 'ratings.example.com']);
});

test('long bodies in both directions keep their bytes', async () => {
  const sent = 'serin'.repeat(100_000);
  const { body } = await ask(TLS, {}, {}, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${sent.length}\r\n\r\n${sent}`);
  expect(body).toBe(sent);
});

describe('what is refused, with 503 and no request sent', () => {
  test.each<[what: string, changes: Partial<UpstreamTls>]>([
    ['a certificate for another name', { sni: 'reviews.example.com' }],
    ['a CA that is not trusted', { ca: 'none' }],
    ['other names than those that are asked for', { subjectAltNames: ['spiffe://cluster.local/ns/default/sa/ratings'] }],
  ])('%s', async (_what, changes) => {
    const { status, seen } = await ask({ ...TLS, ...changes });
    expect([status, seen.length]).toEqual([503, 0]);
  });

  test('a certificate that has expired', async () => {
    const expired = await ca.issue(['ratings.example.com'], -1);
    expect((await ask(TLS, { cert: expired.cert, key: expired.key })).status).toBe(503);
  });

  test('our not having the certificate it asks for', async () => {
    const { status, seen } = await ask(TLS, { requestCert: true, ca: ca.cert, rejectUnauthorized: true, maxVersion: 'TLSv1.2' });
    expect([status, seen.length]).toEqual([503, 0]);
  });
});

test('whoever answers is believed where that is asked for', async () => {
  expect((await ask({ ...TLS, sni: 'reviews.example.com', ca: 'none', isVerified: false })).status).toBe(200);
});

test('one of the names that are asked for is enough', async () => {
  expect((await ask({ ...TLS, sni: 'x', subjectAltNames: ['y', 'ratings.example.com'] })).status).toBe(200);
});

test('our certificate is shown to an upstream that asks for it', async () => {
  const mine = await ca.issue(['serin']);
  const { status, seen } = await ask(
    { ...TLS, certificate: 'mine' },
    { requestCert: true, ca: ca.cert, rejectUnauthorized: true },
    { mine: { certificate: mine.cert, privateKey: mine.key } },
  );
  expect([status, seen[0]?.client]).toEqual([200, 'CN=serin']);
});
