/**
 * `/metrics`: what the data plane counted, under the names Istio gives it, beside Serin's own and the process's.
 *
 * - `istio_requests_total` and the histograms of durations and sizes have the labels of Istio's standard metrics that Serin can fill, so
 *   dashboards, alerts and release analyses written for Istio work. `response_flags` and `grpc_response_status` are exact for each
 *   `response_code`. The histograms have none of the three: one of each is kept a cluster and protocol.
 * - `serin_...` is what Istio has no name for.
 * - `process_...` and `nodejs_...` come from prom-client.
 *
 * The hot counters live in shared memory and are read only here, when somebody scrapes. Clusters without a request have no series; clusters
 * that differ only in what is no label (their port) are added up. No label holds anything a peer sent.
 *
 * Source: istio.io, "Istio Standard Metrics".
 */
import { Registry, collectDefaultMetrics } from 'prom-client';
import { NO_CALL, UNSAID } from './cluster-counters.ts';
import type { ClusterTotals, HistogramTotals, Outcome, ProtocolHistograms, TcpTotals } from './cluster-totals.ts';
import { PROMETHEUS_CONTENT_TYPE, PrometheusText, formatLabels } from './prometheus-text.ts';
import { HISTOGRAM_BOUNDS } from './slot-layout.ts';
import type { WorkerCounterName, WorkerTotals } from './worker-counters.ts';

