/**
 * Shifts and releases of HTTPRoutes and GRPCRoutes. In every rule of the route that sends to one of the change's Services, the weights of these Services are
 * set, in the proportions of the change; together they keep what they had together, so every other backend of the rule keeps its share exactly. A Service that
 * the rule does not name yet is added as a copy of the one that serves, under its own name.
 *
 * As with VirtualServices a rule for particular requests (by header or query) with a single backend keeps it, and so does one whose Services have
 * weight 0 together: there is nothing of theirs to give. A Service that stands twice in a rule, for two ports, has no one weight: such a rule
 * stays, too.
 *
 * Cohorts and preview links become rules of their own, each a copy of the rule it is about with what picks them out added to its matches. A copied match
 * comes right before the one it is a copy of (`addedHeaders`), wherever the Gateway API's precedence puts that: so it takes nothing from other paths, routes
 * and rules for particular requests, and loses nothing to them either.
 */
import type {
  GatewayApiHttpRoute,
  GatewayApiHttpRule,
  GatewayApiValueMatch,
  GrpcRoute,
  GrpcRule,
  HttpBackendRef,
  HttpRequestMirrorFilter,
  HttpRouteFilter,
} from './gateway-api/types.ts';
import { copyOrigin } from './origins.ts';
import { marked, singledOut, type TargetChange } from './overlay-change.ts';
import { isServiceRef, routeKey, routeOfTarget } from './release-target.ts';
import type { ReleaseOverlay } from './release.ts';
import type { HttpMatchRequest } from './resources.ts';
import type { Snapshot } from './snapshot.ts';

type Routes = Pick<Snapshot, 'httpRoutes' | 'grpcRoutes'>;
type Rule = GatewayApiHttpRule | GrpcRule;

/** What is looked at of the matches of both kinds. */
interface Match {
  readonly headers?: readonly GatewayApiValueMatch[];
  readonly queryParams?: readonly GatewayApiValueMatch[];
}

const ADDED = new WeakMap<object, number>();

/** How many conditions on headers a match of the overlay has beyond the match it is a copy of; 0 for the user's own. */
export function addedHeaders(match: object): number {
  return ADDED.get(match) ?? 0;
}

/** @param effective Targets of changes that have changed something are added. */
export function changeRoutes(routes: Routes, changes: readonly TargetChange[], effective: Set<string>): Routes {
  const byRoute = new Map(changes.flatMap((change) => (routeOfTarget(change.target) === undefined ? [] : [[change.target, change]])));
  if (byRoute.size === 0) return { httpRoutes: routes.httpRoutes, grpcRoutes: routes.grpcRoutes };
  const changed = <Changed extends Rule, Route extends GatewayApiHttpRoute | GrpcRoute>(
    route: Route,
    rules: readonly Changed[] | undefined,
    withRules: (rules: readonly Changed[]) => Route,
  ): Route => {
    const { kind, metadata } = route;
    const change = byRoute.get(routeKey({ kind, namespace: metadata.namespace, name: metadata.name }));
    const found = change && changedRules(rules ?? [], change, metadata.namespace);
    if (change === undefined || found === undefined) return route;
    effective.add(change.target);
    return copyOrigin(route, { ...withRules(found), metadata: marked(metadata, change.by) });
  };
  return {
    httpRoutes: routes.httpRoutes.map((route) =>
      changed(route, route.spec.rules, (rules) => ({ ...route, spec: { ...route.spec, rules } })),
    ),
    grpcRoutes: routes.grpcRoutes.map((route) =>
      changed(route, route.spec.rules, (rules) => ({ ...route, spec: { ...route.spec, rules } })),
    ),
  };
}

/** Undefined: there is nothing to change. */
function changedRules<Changed extends Rule>(rules: readonly Changed[], change: TargetChange, namespace: string): Changed[] | undefined {
  const moved = new Set<Rule>(rules.filter((rule) => isMovable(rule, change, namespace)));
  if (moved.size === 0) return undefined;
  let copies = 0;
  return rules.flatMap((rule) => {
    if (!moved.has(rule)) return [rule];
    copies++;
    // Names of rules are unique in a route.
    const suffix = copies === 1 ? '' : `-${copies}`;
    return [...cohortRules(rule, change, namespace, suffix), movedRule(rule, change, namespace)];
  });
}

function isMovable({ backendRefs = [], matches = [] }: Rule, change: TargetChange, namespace: string): boolean {
  const own = backendRefs.filter(ownRef(change, namespace));
  const isForParticular = backendRefs.length === 1 && matches.some(picksOut);
  return own.some(({ weight = 1 }) => weight > 0) && new Set(own.map(({ name }) => name)).size === own.length && !isForParticular;
}

/** Whether a match is about who asks rather than what is asked for. */
function picksOut({ headers = [], queryParams = [] }: Match): boolean {
  return headers.length > 0 || queryParams.length > 0;
}

/** Whose weights are the change's to give. */
function ownRef({ weights, release }: TargetChange, namespace: string): (ref: HttpBackendRef) => boolean {
  const names = new Set([...weights.map(([version]) => version), ...(release?.retired ?? [])]);
  return (ref) => names.has(ref.name) && isServiceRef(ref, namespace);
}

