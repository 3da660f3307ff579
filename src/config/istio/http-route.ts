/** The rules of one HTTPRoute of a VirtualService, as Istio's validateHTTPRoute has them (semantics 2.1.2 to 2.1.7). */
import type { CorsPolicy, Destination, HttpMatchRequest, HttpRedirect, HttpRouteDestination, Percent } from '../resources.ts';
import { isDns1123Label } from '../names.ts';
import { show, type Place } from '../report.ts';
import { checkHeaders, checkMatchHeaderName, isAuthority } from './headers.ts';
import { checkRegex, checkStringMatch } from './string-match.ts';
import { checkDuration, checkGatewayNames, checkHost, checkLabels, checkPort } from './values.ts';
import type { ParsedHttpRoute } from './virtual-service-schema.ts';

export function checkHttpRoute(rule: ParsedHttpRoute, place: Place, isDelegate: boolean): void {
  checkActions(rule, place, isDelegate);
  const isPlain = !isDelegate && rule.delegate === undefined;
  for (const [index, match] of (rule.match ?? []).entries()) checkMatch(match, place.at('match').at(index), isPlain);
  if (rule.headers !== undefined) checkHeaders(rule.headers, place.at('headers'));
  checkAuthorityOnce(rule, place);
  checkDestinations(rule.route, place.at('route'));
  if (rule.redirect !== undefined) checkRedirect(rule.redirect, place.at('redirect'), rule.match);
  if (rule.directResponse !== undefined) checkDirectResponse(rule.directResponse, place.at('directResponse'));
  if (rule.rewrite !== undefined) checkRewrite(rule.rewrite, place.at('rewrite'));
  checkDuration(rule.timeout, place.at('timeout'));
  if (rule.retries !== undefined) checkRetries(rule.retries, place.at('retries'));
  if (rule.fault !== undefined) checkFault(rule.fault, place.at('fault'));
  checkMirrors(rule, place);
  if (rule.corsPolicy !== undefined) checkCors(rule.corsPolicy, place.at('corsPolicy'));
  const { delegate } = rule;
  if (delegate?.namespace !== undefined && delegate.namespace !== '' && !isDns1123Label(delegate.namespace)) {
    place
      .at('delegate')
      .at('namespace')
      .error('E_NAME', `namespace ${show(delegate.namespace)} is not a DNS label`);
  }
}

/** Which actions go together (validateHTTPRouteConflict). */
function checkActions(rule: ParsedHttpRoute, place: Place, isDelegate: boolean): void {
  const hasRoute = rule.route !== undefined && rule.route.length > 0;
  if (rule.delegate !== undefined) {
    if (isDelegate) {
      place.at('delegate').error('E_ROUTE', 'a delegate cannot delegate again');
    } else {
      if (rule.redirect !== undefined) place.at('redirect').error('E_ROUTE', 'a rule with delegate cannot have redirect');
      if (rule.route !== undefined) place.at('route').error('E_ROUTE', 'a rule with delegate cannot have route');
    }
    return;
  }
  const excluded = (action: string): void => {
    if (hasRoute) place.at('route').error('E_ROUTE', `a rule cannot have both ${action} and route`, 'keep one of them');
    if (rule.fault !== undefined) place.at('fault').error('E_ROUTE', `a rule cannot have both ${action} and fault`);
    if (rule.rewrite !== undefined) place.at('rewrite').error('E_ROUTE', `a rule cannot have both ${action} and rewrite`);
  };
  if (rule.redirect !== undefined) {
    excluded('redirect');
    if (rule.directResponse !== undefined)
      place.at('directResponse').error('E_ROUTE', 'a rule cannot have both redirect and directResponse');
  } else if (rule.directResponse !== undefined) {
    excluded('directResponse');
  } else if (!hasRoute) {
    place.error('E_ROUTE', 'rule does nothing', 'add route, redirect or directResponse');
  }
}