/** Where the numbers come from; read anew on every scrape. */
export interface MetricSources {
  clusters(): Iterable<ClusterSample>;
  /** Copies sent to mirrors. */
  mirrors(): Iterable<ClusterSample>;
  /** One entry a data-plane worker. */
  workers(): readonly WorkerTotals[];
  /** Endpoints with an active health check. */
  endpoints(): Iterable<EndpointSample>;
  /** Endpoints that outlier detection watches, by the cluster it watches them for. */
  outliers(): Iterable<OutlierSample>;
  reload(): ReloadSample;
  /** Lines of the access log that were lost on their way to the disk. */
  accessLogLost(): number;
  /** Spans by what became of them since start. */
  spans(): { readonly sent: number; readonly dropped: number };
  /** Notifications, one for each receiver, by what became of them since start. */
  notifications(): { readonly sent: number; readonly dropped: number };
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

export interface OutlierSample {
  readonly service: string;
  /** Empty for the whole service. */
  readonly subset: string;
  readonly endpoint: string;
  readonly isEjected: boolean;
  readonly ejections: number;
  /** That were due and not carried out. */
  readonly overflows: number;
}

interface ReloadSample {
  /** Whether the configuration last read was good and is in force. */
  readonly successful: boolean;
  /** When one last was, epoch ms. */
  readonly lastSuccessAtMs: number;
}

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
    const clusters = [...this.#sources.clusters()];
    writeClusters(text, clusters);
    writeTcp(text, clusters);
    writeMirrors(text, this.#sources.mirrors());
    writeWorkers(text, this.#sources.workers());
    writeEndpoints(text, this.#sources.endpoints());
    writeOutliers(text, [...this.#sources.outliers()]);
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

function writeMirrors(text: PrometheusText, mirrors: Iterable<ClusterSample>): void {
  const name = 'serin_mirrored_requests_total';
  text.family(
    name,
    'counter',
    'Copies sent to mirrors by their status; 0 and a flag for those given up: UO where the mirror did not keep up.',
  );
  for (const destination of destinationsOf(mirrors)) writeRequests(text, name, destination, () => true);
}

/** @param isWanted  Whether a cluster has anything to say. */
function destinationsOf(
  clusters: Iterable<ClusterSample>,
  isWanted: (totals: ClusterTotals) => boolean = hasRequests,
): readonly Destination[] {
  const byLabels = new Map<string, Destination>();
  for (const { service, serviceName, serviceNamespace, version, totals } of clusters) {
    if (!isWanted(totals)) continue;
    const labels = formatLabels({
      reporter: 'source',
      destination_service: service,
      destination_service_name: serviceName,
      destination_service_namespace: serviceNamespace,
      destination_version: version,
    });
    const known = byLabels.get(labels);
    if (known === undefined) byLabels.set(labels, { labels, totals: [totals] });
    else known.totals.push(totals);
  }
  return [...byLabels.values()];
}

function hasRequests({ requests, active, fallbacks }: ClusterTotals): boolean {
  return requests > 0 || active > 0 || fallbacks > 0;
}

function isCall({ grpcStatus }: Outcome): boolean {
  return grpcStatus !== NO_CALL;
}

function isNoCall({ grpcStatus }: Outcome): boolean {
  return grpcStatus === NO_CALL;
}

function ofProtocol(destinations: readonly Destination[], protocol: 'http' | 'grpc' | 'tcp'): readonly Destination[] {
  return destinations.map(({ labels, totals }) => ({ labels: `${labels},${formatLabels({ request_protocol: protocol })}`, totals }));
}

function writeClusters(text: PrometheusText, clusters: readonly ClusterSample[]): void {
  const http = ofProtocol(
    destinationsOf(clusters, ({ outcomes }) => outcomes.some(isNoCall)),
    'http',
  );
  const grpc = ofProtocol(
    destinationsOf(clusters, ({ outcomes }) => outcomes.some(isCall)),
    'grpc',
  );
  const name = 'istio_requests_total';
  text.family(name, 'counter', 'Requests by the status the client was answered (0: none) and what Serin had to say about it.');
  for (const destination of http) writeRequests(text, name, destination, isNoCall);
  for (const destination of grpc) writeRequests(text, name, destination, isCall);

  const family = (histogram: string, help: string, of: (histograms: ProtocolHistograms) => HistogramTotals): void => {
    text.family(histogram, 'histogram', help);
    for (const { labels, totals } of http) {
      const parts = totals.map((each) => of(each.http));
      writeHistogram(text, histogram, labels, parts);
    }
    for (const { labels, totals } of grpc) {
      const parts = totals.map((each) => of(each.grpc));
      writeHistogram(text, histogram, labels, parts);
    }
  };
  family(
    'istio_request_duration_milliseconds',
    'From the first byte of a request to the last of its answer.',
    ({ durationMs }) => durationMs,
  );
  family('istio_request_bytes', 'Bodies of requests.', ({ requestBytes }) => requestBytes);
  family('istio_response_bytes', 'Bodies of answers.', ({ responseBytes }) => responseBytes);

  const destinations = destinationsOf(clusters);
  text.family('serin_retries_total', 'counter', 'Attempts made again.');
  writeSums(text, 'serin_retries_total', destinations, ({ retries }) => retries);
  text.family('serin_retries_refused_total', 'counter', 'Attempts not made again because too many were under way.');
  writeSums(text, 'serin_retries_refused_total', destinations, ({ retriesRefused }) => retriesRefused);

  text.family(
    'serin_fallbacks_total',
    'counter',
    'Requests that failed here and were answered by stable; they count where they were answered.',
  );
  writeSums(text, 'serin_fallbacks_total', destinations, ({ fallbacks }) => fallbacks);

  text.family('serin_requests_active', 'gauge', 'Requests in flight.');
  writeSums(text, 'serin_requests_active', destinations, ({ active }) => active);
}

function writeTcp(text: PrometheusText, clusters: readonly ClusterSample[]): void {
  const destinations = ofProtocol(
    destinationsOf(clusters, ({ tcp }) => tcp.opened > 0 || tcp.refused > 0),
    'tcp',
  );
  const family = (name: string, help: string, value: (tcp: TcpTotals) => number): void => {
    text.family(name, 'counter', help);
    writeSums(text, name, destinations, ({ tcp }) => value(tcp));
  };
  family('istio_tcp_connections_opened_total', 'Connections passed on as bytes.', ({ opened }) => opened);
  family('istio_tcp_connections_closed_total', 'Of those, how many have ended.', ({ closed }) => closed);
  family('istio_tcp_received_bytes_total', 'Bytes their clients sent.', ({ receivedBytes }) => receivedBytes);
  family('istio_tcp_sent_bytes_total', 'Bytes their clients were sent.', ({ sentBytes }) => sentBytes);
  family(
    'serin_tcp_connections_refused_total',
    'Connections closed because no endpoint could be connected to, or a limit was reached.',
    ({ refused }) => refused,
  );
}

function writeSums(
  text: PrometheusText,
  name: string,
  destinations: readonly Destination[],
  value: (totals: ClusterTotals) => number,
): void {
  for (const { labels, totals } of destinations) text.sample(name, labels, sum(totals, value));
}

function writeRequests(text: PrometheusText, name: string, { labels, totals }: Destination, isOfProtocol: (one: Outcome) => boolean): void {
  const byResult = new Map<string, number>();
  for (const { status, flags, grpcStatus, count } of totals.flatMap(({ outcomes }) => outcomes.filter(isOfProtocol))) {
    const said = grpcStatus === NO_CALL ? {} : { grpc_response_status: grpcStatus === UNSAID ? '' : String(grpcStatus) };
    const result = `${labels},${formatLabels({ response_code: String(status), ...said, response_flags: flags })}`;
    byResult.set(result, (byResult.get(result) ?? 0) + count);
  }
  for (const [result, requests] of byResult) text.sample(name, result, requests);
}

function writeHistogram(text: PrometheusText, name: string, labels: string, histograms: readonly HistogramTotals[]): void {
  let count = 0;
  for (const [bucket, bound] of [...HISTOGRAM_BOUNDS, '+Inf'].entries()) {
    count += sum(histograms, ({ counts }) => counts[bucket] ?? 0);
    text.sample(`${name}_bucket`, `${labels},le="${bound}"`, count);
  }
  text.sample(
    `${name}_sum`,
    labels,
    sum(histograms, (each) => each.sum),
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
  ['accessLogDroppedTotal', 'serin_worker_access_log_dropped_total', 'Lines left out of the access log because it did not keep up.'],
  ['spansDroppedTotal', 'serin_worker_spans_dropped_total', 'Spans left out because they were not sent fast enough.'],
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

function writeOutliers(text: PrometheusText, outliers: readonly OutlierSample[]): void {
  const family = (name: string, kind: 'gauge' | 'counter', help: string, value: (sample: OutlierSample) => number): void => {
    text.family(name, kind, help);
    for (const sample of outliers) {
      const { service, subset, endpoint } = sample;
      text.sample(name, formatLabels({ destination_service: service, destination_version: subset || 'unknown', endpoint }), value(sample));
    }
  };
  family('serin_endpoint_ejected', 'gauge', 'Whether outlier detection has ejected the endpoint.', ({ isEjected }) => (isEjected ? 1 : 0));
  family('serin_endpoint_ejections_total', 'counter', 'How often it has.', ({ ejections }) => ejections);
  family(
    'serin_endpoint_ejections_overflow_total',
    'counter',
    'Ejections that maxEjectionPercent did not allow.',
    ({ overflows }) => overflows,
  );
}

function writeSelf(text: PrometheusText, sources: MetricSources): void {
  const { successful, lastSuccessAtMs } = sources.reload();
  text.family('serin_config_last_reload_successful', 'gauge', 'Whether the configuration last read is in force.');
  text.sample('serin_config_last_reload_successful', '', successful ? 1 : 0);
  text.family('serin_config_last_reload_success_timestamp_seconds', 'gauge', 'When a configuration last came into force.');
  text.sample('serin_config_last_reload_success_timestamp_seconds', '', lastSuccessAtMs / 1000);
  text.family('serin_access_log_lost_total', 'counter', 'Lines of the access log that could not be written.');
  text.sample('serin_access_log_lost_total', '', sources.accessLogLost());
  const { sent, dropped } = sources.spans();
  text.family('serin_spans_sent_total', 'counter', 'Spans that a collector has taken.');
  text.sample('serin_spans_sent_total', '', sent);
  text.family('serin_spans_dropped_total', 'counter', 'Spans that no collector has taken in time.');
  text.sample('serin_spans_dropped_total', '', dropped);
  const notifications = sources.notifications();
  text.family('serin_notifications_sent_total', 'counter', 'Notifications that their receiver has taken.');
  text.sample('serin_notifications_sent_total', '', notifications.sent);
  text.family('serin_notifications_dropped_total', 'counter', 'Notifications that were given up.');
  text.sample('serin_notifications_dropped_total', '', notifications.dropped);
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
