/** Connections that are no HTTP: by the port they come to, and by the name a TLS client asks for. */
import { once } from 'node:events';
import { createServer, connect as connectTcp } from 'node:net';
import type { AddressInfo } from 'node:net';
import { connect, createServer as createTlsServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Credential } from '../../src/config/credential.ts';
import { isEjected } from '../../src/proxy/outlier-detection.ts';
import { createProxy, type Proxy } from '../../src/proxy/proxy.ts';
import type { Cluster, Listener, TcpMatch, TcpRoute, TlsSite } from '../../src/routing/table.ts';
import { outlierKey } from '../../src/telemetry/outlier-board.ts';
import { authority, type Authority, type Issued } from '../helpers/certificates.ts';
import { NOBODYS_PORT } from '../helpers/free-port.ts';
import { RawClient } from '../helpers/raw-client.ts';
import { RawUpstream, type UpstreamScript } from '../helpers/raw-upstream.ts';
import { cluster } from '../helpers/tables.ts';
import { settled } from '../helpers/turns.ts';

let ca: Authority;
let shop: Issued;
let behind: Issued;

beforeAll(async () => {
  ca = await authority();
  [shop, behind] = await Promise.all([ca.issue(['shop.example.com']), ca.issue(['behind.example.com'])]);
});

const source = { kind: 'VirtualService', namespace: 'default', name: 'test', path: 'spec.tcp[0]', file: 'test.yaml', line: 1 };

function tcpRoute(weights: readonly (readonly [cluster: number, weight: number])[], match: Partial<TcpMatch> = {}): TcpRoute {
  const clusters = weights.map(([index, weight]) => ({ cluster: index, weight }));
  return {
    name: 'tcp[0]',
    source,
    matches: [{ path: 'spec.tcp[0]', ...match }],
    clusters,
    totalWeight: weights.reduce((sum, [, weight]) => sum + weight, 0),
  };
}

interface Running {
  readonly proxy: Proxy;
  readonly port: number;
}

async function serve(
  parts: Pick<Listener, 'tcp' | 'tls' | 'passthrough'>,
  clusters: readonly Cluster[],
  credentials: Record<string, Credential> = {},
): Promise<Running> {
  const errors: unknown[] = [];
  const proxy = createProxy({ workers: 0, onInternalError: (error) => errors.push(error) });
  onTestFinished(async () => {
    await proxy.close();
    expect(errors).toEqual([]);
  });
  const listener = { name: '9000', port: 9000, gateways: ['default/test'], virtualHosts: [], ...parts };
  const [bound] = await proxy.apply(
    { version: 'test', listeners: [listener], clusters },
    [{ listener: '9000', host: '127.0.0.1', port: 0 }],
    new Map(Object.entries(credentials)),
  );
  if (bound === undefined) throw new Error('nothing is bound');
  return { proxy, port: bound.port };
}

async function upstreamOf(script: UpstreamScript = () => undefined): Promise<RawUpstream> {
  const upstream = await RawUpstream.start(script);
  onTestFinished(() => upstream.close());
  return upstream;
}

async function clientOf({ port }: Running): Promise<RawClient> {
  const client = await RawClient.connect(port);
  onTestFinished(() => client.close());
  return client;
}

const named = (name: string, port: number, changes: Partial<Cluster> = {}): Cluster => cluster(port, { ...changes, name });

