/** Traces over sockets: what an upstream is told of one, and which spans are made of a request and its attempts. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { NO_HEADER_OPS } from '../../src/routing/table.ts';
import type { RetryPolicy } from '../../src/routing/table.ts';
import type { SpanRecord } from '../../src/telemetry/span-record.ts';
import { OK, RawUpstream, answering } from '../helpers/raw-upstream.ts';
import { values } from '../helpers/reference-message.ts';
import type { ReferenceRequest } from '../helpers/reference-message.ts';
import type { Rig, RigOptions } from '../helpers/rig.ts';
import { cluster, forward, hosts, route, table } from '../helpers/tables.ts';
import { GET, get, rig } from '../helpers/wire.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const BUSY = 'HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n';
const RETRY: RetryPolicy = {
  attempts: 2,
  on: ['5xx'],
  statusCodes: [],
  perTryTimeoutMs: 0,
  backoffMs: 1,
  avoidsTried: true,
  repeatsAnything: false,
};

interface Traced {
  readonly started: Rig;
  /** All of them: the data plane is closed first. */
  readonly spans: () => Promise<readonly SpanRecord[]>;
}

async function traced(share: number, options: RigOptions = {}): Promise<Traced> {
  const found: SpanRecord[] = [];
  const onSpans = (spans: readonly SpanRecord[]): void => void found.push(...spans);
  const started = await rig({ ...options, options: { tracing: { share }, onSpans } });
  const spans = async (): Promise<readonly SpanRecord[]> => {
    await started.proxy.close();
    return found;
  };
  return { started, spans };
}

const told = (request: ReferenceRequest | undefined, ...names: readonly string[]): unknown =>
  names.map((name) => (request === undefined ? [] : values(request, name)));

async function asked({ started }: Pick<Traced, 'started'>, lines = ''): Promise<ReferenceRequest | undefined> {
  await (await started.client()).ask(get(lines));
  return started.upstream.requests.at(-1);
}

describe('where nothing is traced', () => {
  test.each([
    `traceparent: 00-${TRACE}-${SPAN}-01\r\ntracestate: a=1\r\n`,
    'traceparent: nonsense\r\n',
    `b3: ${TRACE}-${SPAN}-1\r\n`,
    `x-b3-traceid: ${TRACE}\r\nx-b3-spanid: ${SPAN}\r\nx-b3-sampled: 1\r\n`,
  ])('what a client says goes on as it came: %j', async (lines) => {
    const started = await rig();
    await asked({ started }, lines);
    expect(started.upstream.text).toContain(lines);
  });

  test('and nothing is added', async () => {
    const started = await rig();
    expect(told(await asked({ started }), 'traceparent')).toEqual([[]]);
  });
});

describe('what an upstream is told', () => {
  test('a trace that begins here and is followed: its span is the attempt', async () => {
    const trace = await traced(1);
    const request = await asked(trace);
    const [attempt, server] = await trace.spans();
    expect(told(request, 'traceparent')).toEqual([[`00-${attempt?.traceId}-${attempt?.spanId}-01`]]);
    expect([attempt?.parentSpanId, server?.parentSpanId, server?.traceId]).toEqual([server?.spanId, '', attempt?.traceId]);
  });

  test('one that is not: with an id, so that nobody after us decides anew', async () => {
    const trace = await traced(0);
    expect(told(await asked(trace), 'traceparent')).toEqual([[expect.stringMatching(/^00-[\da-f]{32}-[\da-f]{16}-00$/)]]);
    expect(await trace.spans()).toEqual([]);
  });

  test('one that is followed already, whatever is drawn here', async () => {
    const trace = await traced(0);
    const request = await asked(trace, `traceparent: 00-${TRACE}-${SPAN}-01\r\ntracestate: a=1\r\n`);
    const [attempt, server] = await trace.spans();
    expect(told(request, 'traceparent', 'tracestate')).toEqual([[`00-${TRACE}-${attempt?.spanId}-01`], ['a=1']]);
    expect([server?.traceId, server?.parentSpanId]).toEqual([TRACE, SPAN]);
  });

  test('one that is not followed goes on as it came', async () => {
    const trace = await traced(1);
    const lines = `traceparent: 00-${TRACE}-${SPAN}-00\r\ntracestate: a=1\r\n`;
    await asked(trace, lines);
    expect(trace.started.upstream.text).toContain(lines);
    expect(await trace.spans()).toEqual([]);
  });

  test.each([
    ['no context', 'traceparent: 00-xyz\r\ntracestate: a=1\r\n', []],
    ['two of them', `traceparent: 00-${TRACE}-${SPAN}-01\r\ntraceparent: 00-${TRACE}-${SPAN}-01\r\n`, []],
    ['a state that is none', `traceparent: 00-${TRACE}-${SPAN}-01\r\ntracestate: A B\r\n`, []],
  ])('of %s nothing goes on but what is made here', async (_what, lines, state) => {
    const trace = await traced(1);
    const request = await asked(trace, lines);
    const [attempt] = await trace.spans();
    expect(told(request, 'traceparent', 'tracestate')).toEqual([[`00-${attempt?.traceId}-${attempt?.spanId}-01`], state]);
  });

  test('by B3 who asks by B3, in one header', async () => {
    const trace = await traced(0);
    const request = await asked(trace, `b3: ${TRACE}-${SPAN}-1-${SPAN}\r\n`);
    const [attempt, server] = await trace.spans();
    const id = attempt?.spanId;
    expect(told(request, 'b3', 'traceparent')).toEqual([[`${TRACE}-${id}-1`], [`00-${TRACE}-${id}-01`]]);
    expect(server?.parentSpanId).toBe(SPAN);
  });

  test('and in several', async () => {
    const trace = await traced(0);
    const request = await asked(
      trace,
      `X-B3-TraceId: ${TRACE}\r\nX-B3-SpanId: ${SPAN}\r\nX-B3-ParentSpanId: ${SPAN}\r\nX-B3-Sampled: 1\r\n`,
    );
    const [attempt] = await trace.spans();
    expect(told(request, 'x-b3-traceid', 'x-b3-spanid', 'x-b3-parentspanid', 'x-b3-sampled')).toEqual([
      [TRACE],
      [attempt?.spanId],
      [],
      ['1'],
    ]);
  });

  test.each(['b3: 0\r\n', 'x-b3-sampled: 0\r\n'])('a client that wants no trace gets none: %j', async (lines) => {
    const trace = await traced(1);
    await asked(trace, lines);
    expect(await trace.spans()).toEqual([]);
  });
});

