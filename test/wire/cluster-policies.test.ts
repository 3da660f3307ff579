/** Outlier detection, limits and consistent hashing over real connections. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { startProxy } from '../helpers/rig.ts';
import { RawClient } from '../helpers/raw-client.ts';
import { answering, OK, RawUpstream, type UpstreamScript } from '../helpers/raw-upstream.ts';
import { values } from '../helpers/reference-message.ts';
import { cluster, forward, hosts, route, table } from '../helpers/tables.ts';
import type { Cluster } from '../../src/routing/table.ts';
import { outlierKey, WORD } from '../../src/telemetry/outlier-board.ts';
import { GET, get } from '../helpers/wire.ts';

const OUTLIERS = {
  consecutive5xxErrors: 2,
  consecutiveGatewayErrors: 0,
  splitLocalErrors: false,
  consecutiveLocalFailures: 0,
  errorStatuses: [],
  intervalMs: 50,
  baseEjectionMs: 700,
  maxEjectionPercent: 100,
  minHealthPercent: 0,
};

interface Started {
  readonly upstreams: readonly RawUpstream[];
  readonly client: () => Promise<RawClient>;
  readonly ejections: (index: number) => number;
}

async function start(scripts: readonly UpstreamScript[], changes: Partial<Cluster>, workers = 0): Promise<Started> {
  const upstreams = await Promise.all(scripts.map((script) => RawUpstream.start(script)));
  const ports = upstreams.map(({ port }) => port);
  const made = cluster(ports, changes);
  const running = await startProxy(table([hosts(['*'], [route('/', forward())])], [made]), { workers });
  onTestFinished(async () => {
    await running.close();
    for (const upstream of upstreams) upstream.close();
    expect(running.internalErrors).toEqual([]);
  });
  return {
    upstreams,
    client: async () => {
      const client = await RawClient.connect(running.port);
      onTestFinished(() => client.close());
      return client;
    },
    ejections: (index) => running.proxy.outliers.find(outlierKey(made.name, '127.0.0.1', ports[index] ?? 0))?.[WORD.ejections] ?? 0,
  };
}

/** Says who it is in a header. */
const named = (name: string): UpstreamScript => answering(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\nx-who: ${name}\r\n\r\nok`);
const failing = (status: number): UpstreamScript => answering(`HTTP/1.1 ${status} No\r\nContent-Length: 2\r\nx-who: bad\r\n\r\nno`);
/** Answers nothing until it is told to. */
function holding(): { readonly script: UpstreamScript; readonly letGo: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return {
    letGo: resolve,
    script: async (side) => {
      for (;;) {
        if ((await side.request()) === undefined) return;
        await promise;
        side.write(OK);
      }
    },
  };
}

async function who(client: RawClient, bytes = GET): Promise<string> {
  return values(await client.ask(bytes), 'x-who')[0] ?? '';
}

describe('outlier detection', () => {
  test.each([0, 2])('an endpoint that fails is left out, and comes back when its time is over (%i workers)', async (workers) => {
    const { client, ejections } = await start([named('good'), failing(503)], { outlierDetection: OUTLIERS }, workers);
    const asking = await client();
    let answers: string[] = [];
    while (ejections(1) === 0) answers.push(await who(asking));
    expect(answers.filter((name) => name === 'bad').length).toBe(2);
    answers = [];
    for (let n = 0; n < 4; n++) answers.push(await who(asking));
    expect(answers).toEqual(['good', 'good', 'good', 'good']);
    // A second ejection says that it was back between them.
    while (ejections(1) < 2) await who(asking);
  });

  test('endpoints that cannot be connected to are left out', async () => {
    const { client, upstreams, ejections } = await start([named('good'), named('gone')], {
      outlierDetection: { ...OUTLIERS, baseEjectionMs: 60_000 },
    });
    upstreams[1]?.close();
    const asking = await client();
    const answers: string[] = [];
    while (ejections(1) === 0) answers.push(await who(asking));
    expect(new Set(answers)).toEqual(new Set(['good']));
  });
});

describe('limits', () => {
  test('one request in flight: the second is refused with UO, and served when the first is over', async () => {
    const { script, letGo } = holding();
    const { client } = await start([script], { limits: { requests: 1, pending: 0, connections: 0 } });
    const [first, second] = [await client(), await client()];
    await first.send(GET);
    await expect.poll(async () => (await second.ask(GET)).status).toBe(503);
    const refused = await second.ask(GET);
    expect([refused.status, values(refused, 'x-envoy-overloaded'), values(refused, 'x-serin-error')]).toEqual([
      503,
      ['true'],
      ['upstream_overflow'],
    ]);
    letGo();
    expect((await first.response()).status).toBe(200);
    expect((await second.ask(GET)).status).toBe(200);
  });

  test.each([0, 2])('one connection, one that waits: the third is refused, the second has its turn (%i workers)', async (workers) => {
    const { script, letGo } = holding();
    const { client, upstreams } = await start([script], { limits: { requests: 0, pending: 1, connections: 1 } }, workers);
    const [first, ...others] = [await client(), await client(), await client()];
    await first.send(GET);
    // A request whose connection is being made is one that waits, too.
    await expect.poll(() => upstreams[0]?.text.includes('GET')).toBe(true);
    const answers = others.map(async (each) => (await each.ask(GET)).status);
    expect(await Promise.race(answers)).toBe(503);
    letGo();
    expect((await first.response()).status).toBe(200);
    expect((await Promise.all(answers)).toSorted((a, b) => a - b)).toEqual([200, 503]);
    // A worker without any connection to the endpoint makes one whatever the limit: nobody would wake what waits there (Envoy likewise).
    expect(upstreams[0]?.connections.length).toBeLessThanOrEqual(Math.max(1, workers));
  });

  test('a client that leaves while it waits gives its place back', async () => {
    const { script, letGo } = holding();
    const { client, upstreams } = await start([script], { limits: { requests: 0, pending: 1, connections: 1 } });
    const [first, leaving, next] = [await client(), await client(), await client()];
    await first.send(GET);
    await expect.poll(() => upstreams[0]?.text.includes('GET')).toBe(true);
    await leaving.send(GET);
    await expect.poll(async () => (await next.ask(GET)).status).toBe(503);
    leaving.close();
    // In its place another may wait now; it is not refused.
    const statuses: number[] = [];
    const waiting = (async () => {
      for (;;) {
        const { status } = await next.ask(GET);
        statuses.push(status);
        if (status === 200) return;
      }
    })();
    letGo();
    expect((await first.response()).status).toBe(200);
    await waiting;
    expect(upstreams[0]?.connections).toHaveLength(1);
  });

  test('a connection that has reached its age is not used again', async () => {
    const { client, upstreams } = await start([answering(OK)], { maxConnectionMs: 1 });
    const asking = await client();
    await asking.ask(GET);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await asking.ask(GET);
    await asking.ask(GET);
    expect(upstreams[0]?.connections.length).toBeGreaterThanOrEqual(2);
  });
});

describe('consistent hashing', () => {
  const three = [named('a'), named('b'), named('c')];
  const ring = { kind: 'ringHash', minimumSize: 1024 } as const;

  test('by header: a key keeps its endpoint, over connections; different keys spread', async () => {
    const { client } = await start(three, { hash: { key: { kind: 'header', name: 'end-user' }, table: ring } });
    const asking = await client();
    const first = await who(asking, get('end-user: jason\r\n'));
    for (let n = 0; n < 10; n++) expect(await who(await client(), get('End-User: jason\r\n'))).toBe(first);
    const others = new Set<string>();
    for (let n = 0; n < 60; n++) others.add(await who(asking, get(`end-user: user-${n}\r\n`)));
    expect([...others].toSorted((a, b) => (a < b ? -1 : 1))).toEqual(['a', 'b', 'c']);
  });

  test('by query parameter', async () => {
    const { client } = await start(three, { hash: { key: { kind: 'queryParam', name: 'u' }, table: { kind: 'maglev', size: 65_537 } } });
    const asking = await client();
    const first = await who(asking, get('', '/?x=1&u=jason'));
    for (let n = 0; n < 10; n++) expect(await who(asking, get('', `/other?u=jason&n=${n}`))).toBe(first);
  });

  test('by source address: everybody here is one', async () => {
    const { client } = await start(three, { hash: { key: { kind: 'sourceAddress' }, table: ring } });
    const first = await who(await client());
    for (let n = 0; n < 10; n++) expect(await who(await client())).toBe(first);
  });

  test('by cookie: one is set where there is none, and leads back', async () => {
    const key = { kind: 'cookie', name: 'seat', setAttributes: '; Max-Age=60; Path=/; HttpOnly' } as const;
    const { client } = await start(three, { hash: { key, table: ring } });
    const asking = await client();
    const answer = await asking.ask(GET);
    const [cookie = ''] = values(answer, 'set-cookie');
    expect(cookie).toMatch(/^seat=[-0-9a-f]{36}; Max-Age=60; Path=\/; HttpOnly$/);
    const [pair = ''] = cookie.split(';');
    for (let n = 0; n < 10; n++) {
      const again = await asking.ask(get(`cookie: a=b; ${pair}\r\n`));
      expect([values(again, 'x-who'), values(again, 'set-cookie')]).toEqual([values(answer, 'x-who'), []]);
    }
  });

  test('a cookie that is never set: requests without it are balanced', async () => {
    const { client } = await start(three, { hash: { key: { kind: 'cookie', name: 'seat' }, table: ring } });
    const asking = await client();
    const seen: string[] = [];
    for (let n = 0; n < 6; n++) seen.push(await who(asking));
    expect(new Set(seen).size).toBe(3);
  });
});
