/** What a rule does besides choosing a destination: retries, faults, mirrors and CORS (semantics 2.1.6 and 2.1.7). */
import type { CorsPolicy, Percent } from '../resources.ts';
import { show, type Place } from '../report.ts';
import { isRetryCondition, isRetryStatus, RETRY_CONDITIONS } from '../retry-on.ts';
import { checkDestination } from './destination.ts';
import { checkStringMatch } from './string-match.ts';
import { checkDuration } from './values.ts';
import type { ParsedHttpRoute } from './virtual-service-schema.ts';

export function checkRetries(retries: NonNullable<ParsedHttpRoute['retries']>, place: Place): void {
  const { attempts = 0, perTryTimeout, retryOn = '', retryRemoteLocalities, backoff } = retries;
  if (attempts < 0) place.at('attempts').error('E_RETRY', `attempts must be >= 0, found ${attempts}`);
  if (attempts === 0 && (perTryTimeout !== undefined || retryOn !== '' || retryRemoteLocalities !== undefined)) {
    place.error('E_RETRY', 'attempts is 0, which switches retries off, but a retry policy is given', 'set attempts, or leave out the rest');
  }
  checkDuration(perTryTimeout, place.at('perTryTimeout'));
  checkDuration(backoff, place.at('backoff'));
  if (retryOn === '') return;
  for (const token of retryOn.split(',')) {
    if (isRetryStatus(token) || isRetryCondition(token)) continue;
    const hint = token === token.trim() ? `known: ${RETRY_CONDITIONS.join(', ')}, or a status code` : 'write the list without spaces';
    place.at('retryOn').error('E_RETRY', `${show(token)} is no condition to retry on`, hint);
  }
}

const GRPC_STATUS: ReadonlySet<string> = new Set([
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
]);

export function checkFault(fault: NonNullable<ParsedHttpRoute['fault']>, place: Place): void {
  const { delay, abort } = fault;
  if (delay === undefined && abort === undefined) place.error('E_FAULT', 'fault has neither delay nor abort', 'add one of them');
  if (delay !== undefined) {
    const at = place.at('delay');
    checkFaultPercentage(delay.percentage, at.at('percentage'));
    if (delay.percent !== undefined) {
      at.at('percent').warn('W_DEPRECATED', 'percent is deprecated', 'use percentage: { value: … }');
      if (delay.percent < 0 || delay.percent > 100)
        at.at('percent').error('E_RANGE', `percent must be from 0 to 100, found ${delay.percent}`);
    }
    checkDuration(delay.fixedDelay, at.at('fixedDelay'));
    if (delay.exponentialDelay !== undefined)
      at.at('exponentialDelay').error('E_FAULT', 'exponentialDelay is not supported by Istio', 'use fixedDelay');
  }
  if (abort === undefined) return;
  const at = place.at('abort');
  checkFaultPercentage(abort.percentage, at.at('percentage'));
  const kinds = (['httpStatus', 'grpcStatus', 'http2Error'] as const).filter((kind) => abort[kind] !== undefined);
  if (kinds.length > 1) at.error('E_ONE_OF', `abort cannot have both ${kinds.join(' and ')}`, 'keep one of them');
  if (kinds.length === 0) at.warn('W_INEFFECTIVE', 'abort has no error to answer with', 'set httpStatus or grpcStatus');
  if (abort.http2Error !== undefined) at.at('http2Error').error('E_FAULT', 'http2Error is not supported by Istio', 'use httpStatus');
  if (abort.httpStatus !== undefined && (abort.httpStatus < 200 || abort.httpStatus > 599)) {
    at.at('httpStatus').error('E_RANGE', `httpStatus must be from 200 to 599, found ${abort.httpStatus}`);
  }
  if (abort.grpcStatus !== undefined && !GRPC_STATUS.has(abort.grpcStatus)) {
    at.at('grpcStatus').error('E_FAULT', `${show(abort.grpcStatus)} is no gRPC status`, `known: ${[...GRPC_STATUS].join(', ')}`);
  }
}

/** 0, or from 0.0001 (one in a million) to 100. */
function checkFaultPercentage(percentage: Percent | undefined, place: Place): void {
  const value = percentage?.value;
  if (value !== undefined && value !== 0 && (value < 0.0001 || value > 100)) {
    place.at('value').error('E_RANGE', `percentage must be 0 or from 0.0001 to 100, found ${value}`);
  }
}

export function checkMirrors(rule: ParsedHttpRoute, place: Place): void {
  if (rule.mirror !== undefined) checkDestination(rule.mirror, place.at('mirror'));
  if (rule.mirror !== undefined && rule.mirrors !== undefined && rule.mirrors.length > 0) {
    place.at('mirrors').error('E_ONE_OF', 'a rule cannot have both mirror and mirrors', 'keep mirrors');
  }
  for (const [index, { destination, percentage }] of (rule.mirrors ?? []).entries()) {
    const at = place.at('mirrors').at(index);
    checkDestination(destination, at.at('destination'));
    checkMirrorPercentage(percentage, at.at('percentage'));
  }
  checkMirrorPercentage(rule.mirrorPercentage, place.at('mirrorPercentage'));
  for (const field of ['mirrorPercent', 'mirror_percent'] as const) {
    const value = rule[field];
    if (value === undefined) continue;
    place.at(field).warn('W_DEPRECATED', `${field} is deprecated`, 'use mirrorPercentage: { value: … }');
    if (value > 100) place.at(field).error('E_RANGE', `${field} must be from 0 to 100, found ${value}`);
  }
}

function checkMirrorPercentage(percentage: Percent | undefined, place: Place): void {
  const value = percentage?.value;
  if (value === undefined) return;
  if (value < 0 || value > 100) place.at('value').error('E_RANGE', `percentage must be from 0 to 100, found ${value}`);
  else if (value > 0 && value < 0.0001)
    place.at('value').warn('W_INEFFECTIVE', `percentage ${value} is less than one in a million: nothing is mirrored`);
}

const CORS_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', '*']);

export function checkCors(cors: CorsPolicy, place: Place): void {
  if (cors.allowOrigin !== undefined)
    place.at('allowOrigin').warn('W_DEPRECATED', 'allowOrigin is deprecated', 'use allowOrigins: [{ exact: … }]');
  for (const [index, origin] of (cors.allowOrigins ?? []).entries()) {
    const at = place.at('allowOrigins').at(index);
    const isEmpty = (origin.exact ?? origin.prefix ?? origin.regex ?? '') === '';
    if (isEmpty) at.error('E_CORS', 'an allowed origin must have exact, prefix or regex, and not be empty');
    else checkStringMatch(origin, at);
  }
  for (const [index, method] of (cors.allowMethods ?? []).entries()) {
    if (!CORS_METHODS.has(method))
      place
        .at('allowMethods')
        .at(index)
        .error('E_CORS', `${show(method)} is no HTTP method`, 'methods are in capitals; * is all of them');
  }
  for (const field of ['allowHeaders', 'exposeHeaders'] as const) {
    for (const [index, name] of (cors[field] ?? []).entries()) {
      if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name))
        place
          .at(field)
          .at(index)
          .error('E_HEADER_NAME', `header name ${show(name)} is no HTTP token`);
    }
  }
  if (cors.maxAge !== undefined) checkDuration(cors.maxAge, place.at('maxAge'));
  if (cors.maxAge !== undefined && /(?:\.[0-9]*[1-9]|ms|us|ns)/.test(cors.maxAge)) {
    place.at('maxAge').error('E_CORS', `maxAge must be whole seconds, found ${show(cors.maxAge)}`);
  }
}
