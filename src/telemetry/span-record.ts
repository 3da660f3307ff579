/** One finished span, as plain data that threads hand to each other: of a request, or of one attempt to have it answered. */
export interface SpanRecord {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty where the trace begins with it. */
  readonly parentSpanId: string;
  /** `server`: the request; `client`: an attempt. */
  readonly kind: 'server' | 'client';
  readonly name: string;
  /** Unix time, ms. */
  readonly startMs: number;
  readonly durationMs: number;
  readonly isError: boolean;
  /** Envoy's names (source/common/tracing/common_values.h). */
  readonly attributes: Readonly<Record<string, string>>;
}
