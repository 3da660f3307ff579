/**
 * `/metrics`: what the data plane counted, under the names Istio gives it, beside Serin's own and the process's.
 *
 * - `istio_requests_total` and `istio_request_duration_milliseconds` have the labels of Istio's standard metrics that Serin can fill, so
 *   dashboards, alerts and release analyses written for Istio work. `response_flags` is exact for each `response_code`. The duration has no
 *   `response_code`: one histogram is kept a cluster.
 * - `serin_...` is what Istio has no name for.
 * - `process_...` and `nodejs_...` come from prom-client.
 *
 * The hot counters live in shared memory and are read only here, when somebody scrapes. Clusters without a request have no series; clusters
 * that differ only in what is no label (their port) are added up. No label holds anything a peer sent.
 *
 * Source: istio.io, "Istio Standard Metrics".
 */
import { Registry, collectDefaultMetrics } from 'prom-client';
import type { ClusterTotals } from './cluster-counters.ts';
import { BUCKETS, cumulate } from './histogram.ts';
import { PROMETHEUS_CONTENT_TYPE, PrometheusText, formatLabels } from './prometheus-text.ts';
import type { WorkerCounterName, WorkerTotals } from './worker-counters.ts';

/** Where the numbers come from; read anew on every scrape. */
export interface MetricSources {
  clusters(): Iterable<ClusterSample>;
  /** One entry a data-plane worker. */
  workers(): readonly WorkerTotals[];
  /** Endpoints with an active health check. */
  endpoints(): Iterable<EndpointSample>;
  reload(): ReloadSample;
  readonly build: { readonly version: string; readonly nodeVersion: string };
}

export interface ClusterSample {
  /** The host, in full: `reviews.default.svc.cluster.local`; `unknown` for requests that reached no cluster. */
  readonly service: string;
  /** Its short name (`reviews`) and its namespace. */
  readonly serviceName: string;
  readonly serviceNamespace: string;
  /** The subset, or the version label the endpoints share; `unknown` where there is neither. */
  readonly version: string;
  readonly totals: ClusterTotals;
}

export interface EndpointSample {
  readonly service: string;
  /** `127.0.0.1:9080`. */
  readonly endpoint: string;
  readonly healthy: boolean;
}

interface ReloadSample {
  /** Whether the configuration last read was good and is in force. */
  readonly successful: boolean;
  /** When one last was, epoch ms. */
  readonly lastSuccessAtMs: number;
}

/** Upper bounds of Istio's (Envoy's default) duration histogram, ms. */
const DURATION_BOUNDS_MS = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000,
] as const;

export class Metrics {
  readonly contentType = PROMETHEUS_CONTENT_TYPE;
  readonly #sources: MetricSources;
  readonly #process = new Registry();

