/**
 * Which versions of those that Serin can run need not run: no release needs them, and no rule in force sends to them. Pure.
 *
 * A version that only a Rollout which nobody has started yet names as its canary is one of them.
 */
import type { IdleSubsets, Overlay } from '../config/overlay.ts';
import { targetOf, versionService } from '../config/release-target.ts';
import { canariesOf } from '../config/serin/rollout-spec.ts';
import { type ServiceIndex, serviceIndex, subsetProcesses } from '../config/services.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { tcpRoutesOf } from '../routing/tcp-match.ts';
import type { ForwardAction, RoutingTable } from '../routing/table.ts';

/** By `ClusterProcess.id`: why it need not run. */
export type IdleVersions = ReadonlyMap<string, string>;

export const NONE_IDLE: IdleVersions = new Map();

/** @param table What the snapshot compiles to. */
export function idleVersions(snapshot: Snapshot, table: RoutingTable, idle: Overlay['idle'] = {}): IdleVersions {
  const byTarget = new Map<string, IdleSubsets>(Object.entries(idle));
  for (const rollout of snapshot.rollouts) {
    const target = targetOf(rollout);
    if (byTarget.has(target)) continue;
    byTarget.set(target, Object.fromEntries(canariesOf(rollout.spec).map((version) => [version, 'its release has not started'])));
  }
  if (byTarget.size === 0) return NONE_IDLE;
  const index = serviceIndex(snapshot);
  const found = new Map<string, string>();
  for (const [target, versions] of byTarget)
    for (const [version, why] of Object.entries(versions)) for (const id of processesOf(index, target, version)) found.set(id, why);
  if (found.size > 0) for (const id of usedVersions(table)) found.delete(id);
  return found;
}

export function sameIdle(a: IdleVersions, b: IdleVersions): boolean {
  return a.size === b.size && [...a].every(([id, why]) => b.get(id) === why);
}

function processesOf(index: ServiceIndex, target: string, version: string): readonly string[] {
  const { host, subset } = versionService(target, version);
  const service = index.service(host);
  const labels = subset === '' ? {} : index.destinationRule(host)?.subsets.find(({ name }) => name === subset)?.labels;
  return service === undefined || labels === undefined ? [] : subsetProcesses(service, labels).map(({ id }) => id);
}

/** Versions that some request, or a copy of one, may be sent to. */
function* usedVersions({ listeners, clusters }: RoutingTable): Iterable<string> {
  const used = new Set<number>();
  for (const listener of listeners) {
    for (const { routes } of listener.virtualHosts)
      for (const { action } of routes) if (action.kind === 'forward') for (const cluster of targetsOf(action)) used.add(cluster);
    for (const { clusters: targets } of tcpRoutesOf(listener)) for (const { cluster } of targets) used.add(cluster);
  }
  for (const cluster of used) for (const { id } of clusters[cluster]?.processes ?? []) yield id;
}

/** Indexes of clusters. Where a switched-off canary's requests go needs no place here: a release needs that version itself. */
function targetsOf({ clusters, mirrors = [], session }: ForwardAction): readonly number[] {
  const served = session?.destinations ?? clusters.filter(({ weight }) => weight > 0 || clusters.length === 1);
  return [...served, ...mirrors, ...served.flatMap(({ mirrors: own = [] }) => own)].map(({ cluster }) => cluster);
}
