/** A compiled route of an HTTPRoute or GRPCRoute as rules of a VirtualService: one, or several where what replaces a path depends on what matched it. */
import type {
  CorsPolicy as WrittenCors,
  Destination,
  HeaderOperations,
  Headers,
  HttpMatchRequest,
  HttpRouteDestination,
  IstioHttpRoute,
  StringMatch,
} from '../../config/resources.ts';
import type {
  Cluster,
  CorsPolicy,
  ForwardAction,
  HeaderOps,
  HeaderValue,
  RetryPolicy,
  Rewrite,
  Route,
  RouteMatch,
  ValueMatch,
} from '../table.ts';
import { below, type Changes, type Spot } from './changes.ts';

type Rule = Omit<IstioHttpRoute, 'match' | 'name'>;
type PathChange = NonNullable<Rewrite['path']>;

export function istioRules(route: Route, clusters: readonly Cluster[], spot: Spot, changes: Changes): readonly IstioHttpRoute[] {
  const rules: { readonly rule: Rule; readonly key: string; readonly match: HttpMatchRequest[] }[] = [];
  for (const match of route.matches.filter(({ never }) => never === undefined).flatMap(byElement)) {
    const rule = ruleFor(route, match, clusters, spot, changes);
    const key = JSON.stringify(rule);
    const last = rules.at(-1);
    // A prefix is only replaced in Location where one is written.
    const request = matchRequest(match, rule.redirect?.prefixRewrite !== undefined);
    if (last?.key === key) last.match.push(request);
    else rules.push({ rule, key, match: [request] });
  }
  const isNamed = !/^rules\[\d+\]$/.test(route.name);
  return rules.map(({ rule, match }, index) => ({
    ...(isNamed ? { name: index === 0 ? route.name : `${route.name}-${index + 1}` } : {}),
    ...(match.some((each) => Object.keys(each).length === 0) ? {} : { match }),
    ...rule,
  }));
}

/** A prefix of elements is the path itself, or that with a slash and anything behind it. */
function byElement(match: RouteMatch): readonly RouteMatch[] {
  const { uri } = match;
  if (uri?.kind !== 'pathPrefix') return [match];
  const stem = uri.value.endsWith('/') ? uri.value.slice(0, -1) : uri.value;
  const prefix = { ...match, uri: { kind: 'prefix', value: `${stem}/`, ignoreCase: false } } as const;
  return stem === '' ? [prefix] : [{ ...match, uri: { kind: 'exact', value: stem, ignoreCase: false } }, prefix];
}

function matchRequest({ uri, method, headers, queryParams }: RouteMatch, keepsPrefix: boolean): HttpMatchRequest {
  const byName = (conditions: readonly { readonly name: string; readonly value?: ValueMatch }[]): Readonly<Record<string, StringMatch>> =>
    Object.fromEntries(conditions.map(({ name, value }) => [name, value === undefined ? {} : stringMatch(value)]));
  const isAny = uri === undefined || (!keepsPrefix && uri.kind === 'prefix' && uri.value === '/');
  return {
    ...(isAny ? {} : { uri: uri.kind === 'pathPrefix' ? { prefix: uri.value } : stringMatch({ kind: uri.kind, value: uri.value }) }),
    ...(method === undefined ? {} : { method: stringMatch(method) }),
    ...(headers.length === 0 ? {} : { headers: byName(headers) }),
    ...(queryParams.length === 0 ? {} : { queryParams: byName(queryParams) }),
  };
}

function stringMatch({ kind, value }: ValueMatch): StringMatch {
  return kind === 'exact' ? { exact: value } : kind === 'prefix' ? { prefix: value } : { regex: value };
}

