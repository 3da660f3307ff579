/** Clusters in list order, and the sum of their weights. */
interface Weighted<T> {
  readonly clusters: readonly T[];
  readonly totalWeight: number;
}

/**
 * Chooses the cluster of one request by cumulative weight over list order (Envoy weighted_clusters: value modulo total, in order).
 *
 * @param ratio  Uniform in [0, 1), from the caller: an independent draw per request, or a salted hash of the user's key. The same ratio always
 *               gives the same cluster, and the ranges of the earlier clusters do not move when a later one changes.
 * @returns      Never a cluster of weight 0 beside others: compile() leaves those out.
 */
export function pickCluster<T extends { readonly weight: number }>(action: Weighted<T>, ratio: number): T {
  const { clusters } = action;
  const last = clusters.length - 1;
  let left = ratio * action.totalWeight;
  for (let index = 0; index < last; index++) {
    const candidate = clusters[index];
    if (candidate === undefined) break;
    left -= candidate.weight;
    if (left < 0) return candidate;
  }
  const rest = clusters[last];
  if (rest === undefined) throw new Error('broken invariant: a forward action without clusters');
  return rest;
}
