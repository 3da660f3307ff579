/** `spec.service` of a Canary: what Flagger makes a VirtualService, DestinationRules or an HTTPRoute of, as the files that say the same. */
import { parseDuration } from '../../base/duration.ts';
import { defined, type Output } from '../emit.ts';
import type { Field } from '../field.ts';
import { serviceParent, serviceRoute, subsetRule, subsetService, type Versions } from '../release.ts';
import { stringMatch } from './strategy.ts';

const STABLE = 'primary';
const CANARY = 'canary';
const USUAL_PORT = 80;

export interface ServicePlan {
  readonly versions: Versions;
  readonly outputs: readonly Output[];
}

/** Istio's objects in Istio's words; the fields of the Gateway API have no place there. */
export function istioPlan(service: Field, apex: string, namespace: string | undefined): ServicePlan {
  const isDelegate = service.at('delegation').flag() === true;
  const hosts = service.at('hosts').texts();
  const gateways = service.at('gateways').texts();
  for (const key of ['backendTimeout', 'gatewayRefs', 'mirror'])
    service.at(key).noEquivalent('Flagger uses it for the Gateway API only', 'write provider: gatewayapi:v1 if that is meant');
  const rule = defined({
    match: service.at('match').take(),
    rewrite: rewriteOf(service.at('rewrite')),
    timeout: service.at('timeout').text(),
    retries: service.at('retries').take(),
    headers: service.at('headers').take(),
    corsPolicy: service.at('corsPolicy').take(),
  });
  const top = isDelegate ? {} : { hosts: hosts.includes(apex) ? hosts : [...hosts, apex], ...(gateways.length === 0 ? {} : { gateways }) };
  reportRest(service, apex);
  return {
    versions: { by: 'subset', host: apex, stable: STABLE, canary: CANARY },
    outputs: [
      subsetRule(apex, namespace, { [STABLE]: STABLE, [CANARY]: CANARY }, service.at('trafficPolicy').take()),
      { document: subsetService(apex, namespace, { stable: STABLE, canary: CANARY }, rule, top) },
    ],
  };
}

function rewriteOf(rewrite: Field): unknown {
  rewrite.at('type').ignore();
  if (!rewrite.isThere) return undefined;
  return defined({
    uri: rewrite.at('uri').text(),
    authority: rewrite.at('authority').text(),
    uriRegexRewrite: rewrite.at('uriRegexRewrite').take(),
  });
}

/** The Gateway API, and every provider whose own objects Serin does not read. */
export function routePlan(service: Field, apex: string, namespace: string | undefined): ServicePlan {
  const port = service.at('port').number() ?? USUAL_PORT;
  const stable = `${apex}-primary`;
  const canary = `${apex}-canary`;
  const parents = service.at('gatewayRefs').take();
  const hostnames = service
    .at('hosts')
    .texts()
    .filter((host) => host !== apex && host !== '*');
  service.at('gateways').noEquivalent("Istio's Gateways are for VirtualServices", 'write gatewayRefs');
  service.at('trafficPolicy').noEquivalent('an HTTPRoute has none', `a DestinationRule for ${stable} and one for ${canary}`);
  service.at('delegation').noEquivalent('HTTPRoutes do not delegate');
  const filters = [
    ...headerFilters(service.at('headers')),
    ...corsFilters(service.at('corsPolicy')),
    ...mirrorFilters(service.at('mirror')),
    ...rewriteFilters(service.at('rewrite')),
  ];
  const matches = service.at('match').items().flatMap(routeMatch);
  const retries = service.at('retries');
  const perTry = retries.at('perTryTimeout').text();
  const timeouts = defined({ request: service.at('timeout').text(), backendRequest: service.at('backendTimeout').text() ?? perTry });
  const retry = retryOf(retries);
  const rule = defined({
    matches: matches.length === 0 ? undefined : matches,
    filters: filters.length === 0 ? undefined : filters,
    timeouts: Object.keys(timeouts).length === 0 ? undefined : timeouts,
    retry,
  });
  const top = {
    parentRefs: Array.isArray(parents) && parents.length > 0 ? parents : [serviceParent(apex, port)],
    ...(hostnames.length === 0 ? {} : { hostnames }),
  };
  reportRest(service, apex);
  return {
    versions: { by: 'route', kind: 'HTTPRoute', route: apex, stable, canary },
    outputs: [
      {
        remarks: [`Flagger made the Services ${stable} and ${canary} and owns them: write them down before the Canary is deleted.`],
        document: serviceRoute(apex, namespace, { stable, canary, port }, rule, top),
      },
    ],
  };
}

/** What Flagger makes Services of: Serin makes none. */
function reportRest(service: Field, apex: string): void {
  service.at('name').ignore();
  service.at('port').number();
  for (const key of [
    'portName',
    'targetPort',
    'appProtocol',
    'portDiscovery',
    'headless',
    'trafficDistribution',
    'apex',
    'primary',
    'canary',
    'unmanagedMetadata',
  ])
    service.at(key).noEquivalent('Serin makes no Services', `say it in the Service ${apex} itself, and in those of the versions`);
  for (const key of ['meshName', 'backends']) service.at(key).noEquivalent('it is for App Mesh, which Serin does not drive');
}

