/** gRPC by its own client and server: calls, streams, statuses, deadlines, and what Serin says itself. */
import { once } from 'node:events';
import { createServer, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ForwardAction, RoutingTable } from '../../src/routing/table.ts';
import { ArmReader } from '../../src/app/rollouts/arm-reader.ts';
import { failuresOf, newArmCounts } from '../../src/rollout/observation.ts';
import { chat, greeterClient, hello, type Hello, startGreeter } from '../helpers/greeter.ts';
import { http2Ask, http2Client } from '../helpers/http2-client.ts';
import { startProxy } from '../helpers/rig.ts';
import type { RunningProxy } from '../helpers/rig.ts';
import { cluster, forward, hosts, route, singleTable, table } from '../helpers/tables.ts';

const HTTP2 = { use: 'always', maxConcurrentStreams: 2 ** 31 - 1 } as const;

const greet: Hello = ({ request }, done) => done(null, `hello ${request}`);

const failing = (code: status, details = ''): Partial<ServiceError> => ({ code, details, metadata: new Metadata() });

async function started(from: RoutingTable): Promise<RunningProxy> {
  const running = await startProxy(from);
  onTestFinished(async () => {
    await running.close();
    expect(running.internalErrors).toEqual([]);
  });
  return running;
}

async function proxied(answer: Hello, action: Partial<ForwardAction> = {}): Promise<RunningProxy & { readonly calls: () => number }> {
  const greeter = await startGreeter(answer);
  const running = await started(singleTable(greeter.port, { cluster: { http2: HTTP2 }, action }));
  return { ...running, calls: greeter.calls };
}

const flags = ({ proxy }: RunningProxy): unknown =>
  proxy.stats.totals('outbound|80||upstream.test').flags.map(({ flag, status: answered }) => [flag, answered]);

describe('calls', () => {
  test('unary ones, hundreds at once, with metadata both ways', async () => {
    const { port } = await proxied((call, done) => {
      const trailers = new Metadata();
      trailers.set('x-said', String(call.metadata.get('x-who')[0]));
      done(null, `hello ${call.request}`, trailers);
    });
    const client = greeterClient(port);
    const metadata = new Metadata();
    metadata.set('x-who', 'jason');
    const called = await Promise.all(Array.from({ length: 300 }, (_, number) => hello(client, `${number}`, 10_000, metadata)));
    expect(called.map(({ reply }) => reply)).toEqual(called.map((_, number) => `hello ${number}`));
    expect(new Set(called.map(({ code, trailers }) => `${code} ${String(trailers.get('x-said')[0])}`))).toEqual(new Set(['0 jason']));
  });

  test('messages of any size', async () => {
    const { port } = await proxied((call, done) => done(null, call.request));
    const client = greeterClient(port);
    for (const length of [1, 16_000, 1_000_000, 3_900_000]) {
      const text = 'x'.repeat(length);
      const { reply, code, details } = await hello(client, text);
      expect([reply === text, code, details]).toEqual([true, status.OK, 'OK']);
    }
  });

  test('streams both ways, message by message', async () => {
    const { port } = await proxied(greet);
    const call = chat(greeterClient(port));
    for (const text of ['one', 'two', 'three']) {
      call.write(text);
      expect((await once(call, 'data'))[0]).toBe(text);
    }
    const ended = once(call, 'status');
    call.resume();
    call.end();
    expect((await ended)[0].code).toBe(status.OK);
  });

  test('a cancelled stream is nobody’s failure', async () => {
    const running = await proxied(greet);
    const call = chat(greeterClient(running.port));
    call.on('error', () => undefined);
    call.write('one');
    await once(call, 'data');
    call.cancel();
    await expect.poll(() => flags(running)).toEqual([['DR', 200]]);
  });

  test('a status and its message arrive as the server said them', async () => {
    const { port } = await proxied((_call, done) => done(failing(status.FAILED_PRECONDITION, 'nicht jetzt: ü')));
    expect(await hello(greeterClient(port), 'x')).toMatchObject({ code: status.FAILED_PRECONDITION, details: 'nicht jetzt: ü' });
  });
});

