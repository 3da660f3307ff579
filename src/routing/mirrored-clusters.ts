import type { ForwardAction, RoutingTable, WeightedCluster } from './table.ts';

/** Index and name of every cluster that is some route's mirror. */
export function mirroredClusters({ listeners, clusters }: RoutingTable): readonly (readonly [index: number, name: string])[] {
  const indexes = new Set<number>();
  for (const { virtualHosts } of listeners) {
    for (const { routes } of virtualHosts) {
      for (const { action } of routes) {
        if (action.kind !== 'forward') continue;
        for (const { cluster } of action.mirrors ?? []) indexes.add(cluster);
        for (const { mirrors = [] } of destinationsOf(action)) for (const { cluster } of mirrors) indexes.add(cluster);
      }
    }
  }
  return [...indexes].map((index) => [index, clusters[index]?.name ?? ''] as const);
}

/** Sessions keep going to those that nobody is drawn for any more. */
function destinationsOf({ clusters, session }: ForwardAction): readonly WeightedCluster[] {
  return session?.destinations ?? clusters;
}
