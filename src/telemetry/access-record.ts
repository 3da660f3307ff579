/**
 * What is said of one finished request, and the line it becomes: Istio's default JSON access log (meshConfig.accessLogEncoding JSON, without
 * accessLogFormat), field by field, then what Istio has no name for.
 *
 * Not said: `connection_termination_details`, `upstream_transport_failure_reason` and `upstream_local_address`.
 *
 * A line is ASCII: whatever else a peer sends stands there escaped, so that it can neither end the line nor speak to a terminal, and a field is cut at
 * 4 KiB (reliability S-14).
 */
import { redactTarget } from './redact.ts';

export interface AccessRecord {
  /** Unix time, ms. */
  readonly startTimeMs: number;
  /** Null, as `path` and `protocol`, of what could not be read as a request. */
  readonly method: string | null;
  /** As the client sent it, with its query; secrets are taken out here. */
  readonly path: string | null;
  readonly protocol: string | null;
  /** 0: no answer was sent. */
  readonly status: number;
  /** `-` for none, `UF,URX`. */
  readonly flags: string;
  /** Envoy's `%RESPONSE_CODE_DETAILS%`. */
  readonly details: string;
  /** Of the bodies. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly durationMs: number;
  /** Until the head of the upstream's answer; null where there was none. */
  readonly upstreamServiceMs: number | null;
  /** As it goes upstream. */
  readonly forwardedFor: string | null;
  readonly userAgent: string | null;
  readonly requestId: string | null;
  readonly authority: string | null;
  readonly upstreamHost: string | null;
  readonly upstreamCluster: string | null;
  readonly downstreamLocalAddress: string | null;
  readonly downstreamRemoteAddress: string | null;
  /** SNI. */
  readonly serverName: string | null;
  readonly routeName: string | null;
  /** Attempts made; 0 where nothing was sent upstream. */
  readonly attempts: number;
  /** Cluster of the canary in whose place stable answered. */
  readonly fallbackFrom: string | null;
  readonly traceId: string | null;
}

const MAX_CHARS = 4096;
/** Printable ASCII that stands in JSON as it is. */
const PLAIN = /^[ !#-[\]-~]*$/;
const UNPRINTABLE = /[^ -~]/g;

/** @returns The line with its line feed. */
export function accessLine(record: AccessRecord): string {
  const path = record.path === null ? null : redactTarget(record.path);
  return (
    `{"start_time":"${new Date(record.startTimeMs).toISOString()}","method":${text(record.method)},"path":${text(path)}` +
    `,"protocol":${text(record.protocol)},"response_code":${record.status},"response_flags":"${record.flags}"` +
    `,"response_code_details":${text(record.details)},"bytes_received":${record.bytesReceived},"bytes_sent":${record.bytesSent}` +
    `,"duration":${Math.round(record.durationMs)},"upstream_service_time":${number(record.upstreamServiceMs)}` +
    `,"x_forwarded_for":${text(record.forwardedFor)},"user_agent":${text(record.userAgent)},"request_id":${text(record.requestId)}` +
    `,"authority":${text(record.authority)},"upstream_host":${text(record.upstreamHost)},"upstream_cluster":${text(record.upstreamCluster)}` +
    `,"downstream_local_address":${text(record.downstreamLocalAddress)},"downstream_remote_address":${text(record.downstreamRemoteAddress)}` +
    `,"requested_server_name":${text(record.serverName)},"route_name":${text(record.routeName)}` +
    `,"attempts":${record.attempts},"fallback_from":${text(record.fallbackFrom)},"trace_id":${text(record.traceId)}}\n`
  );
}

function number(value: number | null): string {
  return value === null ? 'null' : String(Math.round(value));
}

function text(value: string | null): string {
  if (value === null) return 'null';
  const short = value.length > MAX_CHARS ? value.slice(0, MAX_CHARS) : value;
  if (PLAIN.test(short)) return `"${short}"`;
  return JSON.stringify(short).replace(UNPRINTABLE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
