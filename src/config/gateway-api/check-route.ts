/** The rules of HTTPRoute, GRPCRoute and TLSRoute, as their custom resource definitions have them in CEL. */
import { parseDuration } from '../../base/duration.ts';
import { isIpAddress } from '../names.ts';
import { checkRegex } from '../istio/string-match.ts';
import { show, type Place } from '../report.ts';
import { checkGrpcFilters, checkHeaderNames, checkHttpFilters } from './check-filters.ts';
import { checkPatterns, checkServicePort, checkUnique } from './check-values.ts';
import { PATH } from './fields.ts';
import type { ParsedHttpFilter } from './filter-schema.ts';
import type {
  ParsedGrpcRoute,
  ParsedGrpcRule,
  ParsedHttpRoute,
  ParsedHttpRule,
  ParsedSessionPersistence,
  ParsedTlsRoute,
} from './route-schema.ts';
import { GATEWAY_API_GROUP } from './types.ts';

const MAX_MATCHES = 128;

export function checkHttpRoute({ parentRefs, rules = [] }: ParsedHttpRoute, place: Place): void {
  checkParents(parentRefs, place.at('parentRefs'));
  const at = place.at('rules');
  checkRules(rules, 1, at);
  for (const [index, rule] of rules.entries()) checkHttpRule(rule, at.at(index));
}

export function checkGrpcRoute({ parentRefs, rules = [] }: ParsedGrpcRoute, place: Place): void {
  checkParents(parentRefs, place.at('parentRefs'));
  const at = place.at('rules');
  checkRules(rules, 0, at);
  for (const [index, rule] of rules.entries()) checkGrpcRule(rule, at.at(index));
}

/** @param isOld Of v1alpha2, which has routes for every host, and several rules. */
export function checkTlsRoute({ parentRefs, hostnames, rules }: ParsedTlsRoute, place: Place, isOld: boolean): void {
  checkParents(parentRefs, place.at('parentRefs'));
  if (!isOld && hostnames === undefined)
    place.error('E_REQUIRED', 'hostnames is required', 'name the hosts that clients ask for (SNI); *. may stand before them');
  for (const [index, hostname] of (hostnames ?? []).entries()) {
    if (isIpAddress(hostname))
      place
        .at('hostnames')
        .at(index)
        .error('E_HOST', `expected a host name, found the address ${show(hostname)}`);
  }
  const at = place.at('rules');
  if (!isOld && rules.length > 1)
    at.error('E_RANGE', `number of entries must be <= 1, found ${rules.length}`, 'weights are in backendRefs');
  checkUnique(rules, ({ name }) => name, at, { what: 'rule name', field: 'name' });
  for (const [index, { backendRefs }] of rules.entries()) {
    for (const [which, backend] of backendRefs.entries()) checkServicePort(backend, at.at(index).at('backendRefs').at(which));
  }
}

/** A route has a parent once, or several sections or ports of it; then each entry states the same of the two. */
function checkParents(parents: ParsedHttpRoute['parentRefs'], place: Place): void {
  if (parents === undefined || parents.length < 2) return;
  for (const [index, parent] of parents.entries()) {
    const { group = GATEWAY_API_GROUP, kind = 'Gateway', name, namespace, sectionName, port } = parent;
    for (const [earlier, other] of parents.slice(0, index).entries()) {
      const isSame =
        group === (other.group ?? GATEWAY_API_GROUP) &&
        kind === (other.kind ?? 'Gateway') &&
        name === other.name &&
        namespace === other.namespace;
      if (!isSame) continue;
      const what = `${kind} ${show(name)}`;
      if (sectionName === other.sectionName && port === other.port)
        place
          .at(index)
          .error(
            'E_DUPLICATE',
            `${what} is the parent of parentRefs[${earlier}] too`,
            'give each a sectionName or port of its own, or keep one',
          );
      else if ((sectionName === undefined) !== (other.sectionName === undefined) || (port === undefined) !== (other.port === undefined))
        place
          .at(index)
          .error(
            'E_DUPLICATE',
            `${what} is the parent of parentRefs[${earlier}] too, which has ${shapeOf(other)}; this one has ${shapeOf(parent)}`,
            'give each the same of sectionName and port',
          );
    }
  }
}

