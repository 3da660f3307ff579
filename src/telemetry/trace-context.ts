/**
 * Who a request belongs to in a trace, as it stands in headers: W3C Trace Context (traceparent, level 1 and what later versions keep of it) and B3, in one header
 * or in several (github.com/openzipkin/b3-propagation). Anything else is no context: it is never repaired.
 */

export interface TraceContext {
  /** 32 lower-case hexadecimal digits, not all 0. */
  readonly traceId: string;
  /** 16 of them: the span of whoever asks. */
  readonly spanId: string;
  /** Undefined where B3 leaves the decision to whoever comes next. */
  readonly isSampled: boolean | undefined;
}

/** How a client spoke of the trace, and so how its services may want to hear of it: beside traceparent, which is always sent. */
export type TraceDialect = 'w3c' | 'b3' | 'x-b3';

/** All fields a context may stand in. */
export const TRACE_FIELDS: readonly string[] = [
  'traceparent',
  'b3',
  'x-b3-traceid',
  'x-b3-spanid',
  'x-b3-parentspanid',
  'x-b3-sampled',
  'x-b3-flags',
];

const TRACEPARENT = /^(?<version>[\da-f]{2})-(?<traceId>[\da-f]{32})-(?<spanId>[\da-f]{16})-(?<flags>[\da-f]{2})(?<more>-.*)?$/;
const B3 = /^(?<traceId>[\da-f]{16}|[\da-f]{32})-(?<spanId>[\da-f]{16})(?:-(?<sampled>[01d])(?:-[\da-f]{16})?)?$/i;
const HEX_TRACE = /^(?:[\da-f]{16}|[\da-f]{32})$/i;
const HEX_SPAN = /^[\da-f]{16}$/i;
const ZEROS = /^0+$/;
/** key=value members, at most 32 (https://www.w3.org/TR/trace-context/#tracestate-header); a member may be empty. */
const TRACESTATE_MEMBER = /^(?:[a-z\d][\w*/@-]{0,255}=[ -+\--<>-~]{0,255}[!-+\--<>-~])?$/;
const MAX_MEMBERS = 32;

/** @param value  Of the traceparent field; several are joined by a comma and so are none. */
export function parseTraceparent(value: string): TraceContext | undefined {
  const { version, traceId, spanId, flags, more } = TRACEPARENT.exec(value)?.groups ?? {};
  if (traceId === undefined || spanId === undefined || version === 'ff' || ZEROS.test(traceId) || ZEROS.test(spanId)) return undefined;
  // Version 00 is complete; later ones may go on.
  if (version === '00' && more !== undefined) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags ?? '0', 16) & 1) === 1 };
}

/** @param value  Of the b3 field. One that only decides (`0`, `1`, `d`) names no trace. */
export function parseB3(value: string): TraceContext | undefined {
  const { traceId, spanId, sampled } = B3.exec(value)?.groups ?? {};
  return b3Context(traceId, spanId, sampled === undefined ? undefined : sampled !== '0');
}

/** @param header  Value of a field, by its name in lower case. */
export function parseB3Fields(header: (name: string) => string | undefined): TraceContext | undefined {
  const traceId = header('x-b3-traceid');
  const spanId = header('x-b3-spanid');
  if (traceId === undefined || spanId === undefined || !HEX_TRACE.test(traceId) || !HEX_SPAN.test(spanId)) return undefined;
  if (header('x-b3-flags') === '1') return b3Context(traceId, spanId, true);
  const sampled = header('x-b3-sampled');
  return b3Context(traceId, spanId, sampled === undefined ? undefined : sampled === '1' || sampled.toLowerCase() === 'true');
}

function b3Context(traceId: string | undefined, spanId: string | undefined, isSampled: boolean | undefined): TraceContext | undefined {
  if (traceId === undefined || spanId === undefined || ZEROS.test(traceId) || ZEROS.test(spanId)) return undefined;
  return { traceId: traceId.toLowerCase().padStart(32, '0'), spanId: spanId.toLowerCase(), isSampled };
}

/** Whether a tracestate may go on beside a traceparent. */
export function isTracestate(value: string): boolean {
  const members = value.split(',');
  return members.length <= MAX_MEMBERS && members.every((member) => TRACESTATE_MEMBER.test(member.trim()));
}

/** Complete lines that tell the next one of the trace. */
export function traceLines(traceId: string, spanId: string, isSampled: boolean, dialect: TraceDialect): string {
  const bit = isSampled ? '1' : '0';
  const lines = `traceparent: 00-${traceId}-${spanId}-0${bit}\r\n`;
  switch (dialect) {
    case 'w3c':
      return lines;
    case 'b3':
      return `${lines}b3: ${traceId}-${spanId}-${bit}\r\n`;
    case 'x-b3':
      return `${lines}x-b3-traceid: ${traceId}\r\nx-b3-spanid: ${spanId}\r\nx-b3-sampled: ${bit}\r\n`;
  }
}