function ruleFor(route: Route, match: RouteMatch, clusters: readonly Cluster[], spot: Spot, changes: Changes): Rule {
  const { action } = route;
  const response = headerOperations(route.responseHeaders, below(spot, 'filters'), changes);
  const request = action.kind === 'forward' ? headerOperations(route.requestHeaders, below(spot, 'filters'), changes) : undefined;
  const headers = bothSides(request, response);
  const common = {
    ...(headers === undefined ? {} : { headers }),
    ...(route.cors === undefined ? {} : { corsPolicy: corsPolicy(route.cors, below(spot, 'filters.cors'), changes) }),
  };
  if (action.kind === 'directResponse') return { directResponse: { status: action.status }, ...common };
  if (action.kind === 'redirect') {
    const { status, scheme, host, port, path } = action;
    const replaced =
      path === undefined ? {} : path.kind === 'full' ? { uri: path.value } : replacedPrefix(path.value, match, 'prefixRewrite');
    return {
      redirect: {
        ...(scheme === undefined ? {} : { scheme }),
        ...(host === undefined ? {} : { authority: host }),
        ...(typeof port === 'number' ? { port } : {}),
        ...(port === 'protocolDefault' ? { derivePort: 'FROM_PROTOCOL_DEFAULT' } : {}),
        ...(port === 'fromRequest' ? { derivePort: 'FROM_REQUEST_PORT' } : {}),
        ...replaced,
        redirectCode: status,
      },
      ...common,
    };
  }
  return { ...forward(action, match, clusters, spot, changes), ...common };
}

function forward(action: ForwardAction, match: RouteMatch, clusters: readonly Cluster[], spot: Spot, changes: Changes): Rule {
  const invalid = action.clusters.filter(({ cluster }) => clusters[cluster]?.missingStatus === 500);
  // All of it is answered as the Gateway API has it.
  if (invalid.length === action.clusters.length) return { directResponse: { status: 500 } };
  if (invalid.length > 0) changes.differs(below(spot, 'backendRefs'), 'the share of an invalid reference is answered with 503, not 500');
  if (action.session !== undefined) {
    changes.omitted(
      below(spot, 'sessionPersistence'),
      'sessions have no equivalent: consistentHash of a DestinationRule keeps clients at an endpoint of one destination, not at a destination',
    );
  }
  const hasOwnHost = action.clusters.some(({ hostRewrite }) => hostRewrite !== undefined);
  const isLone = action.clusters.length === 1;
  const route = action.clusters.map(
    ({ cluster, weight, hostRewrite, pathRewrite, requestHeaders, responseHeaders }, index): HttpRouteDestination => {
      const at = below(spot, `backendRefs[${index}]`);
      if (pathRewrite !== undefined)
        changes.omitted(
          below(at, 'filters'),
          'the path cannot be rewritten for one destination alone: it goes upstream as the rule has it',
        );
      const host = hasOwnHost ? (hostRewrite ?? action.rewrite?.host) : undefined;
      const own = headerOperations(requestHeaders, below(at, 'filters'), changes);
      const request = host === undefined ? own : { ...own, set: { ...own?.set, Host: host } };
      const headers = bothSides(request, headerOperations(responseHeaders, below(at, 'filters'), changes));
      return { destination: destination(clusters[cluster]), ...(isLone ? {} : { weight }), ...(headers === undefined ? {} : { headers }) };
    },
  );
  if (action.retry?.backoffIsMinimum === true) {
    changes.differs(below(spot, 'retry.backoff'), 'the back-off is what waits are drawn around, not the least of them');
  }
  if (action.mirrors !== undefined) {
    changes.differs(below(spot, 'filters.requestMirror'), 'copies have a Host that ends in -shadow, unless --istio-compat is given');
  }
  const authority = hasOwnHost ? undefined : action.rewrite?.host;
  const path = action.rewrite?.path;
  const rewrite = { ...(path === undefined ? {} : replacedPath(path, match)), ...(authority === undefined ? {} : { authority }) };
  const { timeoutMs, retry, mirrors = [] } = action;
  return {
    route,
    ...(Object.keys(rewrite).length === 0 ? {} : { rewrite }),
    ...(timeoutMs === 0 ? {} : { timeout: seconds(timeoutMs) }),
    ...(retry === undefined ? {} : { retries: retries(retry) }),
    ...(mirrors.length === 0
      ? {}
      : {
          mirrors: mirrors.map(({ cluster, perMillion }) => ({
            destination: destination(clusters[cluster]),
            percentage: { value: perMillion / 10_000 },
          })),
        }),
  };
}

function destination(cluster: Cluster | undefined): Destination {
  const { host = '', port = 0 } = cluster ?? {};
  return { host, ...(port === 0 ? {} : { port: { number: port } }) };
}