function shapeOf({ sectionName, port }: { readonly sectionName?: string; readonly port?: number }): string {
  if (sectionName !== undefined) return port === undefined ? 'a sectionName only' : 'sectionName and port';
  return port === undefined ? 'neither sectionName nor port' : 'a port only';
}

/** @param absent How many matches a rule without any counts for. */
function checkRules(rules: readonly (ParsedHttpRule | ParsedGrpcRule)[], absent: number, place: Place): void {
  let matches = 0;
  for (const rule of rules) matches += rule.matches?.length ?? absent;
  if (matches > MAX_MATCHES)
    place.error('E_RANGE', `number of matches of all rules must be <= ${MAX_MATCHES}, found ${matches}`, 'divide the route into several');
  checkUnique(rules, ({ name }) => name, place, { what: 'rule name', field: 'name' });
}

function checkHttpRule(rule: ParsedHttpRule, place: Place): void {
  const { matches = [], filters = [], backendRefs = [], timeouts, retry, sessionPersistence } = rule;
  for (const [index, match] of matches.entries()) {
    const at = place.at('matches').at(index);
    if (match.path !== undefined) checkPathMatch(match.path, at.at('path'));
    checkHeaderNames(match.headers, at.at('headers'));
    checkPatterns(match.headers, at.at('headers'));
    checkPatterns(match.queryParams, at.at('queryParams'));
    checkUnique(match.queryParams, ({ name }) => name, at.at('queryParams'), { what: 'query parameter', field: 'name' });
  }
  checkHttpFilters(filters, place.at('filters'));
  const redirect = filters.findIndex(({ requestRedirect }) => requestRedirect !== undefined);
  if (redirect !== -1 && backendRefs.length > 0)
    place
      .at('filters')
      .at(redirect)
      .error('E_REDIRECT', 'a rule that redirects cannot have backendRefs', 'the client asks again elsewhere: nothing is sent on');
  for (const [index, backend] of backendRefs.entries()) {
    const at = place.at('backendRefs').at(index);
    checkServicePort(backend, at);
    checkHttpFilters(backend.filters, at.at('filters'));
  }
  checkPrefixReplacements(rule, place);
  if (timeouts !== undefined) checkTimeouts(timeouts, place.at('timeouts'));
  checkUnique(retry?.codes, Number, place.at('retry').at('codes'), { what: 'status' });
  if (sessionPersistence !== undefined) checkSessionPersistence(sessionPersistence, place.at('sessionPersistence'));
}

const hasRedirectPrefix = ({ requestRedirect }: ParsedHttpFilter): boolean => requestRedirect?.path?.replacePrefixMatch !== undefined;
const hasRewritePrefix = ({ urlRewrite }: ParsedHttpFilter): boolean => urlRewrite?.path?.replacePrefixMatch !== undefined;

/** What the prefix is that is replaced, only a single match by prefix says. A rule or match without a path has the prefix `/`. */
function checkPrefixReplacements({ matches, filters = [], backendRefs = [] }: ParsedHttpRule, place: Place): void {
  if (matches === undefined || (matches.length === 1 && (matches[0]?.path?.type ?? 'PathPrefix') === 'PathPrefix')) return;
  for (const [type, holds] of [
    ['RequestRedirect', hasRedirectPrefix],
    ['URLRewrite', hasRewritePrefix],
  ] as const) {
    const message = `${type} with replacePrefixMatch needs exactly one match of type PathPrefix in the rule`;
    const hint = 'split the rule into one for each prefix, or use ReplaceFullPath';
    const own = filters.findIndex(holds);
    if (own !== -1) place.at('filters').at(own).error('E_PATH', message, hint);
    // An API server minds it of a single backend only.
    const [backend, another] = [...backendRefs.entries()].filter(([, ref]) => (ref.filters ?? []).filter(holds).length === 1);
    if (backend === undefined || another !== undefined) continue;
    const [which, ref] = backend;
    place
      .at('backendRefs')
      .at(which)
      .at('filters')
      .at(ref.filters?.findIndex(holds) ?? 0)
      .error('E_PATH', message, hint);
  }
}