function checkMatch(match: HttpMatchRequest, place: Place, isPlain: boolean): void {
  checkStringMatch(match.uri, place.at('uri'), { allowEmptyPrefix: true });
  if (match.uri !== undefined)
    warnPath(match.uri.exact ?? match.uri.prefix, place.at('uri').at(match.uri.exact === undefined ? 'prefix' : 'exact'));
  checkStringMatch(match.scheme, place.at('scheme'));
  checkStringMatch(match.method, place.at('method'));
  checkStringMatch(match.authority, place.at('authority'));
  for (const [name, value] of Object.entries(match.headers ?? {})) {
    const at = place.at('headers').at(name);
    checkMatchHeaderName(name, at);
    checkStringMatch(value, at);
  }
  for (const [name, value] of Object.entries(match.withoutHeaders ?? {})) {
    const at = place.at('withoutHeaders').at(name);
    checkMatchHeaderName(name, at);
    checkStringMatch(value, at, { allowStar: true });
  }
  for (const [name, value] of Object.entries(match.queryParams ?? {})) checkStringMatch(value, place.at('queryParams').at(name));
  if (match.port !== undefined && match.port !== 0) checkPort(match.port, place.at('port'));
  if (match.sourceLabels !== undefined) checkLabels(match.sourceLabels, place.at('sourceLabels'));
  if (match.gateways !== undefined) checkGatewayNames(match.gateways, place.at('gateways'));
  if (match.sourceNamespace !== undefined && match.sourceNamespace !== '' && !isDns1123Label(match.sourceNamespace)) {
    place.at('sourceNamespace').error('E_NAME', `namespace ${show(match.sourceNamespace)} is not a DNS label`);
  }
  if (isPlain) return;
  // A delegate's matches must be comparable with its root's (validateHTTPRouteMatchRequest).
  for (const field of ['uri', 'scheme', 'method', 'authority'] as const) {
    if (match[field]?.regex !== undefined) place.at(field).at('regex').error('E_STRING_MATCH', 'regex cannot be used with delegates');
  }
  for (const field of ['headers', 'withoutHeaders', 'queryParams'] as const) {
    for (const [name, value] of Object.entries(match[field] ?? {})) {
      if (value.regex !== undefined) place.at(field).at(name).at('regex').error('E_STRING_MATCH', 'regex cannot be used with delegates');
    }
  }
}

/** Istio takes any text here, but no request's normalised path can look like these. */
function warnPath(path: string | undefined, place: Place): void {
  if (path === undefined || path === '') return;
  const problem = pathProblem(path);
  if (problem !== undefined)
    place.warn('W_INEFFECTIVE', `path ${show(path)} ${problem} and never matches`, 'paths are compared without query, normalised');
}