function movedRule<Changed extends Rule>(rule: Changed, change: TargetChange, namespace: string): Changed {
  const refs: readonly HttpBackendRef[] = rule.backendRefs ?? [];
  const isOwn = ownRef(change, namespace);
  const ownTotal = refs.filter(isOwn).reduce((sum, { weight = 1 }) => sum + weight, 0);
  const parts = change.weights.reduce((sum, [, weight]) => sum + weight, 0);
  const own = change.weights.map(([version, weight]) => ({ ...refOf(refs, version, change, namespace), weight: ownTotal * weight }));
  const others = refs.filter((ref) => !isOwn(ref)).map((ref) => ({ ...ref, weight: (ref.weight ?? 1) * parts }));
  const all = [...own, ...others];
  const divisor = all.reduce((common, { weight }) => greatestCommonDivisor(common, weight), 0);
  const backendRefs = all.map((ref) => ({ ...ref, weight: ref.weight / divisor }));
  const mirror = change.release?.mirror;
  const mirrors = mirror === undefined ? [] : [mirrorFilter(refOf(refs, mirror.to, change, namespace), mirror)];
  const filters = [...(lifted(rule) ?? rule.filters ?? []), ...mirrors];
  return copyOrigin(rule, { ...rule, backendRefs: backendRefs.map(withoutCors), ...(filters.length === 0 ? {} : { filters }) });
}

/** CORS of an only backend is CORS of its rule; of one of several it can have no effect, since preflights ask before one is chosen. */
function lifted({ filters = [], backendRefs = [] }: Rule): readonly HttpRouteFilter[] | undefined {
  const refs: readonly HttpBackendRef[] = backendRefs;
  const cors = refs.length === 1 ? refs[0]?.filters?.filter(({ type }) => type === 'CORS') : undefined;
  return cors === undefined || cors.length === 0 ? undefined : [...filters.filter(({ type }) => type !== 'CORS'), ...cors];
}

function withoutCors(ref: HttpBackendRef): HttpBackendRef {
  return ref.filters === undefined ? ref : { ...ref, filters: ref.filters.filter(({ type }) => type !== 'CORS') };
}

/** Of a version: as the rule has it, or a copy of the reference to the one that serves; without its weight. */
function refOf(refs: readonly HttpBackendRef[], version: string, change: TargetChange, namespace: string): Omit<HttpBackendRef, 'weight'> {
  const own = refs.filter(ownRef(change, namespace));
  const kept = own.find(({ name }) => name === version) ?? own.find(({ name }) => name === change.release?.stable) ?? own[0];
  const { weight: _set, ...ref } = kept ?? { name: version };
  return { ...ref, name: version };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Hundredths of a percent have no `percent`, which is a whole number. */
function mirrorFilter(ref: Omit<HttpBackendRef, 'weight'>, { percentage }: NonNullable<ReleaseOverlay['mirror']>): HttpRouteFilter {
  const { filters: _ofRequests, ...backendRef } = ref;
  const part: Omit<HttpRequestMirrorFilter, 'backendRef'> = Number.isInteger(percentage)
    ? { percent: percentage }
    : { fraction: { numerator: Math.round(percentage * 10_000), denominator: 1_000_000 } };
  return { type: 'RequestMirror', requestMirror: { backendRef, ...part } };
}

/** A copy of `rule` for each cohort of the release: the requests of both, to the cohort's Service alone. */
function cohortRules<Changed extends Rule>(rule: Changed, change: TargetChange, namespace: string, suffix: string): Changed[] {
  return singledOut(change.release).flatMap(({ name, match, to }) => {
    const written: readonly Match[] = rule.matches?.length ? rule.matches : [{}];
    const matches = written.flatMap((own) => match.flatMap((cohort) => bothMatch(own, cohort)));
    if (matches.length === 0) return [];
    const backendRefs = [{ ...refOf(rule.backendRefs ?? [], to, change, namespace), weight: 1 }];
    return [copyOrigin(rule, { ...rule, name: `${name}${suffix}`, matches, backendRefs })];
  });
}

/** The requests that `own` and `cohort` both hold for; none where they ask two things of one header, which a match cannot say. */
function bothMatch(own: Match, { headers = {} }: HttpMatchRequest): Match[] {
  const asked = new Set((own.headers ?? []).map(({ name }) => name.toLowerCase()));
  const wanted = Object.entries(headers);
  if (wanted.some(([name]) => asked.has(name.toLowerCase()))) return [];
  const both = { ...own, headers: [...(own.headers ?? []), ...wanted.map(([name, value]) => headerMatch(name, value))] };
  ADDED.set(both, wanted.length);
  return [both];
}

type Asked = NonNullable<HttpMatchRequest['headers']>[string];

function headerMatch(name: string, { exact, prefix, regex }: Asked): GatewayApiValueMatch {
  if (exact !== undefined) return { name, value: exact };
  const value = prefix === undefined ? (regex ?? '') : `${prefix.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}.*`;
  return { type: 'RegularExpression', name, value };
}
