import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Metrics } from './prometheus.ts';
import { UNSAID } from './cluster-counters.ts';
import type { ClusterSample, EndpointSample, OutlierSample } from './prometheus.ts';
import { StatsRegistry, StatsWriter } from './shared-stats.ts';
import type { WorkerTotals } from './worker-counters.ts';

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The text format's grammar, strictly: every line is a comment, empty, or a sample; anything else throws. */
function parse(text: string): Sample[] {
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    if (line === '' || /^# (HELP|TYPE) [a-z_:][a-z0-9_:]* /.test(line)) continue;
    const match = /^([a-z_:][a-z0-9_:]*)(?:\{((?:[a-z_]+="(?:[^"\\]|\\[\\"n])*",?)*)\})? (\+Inf|-Inf|NaN|[-+0-9.e]+)$/.exec(line);
    if (match === null) throw new Error(`not a line of the text format: ${JSON.stringify(line)}`);
    const labels: Record<string, string> = {};
    for (const [, name, value] of (match[2] ?? '').matchAll(/([a-z_]+)="((?:[^"\\]|\\[\\"n])*)"/g)) {
      labels[name ?? ''] = (value ?? '').replaceAll(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
    }
    samples.push({ name: match[1] ?? '', labels, value: Number(match[3]?.replace('Inf', 'Infinity')) });
  }
  return samples;
}

/** What the next scrape finds; one `Metrics` for all tests, because each starts measuring the process anew. */
let clusters: readonly ClusterSample[] = [];
let mirrors: readonly ClusterSample[] = [];
let endpoints: readonly EndpointSample[] = [];
let outliers: readonly OutlierSample[] = [];
let workers: readonly WorkerTotals[] = [];
const metrics = new Metrics({
  clusters: () => clusters,
  mirrors: () => mirrors,
  endpoints: () => endpoints,
  outliers: () => outliers,
  workers: () => workers,
  accessLogLost: () => 3,
  spans: () => ({ sent: 5, dropped: 4 }),
  notifications: () => ({ sent: 0, dropped: 0 }),
  reload: () => ({ successful: false, lastSuccessAtMs: 1_700_000_000_500 }),
  build: { version: '1.2.3', nodeVersion: 'v24.0.0' },
});

async function scrape(): Promise<Sample[]> {
  return parse(await metrics.text());
}

const REVIEWS = {
  service: 'reviews.default.svc.cluster.local',
  serviceName: 'reviews',
  serviceNamespace: 'default',
  version: 'v1',
};

/** A cluster that has answered the given requests. */
function cluster(
  requests: readonly (readonly [status: number, durationMs: number, flag?: 'UT' | 'UF'])[],
  labels: object = {},
): ClusterSample {
  const registry = new StatsRegistry(1);
  const slot = registry.slot('c');
  const writer = new StatsWriter(0, 1);
  writer.attach(registry.segments());
  for (const [status, durationMs, flag] of requests) {
    writer.cluster(slot).record(status, durationMs);
    writer.cluster(slot).measure(false, durationMs, 0, 0);
    if (flag !== undefined) writer.cluster(slot).flag(flag, status);
  }
  return { ...REVIEWS, ...labels, totals: registry.totals('c') };
}

describe('requests', () => {
  test("have Istio's name and labels, one series for each status and flag", async () => {
    clusters = [
      cluster([
        [200, 1],
        [200, 1],
        [504, 1, 'UT'],
        [504, 1],
      ]),
    ];
    const samples = await scrape();
    const labels = {
      reporter: 'source',
      destination_service: 'reviews.default.svc.cluster.local',
      destination_service_name: 'reviews',
      destination_service_namespace: 'default',
      destination_version: 'v1',
      request_protocol: 'http',
    };
    expect(samples.filter(({ name }) => name === 'istio_requests_total')).toEqual([
      { name: 'istio_requests_total', labels: { ...labels, response_code: '200', response_flags: '-' }, value: 2 },
      { name: 'istio_requests_total', labels: { ...labels, response_code: '504', response_flags: '-' }, value: 1 },
      { name: 'istio_requests_total', labels: { ...labels, response_code: '504', response_flags: 'UT' }, value: 1 },
    ]);
  });

  test('that are gRPC calls have a protocol of their own, and say how they ended', async () => {
    const registry = new StatsRegistry(1);
    const slot = registry.slot('c');
    const writer = new StatsWriter(0, 1);
    writer.attach(registry.segments());
    const counters = writer.cluster(slot);
    counters.recordCall(0, 200, undefined, 0, 3);
    counters.measure(true, 3, 20, 2000);
    counters.recordCall(14, 200, 'UF', 0, 3);
    counters.measure(true, 3, 20, 0);
    counters.recordCall(UNSAID, 499, 'DR', 0, 3);
    counters.measure(true, 3, 20, 0);
    counters.record(200, 7);
    counters.measure(false, 7, 0, 5);
    clusters = [{ ...REVIEWS, totals: registry.totals('c') }];
    const samples = await scrape();
    const of = (name: string): Sample[] => samples.filter((sample) => sample.name === name);
    const said = ['request_protocol', 'response_code', 'grpc_response_status', 'response_flags'];
    expect(of('istio_requests_total').map(({ labels, value }) => [...said.map((label) => labels[label]), value])).toEqual([
      ['http', '200', undefined, '-', 1],
      ['grpc', '200', '0', '-', 1],
      ['grpc', '200', '14', 'UF', 1],
      ['grpc', '499', '', 'DR', 1],
    ]);
    const sums = (name: string): unknown =>
      ['sum', 'count'].map((part) => of(`${name}_${part}`).map(({ labels, value }) => [labels['request_protocol'], value]));
    expect(sums('istio_request_duration_milliseconds')).toEqual([
      [
        ['http', 7],
        ['grpc', 9],
      ],
      [
        ['http', 1],
        ['grpc', 3],
      ],
    ]);
    expect(sums('istio_request_bytes')).toMatchObject([
      [
        ['http', 0],
        ['grpc', 60],
      ],
      {},
    ]);
    const large = of('istio_response_bytes_bucket').filter(({ labels }) => labels['request_protocol'] === 'grpc');
    expect(Object.fromEntries(large.map(({ labels, value }) => [labels['le'], value]))).toMatchObject({ '0.5': 2, '1000': 2, '2500': 3 });
  });

  test('of clusters with the same labels are one series, never two', async () => {
    clusters = [cluster([[200, 1]]), cluster([[200, 1]]), cluster([[200, 1]], { version: 'v2' })];
    const samples = await scrape();
    const requests = samples.filter(({ name }) => name === 'istio_requests_total');
    expect(requests.map(({ labels, value }) => [labels['destination_version'], value])).toEqual([
      ['v1', 2],
      ['v2', 1],
    ]);
  });

  test('to a cluster nobody has called make no series', async () => {
    clusters = [cluster([])];
    const samples = await scrape();
    expect(samples.filter(({ labels }) => 'destination_service' in labels)).toEqual([]);
  });
});

test('copies for mirrors are a family of their own', async () => {
  clusters = [];
  mirrors = [
    cluster([
      [200, 1],
      [0, 1, 'UT'],
    ]),
  ];
  const samples = await scrape();
  mirrors = [];
  const counted = samples.filter(({ labels }) => 'destination_service' in labels);
  expect(counted.map(({ name, labels, value }) => [name, labels['response_code'], labels['response_flags'], value])).toEqual([
    ['serin_mirrored_requests_total', '200', '-', 1],
    ['serin_mirrored_requests_total', '0', 'UT', 1],
  ]);
});

test("durations fill Istio's buckets, cumulative, with sum and count", async () => {
  clusters = [
    cluster([
      [200, 0.3],
      [200, 3],
      [200, 4],
      [200, 700],
      [200, 7_000_000],
    ]),
  ];
  const samples = await scrape();
  const buckets = samples.filter(({ name }) => name === 'istio_request_duration_milliseconds_bucket');
  const counts = Object.fromEntries(buckets.map(({ labels, value }) => [labels['le'] ?? '', value]));
  expect(counts).toMatchObject({ '0.5': 1, '1': 1, '5': 3, '10': 3, '500': 3, '1000': 4, '600000': 4, '+Inf': 5 });
  expect(buckets).toHaveLength(20);
  const find = (name: string): number | undefined => samples.find((sample) => sample.name === name)?.value;
  expect(find('istio_request_duration_milliseconds_count')).toBe(5);
  expect(find('istio_request_duration_milliseconds_sum')).toBeCloseTo(7_000_707.3, 1);
});

test('a name with quotes, line breaks, braces or backslashes stays one label value (B-93)', async () => {
  const { assert, asyncProperty, string, constantFrom, oneof, array } = fc;
  const nasty = array(oneof(constantFrom('"', '\\', '\n', '\r', '{', '}', ',', '=', ' ', '\\n', '"} 1\n', '\u2028'), string()), {
    maxLength: 6,
  });
  await assert(
    asyncProperty(
      nasty.map((parts) => parts.join('')),
      async (name) => {
        clusters = [cluster([[200, 1]], { service: name, version: `v${name}` })];
        endpoints = [{ service: name, endpoint: name, healthy: false }];
        const samples = await scrape();
        const requests = samples.filter((sample) => sample.name === 'istio_requests_total');
        expect(requests.map(({ labels }) => [labels['destination_service'], labels['destination_version']])).toEqual([[name, `v${name}`]]);
        const found = samples.filter((sample) => sample.name === 'serin_endpoint_healthy');
        expect(found.map(({ labels, value }) => [labels['endpoint'], value])).toEqual([[name, 0]]);
      },
    ),
    { numRuns: 50 },
  );
});

test("Serin's own state and the process are there", async () => {
  const registry = new StatsRegistry(2);
  const writer = new StatsWriter(1, 2);
  writer.attach(registry.segments());
  writer.worker.add('malformedTotal', 3);
  workers = registry.workers();
  const samples = await scrape();
  const values = (name: string): unknown[] => samples.filter((sample) => sample.name === name).map(({ labels, value }) => [labels, value]);
  expect(values('serin_access_log_lost_total')).toEqual([[{}, 3]]);
  expect([...values('serin_spans_sent_total'), ...values('serin_spans_dropped_total')]).toEqual([
    [{}, 5],
    [{}, 4],
  ]);
  expect(values('serin_worker_malformed_requests_total')).toEqual([
    [{ worker: '0' }, 0],
    [{ worker: '1' }, 3],
  ]);
  expect(values('serin_config_last_reload_successful')).toEqual([[{}, 0]]);
  expect(values('serin_config_last_reload_success_timestamp_seconds')).toEqual([[{}, 1_700_000_000.5]]);
  expect(values('serin_build_info')).toEqual([[{ version: '1.2.3', node_version: 'v24.0.0' }, 1]]);
  expect(values('process_resident_memory_bytes')).toHaveLength(1);
  expect(values('nodejs_eventloop_lag_seconds')).toHaveLength(1);
});

test('endpoints that outlier detection watches', async () => {
  outliers = [{ service: 'reviews', subset: 'v1', endpoint: '127.0.0.1:9080', isEjected: true, ejections: 3, overflows: 1 }];
  const samples = (await scrape()).filter(({ name }) => name.startsWith('serin_endpoint_eject'));
  const labels = { destination_service: 'reviews', destination_version: 'v1', endpoint: '127.0.0.1:9080' };
  expect(samples).toEqual([
    { name: 'serin_endpoint_ejected', labels, value: 1 },
    { name: 'serin_endpoint_ejections_total', labels, value: 3 },
    { name: 'serin_endpoint_ejections_overflow_total', labels, value: 1 },
  ]);
});
