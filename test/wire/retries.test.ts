/** Retries: what is tried again, where, how often, and what the client, the release and the upstream see of it. */
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ForwardAction, RetryPolicy } from '../../src/routing/table.ts';
import type { ClusterTotals } from '../../src/telemetry/cluster-totals.ts';
import { NOBODYS_PORT } from '../helpers/free-port.ts';
import { OK, RawUpstream, answering } from '../helpers/raw-upstream.ts';
import type { UpstreamScript, UpstreamSide } from '../helpers/raw-upstream.ts';
import { values } from '../helpers/reference-message.ts';
import type { Rig } from '../helpers/rig.ts';
import { cluster, forward, hosts, route, table } from '../helpers/tables.ts';
import { GET, chunked, get, rig } from '../helpers/wire.ts';

const NAME = cluster(1).name;
const BUSY = 'HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy';
const POST = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello';
const PUT = POST.replace('POST', 'PUT');

function retry(changes: Partial<RetryPolicy> = {}): RetryPolicy {
  return {
    attempts: 2,
    on: ['5xx'],
    statusCodes: [],
    perTryTimeoutMs: 0,
    backoffMs: 1,
    avoidsTried: true,
    repeatsAnything: false,
    ...changes,
  };
}

function retrying(
  script: UpstreamScript | undefined,
  policy: Partial<RetryPolicy> = {},
  action: Partial<ForwardAction> = {},
): Promise<Rig> {
  return rig({ ...(script === undefined ? {} : { script }), action: { retry: retry(policy), ...action } });
}

/** Fails the first `count` requests over all connections in the way given, and answers the others. */
function failing(count: number, fail: (side: UpstreamSide) => void): UpstreamScript {
  let left = count;
  return async (side) => {
    for (;;) {
      const request = await side.request();
      if (request === undefined) return;
      if (left > 0) {
        left--;
        fail(side);
      } else side.write(OK);
    }
  };
}

async function other(script?: UpstreamScript): Promise<RawUpstream> {
  const started = await RawUpstream.start(script);
  onTestFinished(() => started.close());
  return started;
}

const busy = (side: UpstreamSide): void => side.write(BUSY);
const breakOff = (side: UpstreamSide): void => side.close();
const nothing = (): void => undefined;
const totals = ({ proxy }: Rig, key = NAME): ClusterTotals => proxy.stats.totals(key);

describe('without a policy', () => {
  test.each([
    ['a 503', busy, 503],
    ['an upstream that breaks off', breakOff, 502],
  ])('%s is passed on', async (_what, fail, status) => {
    const started = await rig({ script: failing(1, fail) });
    expect((await (await started.client()).ask(GET)).status).toBe(status);
    expect(started.upstream.requests).toHaveLength(1);
  });
});