  constructor(sources: MetricSources) {
    this.#sources = sources;
    collectDefaultMetrics({ register: this.#process });
  }

  /** One scrape. */
  async text(): Promise<string> {
    const text = new PrometheusText();
    writeClusters(text, this.#sources.clusters());
    writeWorkers(text, this.#sources.workers());
    writeEndpoints(text, this.#sources.endpoints());
    writeSelf(text, this.#sources);
    await writeProcess(text, this.#process);
    return text.toString();
  }
}

/** All clusters whose labels are the same. */
interface Destination {
  readonly labels: string;
  readonly totals: ClusterTotals[];
}

function writeClusters(text: PrometheusText, clusters: Iterable<ClusterSample>): void {
  const byLabels = new Map<string, Destination>();
  for (const { service, serviceName, serviceNamespace, version, totals } of clusters) {
    if (totals.requests === 0 && totals.active === 0) continue;
    const labels = formatLabels({
      reporter: 'source',
      destination_service: service,
      destination_service_name: serviceName,
      destination_service_namespace: serviceNamespace,
      destination_version: version,
      request_protocol: 'http',
    });
    const known = byLabels.get(labels);
    if (known === undefined) byLabels.set(labels, { labels, totals: [totals] });
    else known.totals.push(totals);
  }
  const destinations = [...byLabels.values()];

  text.family(
    'istio_requests_total',
    'counter',
    'Requests by the status the client was answered (0: none) and what Serin had to say about it.',
  );
  for (const destination of destinations) writeRequests(text, destination);

  text.family('istio_request_duration_milliseconds', 'histogram', 'From the first byte of a request to the last of its answer.');
  for (const destination of destinations) writeDurations(text, destination);

  text.family('serin_requests_active', 'gauge', 'Requests in flight.');
  for (const { labels, totals } of destinations)
    text.sample(
      'serin_requests_active',
      labels,
      sum(totals, (each) => each.active),
    );
}

function writeRequests(text: PrometheusText, { labels, totals }: Destination): void {
  const byResult = new Map<string, number>();
  const count = (status: number, flags: string, amount: number): void => {
    const result = `${labels},${formatLabels({ response_code: String(status), response_flags: flags })}`;
    byResult.set(result, (byResult.get(result) ?? 0) + amount);
  };
  for (const { statuses, flags } of totals) {
    for (const [status, requests] of statuses) {
      const flagged = sum(flags, (each) => (each.status === status ? each.count : 0));
      // A flag written this instant may be ahead of its status.
      if (requests > flagged) count(status, '-', requests - flagged);
    }
    for (const each of flags) count(each.status, each.flag, each.count);
  }
  for (const [result, requests] of byResult) text.sample('istio_requests_total', result, requests);
}

function writeDurations(text: PrometheusText, { labels, totals }: Destination): void {
  const latency = new Float64Array(BUCKETS);
  for (const each of totals)
    for (let bucket = 0; bucket < BUCKETS; bucket++) latency[bucket] = (latency[bucket] ?? 0) + (each.latency[bucket] ?? 0);
  // From the buckets themselves, so that +Inf is never below a bound.
  const count = latency.reduce((total, each) => total + each, 0);
  const name = 'istio_request_duration_milliseconds';
  for (const [index, requests] of cumulate(latency, DURATION_BOUNDS_MS).entries()) {
    text.sample(`${name}_bucket`, `${labels},le="${DURATION_BOUNDS_MS[index]}"`, requests);
  }
  text.sample(`${name}_bucket`, `${labels},le="+Inf"`, count);
  text.sample(
    `${name}_sum`,
    labels,
    sum(totals, (each) => each.durationSumMs),
  );
  text.sample(`${name}_count`, labels, count);
}

const WORKER_METRICS: readonly (readonly [counter: WorkerCounterName, name: string, help: string])[] = [
  ['downstreamConnectionsActive', 'serin_worker_downstream_connections', 'Open connections from clients.'],
  ['downstreamConnectionsTotal', 'serin_worker_downstream_connections_total', 'Connections accepted from clients.'],
  ['upstreamConnectionsActive', 'serin_worker_upstream_connections', 'Open connections to endpoints.'],
  ['upstreamConnectionsTotal', 'serin_worker_upstream_connections_total', 'Connections opened to endpoints.'],
  ['requestsTotal', 'serin_worker_requests_total', 'Requests whose head was read completely.'],
  ['malformedTotal', 'serin_worker_malformed_requests_total', 'Requests refused because they break HTTP or a limit.'],
  ['connectionsRefusedTotal', 'serin_worker_refused_connections_total', 'Connections turned away because there were too many.'],
  ['drainedTotal', 'serin_worker_drained_connections_total', 'Connections closed by a drain.'],
];

function writeWorkers(text: PrometheusText, workers: readonly WorkerTotals[]): void {
  for (const [counter, name, help] of WORKER_METRICS) {
    text.family(name, name.endsWith('_total') ? 'counter' : 'gauge', help);
    for (const [worker, totals] of workers.entries()) text.sample(name, formatLabels({ worker: String(worker) }), totals[counter]);
  }
}

function writeEndpoints(text: PrometheusText, endpoints: Iterable<EndpointSample>): void {
  text.family('serin_endpoint_healthy', 'gauge', 'Whether the active health check holds the endpoint healthy.');
  for (const { service, endpoint, healthy } of endpoints) {
    text.sample('serin_endpoint_healthy', formatLabels({ destination_service: service, endpoint }), healthy ? 1 : 0);
  }
}

function writeSelf(text: PrometheusText, sources: MetricSources): void {
  const { successful, lastSuccessAtMs } = sources.reload();
  text.family('serin_config_last_reload_successful', 'gauge', 'Whether the configuration last read is in force.');
  text.sample('serin_config_last_reload_successful', '', successful ? 1 : 0);
  text.family('serin_config_last_reload_success_timestamp_seconds', 'gauge', 'When a configuration last came into force.');
  text.sample('serin_config_last_reload_success_timestamp_seconds', '', lastSuccessAtMs / 1000);
  text.family('serin_build_info', 'gauge', 'Always 1; the labels say what is running.');
  text.sample('serin_build_info', formatLabels({ version: sources.build.version, node_version: sources.build.nodeVersion }), 1);
}

/** prom-client's own writer spells NaN in a way the format does not have, so its samples go through ours. */
async function writeProcess(text: PrometheusText, registry: Registry): Promise<void> {
  for (const metric of await registry.getMetricsAsJSON()) {
    // Declared as a numeric enum, a word at run time.
    text.family(metric.name, String(metric.type), metric.help);
    for (const sample of metric.values) {
      const labels = Object.entries(sample.labels).map(([name, value]) => [name, String(value)] as const);
      const name = 'metricName' in sample && typeof sample.metricName === 'string' ? sample.metricName : metric.name;
      text.sample(name, formatLabels(Object.fromEntries(labels)), sample.value);
    }
  }
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
