import { parseDuration } from '../base/duration.ts';
import { delegateName } from '../config/delegates.ts';
import { originOf, ruleSourceOf } from '../config/origins.ts';
import type { Release } from '../config/release.ts';
import type { HttpRedirect, HttpRewrite, IstioHttpRoute, VirtualService } from '../config/resources.ts';
import type { Compilation } from './compilation.ts';
import { appendOps, compileHeaders } from './compile-headers.ts';
import type { CompiledHeaders } from './compile-headers.ts';
import { compileCors } from './compile-cors.ts';
import { compileFault } from './compile-fault.ts';
import { compileMirrors } from './compile-mirrors.ts';
import { compileRetries } from './compile-retries.ts';
import { compileMatch, matchEverything } from './compile-match.ts';
import type { Scope } from './scope.ts';
import { withReleaseArms } from './release-arms.ts';
import { NO_HEADER_OPS } from './table.ts';
import type {
  DirectResponseAction,
  ForwardAction,
  HeaderOps,
  RedirectAction,
  Rewrite,
  Route,
  RouteAction,
  WeightedCluster,
} from './table.ts';

/** One rule of a VirtualService, for one listener (Istio route.go, translateRoute). */
export function compileRule(
  compilation: Compilation,
  virtualService: VirtualService,
  index: number,
  rule: IstioHttpRoute,
  scope: Scope,
): Route {
  const { namespace } = virtualService.metadata;
  const written = ruleSourceOf(rule) ?? { ...virtualService.metadata, index };
  const path = `spec.http[${written.index}]`;
  const origin = originOf(rule) ?? virtualService.origin;
  const unsupported =
    (field: string) =>
    (header: string, operator: string): void =>
      compilation.warn(virtualService, {
        code: 'W_HEADER_OPERATOR',
        path: `${path}.${field}`,
        message: `%${operator}% in header ${header} has no value here and gives nothing`,
        hint: 'see docs/compatibility.md for the operators that have one',
      });
  const request = compileHeaders(rule.headers?.request, unsupported('headers.request'));
  const response = compileHeaders(rule.headers?.response, unsupported('headers.response')).ops;
  const matches =
    rule.match === undefined || rule.match.length === 0
      ? [matchEverything(path)]
      : rule.match.map((match, position) => compileMatch(match, `${path}.match[${position}]`, namespace, scope));
  const cors = compileCors(rule.corsPolicy);
  const common = {
    name: rule.name ?? `http[${written.index}]`,
    source: { kind: virtualService.kind, namespace: written.namespace, name: written.name, path, file: origin.file, line: origin.line },
    matches,
    ...(cors === undefined ? {} : { cors }),
  };
  if (rule.redirect !== undefined) {
    const action = compileRedirect(rule.redirect) ?? ineffectiveRedirect(compilation, virtualService, path, rule.redirect);
    return { ...common, action, requestHeaders: NO_HEADER_OPS, responseHeaders: response };
  }
  if (rule.directResponse !== undefined) {
    return { ...common, action: directResponse(rule.directResponse), requestHeaders: NO_HEADER_OPS, responseHeaders: response };
  }
  if (rule.route === undefined || rule.route.length === 0) {
    const unreachable =
      rule.delegate === undefined ? 'the rule has no action' : `its delegate ${delegateName(rule, namespace)} is not there`;
    return { ...common, action: EMPTY_RESPONSE, requestHeaders: NO_HEADER_OPS, responseHeaders: NO_HEADER_OPS, unreachable };
  }
  return { ...common, ...forward(compilation, virtualService, rule, rule.route, request, response, scope, unsupported) };
}

type Destinations = NonNullable<IstioHttpRoute['route']>;

/**
 * Weights are relative; a lone destination takes everything whatever its weight, and of several those of weight 0 are left out (vector A9).
 *
 * Header operations differ by the number of destinations *written* (semantics 2.1.4): a lone one's are appended to the route's and win, those of
 * several run before the route's and lose. The Host is the route's wherever the route states one.
 */