describe('an idempotent request is tried again', () => {
  test.each<readonly [string, (side: UpstreamSide) => void, Partial<RetryPolicy>]>([
    ['after a 503 that 5xx covers', busy, {}],
    ['after a 503 that its code covers', busy, { on: [], statusCodes: [503] }],
    ['after a 503 whose body comes later', (side) => void side.send(BUSY, [30]), { on: ['gateway-error'] }],
    ['after a 503 in pieces', (side) => void side.send(BUSY, 'octets'), {}],
    ['after a broken connection', breakOff, { on: ['reset'] }],
    [
      'after half a head',
      (side) => {
        side.write('HTTP/1.1 200 O');
        side.end();
      },
      { on: ['reset'] },
    ],
    ['after an answer that is none', (side) => side.write('SSH-2.0-x\r\n'), { on: ['gateway-error'] }],
    ['after its own time', nothing, { on: ['5xx'], perTryTimeoutMs: 300 }],
    [
      'after a gRPC status',
      (side) => side.write('HTTP/1.1 200 OK\r\ngrpc-status: 14\r\nContent-Length: 0\r\n\r\n'),
      { on: ['unavailable'] },
    ],
  ])('%s', async (_what, fail, policy) => {
    const started = await retrying(failing(2, fail), policy);
    const answer = await (await started.client()).ask(GET);
    expect([answer.status, answer.body.toString()]).toEqual([200, 'ok']);
    const requests = started.upstream.requests;
    expect(requests.map((request) => values(request, 'x-envoy-attempt-count'))).toEqual([['1'], ['2'], ['3']]);
    expect(new Set(requests.flatMap((request) => values(request, 'x-request-id'))).size).toBe(1);
    expect([...totals(started).statuses]).toEqual([[200, 1]]);
    expect([totals(started).retries, totals(started).flags]).toEqual([2, []]);
  });

  test('with its body, framed and chunked, and the next request on the connection is itself', async () => {
    const started = await retrying(failing(2, busy));
    const client = await started.sent(`${PUT}${chunked('5\r\nhello\r\n0\r\n\r\n').replace('POST', 'PUT')}${get('', '/next')}`);
    for (let index = 0; index < 3; index++) expect((await client.response()).status).toBe(200);
    const asked = started.upstream.requests.map(({ method, target, body }) => `${method} ${target} ${body.toString()}`);
    expect(asked).toEqual(['PUT / hello', 'PUT / hello', 'PUT / hello', 'PUT / hello', 'GET /next ']);
  });

  test('on the same connection, where the answer is whole and the upstream keeps it', async () => {
    const started = await retrying(failing(2, busy));
    expect((await (await started.client()).ask(GET)).status).toBe(200);
    expect(started.upstream.connections).toHaveLength(1);
  });
});

describe('it is given up', () => {
  test('after the attempts: the last answer is passed on, flagged URX', async () => {
    const started = await retrying(answering(BUSY), { attempts: 3 });
    const answer = await (await started.client()).ask(GET);
    expect([answer.status, answer.body.toString(), started.upstream.requests.length]).toEqual([503, 'busy', 4]);
    expect(totals(started).flags.map(({ flags, status }) => [flags, status])).toEqual([['URX', 503]]);
  });

  test('after the attempts, where there was no answer: UC and URX', async () => {
    const started = await retrying(failing(9, breakOff), { attempts: 1 });
    expect((await (await started.client()).ask(GET)).status).toBe(502);
    expect(totals(started).flags.map(({ flags, status }) => [flags, status])).toEqual([['UC,URX', 502]]);
  });

  test('at once with attempts 0, also where Serin would try by itself', async () => {
    const started = await rig({
      table: (port) => table([hosts(['*'], [route('/', forward({ retry: retry({ attempts: 0 }) }))])], [cluster([NOBODYS_PORT, port])]),
    });
    const client = await started.client();
    const statuses = [(await client.ask(GET)).status, (await client.ask(GET)).status];
    expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 503]);
  });

  test('at the route’s timeout, whatever attempts are left: 504', async () => {
    const started = await retrying(failing(99, nothing), { attempts: 99, perTryTimeoutMs: 40 }, { timeoutMs: 800 });
    const answer = await (await started.client()).ask(GET);
    expect(answer.status).toBe(504);
    expect(started.upstream.requests.length).toBeGreaterThan(1);
    expect(totals(started).flags.map(({ flags }) => flags)).toEqual(['UT']);
  });

  test('each in its own time, until none is left: 504', async () => {
    const started = await retrying(failing(99, nothing), { attempts: 1, perTryTimeoutMs: 300, on: ['reset'] });
    expect((await (await started.client()).ask(GET)).status).toBe(504);
    expect(started.upstream.requests).toHaveLength(2);
  });

  test.each([
    ['x-envoy-overloaded', 'HTTP/1.1 503 Busy\r\nx-envoy-overloaded: true\r\nContent-Length: 0\r\n\r\n'],
    ['x-envoy-ratelimited', 'HTTP/1.1 503 Busy\r\nx-envoy-ratelimited: true\r\nContent-Length: 0\r\n\r\n'],
  ])('when the upstream says %s', async (_what, answer) => {
    const started = await retrying(answering(answer));
    expect((await (await started.client()).ask(GET)).status).toBe(503);
    expect(started.upstream.requests).toHaveLength(1);
  });

  test('when the answer has begun', async () => {
    const started = await retrying(async (side) => {
      await side.head();
      side.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf');
      side.reset();
    });
    const client = await started.sent(GET);
    await client.untilEnded();
    client.close();
    expect(started.upstream.connections).toHaveLength(1);
  });

  test('when the client goes away while it waits', async () => {
    const started = await retrying(failing(9, busy), { backoffMs: 60_000 });
    const client = await started.sent(GET);
    await expect.poll(() => started.upstream.requests.length).toBe(1);
    client.reset();
    await expect.poll(() => totals(started).flags.map(({ flags }) => flags)).toEqual(['DC']);
    expect(totals(started).active).toBe(0);
  });
});