function seconds(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

const BACKOFF_MS = 25;

function retries({ attempts, on, statusCodes, perTryTimeoutMs, backoffMs }: RetryPolicy): NonNullable<IstioHttpRoute['retries']> {
  return {
    attempts,
    retryOn: [...on, ...statusCodes].join(','),
    ...(perTryTimeoutMs === 0 ? {} : { perTryTimeout: seconds(perTryTimeoutMs) }),
    ...(backoffMs === BACKOFF_MS || backoffMs === 0 ? {} : { backoff: seconds(backoffMs) }),
  };
}

/** What replaces the whole path beside a prefix has to be a pattern: Istio's own replaces no more than matched. */
function replacedPath(path: PathChange, match: RouteMatch): NonNullable<IstioHttpRoute['rewrite']> {
  if (path.kind === 'regex') return { uriRegexRewrite: { match: path.match, rewrite: path.rewrite } };
  if (path.kind === 'prefix') return replacedPrefix(path.value, match, 'uri');
  const isWhole = match.uri?.kind === 'exact' || match.uri?.kind === 'regex';
  return isWhole ? { uri: path.value } : { uriRegexRewrite: { match: '^/.*$', rewrite: path.value.replaceAll('\\', String.raw`\\`) } };
}

/** Of the two halves of an element prefix (`byElement`) one ends in the slash that the rest begins with. */
function replacedPrefix(
  value: string,
  { uri }: RouteMatch,
  field: 'uri' | 'prefixRewrite',
): { readonly uri?: string; readonly prefixRewrite?: string } {
  if (uri?.kind === 'exact') return { uri: value === '' ? '/' : value };
  return { [field]: value.endsWith('/') ? value : `${value}/` };
}

function bothSides(request: HeaderOperations | undefined, response: HeaderOperations | undefined): Headers | undefined {
  if (request === undefined && response === undefined) return undefined;
  return { ...(request === undefined ? {} : { request }), ...(response === undefined ? {} : { response }) };
}

function headerOperations({ remove, set, add }: HeaderOps, spot: Spot, changes: Changes): HeaderOperations | undefined {
  const sets = byName(set, spot, changes);
  const adds = byName(add, spot, changes);
  const operations = {
    ...(Object.keys(sets).length === 0 ? {} : { set: sets }),
    ...(Object.keys(adds).length === 0 ? {} : { add: adds }),
    ...(remove.length === 0 ? {} : { remove: [...remove] }),
  };
  return Object.keys(operations).length === 0 ? undefined : operations;
}

/** A percent sign begins an operator there, so it is doubled. */
function byName(headers: readonly HeaderValue[], spot: Spot, changes: Changes): Readonly<Record<string, string>> {
  const values: Record<string, string> = {};
  for (const { name, value } of headers) {
    const text = value.map((part) => (typeof part === 'string' ? part.replaceAll('%', '%%') : '')).join('');
    const known = values[name];
    if (known !== undefined) changes.differs(spot, `${name} is one line with all values, not a line for each`);
    values[name] = known === undefined ? text : `${known}, ${text}`;
  }
  return values;
}

function corsPolicy(policy: CorsPolicy, spot: Spot, changes: Changes): WrittenCors {
  const { origins, allowMethods, allowHeaders, exposeHeaders, maxAgeSeconds, allowsCredentials, forwardsUnmatched } = policy;
  if (policy.echoesRequested === true) changes.differs(spot, '* is sent as it is: browsers that send credentials take it for a name');
  const list = (text: string): readonly string[] => (text === '' ? [] : text.split(','));
  return {
    allowOrigins: origins.map(stringMatch),
    ...(allowMethods === '' ? {} : { allowMethods: list(allowMethods) }),
    ...(allowHeaders === '' ? {} : { allowHeaders: list(allowHeaders) }),
    ...(exposeHeaders === '' ? {} : { exposeHeaders: list(exposeHeaders) }),
    ...(maxAgeSeconds === undefined ? {} : { maxAge: `${maxAgeSeconds}s` }),
    ...(allowsCredentials ? { allowCredentials: true } : {}),
    ...(forwardsUnmatched ? {} : { unmatchedPreflights: 'IGNORE' }),
  };
}