function routeMatch(match: Field): readonly object[] {
  const path = pathMatch(match.at('uri'));
  const headers = valueMatches(match.at('headers'));
  const queryParams = valueMatches(match.at('queryParams'));
  const method = match.at('method', 'exact').text();
  for (const [key, field] of match.entries()) {
    if (key === 'name') field.ignore();
    else if (!['uri', 'headers', 'queryParams', 'method'].includes(key))
      field.noEquivalent('an HTTPRoute has no such condition, and Flagger leaves it out as well');
  }
  return [
    defined({
      path,
      headers: headers.length === 0 ? undefined : headers,
      queryParams: queryParams.length === 0 ? undefined : queryParams,
      method,
    }),
  ];
}

function pathMatch(uri: Field): object | undefined {
  if (!uri.isThere) return undefined;
  const { exact, prefix, regex } = stringMatch(uri) ?? {};
  if (exact !== undefined) return { type: 'Exact', value: exact };
  if (regex !== undefined) return { type: 'RegularExpression', value: regex };
  if (prefix === undefined) return undefined;
  if (prefix !== '/') uri.differs('the prefix is of whole segments of the path here, as with Flagger and the Gateway API');
  return { type: 'PathPrefix', value: prefix };
}

function valueMatches(values: Field): readonly object[] {
  return values.entries().flatMap(([name, value]) => {
    const { exact, prefix, regex } = stringMatch(value) ?? {};
    if (exact !== undefined) return [{ name, value: exact }];
    const expression = regex ?? (prefix === undefined ? undefined : `${prefix.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}.*`);
    return expression === undefined ? [] : [{ type: 'RegularExpression', name, value: expression }];
  });
}

function headerFilters(headers: Field): readonly object[] {
  return (['request', 'response'] as const).flatMap((side): object[] => {
    const operations = headers.at(side);
    if (!operations.isThere) return [];
    const pairs = (key: string): object[] | undefined => {
      const found = operations
        .at(key)
        .entries()
        .map(([name, value]) => ({ name, value: value.word() ?? '' }));
      return found.length === 0 ? undefined : found;
    };
    const removed = operations.at('remove').texts();
    const modifier = defined({ set: pairs('set'), add: pairs('add'), remove: removed.length === 0 ? undefined : removed });
    if (Object.keys(modifier).length === 0) return [];
    return side === 'request'
      ? [{ type: 'RequestHeaderModifier', requestHeaderModifier: modifier }]
      : [{ type: 'ResponseHeaderModifier', responseHeaderModifier: modifier }];
  });
}

function corsFilters(cors: Field): readonly object[] {
  if (!cors.isThere) return [];
  const exact = cors
    .at('allowOrigins')
    .items()
    .flatMap((origin) => {
      const text = origin.at('exact').text();
      for (const key of ['prefix', 'regex'])
        origin.at(key).noEquivalent('an HTTPRoute names whole origins', 'https://*.example.com takes every host below example.com');
      return text ?? [];
    });
  const allowOrigins = [...exact, ...cors.at('allowOrigin').texts()];
  const maxAge = cors.at('maxAge').text();
  const list = (key: string): readonly string[] | undefined => {
    const texts = cors.at(key).texts();
    return texts.length === 0 ? undefined : texts;
  };
  const filter = defined({
    allowOrigins: allowOrigins.length === 0 ? undefined : allowOrigins,
    allowMethods: list('allowMethods'),
    allowHeaders: list('allowHeaders'),
    exposeHeaders: list('exposeHeaders'),
    allowCredentials: cors.at('allowCredentials').flag(),
    maxAge: maxAge === undefined ? undefined : Math.max(1, Math.round((parseDuration(maxAge) ?? 5000) / 1000)),
  });
  return [{ type: 'CORS', cors: filter }];
}

function mirrorFilters(mirror: Field): readonly object[] {
  return mirror.items().flatMap((item) => {
    const requestMirror = item.take();
    return requestMirror === undefined ? [] : [{ type: 'RequestMirror', requestMirror }];
  });
}

function rewriteFilters(rewrite: Field): readonly object[] {
  if (!rewrite.isThere) return [];
  const uri = rewrite.at('uri').text();
  const isFull = rewrite.at('type').text() === 'ReplaceFullPath';
  const hostname = rewrite.at('authority').text();
  rewrite.at('uriRegexRewrite').noEquivalent('an HTTPRoute cannot rewrite by an expression', 'a VirtualService can');
  if (uri === undefined && hostname === undefined) return [];
  const path =
    uri === undefined
      ? undefined
      : isFull
        ? { type: 'ReplaceFullPath', replaceFullPath: uri }
        : { type: 'ReplacePrefixMatch', replacePrefixMatch: uri };
  return [{ type: 'URLRewrite', urlRewrite: defined({ hostname, path }) }];
}

function retryOf(retries: Field): object | undefined {
  if (!retries.isThere) return undefined;
  const attempts = retries.at('attempts').number();
  const on = (retries.at('retryOn').text() ?? '')
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
  const codes = on.flatMap((word) =>
    /^[45]\d\d$/.test(word) ? [Number(word)] : word === 'gateway-error' ? [502, 503, 504] : word === '5xx' ? [500, 502, 503, 504] : [],
  );
  for (const key of ['retryRemoteLocalities', 'retryIgnorePreviousHosts', 'backoff'])
    retries.at(key).noEquivalent('an HTTPRoute has no such field');
  if (attempts === undefined || attempts < 1) return undefined;
  return { ...(codes.length === 0 ? {} : { codes: [...new Set(codes)] }), attempts };
}