describe('what is not idempotent', () => {
  test.each([
    ['a 503', busy, 503],
    ['a broken connection', breakOff, 502],
    ['its own time', nothing, 504],
  ])('is not sent again after %s', async (_what, fail, status) => {
    const started = await retrying(failing(1, fail), { perTryTimeoutMs: 300 });
    expect((await (await started.client()).ask(POST)).status).toBe(status);
    expect(started.upstream.requests).toHaveLength(1);
  });

  test('is sent again where Istio would', async () => {
    const started = await retrying(failing(2, busy), { repeatsAnything: true });
    expect((await (await started.client()).ask(POST)).status).toBe(200);
    expect(started.upstream.requests.map(({ body }) => body.toString())).toEqual(['hello', 'hello', 'hello']);
  });

  test('is sent to another endpoint where the first could not be connected to', async () => {
    const started = await rig({
      table: (port) =>
        table([hosts(['*'], [route('/', forward({ retry: retry({ on: ['connect-failure'] }) }))])], [cluster([NOBODYS_PORT, port])]),
    });
    const client = await started.client();
    for (let index = 0; index < 4; index++) expect((await client.ask(POST)).status).toBe(200);
    expect(started.upstream.requests.map(({ body }) => body.toString())).toEqual(['hello', 'hello', 'hello', 'hello']);
  });
});

