/** Per-request fallback: which failures of a canary stable answers in place of, and what the client, the release and both versions see of it. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { explain, formatExplanation } from '../../src/routing/explain.ts';
import type { ForwardAction, RetryPolicy, RoutingTable } from '../../src/routing/table.ts';
import { http2Ask, http2Client } from '../helpers/http2-client.ts';
import { NOBODYS_PORT } from '../helpers/free-port.ts';
import { OK, RawUpstream, answering } from '../helpers/raw-upstream.ts';
import type { UpstreamScript, UpstreamSide } from '../helpers/raw-upstream.ts';
import { values } from '../helpers/reference-message.ts';
import type { Rig, RigOptions } from '../helpers/rig.ts';
import { cluster, forward, hosts, route, setHeaders, table } from '../helpers/tables.ts';
import { GET, chunked, rig } from '../helpers/wire.ts';

const STABLE = 'outbound|80|v1|upstream.test';
const CANARY = 'outbound|80|v2|upstream.test';
const BUSY = 'HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy';
const POST = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello';
const PUT = POST.replace('POST', 'PUT');

/** Everything is the canary's share; what it fails goes to stable. */
function released(stable: number, canary: readonly number[], action: Partial<ForwardAction> = {}, codes = [502, 503, 504]): RoutingTable {
  const { clusters } = forward();
  const base = { ...clusters[0], cluster: 1 } as (typeof clusters)[0];
  const arm = { ...base, cluster: 0, requestHeaders: setHeaders({ 'x-arm': 'canary' }) };
  const release = { observation: 'arm', killSwitch: 'kill', fallback: { ...base, hostRewrite: 'stable.test' }, fallbackOn: codes };
  return {
    ...table(
      [hosts(['*'], [route('/', forward({ ...action, clusters: [{ ...arm, release }] }))])],
      [cluster(canary, { name: CANARY, subset: 'v2' }), cluster(stable, { name: STABLE, subset: 'v1' })],
    ),
    observations: ['arm'],
    killSwitches: ['kill'],
  };
}

interface Release {
  readonly started: Rig;
  readonly canary: RawUpstream;
}

async function release(
  fails: UpstreamScript,
  action: Partial<ForwardAction> = {},
  more: RigOptions = {},
  codes?: number[],
): Promise<Release> {
  const canary = await RawUpstream.start(fails);
  onTestFinished(() => canary.close());
  return { canary, started: await rig({ table: (port) => released(port, [canary.port], action, codes), ...more }) };
}

const breaksOff: UpstreamScript = async (side: UpstreamSide) => {
  await side.head();
  side.close();
};
const inPieces: UpstreamScript = async (side) => {
  await side.request();
  await side.send(BUSY, 'octets');
};
const counted = ({ proxy }: Rig): unknown => {
  const { flags } = proxy.stats.totals('arm|bad');
  return flags.map(({ flag, hasFallenBack, status, count }) => [flag ?? '-', hasFallenBack, status, count]);
};
const totals = ({ proxy }: Rig, key: string): readonly [requests: number, active: number, fallbacks: number] => {
  const { requests, active, fallbacks } = proxy.stats.totals(key);
  return [requests, active, fallbacks];
};

