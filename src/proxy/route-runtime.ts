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
  HeaderValue,
  RedirectAction,
  Route,
  WeightedCluster,
} from '../routing/table.ts';
import type { ClusterCounters } from '../telemetry/cluster-counters.ts';
import type { ClusterRuntime } from './cluster-runtime.ts';

/** Operations folded: what goes of the message as it came, and what is appended after it. */
export interface FoldedHeaderOps {
  /** Lower case. */
  readonly drop: readonly string[];
  readonly append: readonly HeaderValue[];
  /** `append` as text, where no value depends on the request. */
  readonly text: string | undefined;
}

export const NO_OPS: FoldedHeaderOps = { drop: [], append: [], text: '' };

/** Folds operations that are applied one after the other; within each: remove, set, add (semantics.md 2.1.5). */
function foldHeaderOps(levels: readonly HeaderOps[]): FoldedHeaderOps {
  const drop = new Set<string>();
  let append: HeaderValue[] = [];
  const forget = (name: string): void => {
    drop.add(name);
    append = append.filter((header) => header.name.toLowerCase() !== name);
  };
  for (const ops of levels) {
    for (const name of ops.remove) forget(name.toLowerCase());
    for (const header of ops.set) {
      forget(header.name.toLowerCase());
      append.push(header);
    }
    append.push(...ops.add);
  }
  if (drop.size === 0 && append.length === 0) return NO_OPS;
  return { drop: [...drop], append, text: constantText(append) };
}

function constantText(headers: readonly HeaderValue[]): string | undefined {
  let text = '';
  for (const header of headers) {
    let value = '';
    for (const part of header.value) {
      if (typeof part !== 'string') return undefined;
      value += part;
    }
    text += `${header.name}: ${value}\r\n`;
  }
  return text;
}

/** Whether a field of the head is dropped. */
export function isDropped(ops: FoldedHeaderOps, head: Head, field: number): boolean {
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
  /** Where attempts are counted for the release this is an arm of. */
  readonly observation: Observation | undefined;
  /** Health slot that sends requests to `fallback` once it is unhealthy; -1 where there is none. */
  readonly killSlot: number;
  readonly fallback: ClusterChoice | undefined;
}

export interface Observation {
  readonly good: ClusterCounters;
  readonly bad: ClusterCounters;
}

/** What routes are made of, by the names and indexes the table uses. */
export interface RouteParts {
  readonly clusters: readonly ClusterRuntime[];
  observe(key: string): Observation | undefined;
  killSlot(key: string): number | undefined;
}

export interface ForwardRuntime {
  readonly kind: 'forward';
  readonly action: ForwardAction;
  readonly choices: ReadonlyMap<WeightedCluster, ClusterChoice>;
}

export interface LocalRuntime {
  readonly kind: 'local';
  readonly action: RedirectAction | DirectResponseAction;
  readonly responseOps: FoldedHeaderOps;
}

export type RouteRuntime = ForwardRuntime | LocalRuntime;

export function routeRuntime(route: Route, parts: RouteParts): RouteRuntime {
  const { action } = route;
  if (action.kind !== 'forward') return { kind: 'local', action, responseOps: foldHeaderOps([route.responseHeaders]) };
  const choices = new Map<WeightedCluster, ClusterChoice>();
  for (const weighted of action.clusters) choices.set(weighted, clusterChoice(route, action, weighted, parts));
  return { kind: 'forward', action, choices };
}

function clusterChoice(route: Route, action: ForwardAction, weighted: WeightedCluster, parts: RouteParts): ClusterChoice {
  const cluster = parts.clusters[weighted.cluster];
  if (cluster === undefined)
    throw new Error(`broken invariant: route ${route.name} names cluster ${weighted.cluster} of ${parts.clusters.length}`);
  const { release } = weighted;
  const fallback = release?.fallback;
  return {
    weighted,
    cluster,
    // Cluster first, route after it: compile() has settled precedence by where it put each operation.
    requestOps: foldHeaderOps([weighted.requestHeaders, route.requestHeaders]),
    responseOps: foldHeaderOps([weighted.responseHeaders, route.responseHeaders]),
    hostRewrite: weighted.hostRewrite ?? action.rewrite?.host,
    observation: release?.observation === undefined ? undefined : parts.observe(release.observation),
    killSlot: (release?.killSwitch === undefined ? undefined : parts.killSlot(release.killSwitch)) ?? -1,
    fallback: fallback && clusterChoice(route, action, fallback, parts),
  };
}
