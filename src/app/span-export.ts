/**
 * Sends finished spans to a collector by OTLP over HTTP, as JSON: one batch after the other, from a queue that is bounded. A collector that does not
 * keep up, or is not there, costs spans, which are counted, and nothing else.
 *
 * The protocol (encoding, headers of OTEL_EXPORTER_OTLP_HEADERS, attempts made again) is OpenTelemetry's exporter's. It is loaded only where spans are sent.
 */
import type { Attributes, HrTime } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import type { Clock } from '../base/clock.ts';
import type { SpanRecord } from '../telemetry/span-record.ts';
import type { Logger } from './logger.ts';
import { VERSION } from './version.ts';

const MAX_QUEUED = 8192;
const BATCH = 512;
const SEND_EVERY_MS = 1000;
/** Of one batch, everything included. */
const TIMEOUT_MS = 5000;
/** Between two complaints. */
const COMPLAINT_MS = 60_000;
/** Numbers of OpenTelemetry's SpanKind, SpanStatusCode and TraceFlags. */
const KINDS = { server: 1, client: 2 } as const;
const STATUS_UNSET = 0;
const STATUS_ERROR = 2;
const SAMPLED = 1;

export interface SpanExportOptions {
  /** Whole address, such as `http://127.0.0.1:4318/v1/traces`. */
  readonly url: string;
  /** `service.name`. */
  readonly service: string;
}

export class SpanExport {
  sent = 0;
  dropped = 0;
  readonly #exporter: SpanExporter;
  readonly #resource: Resource;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #url: string;
  #queue: SpanRecord[] = [];
  #sending: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #complainedAtMs = Number.NEGATIVE_INFINITY;

  static async start({ url, service }: SpanExportOptions, clock: Clock, logger: Logger): Promise<SpanExport> {
    const [{ OTLPTraceExporter }, { resourceFromAttributes }] = await Promise.all([
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
    ]);
    const resource = resourceFromAttributes({ 'service.name': service, 'service.version': VERSION });
    return new SpanExport(new OTLPTraceExporter({ url, timeoutMillis: TIMEOUT_MS }), resource, url, clock, logger);
  }

  private constructor(exporter: SpanExporter, resource: Resource, url: string, clock: Clock, logger: Logger) {
    this.#exporter = exporter;
    this.#resource = resource;
    // Never what identifies us there.
    this.#url = new URL(url).origin;
    this.#clock = clock;
    this.#logger = logger;
  }

  write(spans: readonly SpanRecord[]): void {
    const room = MAX_QUEUED - this.#queue.length;
    if (spans.length > room) this.#lose(spans.length - Math.max(0, room), 'the collector does not keep up');
    for (const span of spans.slice(0, Math.max(0, room))) this.#queue.push(span);
    if (this.#queue.length >= BATCH) this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), SEND_EVERY_MS).unref();
  }

  /** Sends what is left, as far as the collector takes it at once. */
  async close(): Promise<void> {
    await this.#sending;
    // A collector that is gone is not waited for again and again.
    for (let lost = this.dropped; this.#queue.length > 0 && this.dropped === lost; lost = this.dropped) await this.#sendBatch();
    clearTimeout(this.#timer);
    await this.#exporter.shutdown();
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#sending !== undefined) return;
    this.#sending = this.#sendBatch().finally(() => {
      this.#sending = undefined;
      if (this.#queue.length >= BATCH) this.#send();
      else if (this.#queue.length > 0) this.#timer ??= setTimeout(() => this.#send(), SEND_EVERY_MS).unref();
    });
  }

  /** Never rejects. */
  #sendBatch(): Promise<void> {
    const batch = this.#queue.splice(0, BATCH);
    return new Promise((resolve) => {
      this.#exporter.export(
        batch.map((span) => readable(span, this.#resource)),
        ({ code, error }) => {
          if (isTaken(code)) this.sent += batch.length;
          else this.#lose(batch.length, error?.message ?? 'the collector refuses them');
          resolve();
        },
      );
    });
  }

  #lose(count: number, detail: string): void {
    this.dropped += count;
    const now = this.#clock.monotonicMs();
    if (now - this.#complainedAtMs < COMPLAINT_MS) return;
    this.#complainedAtMs = now;
    this.#logger.warn({ url: this.#url, detail }, 'spans are lost');
  }
}

/** @param code  Of ExportResultCode. */
function isTaken(code: number): boolean {
  return code === 0;
}

function readable(span: SpanRecord, resource: Resource): ReadableSpan {
  const { traceId, spanId, parentSpanId } = span;
  const context = { traceId, spanId, traceFlags: SAMPLED };
  const attributes: Attributes = { ...span.attributes };
  return {
    name: span.name,
    kind: KINDS[span.kind],
    spanContext: () => context,
    ...(parentSpanId === '' ? {} : { parentSpanContext: { traceId, spanId: parentSpanId, traceFlags: SAMPLED } }),
    startTime: hrTime(span.startMs),
    endTime: hrTime(span.startMs + span.durationMs),
    duration: hrTime(span.durationMs),
    status: { code: span.isError ? STATUS_ERROR : STATUS_UNSET },
    attributes,
    links: [],
    events: [],
    ended: true,
    resource,
    instrumentationScope: { name: 'serin', version: VERSION },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

/** Seconds and nanoseconds. */
function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}
