/** Clients that stay at the endpoint their first request went to (gateway-api GEP-1619), over real connections. */
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Cluster, ForwardAction, RoutingTable, SessionPersistence, WeightedCluster } from '../../src/routing/table.ts';
import { healthKey } from '../../src/telemetry/health-board.ts';
import { greeterClient, hello, startGreeter } from '../helpers/greeter.ts';
import { http2Ask, http2Client } from '../helpers/http2-client.ts';
import { RawClient } from '../helpers/raw-client.ts';
import { answering, RawUpstream, type UpstreamScript } from '../helpers/raw-upstream.ts';
import { values } from '../helpers/reference-message.ts';
import { type RunningProxy, startProxy } from '../helpers/rig.ts';
import { cluster, forward, hosts, route, table } from '../helpers/tables.ts';
import { get } from '../helpers/wire.ts';

const COOKIE = { kind: 'cookie', name: 'sid', attributes: '; Path=/; HttpOnly' } as const;
const TOKEN = /^sid=([\w-]{16}); Path=\/; HttpOnly$/;
const BUSY = 'HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy';

const named = (name: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${name.length}\r\n\r\n${name}`;

async function upstream(script: UpstreamScript): Promise<RawUpstream> {
  const started = await RawUpstream.start(script);
  onTestFinished(() => started.close());
  return started;
}

/** Each answers with its name. */
function upstreams(...names: readonly string[]): Promise<readonly RawUpstream[]> {
  return Promise.all(names.map((name) => upstream(answering(named(name)))));
}

interface Versions {
  /** Endpoints of each. */
  readonly ports: readonly (readonly number[])[];
  readonly weights?: readonly number[];
  readonly session?: Partial<SessionPersistence>;
  readonly cluster?: Partial<Cluster>;
  readonly action?: Partial<ForwardAction>;
  /** Arms of a release: all are observed, and the last one can be switched off. */
  readonly isReleased?: boolean;
}

function versions({
  ports,
  weights = ports.map(() => 1),
  session = {},
  cluster: changes = {},
  action = {},
  isReleased,
}: Versions): RoutingTable {
  const [plain] = forward().clusters;
  const destinations = weights.map((weight, index): WeightedCluster => ({ ...(plain as WeightedCluster), cluster: index, weight }));
  const last = destinations.length - 1;
  const armed = destinations.map((each, index): WeightedCluster => {
    const observation = `arm ${index}`;
    if (index !== last) return { ...each, release: { observation } };
    return { ...each, release: { observation, killSwitch: 'kill', fallback: destinations[0] as WeightedCluster, fallbackOn: [503] } };
  });
  const clusters = (isReleased === true ? armed : destinations).filter(({ weight }) => weight > 0);
  const totalWeight = weights.reduce((sum, weight) => sum + weight, 0);
  const forwarded = forward({ clusters, totalWeight, session: { key: COOKIE, destinations, ...session }, ...action });
  return {
    ...table(
      [hosts(['*'], [route('/', forwarded)])],
      ports.map((list, index) => cluster(list, { name: `outbound|80|v${index + 1}|a`, subset: `v${index + 1}`, ...changes })),
    ),
    ...(isReleased === true ? { observations: destinations.map((_, index) => `arm ${index}`), killSwitches: ['kill'] } : {}),
  };
}

async function start(from: RoutingTable, workers = 0): Promise<RunningProxy> {
  const running = await startProxy(from, { workers });
  onTestFinished(async () => {
    await running.close();
    expect(running.internalErrors).toEqual([]);
  });
  return running;
}

interface Answered {
  readonly status: number;
  readonly by: string;
  /** Set by the answer; undefined where none is. */
  readonly token: string | undefined;
}

/** On a connection of its own. */
async function ask({ port }: { readonly port: number }, token?: string): Promise<Answered> {
  const client = await RawClient.connect(port);
  const answer = await client.ask(get(token === undefined ? '' : `Cookie: a=b; sid=${token}\r\n`));
  client.close();
  const cookies = values(answer, 'set-cookie');
  expect(cookies.length).toBeLessThan(2);
  return { status: answer.status, by: answer.body.toString(), token: cookies[0] === undefined ? undefined : TOKEN.exec(cookies[0])?.[1] };
}

/** Asks again and again; all answers come from there, and none sets a token. */
async function expectStay(at: { readonly port: number }, { by, token }: Answered, times = 12): Promise<void> {
  expect(token).toBeDefined();
  for (let round = 0; round < times; round++) expect(await ask(at, token)).toEqual({ status: 200, by, token: undefined });
}

/** The first answer that comes from there. */
async function settledAt(at: { readonly port: number }, by: string): Promise<Answered> {
  for (;;) {
    const answered = await ask(at);
    if (answered.by === by) return answered;
  }
}

describe('a client', () => {
  test('stays where its first request went, and others go elsewhere', async () => {
    const four = await upstreams('a', 'b', 'c', 'd');
    const ports = four.map(({ port }) => port);
    const running = await start(versions({ ports: [ports.slice(0, 2), ports.slice(2)] }));
    const firsts = await Promise.all(Array.from({ length: 60 }, () => ask(running)));
    expect(new Set(firsts.map(({ by }) => by)).size).toBe(4);
    // One token an endpoint, and the upstream may see it.
    expect(new Set(firsts.map(({ by, token }) => `${by} ${token}`)).size).toBe(4);
    for (const by of ['a', 'b', 'c', 'd']) {
      const first = firsts.find((answered) => answered.by === by) as Answered;
      await expectStay(running, first, 6);
    }
    const seen = four.flatMap(({ requests }) => requests.flatMap((request) => values(request, 'cookie')));
    expect(seen).toHaveLength(24);
    expect(seen.every((cookie) => /^a=b; sid=[\w-]{16}$/.test(cookie))).toBe(true);
  });

  test('stays there after a restart, with several workers, and when the endpoints have another order', async () => {
    const ports = (await upstreams('a', 'b', 'c')).map(({ port }) => port);
    const first = await ask(await start(versions({ ports: [ports] })));
    const other = await start(versions({ ports: [ports.toReversed()] }), 2);
    await expectStay(other, first);
  });

  test('stays over HTTP/2 and in gRPC, with its cookies in pieces', async () => {
    const greeters = await Promise.all(['a', 'b', 'c'].map((name) => startGreeter((_call, done) => done(null, name))));
    const http2 = { use: 'always', maxConcurrentStreams: 2 ** 31 - 1 } as const;
    const running = await start(versions({ ports: [greeters.map(({ port }) => port)], cluster: { http2 } }));
    const session = await http2Client(running.port);
    const call = async (cookies: readonly string[]): Promise<readonly [string, string | undefined, string | undefined]> => {
      const fields = { ':method': 'POST', ':path': '/test.Greeter/Hello', 'content-type': 'application/grpc', te: 'trailers' };
      const message = Buffer.from([0, 0, 0, 0, 1, 0x78]);
      const { body, headers, trailers } = await http2Ask(session, { ...fields, cookie: [...cookies] }, message);
      return [body.subarray(5).toString(), headers['set-cookie'], trailers['grpc-status']];
    };
    const [by, cookie = '', status] = await call(['a=b']);
    expect([TOKEN.test(cookie), status]).toEqual([true, '0']);
    for (let round = 0; round < 9; round++) {
      expect(await call(['a=b', cookie.replace(/;.*/, ''), 'c=d'])).toEqual([by, undefined, '0']);
    }
    expect((await hello(greeterClient(running.port), 'x')).reply).toMatch(/^[abc]$/);
  });

  test('is told its token in a header field, where that is what the rule wants', async () => {
    const ports = (await upstreams('a', 'b', 'c')).map(({ port }) => port);
    const running = await start(versions({ ports: [ports], session: { key: { kind: 'header', name: 'x-session' } } }));
    const client = await RawClient.connect(running.port);
    onTestFinished(() => client.close());
    const first = await client.ask(get(''));
    const [token = ''] = values(first, 'x-session');
    expect([token.length, values(first, 'set-cookie')]).toEqual([16, []]);
    for (let round = 0; round < 9; round++) {
      const next = await client.ask(get(`X-Session: ${token}\r\n`));
      expect([next.body.toString(), values(next, 'x-session')]).toEqual([first.body.toString(), []]);
    }
  });

  test('gets a token with a 101, too, and none with an answer of ours', async () => {
    const switched = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n';
    const one = await upstream(async (side) => {
      await side.head();
      side.write(switched);
    });
    const running = await start(versions({ ports: [[one.port]] }));
    const client = await RawClient.connect(running.port);
    onTestFinished(() => client.close());
    client.write(get('Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'));
    await client.until(() => client.text.endsWith('\r\n\r\n'), 'the 101');
    expect(client.text).toMatch(/^HTTP\/1\.1 101 .*\r\nset-cookie: sid=[\w-]{16}; Path=\/; HttpOnly\r\n/s);
    const empty = await start(versions({ ports: [[]] }));
    expect(await ask(empty)).toMatchObject({ status: 503, token: undefined });
  });
});

describe('weights', () => {
  test('count for those who are new, and 0 ends no session', async () => {
    const ports = (await upstreams('a', 'b')).map(({ port }) => [port]);
    const running = await start(versions({ ports }));
    const old = await settledAt(running, 'b');
    await running.proxy.apply(versions({ ports, weights: [1, 0] }), [{ listener: 'mesh', host: '127.0.0.1', port: 0 }]);
    await expectStay(running, old);
    const others = await Promise.all(Array.from({ length: 20 }, () => ask(running)));
    expect(new Set(others.map(({ by }) => by))).toEqual(new Set(['a']));
    // A rule without the destination has nobody there.
    const { by, token } = await ask(await start(versions({ ports: ports.slice(0, 1) })), old.token);
    expect([by, token === undefined, token === old.token]).toEqual(['a', false, false]);
  });
});

describe('an endpoint', () => {
  test('that is gone: its clients are drawn again, and stay where that was', async () => {
    const ports = (await upstreams('a', 'b', 'c')).map(({ port }) => port);
    const running = await start(versions({ ports: [ports] }));
    const old = await settledAt(running, 'a');
    await running.proxy.apply(versions({ ports: [ports.slice(1)] }), [{ listener: 'mesh', host: '127.0.0.1', port: 0 }]);
    const next = await ask(running, old.token);
    expect(['b', 'c']).toContain(next.by);
    await expectStay(running, next);
  });

  test('that fails its checks', async () => {
    const ports = (await upstreams('a', 'b')).map(({ port }) => port);
    const healthCheck = { path: '/health', intervalMs: 1000, timeoutMs: 1000, unhealthyThreshold: 1, healthyThreshold: 1 };
    const running = await start(versions({ ports: [ports], cluster: { healthCheck } }));
    const old = await settledAt(running, 'a');
    const { health } = running.proxy;
    health.set(health.slot(healthKey('127.0.0.1', ports[0] ?? 0, '/health')), false);
    const next = await ask(running, old.token);
    expect(next.by).toBe('b');
    await expectStay(running, next);
  });

  test('that is ejected', async () => {
    const [a, b] = await upstreams('a', 'b');
    const failing = await upstream(answering(BUSY));
    const outlierDetection = {
      consecutive5xxErrors: 1,
      consecutiveGatewayErrors: 0,
      splitLocalErrors: false,
      consecutiveLocalFailures: 0,
      errorStatuses: [],
      intervalMs: 10_000,
      baseEjectionMs: 30_000,
      maxEjectionPercent: 100,
      minHealthPercent: 0,
    };
    const ports = [a?.port ?? 0, b?.port ?? 0];
    const running = await start(versions({ ports: [[...ports, failing.port]], cluster: { outlierDetection } }));
    const bad = await settledAt(running, 'busy');
    const next = await ask(running, bad.token);
    expect([next.status, next.token === undefined]).toEqual([200, false]);
    await expectStay(running, next);
  });

  test('that cannot be connected to: another one answers, and is the session’s from then on', async () => {
    const [a, b] = await upstreams('a', 'b');
    const running = await start(versions({ ports: [[a?.port ?? 0, b?.port ?? 0]] }));
    const old = await settledAt(running, 'a');
    a?.close();
    const next = await ask(running, old.token);
    expect(next.by).toBe('b');
    await expectStay(running, next);
  });

  test('that is tried again elsewhere by the route’s policy: where it is answered is where the session is', async () => {
    let isBusy = false;
    const a = await upstream(answering(() => (isBusy ? BUSY : named('a'))));
    const [b] = await upstreams('b');
    const retry = { attempts: 1, on: [], statusCodes: [503], perTryTimeoutMs: 0, backoffMs: 1, avoidsTried: true, repeatsAnything: false };
    const running = await start(versions({ ports: [[a.port, b?.port ?? 0]], action: { retry } }));
    const old = await settledAt(running, 'a');
    isBusy = true;
    const next = await ask(running, old.token);
    expect(next.by).toBe('b');
    isBusy = false;
    await expectStay(running, next);
  });

  test('that closed its idle connection just then is not left', async () => {
    // Answers once a connection, and closes it when it is used again.
    const closing =
      (name: string): UpstreamScript =>
      async (side) => {
        if ((await side.request()) !== undefined) side.write(named(name));
        if ((await side.request()) !== undefined) side.close();
      };
    const ports = (await Promise.all(['a', 'b', 'c'].map((name) => upstream(closing(name))))).map(({ port }) => port);
    const running = await start(versions({ ports: [ports] }));
    await expectStay(running, await ask(running), 20);
  });
});

test('a session that is over is not believed, and a new one begins', async () => {
  const ports = (await upstreams('a', 'b')).map(({ port }) => port);
  const session = { absoluteTimeoutMs: 60_000 };
  const running = await start(versions({ ports: [ports], session }));
  const client = await RawClient.connect(running.port);
  onTestFinished(() => client.close());
  const tokenOf = (cookies: readonly string[]): string | undefined => /^sid=([^;]+);/.exec(cookies[0] ?? '')?.[1];
  const first = tokenOf(values(await client.ask(get('')), 'set-cookie')) ?? '';
  const [name = '', began = ''] = first.split('.');
  expect(Math.abs(Number.parseInt(began, 36) - Date.now() / 1000)).toBeLessThan(10);
  expect(values(await client.ask(get(`Cookie: sid=${first}\r\n`)), 'set-cookie')).toEqual([]);
  const old = `${name}.${(Number.parseInt(began, 36) - 61).toString(36)}`;
  expect(tokenOf(values(await client.ask(get(`Cookie: sid=${old}\r\n`)), 'set-cookie'))).toMatch(/^[\w-]{16}\.[0-9a-z]+$/);
});

describe('a release', () => {
  const requests = ({ proxy }: RunningProxy, arm: number): number =>
    proxy.stats.totals(`arm ${arm}|good`).requests + proxy.stats.totals(`arm ${arm}|bad`).requests;

  test('counts those who are drawn, and nobody whose session decided', async () => {
    const ports = (await upstreams('a', 'b')).map(({ port }) => [port]);
    const running = await start(versions({ ports, isReleased: true }));
    const a = await settledAt(running, 'a');
    const b = await settledAt(running, 'b');
    const drawn = requests(running, 0) + requests(running, 1);
    expect(drawn).toBeGreaterThanOrEqual(2);
    await expectStay(running, a);
    await expectStay(running, b);
    expect(requests(running, 0) + requests(running, 1)).toBe(drawn);
    await ask(running);
    expect(requests(running, 0) + requests(running, 1)).toBe(drawn + 1);
  });

  test('that cuts its canary off takes sessions with it to stable', async () => {
    const ports = (await upstreams('a', 'b')).map(({ port }) => [port]);
    const running = await start(versions({ ports, isReleased: true }));
    const old = await settledAt(running, 'b');
    running.proxy.health.set(running.proxy.health.slot('kill'), false);
    const next = await ask(running, old.token);
    expect(next.by).toBe('a');
    await expectStay(running, next);
  });

  test('whose stable stands in for a canary keeps the session where it is', async () => {
    let isBusy = false;
    const [a] = await upstreams('a');
    const b = await upstream(answering(() => (isBusy ? BUSY : named('b'))));
    const running = await start(versions({ ports: [[a?.port ?? 0], [b.port]], isReleased: true }));
    const old = await settledAt(running, 'b');
    isBusy = true;
    expect(await ask(running, old.token)).toEqual({ status: 200, by: 'a', token: undefined });
    isBusy = false;
    await expectStay(running, old);
  });
});
