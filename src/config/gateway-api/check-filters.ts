/** The rules of filters of HTTPRoute and GRPCRoute, as their custom resource definitions have them in CEL. */
import { forbiddenChange } from '../istio/headers.ts';
import { show, type Place } from '../report.ts';
import { checkServicePort, checkUnique } from './check-values.ts';
import type { ParsedGrpcFilter, ParsedHttpFilter, ParsedPathModifier } from './filter-schema.ts';

/** What each type of filter keeps its settings in. */
const MEMBERS = {
  RequestHeaderModifier: 'requestHeaderModifier',
  ResponseHeaderModifier: 'responseHeaderModifier',
  RequestMirror: 'requestMirror',
  RequestRedirect: 'requestRedirect',
  URLRewrite: 'urlRewrite',
  ExtensionRef: 'extensionRef',
  CORS: 'cors',
  ExternalAuth: 'externalAuth',
} as const satisfies Record<ParsedHttpFilter['type'], keyof ParsedHttpFilter>;

const MEMBER_TYPES = Object.entries(MEMBERS);

const ONCE: ReadonlySet<string> = new Set<ParsedHttpFilter['type']>([
  'RequestHeaderModifier',
  'ResponseHeaderModifier',
  'RequestRedirect',
  'URLRewrite',
  'CORS',
]);

export function checkHttpFilters(filters: readonly ParsedHttpFilter[] | undefined, place: Place): void {
  if (filters === undefined) return;
  checkFilterList(filters, place);
  const rewrite = filters.findIndex(({ type }) => type === 'URLRewrite');
  if (rewrite !== -1 && filters.some(({ type }) => type === 'RequestRedirect'))
    place
      .at(rewrite)
      .error('E_ONE_OF', 'filters cannot have both RequestRedirect and URLRewrite', 'a redirect has hostname and path of its own');
  for (const [index, { requestRedirect, urlRewrite, cors, externalAuth }] of filters.entries()) {
    const at = place.at(index);
    if (requestRedirect?.path !== undefined) checkPathModifier(requestRedirect.path, at.at('requestRedirect').at('path'));
    if (urlRewrite?.path !== undefined) checkPathModifier(urlRewrite.path, at.at('urlRewrite').at('path'));
    if (cors !== undefined) checkCors(cors, at.at('cors'));
    if (externalAuth !== undefined) checkExternalAuth(externalAuth, at.at('externalAuth'));
  }
}

export function checkGrpcFilters(filters: readonly ParsedGrpcFilter[] | undefined, place: Place): void {
  if (filters !== undefined) checkFilterList(filters, place);
}

function checkFilterList(filters: readonly (ParsedHttpFilter | ParsedGrpcFilter)[], place: Place): void {
  const onlyOnce = ({ type }: ParsedHttpFilter | ParsedGrpcFilter): string | undefined => (ONCE.has(type) ? type : undefined);
  checkUnique(filters, onlyOnce, place, { what: 'filter type', field: 'type' });
  for (const [index, filter] of filters.entries()) {
    const at = place.at(index);
    for (const [type, member] of at.at('type').isSound ? MEMBER_TYPES : []) {
      const isThere = Object.hasOwn(filter, member);
      if (isThere === (type === filter.type)) continue;
      if (isThere)
        at.at(member).keyError(
          'E_ONE_OF',
          `${member} belongs to type ${type}, found type ${filter.type}`,
          'write another entry of filters for it',
        );
      else at.error('E_REQUIRED', `a filter of type ${filter.type} needs ${member}`);
    }
    checkHeaderFilter(filter.requestHeaderModifier, at.at('requestHeaderModifier'), true);
    checkHeaderFilter(filter.responseHeaderModifier, at.at('responseHeaderModifier'), false);
    if (filter.requestMirror !== undefined) checkMirror(filter.requestMirror, at.at('requestMirror'));
  }
}

