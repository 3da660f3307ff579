/** What Rollouts are of: whether it is there, with the versions they name, and whether another one is of it already. */
import { findRoute, missingOf, routeOfTarget, showTarget, targetOf } from './release-target.ts';
import { type Place, show } from './report.ts';
import type { Rollout } from './resources.ts';
import type { ServiceIndex } from './services.ts';
import type { Snapshot } from './snapshot.ts';
import type { Path } from './yaml-node.ts';

export interface TargetAnalysis {
  place(rollout: Rollout, path: Path): Place | undefined;
  didYouMean(name: string, candidates: readonly string[]): string | undefined;
  readonly knownHosts: readonly string[];
}

export function analyzeTargets(snapshot: Snapshot, services: ServiceIndex, analysis: TargetAnalysis): void {
  const owners = new Map<string, Rollout>();
  for (const rollout of snapshot.rollouts) {
    const target = targetOf(rollout);
    const route = routeOfTarget(target);
    const { host } = rollout.spec;
    const at = analysis.place(rollout, ['spec', route === undefined ? 'host' : 'route']);
    const owner = owners.get(target);
    if (owner === undefined) owners.set(target, rollout);
    else
      at?.error(
        'E_DUPLICATE',
        `Rollout ${owner.metadata.namespace}/${owner.metadata.name} is of ${route === undefined ? `host ${target}` : showTarget(target)} too: one release moves ${route === undefined ? 'a host' : 'a route'} at a time`,
        'remove one of them',
      );
    if (host !== undefined && services.service(target) === undefined) {
      at?.warn(
        'W_UNKNOWN_HOST',
        `host ${show(host)} is no known service; nothing is released`,
        analysis.didYouMean(host, analysis.knownHosts) ?? 'add a ServiceEntry',
      );
      continue;
    }
    if (route !== undefined && findRoute(snapshot, route) === undefined) {
      const [missing] = missingOf(snapshot, services, target, []);
      at?.warn('W_UNKNOWN_ROUTE', `${missing?.message ?? ''}; nothing is released`, missing?.hint());
      continue;
    }
    analyzeVersions(snapshot, services, analysis, rollout);
  }
}

function analyzeVersions(snapshot: Snapshot, services: ServiceIndex, analysis: TargetAnalysis, rollout: Rollout): void {
  const { host, stable, canary, canaries = [] } = rollout.spec;
  const target = targetOf(rollout);
  const named = [
    { path: ['stable'], version: stable },
    ...(canary === undefined ? [] : [{ path: ['canary'], version: canary }]),
    ...canaries.map((version, index) => ({ path: ['canaries', index], version })),
  ];
  const versions = named.map(({ version }) => version);
  const missing = missingOf(snapshot, services, target, versions);
  for (const { path, version } of named) {
    const found = missing.find((one) => one.version === version);
    if (found === undefined) continue;
    const at = analysis.place(rollout, ['spec', ...path]);
    if (host === undefined) {
      at?.warn('W_UNKNOWN_SERVICE', `${found.message}; nothing is released`, found.hint());
      continue;
    }
    const subsets = (services.destinationRule(target)?.subsets ?? []).map(({ name }) => name);
    at?.warn(
      'W_UNKNOWN_SUBSET',
      `subset ${show(version)} of ${show(host)} is in no DestinationRule; nothing is released`,
      analysis.didYouMean(version, subsets) ?? `subsets of ${target}: ${subsets.join(', ') || 'none'}`,
    );
  }
}
