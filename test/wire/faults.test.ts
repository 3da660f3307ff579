/** Failures made on purpose: what the client sees, what reaches the upstream, and how they go with timeouts and retries. */
import { describe, expect, test } from 'vitest';
import type { FaultInjection, ForwardAction, RetryPolicy } from '../../src/routing/table.ts';
import { values } from '../helpers/reference-message.ts';
import type { Rig } from '../helpers/rig.ts';
import { cluster, forward, hosts, route, table } from '../helpers/tables.ts';
import { GET, get, rig } from '../helpers/wire.ts';

const NAME = cluster(1).name;
const ALL = 1_000_000;
const POST = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello';

const RETRY: RetryPolicy = {
  attempts: 2,
  on: ['5xx'],
  statusCodes: [],
  perTryTimeoutMs: 0,
  backoffMs: 1,
  avoidsTried: true,
  repeatsAnything: false,
};

function faulty(fault: Partial<FaultInjection>, action: Partial<ForwardAction> = {}): Promise<Rig> {
  return rig({ action: { fault: { isBeforeRouter: false, ...fault }, ...action } });
}

function flags({ proxy }: Rig): unknown {
  return proxy.stats.totals(NAME).flags.map((each) => [each.flags, each.status]);
}

/** ms an answer took. */
async function timed<T>(work: () => Promise<T>): Promise<readonly [T, number]> {
  const startedAt = performance.now();
  return [await work(), performance.now() - startedAt];
}

describe.each([
  ['as the upstream would', false],
  ['before the router, as Istio has it', true],
])('%s', (_how, isBeforeRouter) => {
  test('an abort is answered without the upstream, flagged FI', async () => {
    const started = await faulty({ abort: { perMillion: ALL, status: 418 }, isBeforeRouter });
    const client = await started.client();
    const answer = await client.ask(GET);
    expect([answer.status, values(answer, 'x-serin-error')]).toEqual([418, ['fault_abort']]);
    expect((await client.ask(POST)).status).toBe(418);
    expect([started.upstream.requests.length, flags(started)]).toEqual([0, [['FI', 418]]]);
  });

  test('a delay comes first, then the upstream answers; flagged DI', async () => {
    const started = await faulty({ delay: { perMillion: ALL, ms: 150 }, isBeforeRouter });
    const client = await started.client();
    const [answer, took] = await timed(() => client.ask(POST));
    expect([answer.status, started.upstream.requests.map(({ body }) => body.toString())]).toEqual([200, ['hello']]);
    expect(took).toBeGreaterThan(140);
    expect(flags(started)).toEqual([['DI', 200]]);
  });

  test('a delay and an abort: both, in this order', async () => {
    const started = await faulty({ delay: { perMillion: ALL, ms: 100 }, abort: { perMillion: ALL, status: 500 }, isBeforeRouter });
    const client = await started.client();
    const [answer, took] = await timed(() => client.ask(GET));
    expect([answer.status, took > 90, flags(started)]).toEqual([500, true, [['DI,FI', 500]]]);
  });

  test('a percentage of requests, drawn independently', async () => {
    const started = await faulty({ abort: { perMillion: 250_000, status: 503 }, isBeforeRouter });
    const client = await started.client();
    let aborted = 0;
    for (let index = 0; index < 400; index++) if ((await client.ask(GET)).status === 503) aborted++;
    // 100 expected; 5 standard deviations are 43.
    expect(Math.abs(aborted - 100)).toBeLessThan(43);
    expect(started.upstream.requests).toHaveLength(400 - aborted);
  });

  test('gRPC is answered in its own form, plain HTTP by what the status means', async () => {
    const started = await faulty({ abort: { perMillion: ALL, status: 503, grpcStatus: 14 }, isBeforeRouter });
    const client = await started.client();
    const grpc = await client.ask(get('Content-Type: application/grpc\r\n'));
    expect([grpc.status, values(grpc, 'grpc-status'), values(grpc, 'content-type')]).toEqual([200, ['14'], ['application/grpc']]);
    expect((await client.ask(GET)).status).toBe(503);
  });

  test('a client that leaves while it is delayed reaches no upstream', async () => {
    const started = await faulty({ delay: { perMillion: ALL, ms: 60_000 }, isBeforeRouter });
    const client = await started.sent(GET);
    await expect.poll(() => started.proxy.stats.totals(NAME).active).toBe(1);
    client.reset();
    await expect.poll(() => flags(started)).toEqual([['DI,DC', 499]]);
    expect(started.upstream.connections).toHaveLength(0);
  });

  test('a release does not count what was done on purpose', async () => {
    const { clusters } = forward();
    const arm = { ...clusters[0], release: { observation: 'arm' } } as (typeof clusters)[0];
    const fault = { abort: { perMillion: ALL, status: 503 }, isBeforeRouter };
    const started = await rig({
      table: (port) => ({
        ...table([hosts(['*'], [route('/', forward({ clusters: [arm], fault }))])], [cluster(port)]),
        observations: ['arm'],
      }),
    });
    expect((await (await started.client()).ask(GET)).status).toBe(503);
    expect(['arm|bad', 'arm|good'].map((key) => started.proxy.stats.totals(key).requests)).toEqual([0, 0]);
  });
});

