import type { HttpBackendRef } from '../../config/gateway-api/types.ts';
import { isServiceRef, routeKey } from '../../config/release-target.ts';
import { withReleaseArms } from '../release-arms.ts';
import { type ForwardAction, NO_HEADER_OPS, type WeightedCluster } from '../table.ts';
import { backendCluster, type RouteContext } from './route-context.ts';

/**
 * What a release of the route adds to one of its rules: the arms are the references to its Services.
 *
 * Sessions stay with a version only while it gets requests at all: where a release has taken everybody from it, nobody is led back.
 *
 * @param all By reference, those of weight 0 included.
 */
export function released(
  context: RouteContext,
  references: readonly HttpBackendRef[],
  action: ForwardAction,
  all: readonly WeightedCluster[],
): ForwardAction {
  const { compilation, route } = context;
  const { kind, metadata } = route;
  const { releases } = compilation.snapshot;
  if (kind === 'TLSRoute' || releases.length === 0) return action;
  const target = routeKey({ kind, namespace: metadata.namespace, name: metadata.name });
  const release = releases.find(({ host }) => host === target);
  if (release === undefined) return action;
  const versions = new Set([release.stable, ...release.canaries, ...(release.retired ?? [])]);
  const own = references.map((reference) =>
    isServiceRef(reference, metadata.namespace) && versions.has(reference.name) ? reference : undefined,
  );
  const first = own.find((reference) => reference !== undefined);
  if (first === undefined) return action;
  const arms = all.flatMap((weighted, index) => (weighted.weight > 0 ? [{ weighted, subset: own[index]?.name ?? '' }] : []));
  const stable: WeightedCluster = {
    cluster: backendCluster(context, { ...first, name: release.stable }),
    weight: 1,
    requestHeaders: NO_HEADER_OPS,
    responseHeaders: NO_HEADER_OPS,
  };
  const { session } = action;
  const destinations = all.filter(({ weight }, index) => weight > 0 || own[index] === undefined);
  return withReleaseArms({ ...action, ...(session === undefined ? {} : { session: { ...session, destinations } }) }, arms, release, stable);
}
