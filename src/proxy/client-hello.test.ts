/** ClientHellos of real clients, whole, in pieces and broken. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readClientHello } from './client-hello.ts';

/** What Node's own client sends first. */
async function hello(servername?: string): Promise<Buffer> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const client = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...(servername === undefined ? {} : { servername }) });
  client.on('error', () => undefined);
  const [socket] = await once(server, 'connection');
  const [bytes] = await once(socket, 'data');
  client.destroy();
  socket.destroy();
  return bytes;
}

test.each(['reviews.example.com', 'xn--bcher-kva.example'])('the name %s is found', async (name) => {
  expect(readClientHello(await hello(name))).toEqual({ serverName: name });
});

test('upper case and a trailing dot make no difference', async () => {
  const bytes = await hello('reviews.example.com');
  const upper = Buffer.from(bytes.toString('latin1').replace('reviews.example.com', 'REVIEWS.example.co.'), 'latin1');
  expect(readClientHello(upper)).toEqual({ serverName: 'reviews.example.co' });
});

test('a client that names nobody', async () => {
  expect(readClientHello(await hello())).toEqual({ serverName: undefined });
});

test('every prefix wants more, every split over two records is the same', async () => {
  const bytes = await hello('a.example');
  for (let end = 0; end < bytes.length; end++) expect(readClientHello(bytes.subarray(0, end))).toBe('more');
  const body = bytes.subarray(5);
  for (let cut = 1; cut < body.length; cut += 7) {
    const record = (part: Buffer): Buffer => Buffer.concat([Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part]);
    expect(readClientHello(Buffer.concat([record(body.subarray(0, cut)), record(body.subarray(cut))]))).toEqual({
      serverName: 'a.example',
    });
  }
});

describe('what is no hello', () => {
  test.each<[what: string, bytes: Buffer, problem: string]>([
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'not-tls'],
    ['an alert', Buffer.from([21, 3, 1, 0, 2, 1, 0]), 'not-tls'],
    ['a ServerHello', Buffer.from([22, 3, 3, 0, 4, 2, 0, 0, 0]), 'malformed'],
    ['an endless message', Buffer.from([22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff]), 'malformed'],
    ['an empty record', Buffer.from([22, 3, 1, 0, 0]), 'malformed'],
    ['a hello without its body', Buffer.from([22, 3, 1, 0, 4, 1, 0, 0, 0]), 'malformed'],
  ])('%s', (_what, bytes, problem) => {
    expect(readClientHello(bytes)).toBe(problem);
  });

  test('any change of a byte gives an answer and never throws', async () => {
    const bytes = await hello('a.example');
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
        const changed = Buffer.from(bytes);
        changed[at] = value;
        const result = readClientHello(changed);
        expect(typeof result === 'string' || result.serverName === undefined || /^[a-z0-9_.*-]+$/.test(result.serverName)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  test('a name with NUL, or what is no name, is none', async () => {
    const bytes = await hello('a.example');
    const odd = Buffer.from(bytes.toString('latin1').replace('a.example', 'a\0example'), 'latin1');
    expect(readClientHello(odd)).toEqual({ serverName: undefined });
  });
});