function forward(
  compilation: Compilation,
  virtualService: VirtualService,
  rule: IstioHttpRoute,
  destinations: Destinations,
  request: CompiledHeaders,
  response: HeaderOps,
  scope: Scope,
  unsupported: (field: string) => (header: string, operator: string) => void,
): { readonly action: RouteAction; readonly requestHeaders: HeaderOps; readonly responseHeaders: HeaderOps } {
  const isLone = destinations.length === 1;
  const routeHost = rule.rewrite?.authority || request.authority;
  let requestHeaders = request.ops;
  let responseHeaders = response;
  const clusters: WeightedCluster[] = [];
  for (const [position, { destination, weight = 0, headers }] of destinations.entries()) {
    if (!isLone && weight === 0) continue;
    const own = compileHeaders(headers?.request, unsupported(`route[${position}].headers.request`));
    const ownResponse = compileHeaders(headers?.response, unsupported(`route[${position}].headers.response`)).ops;
    if (isLone) {
      requestHeaders = appendOps(requestHeaders, own.ops);
      responseHeaders = appendOps(responseHeaders, ownResponse);
    }
    const host = compilation.resolve(destination.host, virtualService.metadata.namespace);
    clusters.push({
      cluster: compilation.clusters.use(host, destination.subset ?? '', destination.port?.number, scope.port),
      weight: isLone ? 1 : weight,
      requestHeaders: isLone ? NO_HEADER_OPS : own.ops,
      responseHeaders: isLone ? NO_HEADER_OPS : ownResponse,
      ...(own.authority === undefined || routeHost !== undefined ? {} : { hostRewrite: own.authority }),
    });
  }
  const rewrite = compileRewrite(rule.rewrite, routeHost);
  const retry = compileRetries(rule.retries, compilation.istioCompat);
  const fault = compileFault(rule.fault, compilation.istioCompat);
  const mirrors = compileMirrors(compilation, virtualService, rule, scope);
  const plain: ForwardAction = {
    kind: 'forward',
    clusters,
    totalWeight: clusters.reduce((sum, { weight }) => sum + weight, 0),
    ...(rewrite === undefined ? {} : { rewrite }),
    timeoutMs: (rule.timeout === undefined ? undefined : parseDuration(rule.timeout)) ?? 0,
    ...(retry === undefined ? {} : { retry }),
    ...(fault === undefined ? {} : { fault }),
    ...(mirrors.length === 0 ? {} : { mirrors }),
  };
  const released = releaseOf(compilation, virtualService, destinations);
  if (released === undefined) return { action: plain, requestHeaders, responseHeaders };
  const stable: WeightedCluster = {
    cluster: compilation.clusters.use(released.host, released.stable, destinations[0]?.destination.port?.number, scope.port),
    weight: 1,
    requestHeaders: NO_HEADER_OPS,
    responseHeaders: NO_HEADER_OPS,
  };
  const written = destinations.filter(({ weight = 0 }) => isLone || weight > 0);
  const arms = clusters.map((weighted, position) => ({ weighted, subset: written[position]?.destination.subset ?? '' }));
  return { action: withReleaseArms(plain, arms, released, stable), requestHeaders, responseHeaders };
}

/** The release under way on the one host all destinations name. */
function releaseOf(compilation: Compilation, { metadata }: VirtualService, destinations: Destinations): Release | undefined {
  if (compilation.snapshot.releases.length === 0) return undefined;
  const hosts = new Set(destinations.map(({ destination }) => compilation.resolve(destination.host, metadata.namespace)));
  const [host] = hosts;
  return hosts.size === 1 ? compilation.snapshot.releases.find((release) => release.host === host) : undefined;
}

function compileRewrite(rewrite: HttpRewrite | undefined, host: string | undefined): Rewrite | undefined {
  const regex = rewrite?.uriRegexRewrite;
  const uri = rewrite?.uri;
  const path = regex === undefined ? (uri ? ({ kind: 'prefix', value: uri } as const) : undefined) : ({ kind: 'regex', ...regex } as const);
  if (path === undefined && host === undefined) return undefined;
  return { ...(path === undefined ? {} : { path }), ...(host === undefined ? {} : { host }) };
}

const REDIRECT_CODES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

function compileRedirect(redirect: HttpRedirect): RedirectAction | undefined {
  const status = redirect.redirectCode || 301;
  if (!REDIRECT_CODES.has(status)) return undefined;
  const port = redirectPort(redirect);
  return {
    kind: 'redirect',
    status,
    ...(redirect.scheme === 'http' || redirect.scheme === 'https' ? { scheme: redirect.scheme } : {}),
    ...(redirect.authority ? { host: redirect.authority } : {}),
    ...(port === undefined ? {} : { port }),
    ...(redirect.uri ? { path: { kind: 'full', value: redirect.uri } as const } : {}),
    ...(redirect.prefixRewrite ? { path: { kind: 'prefix', value: redirect.prefixRewrite } as const } : {}),
  };
}

function redirectPort({ port, derivePort }: HttpRedirect): RedirectAction['port'] | undefined {
  if (derivePort === 'FROM_REQUEST_PORT') return 'fromRequest';
  if (derivePort === 'FROM_PROTOCOL_DEFAULT') return 'protocolDefault';
  return port;
}

/**
 * Istio lets 300 to 399 pass and then leaves the route without an action, which Envoy refuses. Passing such requests on to a later rule could send
 * them where the author meant nobody to get, so they are answered here.
 */
function ineffectiveRedirect(
  compilation: Compilation,
  virtualService: VirtualService,
  path: string,
  redirect: HttpRedirect,
): DirectResponseAction {
  compilation.warn(virtualService, {
    code: 'W_REDIRECT_CODE',
    path: `${path}.redirect.redirectCode`,
    message: `must be 301, 302, 303, 307 or 308 to have an effect, found ${redirect.redirectCode ?? 0}; requests are answered with 500`,
    hint: 'use 301 (permanent) or 302 (for now)',
  });
  return { ...EMPTY_RESPONSE, status: 500 };
}

const EMPTY_RESPONSE: DirectResponseAction = { kind: 'directResponse', status: 404, body: new Uint8Array() };

function directResponse({ status, body }: NonNullable<IstioHttpRoute['directResponse']>): DirectResponseAction {
  const bytes = body?.bytes === undefined ? Buffer.from(body?.string ?? '', 'utf8') : Buffer.from(body.bytes, 'base64');
  return { kind: 'directResponse', status, body: new Uint8Array(bytes) };
}