describe('spans', () => {
  test('of a request and its attempt say what Envoy’s say, without secrets', async () => {
    const trace = await traced(1);
    await (await trace.started.client()).ask(get('User-Agent: curl/8\r\nX-Request-Id: id-1\r\n', '/a?token=s3cret'));
    const { port } = trace.started.upstream;
    const [attempt, server] = await trace.spans();
    expect(server).toMatchObject({
      kind: 'server',
      name: 'upstream.test:80/*',
      isError: false,
      attributes: {
        component: 'proxy',
        'http.method': 'GET',
        'http.url': 'http://a/a?token=redacted',
        'http.protocol': 'HTTP/1.1',
        'http.status_code': '200',
        user_agent: 'curl/8',
        request_size: '0',
        response_size: '2',
        response_flags: '-',
        upstream_cluster: 'outbound|80||upstream.test',
        'peer.address': '127.0.0.1',
        'guid:x-request-id': 'id-1',
      },
    });
    expect(attempt).toMatchObject({
      kind: 'client',
      name: 'router outbound|80||upstream.test egress',
      attributes: { upstream_address: `127.0.0.1:${port}`, 'http.status_code': '200', response_flags: '-' },
    });
    const [first, second] = [server?.startMs ?? 0, attempt?.startMs ?? 0];
    expect(second).toBeGreaterThanOrEqual(first - 1);
    expect(attempt?.durationMs).toBeLessThanOrEqual((server?.durationMs ?? 0) + 1);
  });

  test('each attempt has its own, which its upstream is told', async () => {
    let left = 2;
    const script = answering(() => (left-- > 0 ? BUSY : OK));
    const trace = await traced(1, { script, action: { retry: RETRY } });
    await asked(trace);
    const spans = await trace.spans();
    const attempts = spans.filter(({ kind }) => kind === 'client');
    expect(attempts.map(({ attributes }) => [attributes['http.status_code'], attributes['retry.count'], attributes['error']])).toEqual([
      ['503', undefined, 'true'],
      ['503', '1', 'true'],
      ['200', '2', undefined],
    ]);
    expect(trace.started.upstream.requests.map((request) => values(request, 'traceparent'))).toEqual(
      attempts.map(({ traceId, spanId }) => [`00-${traceId}-${spanId}-01`]),
    );
    expect(new Set(attempts.map(({ spanId }) => spanId)).size).toBe(3);
    expect(spans.at(-1)?.isError).toBe(false);
  });

  test('a fallback is an attempt of stable’s', async () => {
    const canary = await RawUpstream.start(answering(BUSY));
    onTestFinished(() => canary.close());
    const arm = { weight: 1, requestHeaders: NO_HEADER_OPS, responseHeaders: NO_HEADER_OPS };
    const release = { fallback: { ...arm, cluster: 1 }, fallbackOn: [503] };
    const trace = await traced(1, {
      table: (port) =>
        table(
          [hosts(['*'], [route('/', forward({ clusters: [{ ...arm, cluster: 0, release }] }))])],
          [cluster(canary.port, { name: 'canary' }), cluster(port, { name: 'stable' })],
        ),
    });
    const request = await asked(trace);
    const spans = await trace.spans();
    expect(spans.map(({ kind, attributes }) => [kind, attributes['upstream_cluster'], attributes['http.status_code']])).toEqual([
      ['client', 'canary', '503'],
      ['client', 'stable', '200'],
      ['server', 'stable', '200'],
    ]);
    expect(spans[2]?.attributes['serin.fallback_from']).toBe('canary');
    expect(told(request, 'traceparent')).toEqual([[`00-${spans[1]?.traceId}-${spans[1]?.spanId}-01`]]);
  });

  test('of what Serin answers itself there is one, of an error it says so', async () => {
    const trace = await traced(1, { table: (port) => table([hosts(['b'], [route('/', forward())])], [cluster(port)]) });
    await (await trace.started.client()).ask(GET);
    expect((await trace.spans()).map(({ kind, isError, attributes }) => [kind, isError, attributes['response_flags']])).toEqual([
      ['server', true, 'NR'],
    ]);
  });

  test('copies for mirrors are in the trace, and not followed', async () => {
    const arrived = Promise.withResolvers<ReferenceRequest>();
    const mirror = await RawUpstream.start(
      answering((copy) => {
        arrived.resolve(copy);
        return OK;
      }),
    );
    onTestFinished(() => mirror.close());
    const trace = await traced(1, {
      table: (port) =>
        table(
          [hosts(['*'], [route('/', forward({ mirrors: [{ cluster: 1, perMillion: 1_000_000, marksHost: true }] }))])],
          [cluster(port), cluster(mirror.port, { name: 'mirror' })],
        ),
    });
    const request = await asked(trace);
    const copy = await arrived.promise;
    const [sent = ''] = request === undefined ? [] : values(request, 'traceparent');
    expect(values(copy, 'traceparent')).toEqual([sent.replace(/-01$/, '-00')]);
  });
});
