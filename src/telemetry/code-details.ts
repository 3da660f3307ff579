/** Envoy's `%RESPONSE_CODE_DETAILS%` (source/common/stream_info/utility.h, ResponseCodeDetailValues) for what Serin knows of how a request ended. */
import type { ResponseFlag } from './response-flag.ts';

export const VIA_UPSTREAM = 'via_upstream';
export const DIRECT_RESPONSE = 'direct_response';

/** By `x-serin-error`. A code that is not listed is its own detail. */
const OF_CODE: ReadonlyMap<string, string> = new Map([
  ['no_route', 'route_not_found'],
  ['no_cluster', 'cluster_not_found'],
  ['no_healthy_upstream', 'no_healthy_upstream'],
  ['upstream_connect_failed', 'upstream_reset_before_response_started{remote_connection_failure}'],
  ['upstream_connect_timeout', 'upstream_reset_before_response_started{connection_timeout}'],
  ['upstream_terminated', 'upstream_reset_before_response_started{connection_termination}'],
  ['upstream_overflow', 'upstream_reset_before_response_started{overflow}'],
  ['upstream_timeout', 'response_timeout'],
  ['request_timeout', 'stream_idle_timeout'],
  ['header_timeout', 'request_header_timeout'],
  ['client_incomplete', 'downstream_remote_disconnect'],
  ['fault_abort', 'fault_filter_abort'],
]);

/** Of an answer that was cut off, or never begun, by the flag that says why. */
const OF_FLAG: Partial<Record<ResponseFlag, string>> = {
  DC: 'downstream_remote_disconnect',
  DR: 'http2.remote_reset',
  UT: 'response_timeout',
  SI: 'stream_idle_timeout',
  UPE: 'upstream_reset_after_response_started{protocol_error}',
  UC: 'upstream_reset_after_response_started{connection_termination}',
};

/**
 * @param code  `x-serin-error` of Serin's own answer; `VIA_UPSTREAM` or `DIRECT_RESPONSE` where there is none; empty where nothing was answered.
 * @param flag  Why an answer that had begun, or was still to come, was not completed.
 */
export function codeDetails(code: string, flag: ResponseFlag | undefined): string {
  if (code === VIA_UPSTREAM || code === '') return (flag === undefined ? undefined : OF_FLAG[flag]) ?? (code === '' ? 'none' : code);
  if (code.startsWith('upstream_') && !OF_CODE.has(code)) return 'upstream_reset_before_response_started{protocol_error}';
  return OF_CODE.get(code) ?? code;
}