describe('plain TCP', () => {
  test('bytes pass in both directions as they are, also where the server speaks first', async () => {
    const upstream = await upstreamOf(async (side) => {
      side.write('220 ready\r\n');
      await side.until(() => side.text === '\0\xffHELO\n', 'what the client says');
      side.write(Buffer.from([0, 1, 2, 255]));
    });
    const running = await serve({ tcp: [tcpRoute([[0, 1]])] }, [cluster(upstream.port)]);
    const client = await clientOf(running);
    await client.until(() => client.text === '220 ready\r\n', 'the greeting');
    client.write('\0\xffHELO\n');
    await client.until(() => client.received.length === 15, 'the answer');
    expect(client.text).toBe('220 ready\r\n\0\x01\x02\xff');
  });

  test('each connection is drawn by itself, by weight', async () => {
    const [a, b] = [await upstreamOf(), await upstreamOf()];
    const running = await serve(
      {
        tcp: [
          tcpRoute([
            [0, 80],
            [1, 20],
          ]),
        ],
      },
      [named('a', a.port), named('b', b.port)],
    );
    for (let count = 0; count < 200; count++) {
      const client = await RawClient.connect(running.port);
      client.close();
      await client.until(() => client.isClosed, 'the close');
    }
    await settled(() => a.connections.length + b.connections.length, 50);
    // 200 draws at 0.2: outside of this once in 10^7 runs.
    expect(b.connections.length).toBeGreaterThan(10);
    expect(b.connections.length).toBeLessThan(75);
  });

  test('the first rule that holds takes it: by source and destination', async () => {
    const [first, second] = [await upstreamOf((side) => side.write('1')), await upstreamOf((side) => side.write('2'))];
    const rules = [
      tcpRoute([[0, 1]], { never: 'port: only for 1' }),
      tcpRoute([[0, 1]], { sourceSubnet: '10.0.0.0/8' }),
      tcpRoute([[0, 1]], { destinationSubnets: ['192.0.2.1', '2001:db8::/32'] }),
      tcpRoute([[1, 1]], { sourceSubnet: '127.0.0.0/8', destinationSubnets: ['192.0.2.1', '127.0.0.1'] }),
    ];
    const running = await serve({ tcp: rules }, [named('a', first.port), named('b', second.port)]);
    const client = await clientOf(running);
    await client.until(() => client.text === '2', 'an answer of the second');
  });

  test('without a rule it is closed', async () => {
    const running = await serve({ tcp: [] }, []);
    const client = await clientOf(running);
    await client.until(() => client.isEnded || client.isClosed, 'the end');
  });

  test('half a close is passed on, and the rest still comes', async () => {
    const upstream = await upstreamOf(async (side) => {
      await side.until(() => side.isEnded, 'the FIN');
      side.write(`got ${side.text}`);
    });
    const running = await serve({ tcp: [tcpRoute([[0, 1]])] }, [cluster(upstream.port)]);
    const client = await clientOf(running);
    client.write('all');
    client.end();
    // The helper's upstream closes its side at once when ours has ended; what it wrote before it is still to come.
    await client.until(() => client.isEnded, 'the end');
    expect(upstream.text).toBe('all');
  });

  test('long runs in both directions at once arrive whole', async () => {
    const length = 8 * 2 ** 20;
    const upstream = await upstreamOf((side) => side.write(Buffer.alloc(length, 'd')));
    const running = await serve({ tcp: [tcpRoute([[0, 1]])] }, [cluster(upstream.port)]);
    const client = await clientOf(running);
    client.write(Buffer.alloc(length, 'u'));
    const side = await upstream.connection(0);
    await client.until(() => client.received.length === length, 'all of it');
    await side.until(() => side.received.length === length, 'all of it upstream');
    expect(client.received.every((byte) => byte === 0x64)).toBe(true);
    expect(side.received.every((byte) => byte === 0x75)).toBe(true);
  });

  test('counts connections and bytes', async () => {
    const upstream = await upstreamOf((side) => side.write('four'));
    const running = await serve({ tcp: [tcpRoute([[0, 1]])] }, [cluster(upstream.port)]);
    const client = await clientOf(running);
    client.write('to it');
    await client.until(() => client.text === 'four', 'the bytes');
    const side = await upstream.connection(0);
    await side.until(() => side.text === 'to it', 'the bytes upstream');
    const { name } = cluster(1);
    expect(running.proxy.stats.totals(name).tcp).toEqual({ opened: 1, closed: 0, refused: 0, receivedBytes: 5, sentBytes: 4 });
    expect(running.proxy.stats.totals(name).requests).toBe(0);
    client.reset();
    await side.until(() => side.isClosed, 'the reset');
    expect(running.proxy.stats.totals(name).tcp.closed).toBe(1);
  });

  test('an endpoint that cannot be connected to is replaced, and ejected when it keeps failing', async () => {
    const upstream = await upstreamOf((side) => side.write('alive'));
    const outlierDetection = {
      consecutive5xxErrors: 2,
      consecutiveGatewayErrors: 0,
      splitLocalErrors: false,
      consecutiveLocalFailures: 5,
      errorStatuses: [],
      intervalMs: 10_000,
      baseEjectionMs: 30_000,
      maxEjectionPercent: 100,
      minHealthPercent: 0,
    };
    const running = await serve({ tcp: [tcpRoute([[0, 1]])] }, [cluster([NOBODYS_PORT, upstream.port], { outlierDetection })]);
    for (let count = 0; count < 6; count++) {
      const client = await clientOf(running);
      await client.until(() => client.text === 'alive', 'the other endpoint');
    }
    const rowOf = (port: number) => running.proxy.outliers.find(outlierKey(cluster(1).name, '127.0.0.1', port));
    expect([NOBODYS_PORT, upstream.port].map((port) => rowOf(port)).map((row) => row !== undefined && isEjected(row))).toEqual([
      true,
      false,
    ]);
  });

  test('with nobody to connect to it is closed, and counted', async () => {
    const running = await serve({ tcp: [tcpRoute([[0, 1]])] }, [cluster(NOBODYS_PORT)]);
    const client = await clientOf(running);
    await client.until(() => client.isEnded || client.isClosed, 'the end');
    expect(running.proxy.stats.totals(cluster(1).name).tcp).toMatchObject({ opened: 0, refused: 1 });
  });

  test('maxConnections turns the next one away', async () => {
    const upstream = await upstreamOf((side) => side.write('in'));
    const limits = { connections: 1, pending: 0, requests: 0 };
    const running = await serve({ tcp: [tcpRoute([[0, 1]])] }, [cluster(upstream.port, { limits })]);
    const first = await clientOf(running);
    await first.until(() => first.text === 'in', 'the first');
    const second = await clientOf(running);
    await second.until(() => second.isEnded || second.isClosed, 'the end of the second');
    first.reset();
    const side = await upstream.connection(0);
    await side.until(() => side.isClosed, 'the end of the first');
    const third = await clientOf(running);
    await third.until(() => third.text === 'in', 'the third');
  });

  test('a drain waits, an idle one is closed', async () => {
    const upstream = await upstreamOf(async (side) => {
      side.write('in');
      await side.until(() => side.text === 'last words', 'what the client says');
      side.write('!');
    });
    const running = await serve({ tcp: [tcpRoute([[0, 1]])] }, [cluster(upstream.port, { tunnelIdleMs: 600 })]);
    const client = await clientOf(running);
    await client.until(() => client.text === 'in', 'the connection');
    const drained = running.proxy.drain(8000);
    client.write('last words');
    await client.until(() => client.text === 'in!', 'an answer in the drain');
    await client.until(() => client.isClosed || client.isEnded, 'the end of its idle time');
    await drained;
  });
});