/** Why `path` cannot be the path of a request target (RFC 3986 §3.3); undefined when it can. */
function pathProblem(path: string): string | undefined {
  if (!path.startsWith('/')) return 'does not begin with /';
  const odd = /[^\x21-\x7e]|[?#]/.exec(path);
  if (odd !== null) return `has ${show(odd[0])} in it`;
  if (/%(?![0-9A-Fa-f]{2})/.test(path)) return 'has a % without two hexadecimal digits';
  if (/\/\.\.?(?:\/|$)/.test(path)) return 'has a . or .. segment';
  return undefined;
}

/** Only one place may rewrite Host (validateAuthorityRewrite). */
function checkAuthorityOnce(rule: ParsedHttpRoute, place: Place): void {
  let writers = rule.rewrite?.authority === undefined || rule.rewrite.authority === '' ? 0 : 1;
  for (const verb of ['set', 'add'] as const) {
    for (const name of Object.keys(rule.headers?.request?.[verb] ?? {})) {
      if (!isAuthority(name)) continue;
      writers++;
      if (writers > 1)
        place
          .at('headers')
          .at('request')
          .at(verb)
          .at(name)
          .keyError('E_ONE_OF', 'Host is rewritten in more than one place', 'keep one of them');
    }
  }
}

function checkDestinations(route: readonly HttpRouteDestination[] | undefined, place: Place): void {
  if (route === undefined) return;
  const seen = new Map<string, number>();
  for (const [index, { destination, headers }] of route.entries()) {
    checkDestination(destination, place.at(index).at('destination'));
    if (headers !== undefined) checkHeaders(headers, place.at(index).at('headers'));
    const key = JSON.stringify([destination.host, destination.subset, destination.port?.number]);
    const earlier = seen.get(key);
    if (earlier !== undefined) place.at(index).warn('W_INEFFECTIVE', `same destination as [${earlier}]; their weights add up`);
    else seen.set(key, index);
  }
  checkWeights(route, place);
}

/** Weights are relative; with several destinations they must not sum up to zero. */
export function checkWeights(route: readonly { readonly weight?: number }[], place: Place): void {
  let total = 0;
  let hasNegative = false;
  for (const [index, { weight = 0 }] of route.entries()) {
    if (weight < 0) {
      hasNegative = true;
      place.at(index).at('weight').error('E_WEIGHT', `weight must be >= 0, found ${weight}`);
    }
    total += weight;
  }
  if (hasNegative || route.length <= 1) return;
  if (total === 0) {
    const found = route.map(({ weight = 0 }) => weight);
    const isAbsent = route.every(({ weight }) => weight === undefined);
    place.error(
      'E_WEIGHT',
      `total destination weight = 0 (${found.join(' + ')})`,
      isAbsent ? 'give each destination a weight' : 'give one of them a weight above 0',
    );
  } else if (total > 4_294_967_295) {
    place.error('E_WEIGHT', `total destination weight is ${total}, the limit is 4294967295`);
  }
}

export function checkDestination(destination: Destination, place: Place): void {
  checkHost(destination.host, place.at('host'), false);
  if (destination.subset !== undefined && destination.subset !== '' && !isDns1123Label(destination.subset)) {
    place
      .at('subset')
      .error('E_NAME', `subset ${show(destination.subset)} is not a DNS label`, 'at most 63 lower-case letters, digits and -');
  }
  if (destination.port !== undefined) checkPort(destination.port.number ?? 0, place.at('port').at('number'));
}

const REDIRECT_CODES: ReadonlySet<number> = new Set([0, 301, 302, 303, 307, 308]);

function checkRedirect(redirect: HttpRedirect, place: Place, matches: readonly HttpMatchRequest[] | undefined): void {
  const { uri = '', prefixRewrite = '', authority = '', scheme = '', port, derivePort, redirectCode = 0 } = redirect;
  if (uri === '' && prefixRewrite === '' && authority === '' && scheme === '' && port === undefined && derivePort === undefined) {
    place.error('E_REDIRECT', 'redirect leads nowhere', 'set uri, prefixRewrite, authority, scheme or port');
  }
  if (uri !== '' && prefixRewrite !== '') place.error('E_ONE_OF', 'redirect cannot have both uri and prefixRewrite', 'keep one of them');
  if (port !== undefined && derivePort !== undefined)
    place.error('E_ONE_OF', 'redirect cannot have both port and derivePort', 'keep one of them');
  // Istio lets any 3xx through but leaves the rule without an action for the others.
  if (!REDIRECT_CODES.has(redirectCode)) {
    place.at('redirectCode').error('E_REDIRECT', `redirectCode must be 301, 302, 303, 307 or 308, found ${redirectCode}`);
  }
  if (scheme !== '' && scheme !== 'http' && scheme !== 'https') {
    place.at('scheme').error('E_REDIRECT', `scheme must be http or https, found ${show(scheme)}`);
  }
  if (port !== undefined && port !== 0) checkPort(port, place.at('port'));
  if (authority !== '' && !/^[A-Za-z0-9._~\-[\]:]+$/.test(authority)) {
    place.at('authority').error('E_REDIRECT', `authority must be a host with an optional port, found ${show(authority)}`);
  }
  for (const [field, value] of [
    ['uri', uri],
    ['prefixRewrite', prefixRewrite],
  ] as const) {
    if (value !== '' && (!/^\/[\x21-\x7e]*$/.test(value) || value.startsWith('//'))) {
      place
        .at(field)
        .error(
          'E_REDIRECT',
          `${field} must be a path that begins with one /, found ${show(value)}`,
          'use authority and scheme to lead elsewhere',
        );
    }
  }
  const isPrefix = (matches ?? []).every((match) => match.uri?.prefix !== undefined);
  if (prefixRewrite !== '' && matches !== undefined && !isPrefix) {
    place.at('prefixRewrite').error('E_REDIRECT', 'prefixRewrite needs a uri prefix in every match', 'match by uri.prefix, or use uri');
  }
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const LARGE_BODY = 100 * 1024;
const MAX_BODY = 1024 * 1024;

function checkDirectResponse(response: NonNullable<ParsedHttpRoute['directResponse']>, place: Place): void {
  const { status, body } = response;
  if (status < 200 || status > 599) place.at('status').error('E_RANGE', `status must be from 200 to 599, found ${status}`);
  if (body === undefined) return;
  if (body.string !== undefined && body.bytes !== undefined)
    place.at('body').error('E_ONE_OF', 'body cannot have both string and bytes', 'keep one of them');
  if (body.bytes !== undefined && !BASE64.test(body.bytes)) place.at('body').at('bytes').error('E_TYPE', 'bytes must be base64');
  const size = body.string === undefined ? Math.floor(((body.bytes?.length ?? 0) * 3) / 4) : Buffer.byteLength(body.string);
  if (size > MAX_BODY) place.at('body').error('E_RANGE', `body has ${size} bytes, ${MAX_BODY} are allowed`);
  else if (size > LARGE_BODY)
    place.at('body').warn('W_INEFFECTIVE', `body of ${size} bytes is kept in memory by every worker`, 'serve it from a workload');
}

function checkRewrite(rewrite: NonNullable<ParsedHttpRoute['rewrite']>, place: Place): void {
  const { uri = '', authority = '', uriRegexRewrite } = rewrite;
  if (uri !== '' && uriRegexRewrite !== undefined)
    place.error('E_ONE_OF', 'rewrite cannot have both uri and uriRegexRewrite', 'keep one of them');
  if (uri === '' && authority === '' && uriRegexRewrite === undefined) {
    place.error('E_ONE_OF', 'rewrite changes nothing', 'set uri, uriRegexRewrite or authority');
  }
  if (uri !== '' && !/^\/[\x21-\x7e]*$/.test(uri)) {
    place.at('uri').error('E_PATH', `uri must be a path that begins with /, found ${show(uri)}`);
  }
  if (authority !== '' && /[^\x21-\x7e]|[/?#@]/.test(authority)) {
    place.at('authority').error('E_HOST', `authority must be a host with an optional port, found ${show(authority)}`);
  }
  if (uriRegexRewrite === undefined) return;
  const { match, rewrite: replacement } = uriRegexRewrite;
  if (match === '' || replacement === '') {
    place.at('uriRegexRewrite').error('E_REQUIRED', 'uriRegexRewrite needs both match and rewrite');
    return;
  }
  checkRegex(match, place.at('uriRegexRewrite').at('match'));
  if (/[^\x20-\x7e]/.test(replacement)) place.at('uriRegexRewrite').at('rewrite').error('E_PATH', 'rewrite must be visible ASCII text');
}

const RETRY_ON: ReadonlySet<string> = new Set([
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'connect-failure',
  'retriable-4xx',
  'refused-stream',
  'retriable-status-codes',
  'retriable-headers',
  'envoy-ratelimited',
  'http3-post-connect-failure',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
]);

function checkRetries(retries: NonNullable<ParsedHttpRoute['retries']>, place: Place): void {
  const { attempts = 0, perTryTimeout, retryOn = '', retryRemoteLocalities, backoff } = retries;
  if (attempts < 0) place.at('attempts').error('E_RETRY', `attempts must be >= 0, found ${attempts}`);
  if (attempts === 0 && (perTryTimeout !== undefined || retryOn !== '' || retryRemoteLocalities !== undefined)) {
    place.error('E_RETRY', 'attempts is 0, which switches retries off, but a retry policy is given', 'set attempts, or leave out the rest');
  }
  checkDuration(perTryTimeout, place.at('perTryTimeout'));
  checkDuration(backoff, place.at('backoff'));
  if (retryOn === '') return;
  for (const token of retryOn.split(',')) {
    const isStatus = /^[1-5][0-9][0-9]$/.test(token);
    if (isStatus || RETRY_ON.has(token)) continue;
    const hint = token === token.trim() ? `known: ${[...RETRY_ON].join(', ')}, or a status code` : 'write the list without spaces';
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

function checkFault(fault: NonNullable<ParsedHttpRoute['fault']>, place: Place): void {
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

function checkMirrors(rule: ParsedHttpRoute, place: Place): void {
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
  if (value !== undefined && (value < 0 || value > 100))
    place.at('value').error('E_RANGE', `percentage must be from 0 to 100, found ${value}`);
}

const CORS_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', '*']);

function checkCors(cors: CorsPolicy, place: Place): void {
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