describe('bodies', () => {
  test('longer than is kept are sent once', async () => {
    const started = await retrying(failing(1, busy));
    const body = 'x'.repeat(70_000);
    const client = await started.client();
    expect((await client.ask(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`)).status).toBe(503);
    expect(started.upstream.requests.map((request) => request.body.length)).toEqual([70_000]);
  });

  test('of 60,000 octets in long pieces are sent whole each time', async () => {
    const started = await retrying(failing(2, breakOff));
    const body = Buffer.from(Array.from({ length: 60_000 }, (_, index) => 97 + (index % 26)));
    const client = await started.client();
    await client.send(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`);
    await client.send(body, [20_000, 45_000]);
    expect((await client.response('PUT')).status).toBe(200);
    expect(started.upstream.requests.map((request) => request.body.equals(body))).toEqual([true, true, true]);
  });

  test('that are still coming when an attempt fails go on with the next one', async () => {
    const script: UpstreamScript = async (side, index) => {
      if (index > 0) return answering(OK)(side, index);
      await side.head();
      side.write(BUSY);
    };
    const started = await retrying(script);
    const client = await started.sent('PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello');
    const second = await started.upstream.connection(1);
    await second.head();
    await client.send('world');
    expect((await client.response('PUT')).status).toBe(200);
    expect(started.upstream.connections.at(1)?.text).toContain('helloworld');
  });
});

describe('where to', () => {
  test('endpoints that have failed the request come last', async () => {
    const [first, second] = [await other(answering(BUSY)), await other(answering(BUSY))];
    const started = await rig({
      table: (port) => table([hosts(['*'], [route('/', forward({ retry: retry() }))])], [cluster([first.port, second.port, port])]),
    });
    const client = await started.client();
    for (let index = 0; index < 6; index++) expect((await client.ask(GET)).status).toBe(200);
    expect(started.upstream.requests).toHaveLength(6);
  });

  test('never out of the version that was drawn', async () => {
    const stable = await other();
    const started = await rig({
      table: (port) => {
        const { clusters } = forward();
        const canary = { ...clusters[0], cluster: 0 } as (typeof clusters)[0];
        return table(
          [hosts(['*'], [route('/', forward({ clusters: [canary], retry: retry() }))])],
          [cluster(port), cluster(stable.port, { name: 'stable' })],
        );
      },
      script: answering(BUSY),
    });
    expect((await (await started.client()).ask(GET)).status).toBe(503);
    expect(stable.requests).toHaveLength(0);
  });
});

describe('the budget', () => {
  test('of what is in flight at an upstream that fails everything a fifth are retries at most', async () => {
    const started = await rig({
      script: answering(BUSY),
      action: { retry: retry({ attempts: 3, backoffMs: 25 }) },
      cluster: { retryLimit: { percent: 20, atLeast: 0 } },
    });
    const clients = await Promise.all(Array.from({ length: 40 }, () => started.client()));
    const rounds = 25;
    await Promise.all(
      clients.map(async (client) => {
        for (let round = 0; round < rounds; round++) expect((await client.ask(GET)).status).toBe(503);
      }),
    );
    const { retries, retriesRefused } = totals(started);
    expect(started.upstream.requests.length).toBe(clients.length * rounds + retries);
    // A fifth of all is a quarter of the others.
    expect(retries).toBeLessThanOrEqual(0.25 * clients.length * rounds);
    expect(retriesRefused).toBeGreaterThan(0);
  });

  test('is not for connections that could not be made: another endpoint is no load; but the number of attempts holds', async () => {
    const asked = async (attempts: number): Promise<number[]> => {
      const action = forward({ retry: retry({ attempts, on: ['connect-failure'] }) });
      const limited = { retryLimit: { percent: 0, atLeast: 0 } };
      const started = await rig({ table: (port) => table([hosts(['*'], [route('/', action)])], [cluster([NOBODYS_PORT, port], limited)]) });
      const client = await started.client();
      return [(await client.ask(GET)).status, (await client.ask(GET)).status].toSorted((a, b) => a - b);
    };
    expect(await asked(1)).toEqual([200, 200]);
    expect(await asked(0)).toEqual([200, 503]);
  });

  test('maxRetries are under way at most', async () => {
    const started = await rig({
      script: answering(BUSY),
      action: { retry: retry({ attempts: 1, backoffMs: 60_000 }) },
      cluster: { retryLimit: { percent: 0, atLeast: 1 } },
    });
    const waiting = await started.sent(GET);
    await expect.poll(() => totals(started).retries).toBe(1);
    expect((await (await started.client()).ask(GET)).status).toBe(503);
    expect([totals(started).retries, totals(started).retriesRefused]).toEqual([1, 1]);
    waiting.reset();
  });
});

describe('a release', () => {
  test('counts the attempt that was drawn: one that failed and was made good by a retry is bad', async () => {
    const started = await rig({
      script: failing(1, busy),
      table: (port) => {
        const { clusters } = forward();
        const arm = { ...clusters[0], release: { observation: 'arm' } } as (typeof clusters)[0];
        return {
          ...table([hosts(['*'], [route('/', forward({ clusters: [arm], retry: retry() }))])], [cluster(port)]),
          observations: ['arm'],
        };
      },
    });
    const client = await started.client();
    expect((await client.ask(GET)).status).toBe(200);
    expect((await client.ask(GET)).status).toBe(200);
    expect([[...totals(started, 'arm|bad').statuses], [...totals(started, 'arm|good').statuses]]).toEqual([[[503, 1]], [[200, 1]]]);
  });
});