/** Shows its certificate and says its name. */
async function tlsUpstream(): Promise<number> {
  const server = createTlsServer(behind, (socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => socket.end(`behind heard ${bytes.toString()}`));
  }).listen({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function says(port: number, servername: string, text: string): Promise<{ readonly subject: string; readonly answer: string }> {
  const socket: TLSSocket = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'secureConnect');
  const subject = socket.getPeerX509Certificate()?.subjectAltName ?? '';
  socket.write(text);
  let answer = '';
  for await (const piece of socket) answer += String(piece);
  return { subject, answer };
}

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

describe('TLS by server name', () => {
  test('what is passed on ends at the upstream; exact beats wildcard; beside it TLS ends here', async () => {
    const passed = await tlsUpstream();
    const wild = await upstreamOf();
    const inside = await upstreamOf(async (side) => {
      await side.until(() => side.text !== '', 'what the client says');
      side.write(`inside heard ${side.text}`);
      side.end();
    });
    const running = await serve(
      {
        passthrough: [tcpRoute([[1, 1]], { serverNames: ['*.example.com'] }), tcpRoute([[0, 1]], { serverNames: ['behind.example.com'] })],
        tls: [site('shop.example.com', { tcp: [tcpRoute([[2, 1]])] })],
      },
      [named('passed', passed), named('wild', wild.port), named('inside', inside.port)],
      { 'shop.example.com': { certificate: shop.cert, privateKey: shop.key } },
    );
    expect(await says(running.port, 'behind.example.com', 'hello')).toEqual({
      subject: 'DNS:behind.example.com',
      answer: 'behind heard hello',
    });
    expect(await says(running.port, 'shop.example.com', 'secret')).toEqual({
      subject: 'DNS:shop.example.com',
      answer: 'inside heard secret',
    });
    // Nobody ends it there: the hello stands as it came.
    const other = connect({ host: '127.0.0.1', port: running.port, servername: 'other.example.com' });
    onTestFinished(() => void other.destroy());
    other.on('error', () => undefined);
    const side = await wild.connection(0);
    await side.until(() => side.text.includes('other.example.com'), 'the ClientHello');
    expect(side.received[0]).toBe(22);
  });

  test('whoever means nobody is told so', async () => {
    const upstream = await upstreamOf();
    const running = await serve({ passthrough: [tcpRoute([[0, 1]], { serverNames: ['a.example.com'] })] }, [cluster(upstream.port)]);
    const socket = connect({ host: '127.0.0.1', port: running.port, servername: 'b.example.com', rejectUnauthorized: false });
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    expect(error.message).toMatch(/unrecognized.name/i);
    expect(upstream.connections).toHaveLength(0);
  });

  test('a hello in pieces is passed on whole; what is no TLS is closed', async () => {
    const upstream = await upstreamOf();
    const running = await serve({ passthrough: [tcpRoute([[0, 1]], { serverNames: ['*'] })] }, [cluster(upstream.port)]);
    const plain = await clientOf(running);
    plain.write('GET / HTTP/1.1\r\n\r\n');
    await plain.until(() => plain.isEnded || plain.isClosed, 'the end');
    const hello = await clientHello('pieces.example.com');
    const client = await clientOf(running);
    await client.send(hello, 'octets');
    const side = await upstream.connection(0);
    await side.until(() => side.received.length === hello.length, 'all of the hello');
    expect(side.received.equals(hello)).toBe(true);
  });
});

/** What Node's TLS says first. */
async function clientHello(servername: string): Promise<Buffer> {
  const server = createServer().listen({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = connect({ socket: connectTcp(port, '127.0.0.1'), servername });
  socket.on('error', () => undefined);
  const [accepted] = (await once(server, 'connection')) as [ReturnType<typeof connectTcp>];
  const [bytes] = (await once(accepted, 'data')) as [Buffer];
  socket.destroy();
  accepted.destroy();
  return bytes;
}