describe('stable answers in the place of a canary', () => {
  test.each<readonly [string, UpstreamScript, string, number]>([
    ['that breaks off', breaksOff, 'UC', 502],
    ['that answers 503', answering(BUSY), '-', 503],
    ['whose 503 comes in pieces', inPieces, '-', 503],
    ['whose answer is none', answering('SSH-2.0-x\r\n'), 'UPE', 502],
  ])('%s', async (_what, fails, flag, status) => {
    const { started, canary } = await release(fails);
    const answer = await (await started.client()).ask(GET);
    expect([answer.status, answer.body.toString(), values(answer, 'x-serin-fallback')]).toEqual([200, 'ok', ['stable']]);
    // It is sent what stable is sent: not the canary's own headers, and the same request id.
    const [asked] = started.upstream.requests;
    const [failed] = canary.requests;
    expect(asked && [values(asked, 'host'), values(asked, 'x-arm')]).toEqual([['stable.test'], []]);
    expect(failed && values(failed, 'x-request-id')).toEqual(asked && values(asked, 'x-request-id'));
    // One failure of the canary, and one request of stable.
    expect(counted(started)).toEqual([[flag, true, status, 1]]);
    expect(started.proxy.stats.totals('arm|good').requests).toBe(0);
    expect([totals(started, CANARY), totals(started, STABLE)]).toEqual([
      [0, 0, 1],
      [1, 0, 0],
    ]);
  });

  test('that cannot be connected to, or has no endpoint', async () => {
    for (const ports of [[NOBODYS_PORT], []]) {
      const started = await rig({ table: (port) => released(port, ports) });
      const answer = await (await started.client()).ask(GET);
      expect([answer.status, values(answer, 'x-serin-fallback')]).toEqual([200, ['stable']]);
      // A connection is tried twice: the first time has counted.
      expect(counted(started)).toEqual([ports.length === 0 ? ['UH', true, 503, 1] : ['UF', false, 503, 1]]);
    }
  });

  test('with the whole body, framed and chunked, and the next request on the connection is itself', async () => {
    const { started } = await release(answering(BUSY));
    const client = await started.sent(`${PUT}${chunked('5\r\nhello\r\n0\r\n\r\n').replace('POST', 'PUT')}${GET}`);
    for (let index = 0; index < 3; index++) expect((await client.response()).status).toBe(200);
    expect(started.upstream.requests.map(({ method, body }) => `${method} ${body.toString()}`)).toEqual(['PUT hello', 'PUT hello', 'GET ']);
    expect(counted(started)).toEqual([['-', true, 503, 3]]);
  });

  test('after its retries, which count as its one failure', async () => {
    const policy: RetryPolicy = {
      attempts: 2,
      on: ['5xx'],
      statusCodes: [],
      perTryTimeoutMs: 0,
      backoffMs: 1,
      avoidsTried: true,
      repeatsAnything: false,
    };
    const { started, canary } = await release(answering(BUSY), { retry: policy });
    expect((await (await started.client()).ask(GET)).status).toBe(200);
    expect(canary.requests.map((request) => values(request, 'x-envoy-attempt-count'))).toEqual([['1'], ['2'], ['3']]);
    expect(started.upstream.requests.map((request) => values(request, 'x-envoy-attempt-count'))).toEqual([['4']]);
    expect(started.proxy.stats.totals('arm|bad').requests).toBe(1);
    // What the client got was no failure of any kind.
    expect(started.proxy.stats.totals(STABLE).flags).toEqual([]);
  });
});

describe('the canary’s own answer is passed on', () => {
  test.each<readonly [string, UpstreamScript, string, number]>([
    ['to a POST that breaks off', breaksOff, POST, 502],
    ['to a POST', answering(BUSY), POST, 503],
    ['where its status is not one of those', answering('HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n'), GET, 500],
    ['where it is a good one', answering(OK.replace('200', '404')), GET, 404],
  ])('%s', async (_what, answers, request, status) => {
    const { started } = await release(answers);
    const method = request.slice(0, request.indexOf(' '));
    const answer = await (await started.client()).ask(request, 'whole', method);
    expect([answer.status, values(answer, 'x-serin-fallback')]).toEqual([status, []]);
    expect(started.upstream.requests).toEqual([]);
    expect(totals(started, CANARY)).toEqual([1, 0, 0]);
  });

  test('where the body was too long to be kept', async () => {
    const { started } = await release(answering(BUSY));
    const body = 'x'.repeat(200_000);
    const answer = await (await started.client()).ask(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    expect([answer.status, started.upstream.requests.length]).toEqual([503, 0]);
  });

  test('where its statuses are others', async () => {
    const { started } = await release(answering(BUSY), {}, {}, [504]);
    expect((await (await started.client()).ask(GET)).status).toBe(503);
  });
});

test('also a request by HTTP/2', async () => {
  const { started } = await release(answering(BUSY));
  const answer = await http2Ask(await http2Client(started.port), { ':method': 'PUT' }, 'hello');
  expect([answer.status, answer.headers['x-serin-fallback'], answer.body.toString()]).toEqual([200, 'stable', 'ok']);
  expect(started.upstream.requests.map(({ method, body }) => `${method} ${body.toString()}`)).toEqual(['PUT hello']);
});

test('when stable fails as well, its failure is passed on, marked', async () => {
  const { started } = await release(breaksOff, {}, { script: breaksOff });
  const answer = await (await started.client()).ask(GET);
  expect([answer.status, values(answer, 'x-serin-fallback'), values(answer, 'x-serin-error')]).toEqual([
    502,
    ['stable'],
    ['upstream_terminated'],
  ]);
  expect(counted(started)).toEqual([['UC', true, 502, 1]]);
  expect(started.proxy.stats.totals(STABLE).flags.map(({ flags }) => flags)).toEqual(['UC']);
});

test('explain says so', () => {
  const request = { method: 'GET', scheme: 'http', authority: 'a', path: '/', query: '', header: () => undefined } as const;
  expect(formatExplanation(explain(released(1, [2]), 'mesh', request))).toContain(
    `    falls back: an idempotent request that fails here (no connection, no answer, 502, 503, 504) is answered by ${STABLE}\n`,
  );
});

test('a client that has gone away is given nothing more', async () => {
  const { started, canary } = await release(async (side) => void (await side.head()));
  const client = await started.sent(GET);
  await (await canary.connection(0)).head();
  client.reset();
  await (await canary.connection(0)).untilEnded();
  expect([started.upstream.requests, totals(started, CANARY)]).toEqual([[], [1, 0, 0]]);
});