describe('with timeouts and retries', () => {
  test('an abort is tried again by the policy that covers its status', async () => {
    const started = await faulty({ abort: { perMillion: ALL, status: 503 } }, { retry: RETRY });
    expect((await (await started.client()).ask(GET)).status).toBe(503);
    expect([started.proxy.stats.totals(NAME).retries, flags(started)]).toEqual([2, [['FI,URX', 503]]]);
  });

  test('each attempt is drawn anew, so retries make up for some', async () => {
    // None of 40 is aborted at first, or one of them 41 times in a row, once in 10^10 runs.
    const started = await faulty({ abort: { perMillion: 500_000, status: 503 } }, { retry: { ...RETRY, attempts: 40 } });
    const client = await started.client();
    for (let index = 0; index < 40; index++) expect((await client.ask(GET)).status).toBe(200);
    expect(started.proxy.stats.totals(NAME).retries).toBeGreaterThan(0);
  });

  test('what is not idempotent is aborted once, as after a real answer', async () => {
    const started = await faulty({ abort: { perMillion: ALL, status: 503 } }, { retry: RETRY });
    expect((await (await started.client()).ask(POST)).status).toBe(503);
    expect(started.proxy.stats.totals(NAME).retries).toBe(0);
  });

  test('a delay is within the route’s timeout', async () => {
    const started = await faulty({ delay: { perMillion: ALL, ms: 60_000 } }, { timeoutMs: 60 });
    expect((await (await started.client()).ask(GET)).status).toBe(504);
    expect([flags(started), started.upstream.connections.length]).toEqual([[['UT,DI', 504]], 0]);
  });

  test('a delay is within the time of a try', async () => {
    const started = await faulty({ delay: { perMillion: ALL, ms: 60_000 } }, { retry: { ...RETRY, perTryTimeoutMs: 40 } });
    expect((await (await started.client()).ask(GET)).status).toBe(504);
    expect([started.proxy.stats.totals(NAME).retries, flags(started)]).toEqual([2, [['UT,DI,URX', 504]]]);
  });

  test('Istio’s way neither retries an abort nor counts a delay', async () => {
    const aborting = await faulty({ abort: { perMillion: ALL, status: 503 }, isBeforeRouter: true }, { retry: RETRY });
    expect((await (await aborting.client()).ask(GET)).status).toBe(503);
    expect(aborting.proxy.stats.totals(NAME).retries).toBe(0);
    const delaying = await faulty(
      { delay: { perMillion: ALL, ms: 700 }, isBeforeRouter: true },
      { timeoutMs: 600, retry: { ...RETRY, perTryTimeoutMs: 500 } },
    );
    expect((await (await delaying.client()).ask(GET)).status).toBe(200);
  });
});