describe('[P81] what Serin says itself', () => {
  const answerOf = async (running: RunningProxy, path = '/test.Greeter/Hello'): Promise<unknown> => {
    const session = await http2Client(running.port);
    const {
      status: http,
      headers,
      body,
    } = await http2Ask(session, { ':method': 'POST', ':path': path, 'content-type': 'application/grpc' }, '');
    return [http, headers['content-type'], headers['grpc-status'], headers['x-serin-error'], body.length];
  };

  test('no upstream: UNAVAILABLE', async () => {
    const running = await started(singleTable(1, { cluster: { http2: HTTP2 } }));
    expect(await answerOf(running)).toEqual([200, 'application/grpc', '14', 'upstream_connect_failed', 0]);
    expect(await hello(greeterClient(running.port), 'x')).toMatchObject({ code: status.UNAVAILABLE });
    expect(flags(running)).toEqual([['UF', 200]]);
  });

  test.each([
    [undefined, '14', 'no_cluster'],
    [500, '2', 'invalid_backend'],
  ] as const)('a backend that is not there (%s): %s', async (missingStatus, code, error) => {
    const missing = { missing: 'no Service', ...(missingStatus === undefined ? {} : { missingStatus }) };
    const running = await started(singleTable(1, { cluster: { http2: HTTP2, ...missing } }));
    expect(await answerOf(running)).toEqual([200, 'application/grpc', code, error, 0]);
    expect(flags(running)).toEqual([['NC', 200]]);
    const { status: plain, headers } = await http2Ask(await http2Client(running.port));
    expect([plain, headers['x-serin-error']]).toEqual([missingStatus ?? 503, error]);
  });

  test('no route: UNIMPLEMENTED', async () => {
    const running = await started(table([hosts(['*'], [route('/other', forward())])], [cluster(1)]));
    expect(await answerOf(running)).toEqual([200, 'application/grpc', '12', 'no_route', 0]);
    expect((await hello(greeterClient(running.port), 'x')).code).toBe(status.UNIMPLEMENTED);
  });

  test('but not to requests that only look like it', async () => {
    const running = await started(singleTable(1, { cluster: { http2: HTTP2 } }));
    const session = await http2Client(running.port);
    expect((await http2Ask(session, { 'content-type': 'application/grpc-web' })).status).toBe(503);
  });

  test('the time the client gave is over: DEADLINE_EXCEEDED; the route’s: UNAVAILABLE', async () => {
    // A gRPC server would look at the time itself.
    const silent = createServer();
    const sessions: ServerHttp2Session[] = [];
    silent.on('session', (session: ServerHttp2Session) => sessions.push(session.on('error', () => undefined)));
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    onTestFinished(() => {
      for (const session of sessions) session.destroy();
      silent.close();
    });
    const ask = async (timeout: string, action: Partial<ForwardAction>): Promise<unknown> => {
      const running = await started(singleTable((silent.address() as AddressInfo).port, { cluster: { http2: HTTP2 }, action }));
      const session = await http2Client(running.port);
      const stream = { ':method': 'POST', ':path': '/test.Greeter/Hello', 'content-type': 'application/grpc', 'grpc-timeout': timeout };
      const { headers } = await http2Ask(session, stream, Buffer.from([0, 0, 0, 0, 1, 120]));
      expect(flags(running)).toEqual([['UT', 200]]);
      return headers['grpc-status'];
    };
    expect(await ask('50m', {})).toBe('4');
    expect(await ask('50m', { timeoutMs: 60_000 })).toBe('4');
    expect(await ask('1H', { timeoutMs: 50 })).toBe('14');
    expect(await ask('1x', { timeoutMs: 50 })).toBe('14');
  });

  test('a client whose time is over sees DEADLINE_EXCEEDED, and the upstream the end of the call', async () => {
    let isCancelled = false;
    const running = await proxied((call) => void call.on('cancelled', () => (isCancelled = true)));
    expect((await hello(greeterClient(running.port), 'x', 1000)).code).toBe(status.DEADLINE_EXCEEDED);
    await expect.poll(() => isCancelled).toBe(true);
  });
});

describe('statuses', () => {
  const retry = { attempts: 2, perTryTimeoutMs: 0, backoffMs: 1, avoidsTried: true, repeatsAnything: false, statusCodes: [] };

  test('retries by status, where nothing came before it', async () => {
    let failures = 2;
    const running = await proxied((call, done) => (failures-- > 0 ? done(failing(status.UNAVAILABLE)) : greet(call, done)), {
      retry: { ...retry, on: ['unavailable'] },
    });
    expect(await hello(greeterClient(running.port), 'x')).toMatchObject({ code: status.OK, reply: 'hello x' });
    expect(running.calls()).toBe(3);
  });

  test('but only by those that are named', async () => {
    const running = await proxied((_call, done) => done(failing(status.INTERNAL)), { retry: { ...retry, on: ['unavailable'] } });
    expect((await hello(greeterClient(running.port), 'x')).code).toBe(status.INTERNAL);
    expect(running.calls()).toBe(1);
  });

  test('a release counts the server’s failures as its own class, and no other statuses', async () => {
    const greeter = await startGreeter((call, done) => done(failing(Number(call.request))));
    const single = singleTable(greeter.port, { cluster: { http2: HTTP2 } });
    const { clusters } = forward();
    const arm = clusters.map((weighted) => ({ ...weighted, release: { observation: 'arm' } }));
    const running = await started({
      ...table([hosts(['*'], [route('/', forward({ clusters: arm }))])], single.clusters),
      observations: ['arm'],
    });
    const reader = new ArmReader(running.proxy.stats, 'arm', false);
    const client = greeterClient(running.port);
    for (let code = 1; code <= 16; code++) expect((await hello(client, String(code))).code).toBe(code);
    const counts = newArmCounts();
    reader.read(counts);
    // UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS.
    expect([counts.requests, counts.failures.grpc, failuresOf(counts)]).toEqual([16, 6, 6]);
  });

  test('outlier detection takes them for the 5xx they amount to', async () => {
    const greeter = await startGreeter((_call, done) => done(failing(status.UNAVAILABLE)));
    const outlierDetection = {
      consecutive5xxErrors: 5,
      consecutiveGatewayErrors: 0,
      splitLocalErrors: false,
      consecutiveLocalFailures: 0,
      errorStatuses: [],
      intervalMs: 60_000,
      baseEjectionMs: 60_000,
      maxEjectionPercent: 100,
      minHealthPercent: 0,
    };
    const running = await started(singleTable(greeter.port, { cluster: { http2: HTTP2, outlierDetection } }));
    const client = greeterClient(running.port);
    await expect.poll(async () => (await hello(client, 'x')).details).toContain('no_healthy_upstream');
  });
});
