/** The rules of one HTTPRoute of a VirtualService, as Istio's validateHTTPRoute has them (semantics 2.1.2 to 2.1.7). */
import type { HttpMatchRequest, HttpRedirect, HttpRouteDestination } from '../resources.ts';
import { isDns1123Label } from '../names.ts';
import { show, type Place } from '../report.ts';
import { checkDestination, checkWeights } from './destination.ts';
import { checkHeaders, checkMatchHeaderName, isAuthority } from './headers.ts';
import { checkCors, checkFault, checkMirrors, checkRetries } from './route-policies.ts';
import { checkRegex, checkStringMatch } from './string-match.ts';
import { checkDuration, checkGatewayNames, checkLabels, checkPort } from './values.ts';
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
