/** CORS, retries and times of a VirtualService's rule as an HTTPRoute has them; what is not the same, in words. */
import type { GatewayApiHttpRule, HttpCorsFilter } from '../../config/gateway-api/types.ts';
import { isGrpcCondition, type RetryCondition } from '../../config/retry-on.ts';
import type { CorsPolicy, ForwardAction, RetryPolicy, ValueMatch } from '../table.ts';

export interface Lost {
  /** `omitted`: not done at all; `differs`: done otherwise. */
  readonly kind: 'omitted' | 'differs';
  readonly field: string;
  readonly message: string;
  readonly hint?: string;
}

/** GEP-2257: whole hours, minutes, seconds and milliseconds. */
function gepDuration(ms: number): string {
  const whole = Math.round(ms);
  const parts = [
    [Math.floor(whole / 3_600_000), 'h'],
    [Math.floor(whole / 60_000) % 60, 'm'],
    [Math.floor(whole / 1000) % 60, 's'],
    [whole % 1000, 'ms'],
  ] as const;
  return parts.map(([count, unit]) => (count === 0 ? '' : `${count}${unit}`)).join('') || '0s';
}

const BACKOFF_MS = 25;

export function convertTimes(action: ForwardAction): Pick<GatewayApiHttpRule, 'timeouts'> {
  const { timeoutMs, retry } = action;
  const tryMs = retry?.perTryTimeoutMs ?? 0;
  const times = {
    ...(timeoutMs === 0 ? {} : { request: gepDuration(timeoutMs) }),
    // A try cannot last longer than the request, and must not say so.
    ...(tryMs === 0 || (timeoutMs > 0 && tryMs > timeoutMs) ? {} : { backendRequest: gepDuration(tryMs) }),
  };
  return Object.keys(times).length === 0 ? {} : { timeouts: times };
}

/** Codes that a condition of `retryOn` stands for. */
const CODES: Partial<Readonly<Record<RetryCondition, readonly number[]>>> = {
  '5xx': [500, 502, 503, 504],
  'gateway-error': [502, 503, 504],
  'retriable-4xx': [409],
};
/** What a retry of the Gateway API covers whatever codes it states. */
const COVERED: readonly RetryCondition[] = ['connect-failure', 'refused-stream', 'reset'];

export function convertRetry(retry: RetryPolicy | undefined): {
  readonly retry?: GatewayApiHttpRule['retry'];
  readonly lost: readonly Lost[];
} {
  if (retry === undefined) return { lost: [] };
  const { attempts, on, statusCodes, backoffMs, avoidsTried } = retry;
  if (attempts === 0) {
    const message = 'attempts: 0 has no equivalent: what nobody can notice, such as a connection that cannot be made, is tried again';
    return { lost: [{ kind: 'omitted', field: 'retries', message }] };
  }
  const lost: Lost[] = [];
  const retryOn = (kind: Lost['kind'], message: string): void => void lost.push({ kind, field: 'retries.retryOn', message });
  const codes = new Set(on.flatMap((condition) => CODES[condition] ?? []));
  for (const code of statusCodes) {
    if (code >= 400) codes.add(code);
    else retryOn('omitted', `${code} cannot be retried: codes are those of errors`);
  }
  if (on.includes('5xx')) retryOn('differs', '5xx becomes 500, 502, 503 and 504: answers with other codes are not tried again');
  const grpc = on.filter(isGrpcCondition);
  if (grpc.length > 0) retryOn('omitted', `${grpc.join(', ')} cannot be retried: the status of a gRPC call is not looked at`);
  if (on.includes('envoy-ratelimited')) retryOn('omitted', 'envoy-ratelimited has no equivalent');
  const more = on.includes('5xx') ? [] : COVERED.filter((condition) => !on.includes(condition));
  if (more.length > 0) retryOn('differs', `${more.join(', ')} is retried as well: a retry covers connections that fail`);
  if (!avoidsTried) {
    const message = 'endpoints that have failed a request come last for it';
    lost.push({ kind: 'differs', field: 'retries.retryIgnorePreviousHosts', message });
  }
  if (backoffMs !== BACKOFF_MS) {
    lost.push({ kind: 'differs', field: 'retries.backoff', message: 'the back-off is the least wait, not what waits are drawn around' });
  }
  const sorted = [...codes].sort((a, b) => a - b);
  const written = {
    ...(sorted.length === 0 ? {} : { codes: sorted }),
    attempts,
    ...(backoffMs === BACKOFF_MS ? {} : { backoff: gepDuration(backoffMs) }),
  };
  return { retry: written, lost };
}

/** Of CORSOrigin (httproute_types.go): an origin, whose host may begin with a wildcard. */
const ORIGIN = /^https?:\/\/(?:\*|(?:\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)(?::[0-9]{1,5})?$/i;
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', '*']);

export function convertCors(policy: CorsPolicy): { readonly filter?: HttpCorsFilter; readonly lost: readonly Lost[] } {
  const lost: Lost[] = [];
  const tell = (kind: Lost['kind'], field: string, message: string): void =>
    void lost.push({ kind, field: `corsPolicy.${field}`, message });
  const isSayable = ({ kind, value }: ValueMatch): boolean =>
    kind === 'exact' && (value === '*' || ORIGIN.test(value)) && !value.includes('*', 1);
  for (const { kind, value } of policy.origins.filter((origin) => !isSayable(origin))) {
    tell('omitted', 'allowOrigins', `${kind} ${value} is no origin that can be named, and is not allowed any more`);
  }
  const origins = policy.origins.filter(isSayable).map(({ value }) => value);
  if (origins.length === 0) {
    if (policy.origins.length > 0) tell('omitted', 'allowOrigins', 'no origin is left: the policy is left out');
    return { lost };
  }
  const list = (text: string): readonly string[] => (text === '' ? [] : text.split(','));
  const methods = list(policy.allowMethods);
  const odd = methods.filter((method) => !METHODS.has(method));
  if (odd.length > 0) tell('omitted', 'allowMethods', `${odd.join(', ')} cannot be named`);
  const allowMethods = methods.filter((method) => METHODS.has(method));
  const allowHeaders = list(policy.allowHeaders);
  const exposeHeaders = list(policy.exposeHeaders);
  for (const [field, names] of [['allowMethods', allowMethods] as const, ['allowHeaders', allowHeaders] as const]) {
    if (names.includes('*')) tell('differs', field, '* is answered with what a preflight asks for, not sent as it is');
  }
  const { maxAgeSeconds } = policy;
  if (maxAgeSeconds === undefined)
    tell(
      'differs',
      'maxAge',
      'a preflight is answered with Access-Control-Max-Age: 5, without maxAge with none (which browsers take for 5)',
    );
  if (maxAgeSeconds === 0) tell('differs', 'maxAge', '0 cannot be said: preflights may be remembered for 1 s');
  if (policy.forwardsUnmatched) {
    tell('differs', 'unmatchedPreflights', 'preflights of other origins are answered without the headers of CORS, not sent to the service');
  }
  const filter = {
    allowOrigins: origins,
    ...(policy.allowsCredentials ? { allowCredentials: true } : {}),
    ...(allowMethods.length === 0 ? {} : { allowMethods }),
    ...(allowHeaders.length === 0 ? {} : { allowHeaders }),
    ...(exposeHeaders.length === 0 ? {} : { exposeHeaders }),
    ...(maxAgeSeconds === undefined ? {} : { maxAge: Math.max(1, maxAgeSeconds) }),
  };
  return { filter, lost };
}