function checkPathMatch({ type = 'PathPrefix', value = '/' }: { readonly type?: string; readonly value?: string }, place: Place): void {
  const at = place.at('value');
  if (type === 'RegularExpression') {
    if (value !== '') checkRegex(value, at);
    return;
  }
  if (!value.startsWith('/')) at.error('E_PATH', `a path begins with /, found ${show(value)}`);
  else if (!PATH.test(value))
    at.error('E_PATH', `path ${show(value)} has letters that a path cannot have`, 'encode them as %XX; a query goes to queryParams');
  else {
    const part =
      ['//', '/./', '/../', '%2f', '%2F'].find((text) => value.includes(text)) ?? ['/..', '/.'].find((text) => value.endsWith(text));
    if (part !== undefined) at.error('E_PATH', `path ${show(value)} has ${part}, which requests are rid of`, 'write the path without it');
  }
}

function checkTimeouts({ request, backendRequest }: NonNullable<ParsedHttpRule['timeouts']>, place: Place): void {
  if (request === undefined || backendRequest === undefined) return;
  const wholeMs = parseDuration(request) ?? 0;
  if (wholeMs > 0 && (parseDuration(backendRequest) ?? 0) > wholeMs)
    place
      .at('backendRequest')
      .error('E_DURATION', `backendRequest ${backendRequest} must be <= request ${request}`, 'an attempt is part of the whole request');
}

function checkSessionPersistence({ type = 'Cookie', absoluteTimeout, cookie, header }: ParsedSessionPersistence, place: Place): void {
  if (cookie?.lifetimeType === 'Permanent' && absoluteTimeout === undefined)
    place.error('E_REQUIRED', 'a cookie of lifetimeType Permanent needs absoluteTimeout', 'say how long it lives: 24h');
  const members = [
    ['Cookie', 'cookie', cookie],
    ['Header', 'header', header],
  ] as const;
  for (const [wanted, member, value] of place.at('type').isSound ? members : []) {
    if ((value !== undefined) === (type === wanted)) continue;
    if (value === undefined) place.error('E_REQUIRED', `type ${type} needs ${member}`);
    else place.at(member).keyError('E_ONE_OF', `${member} belongs to type ${wanted}, found type ${type}`);
  }
}

const GRPC_SERVICE = /^\.?[a-z_][a-z_0-9]*(?:\.[a-z_][a-z_0-9]*)*$/i;
const GRPC_METHOD = /^[A-Za-z_][A-Za-z_0-9]*$/;

function checkGrpcRule({ matches = [], filters, backendRefs = [], sessionPersistence }: ParsedGrpcRule, place: Place): void {
  for (const [index, { method, headers }] of matches.entries()) {
    const at = place.at('matches').at(index);
    checkHeaderNames(headers, at.at('headers'));
    checkPatterns(headers, at.at('headers'));
    if (method === undefined) continue;
    const here = at.at('method');
    const { type = 'Exact', service, method: name } = method;
    if (service === undefined && name === undefined) here.error('E_REQUIRED', 'a method match needs service, method or both');
    if (type !== 'Exact') {
      for (const part of ['service', 'method'] as const) if ((method[part] ?? '') !== '') checkRegex(method[part] ?? '', here.at(part));
      continue;
    }
    if (service !== undefined && !GRPC_SERVICE.test(service))
      here.at('service').error('E_NAME', `expected the name of a gRPC service, found ${show(service)}`, 'such as acme.orders.v1.Orders');
    if (name !== undefined && !GRPC_METHOD.test(name))
      here.at('method').error('E_NAME', `expected the name of a gRPC method, found ${show(name)}`, 'such as GetOrder');
  }
  checkGrpcFilters(filters, place.at('filters'));
  for (const [index, backend] of backendRefs.entries()) {
    const at = place.at('backendRefs').at(index);
    checkServicePort(backend, at);
    checkGrpcFilters(backend.filters, at.at('filters'));
  }
  if (sessionPersistence !== undefined) checkSessionPersistence(sessionPersistence, place.at('sessionPersistence'));
}