function checkHeaderFilter(filter: ParsedHttpFilter['requestHeaderModifier'], place: Place, isRequest: boolean): void {
  if (filter === undefined) return;
  checkHeaderNames(filter.set, place.at('set'));
  checkHeaderNames(filter.add, place.at('add'));
  checkUnique(filter.remove, String, place.at('remove'), { what: 'header' });
  for (const verb of ['set', 'add'] as const) {
    for (const [index, { name }] of (filter[verb] ?? []).entries()) {
      const why = forbiddenChange(name, { isRequest, isRemoved: false });
      if (why !== undefined) place.at(verb).at(index).at('name').error('E_HEADER_FORBIDDEN', why, 'leave it to the proxy');
    }
  }
  for (const [index, name] of (filter.remove ?? []).entries()) {
    const why = forbiddenChange(name, { isRequest, isRemoved: true });
    if (why !== undefined) place.at('remove').at(index).error('E_HEADER_FORBIDDEN', why, 'leave it to the proxy');
  }
}

/** An API server tells names apart by their letters; HTTP does not mind capitals, and of equivalent names the first counts. */
export function checkHeaderNames(headers: readonly { readonly name: string }[] | undefined, place: Place): void {
  if (headers === undefined || headers.length < 2) return;
  checkUnique(headers, ({ name }) => name, place, { what: 'header', field: 'name' });
  const seen = new Map<string, string>();
  for (const [index, { name }] of headers.entries()) {
    const earlier = seen.get(name.toLowerCase());
    if (earlier === undefined) seen.set(name.toLowerCase(), name);
    else if (earlier !== name)
      place
        .at(index)
        .at('name')
        .warn('W_INEFFECTIVE', `header ${show(name)} is ${show(earlier)} in other letters: the first counts`, 'keep one of them');
  }
}

function checkMirror({ backendRef, percent, fraction }: NonNullable<ParsedHttpFilter['requestMirror']>, place: Place): void {
  checkServicePort(backendRef, place.at('backendRef'));
  if (fraction === undefined) return;
  if (percent !== undefined) place.at('fraction').keyError('E_ONE_OF', 'percent and fraction exclude each other', 'keep one of them');
  const { numerator, denominator = 100 } = fraction;
  if (numerator > denominator)
    place.at('fraction').at('numerator').error('E_RANGE', `numerator must be <= denominator (${denominator}), found ${numerator}`);
}

function checkPathModifier(modifier: ParsedPathModifier, place: Place): void {
  if (!place.at('type').isSound) return;
  for (const [type, member] of [
    ['ReplaceFullPath', 'replaceFullPath'],
    ['ReplacePrefixMatch', 'replacePrefixMatch'],
  ] as const) {
    const isThere = modifier[member] !== undefined;
    if (isThere === (type === modifier.type)) continue;
    if (isThere) place.at(member).keyError('E_ONE_OF', `${member} belongs to type ${type}, found type ${modifier.type}`);
    else place.error('E_REQUIRED', `type ${type} needs ${member}`);
  }
}

function checkCors(cors: NonNullable<ParsedHttpFilter['cors']>, place: Place): void {
  for (const field of ['allowOrigins', 'allowMethods', 'allowHeaders', 'exposeHeaders'] as const) {
    const entries: readonly string[] = cors[field] ?? [];
    const at = place.at(field);
    checkUnique(entries, String, at, { what: 'entry' });
    const star = entries.indexOf('*');
    if (field !== 'exposeHeaders' && star !== -1 && entries.length > 1)
      at.at(star).error('E_CORS', '"*" stands for all and must be the only entry');
  }
}

function checkExternalAuth(auth: NonNullable<ParsedHttpFilter['externalAuth']>, place: Place): void {
  checkServicePort(auth.backendRef, place.at('backendRef'));
  const members = [
    ['GRPC', 'grpc'],
    ['HTTP', 'http'],
  ] as const;
  for (const [protocol, member] of place.at('protocol').isSound ? members : []) {
    const isThere = auth[member] !== undefined;
    if (isThere === (protocol === auth.protocol)) continue;
    if (isThere) place.at(member).keyError('E_ONE_OF', `${member} belongs to protocol ${protocol}, found protocol ${auth.protocol}`);
    else place.error('E_REQUIRED', `protocol ${protocol} needs ${member}`);
  }
  checkUnique(auth.grpc?.allowedHeaders, String, place.at('grpc').at('allowedHeaders'), { what: 'header' });
  checkUnique(auth.http?.allowedHeaders, String, place.at('http').at('allowedHeaders'), { what: 'header' });
  checkUnique(auth.http?.allowedResponseHeaders, String, place.at('http').at('allowedResponseHeaders'), { what: 'header' });
}
