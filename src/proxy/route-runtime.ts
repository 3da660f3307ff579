/**
 * A route as the data plane uses it: clusters resolved, header operations of route and cluster folded into one. Made when a route is first
 * hit, so that a table of 10,000 routes costs nothing to swap in.
 */
import { nameIs } from '../http/field-kind.ts';
import type { Head } from '../http/head.ts';
import type {
  DirectResponseAction,
  ForwardAction,
  HeaderOps,
  Mirror,
  RedirectAction,
  Rewrite,
  Route,
  WeightedCluster,
} from '../routing/table.ts';
import { destinationRewrite } from '../routing/rewrite.ts';
import type { ClusterCounters } from '../telemetry/cluster-counters.ts';
import type { ClusterRuntime } from './cluster-runtime.ts';
import type { UserArm } from './user-arm.ts';
import { CorsRules } from './cors.ts';
import type { MirrorTarget } from './mirror.ts';
import type { Credentials } from '../config/credential.ts';
import { runOps } from './header-lines.ts';
import { RetryRules } from './retry-rules.ts';
import { Sessions } from './sessions.ts';

/** Operations as they act on one message. */
export interface SettledOps {
  /** Of the message as it came. Lower case. */
  readonly drop: readonly string[];
  /** Complete lines, appended. */
  readonly text: string;
}

/** Operations that are applied one after the other; `levels` where a value depends on the request (header-lines.ts). */
export type FoldedHeaderOps = (SettledOps & { readonly levels?: never }) | { readonly levels: readonly HeaderOps[] };

export const NO_OPS: SettledOps & FoldedHeaderOps = { drop: [], text: '' };

function foldHeaderOps(levels: readonly HeaderOps[]): FoldedHeaderOps {
  const isSettled = levels.every(({ set, add }) => [...set, ...add].every(({ value }) => value.every((part) => typeof part === 'string')));
  if (!isSettled) return { levels };
  const { drop, text } = runOps(levels, ({ value }) => value.filter((part) => typeof part === 'string').join(''));
  return drop.length === 0 && text === '' ? NO_OPS : { drop, text };
}

/** Whether a field of the head is dropped. */
export function isDropped(ops: SettledOps, head: Head, field: number): boolean {
  const start = head.nameStart(field);
  const end = head.nameEnd(field);
  for (const name of ops.drop) {
    if (nameIs(head.bytes, start, end, name)) return true;
  }
  return false;
}

export interface ClusterChoice {
  readonly weighted: WeightedCluster;
  readonly cluster: ClusterRuntime;
  readonly requestOps: FoldedHeaderOps;
  readonly responseOps: FoldedHeaderOps;
  /** Replaces Host; the destination's own before the route's. */
  readonly hostRewrite: string | undefined;
  /** What becomes of the path; likewise. */
  readonly rewrite: Rewrite | undefined;
  /** Where attempts are counted for the release this is an arm of. */
  readonly observation: Observation | undefined;
  /** The route's and its own. */
  readonly mirrors: readonly MirrorTarget[] | undefined;
  /** In place of sending anything. */
  readonly redirect: LocalRuntime | undefined;
  /** Health slot that sends requests to `fallback` once it is unhealthy; -1 where there is none. */
  readonly killSlot: number;
  readonly fallback: ClusterChoice | undefined;
  /** Statuses with which an idempotent request is given to `fallback`, as it is when there is no answer; undefined: never. */
  readonly fallbackOn: ReadonlySet<number> | undefined;
}

export interface Observation {
  readonly good: ClusterCounters;
  readonly bad: ClusterCounters;
  /** Present where the arm is drawn by user. */
  readonly users?: UserArm;
}

/** What routes are made of, by the names and indexes the table uses. */
export interface RouteParts {
  readonly clusters: readonly ClusterRuntime[];
  readonly credentials: Credentials;
  observe(key: string): Observation | undefined;
  killSlot(key: string): number | undefined;
  /** @param cluster  Index in the table. */
  mirrorCounters(cluster: number): ClusterCounters;
}

export interface ForwardRuntime {
  readonly kind: 'forward';
  readonly action: ForwardAction;
  readonly choices: ReadonlyMap<WeightedCluster, ClusterChoice>;
  readonly sessions: Sessions | undefined;
  readonly retry: RetryRules | undefined;
  readonly cors: CorsRules | undefined;
}

export interface LocalRuntime {
  readonly kind: 'local';
  readonly action: RedirectAction | DirectResponseAction;
  readonly responseOps: FoldedHeaderOps;
  readonly cors: CorsRules | undefined;
}

export type RouteRuntime = ForwardRuntime | LocalRuntime;

export function routeRuntime(route: Route, parts: RouteParts): RouteRuntime {
  const { action } = route;
  const cors = route.cors && new CorsRules(route.cors);
  if (action.kind !== 'forward') return { kind: 'local', action, responseOps: foldHeaderOps([route.responseHeaders]), cors };
  const choices = new Map<WeightedCluster, ClusterChoice>();
  for (const weighted of action.clusters) choices.set(weighted, clusterChoice(route, action, weighted, parts));
  const retry = action.retry && new RetryRules(action.retry);
  const kept = action.session?.destinations.map((weighted) => choices.get(weighted) ?? clusterChoice(route, action, weighted, parts)) ?? [];
  const sessions = action.session && new Sessions(action.session, [...choices.values(), ...kept]);
  return { kind: 'forward', action, choices, sessions, retry, cors };
}

function clusterOf(route: Route, index: number, { clusters }: RouteParts): ClusterRuntime {
  const cluster = clusters[index];
  if (cluster === undefined) throw new Error(`broken invariant: route ${route.name} names cluster ${index} of ${clusters.length}`);
  return cluster;
}

function mirrorTargets(route: Route, mirrors: readonly Mirror[] | undefined, parts: RouteParts): readonly MirrorTarget[] | undefined {
  return mirrors?.map(({ cluster, perMillion, marksHost }): MirrorTarget => ({
    cluster: clusterOf(route, cluster, parts),
    counters: parts.mirrorCounters(cluster),
    perMillion,
    marksHost,
  }));
}

function clusterChoice(route: Route, action: ForwardAction, weighted: WeightedCluster, parts: RouteParts): ClusterChoice {
  const cluster = clusterOf(route, weighted.cluster, parts);
  const { release, redirect } = weighted;
  const fallback = release?.fallback;
  const responseOps = foldHeaderOps([weighted.responseHeaders, route.responseHeaders]);
  const mirrors = weighted.mirrors === undefined ? action.mirrors : [...(action.mirrors ?? []), ...weighted.mirrors];
  return {
    weighted,
    cluster,
    // Cluster first, route after it: compile() has settled precedence by where it put each operation.
    requestOps: foldHeaderOps([weighted.requestHeaders, route.requestHeaders]),
    responseOps,
    hostRewrite: weighted.hostRewrite ?? action.rewrite?.host,
    rewrite: destinationRewrite(action, weighted),
    mirrors: mirrorTargets(route, mirrors, parts),
    redirect: redirect && { kind: 'local', action: redirect, responseOps, cors: undefined },
    observation: release?.observation === undefined ? undefined : parts.observe(release.observation),
    killSlot: (release?.killSwitch === undefined ? undefined : parts.killSlot(release.killSwitch)) ?? -1,
    fallback: fallback && clusterChoice(route, action, fallback, parts),
    fallbackOn: release?.fallbackOn && new Set(release.fallbackOn),
  };
}
