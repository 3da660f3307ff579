import type { Diagnostic } from '../base/diagnostic.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { type Compilation, startCompilation } from './compilation.ts';
import { gatewayListeners } from './gateway-listeners.ts';
import { meshListener } from './mesh-listener.ts';
import { killSwitchKey, observationKey } from './release-arms.ts';
import type { RoutingTable } from './table.ts';

export interface CompileOptions {
  /** `namespace/name:port` of Gateways whose port is served on an address of its own instead of being shared (`--listen NS/NAME:80=…`). */
  readonly ownListeners?: ReadonlySet<string>;
}

export interface Compiled {
  readonly table: RoutingTable;
  /** Warnings about what only compiling finds out; what a resource says wrongly by itself, validation has said already. */
  readonly diagnostics: readonly Diagnostic[];
}

const NONE: ReadonlySet<string> = new Set();

/**
 * Turns validated resources into the table that a data plane works from. Pure and deterministic: equal snapshots give equal tables.
 *
 * Never fails: a reference to something that is not there becomes a cluster that answers 503, a rule that cannot hold stays with its reason, and
 * everything else is as if they were not there.
 *
 * Clusters are numbered in the order in which routes first use them; only those that some route uses exist, and those of versions that are or can be
 * released: they are checked before they get a request.
 */
export function compile(snapshot: Snapshot, options: CompileOptions = {}): Compiled {
  const diagnostics: Diagnostic[] = [];
  const compilation = startCompilation(snapshot, diagnostics);
  const listeners = [meshListener(compilation), ...gatewayListeners(compilation, options.ownListeners ?? NONE)];
  useReleased(compilation);
  const table = { version: snapshot.version, listeners, clusters: compilation.clusters.clusters };
  const { releases } = snapshot;
  if (releases.length === 0) return { table, diagnostics };
  const observations = releases.flatMap((release) =>
    [release.stable, ...release.canaries].map((subset) => observationKey(release, subset)),
  );
  return { table: { ...table, observations, killSwitches: releases.map(killSwitchKey) }, diagnostics };
}

/** The versions of Rollouts and of releases, on every port of their service. */
function useReleased(compilation: Compilation): void {
  const { snapshot, services, clusters } = compilation;
  const named = snapshot.rollouts.map(({ metadata, spec }) => ({
    host: compilation.resolve(spec.host, metadata.namespace),
    subsets: [spec.stable, spec.canary],
  }));
  const released = snapshot.releases.map(({ host, stable, canaries }) => ({ host, subsets: [stable, ...canaries] }));
  for (const { host, subsets } of [...named, ...released]) {
    const known = new Set((services.destinationRule(host)?.subsets ?? []).map(({ name }) => name));
    for (const subset of subsets) {
      if (!known.has(subset)) continue;
      for (const { number } of services.service(host)?.ports ?? []) clusters.use(host, subset, number, number);
    }
  }
}
