import type { Diagnostic } from '../base/diagnostic.ts';
import type { Release } from '../config/release.ts';
import { targetOf, versionService } from '../config/release-target.ts';
import { canariesOf } from '../config/serin/rollout-spec.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { type Compilation, startCompilation } from './compilation.ts';
import { attach } from './gateway-api/attach.ts';
import { gatewayApiListeners } from './gateway-api/listeners.ts';
import { MeshRoutes } from './gateway-api/mesh-routes.ts';
import { referencesOf, resolveBackend } from './gateway-api/references.ts';
import { RouteCompiler } from './gateway-api/route-compiler.ts';
import type { GatewayApiStatuses } from './gateway-api/status.ts';
import { gatewayListeners } from './gateway-listeners.ts';
import { meshListener } from './mesh-listener.ts';
import { killSwitchKey, ledgerKey, observationKey } from './release-arms.ts';
import type { RoutingTable } from './table.ts';

export interface CompileOptions {
  /** `namespace/name:port` of Gateways whose port is served on an address of its own instead of being shared (`--listen NS/NAME:80=…`). */
  readonly ownListeners?: ReadonlySet<string>;
  /** Istio's exact behaviour where Serin's own is safer: copies for mirrors keep their Host. Default false. */
  readonly istioCompat?: boolean;
  /** Where this data plane stands, `region/zone/sub-zone`: what `localityLbSetting` goes by. Without one nothing is near. */
  readonly locality?: string;
  /**
   * Namespaces whose callers have a mesh listener of their own (`mesh/NAMESPACE`): there their consumer routes hold, `sourceNamespace` is theirs, and bare
   * names are first those of their own services. Others on the mesh have no namespace.
   */
  readonly meshNamespaces?: readonly string[];
}

export interface Compiled {
  readonly table: RoutingTable;
  /** Warnings about what only compiling finds out; what a resource says wrongly by itself, validation has said already. */
  readonly diagnostics: readonly Diagnostic[];
  /** Of the Gateway API's resources: what Kubernetes has under `status`, without times; by `statusKey`. */
  readonly statuses: GatewayApiStatuses;
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
  const compilation = startCompilation(snapshot, diagnostics, options);
  const { ownListeners = NONE } = options;
  const attachments = attach(compilation, ownListeners);
  const { statuses } = attachments;
  compilation.clusters.obey(attachments.backendTls);
  const references = referencesOf(compilation);
  const routes = new RouteCompiler(compilation, ({ kind, metadata }, reference) =>
    resolveBackend(references, kind, metadata.namespace, reference),
  );
  const mesh = new MeshRoutes(routes, attachments.mesh);
  const { meshNamespaces = [] } = options;
  const listeners = [
    meshListener(compilation, mesh),
    ...meshNamespaces.map((namespace) => meshListener(compilation, mesh, namespace)),
    ...gatewayListeners(compilation, ownListeners),
    ...gatewayApiListeners(routes, attachments),
  ];
  useReleased(compilation);
  const table = { version: snapshot.version, listeners, clusters: compilation.clusters.clusters };
  const { releases } = snapshot;
  if (releases.length === 0) return { table, diagnostics, statuses };
  const observationsOf = (release: Release): string[] =>
    [release.stable, ...release.canaries].map((subset) => observationKey(release, subset));
  const observations = releases.flatMap(observationsOf);
  const ledgers = releases.flatMap((release) => {
    const ledger = ledgerKey(release);
    // Users count from the canary's start.
    return ledger === undefined || release.measures === true ? [] : [{ ledger, observations: observationsOf(release) }];
  });
  const killSwitches = releases.flatMap((release) => release.canaries.map((subset) => killSwitchKey(release, subset)));
  return { table: { ...table, observations, killSwitches, ...(ledgers.length === 0 ? {} : { ledgers }) }, diagnostics, statuses };
}

/** The versions of Rollouts and of releases, on every port of their service. */
function useReleased(compilation: Compilation): void {
  const { snapshot, services, clusters } = compilation;
  const named = snapshot.rollouts.map((rollout) => ({
    target: targetOf(rollout),
    versions: [rollout.spec.stable, ...canariesOf(rollout.spec)],
  }));
  const released = snapshot.releases.map(({ host, stable, canaries }) => ({ target: host, versions: [stable, ...canaries] }));
  for (const { target, versions } of [...named, ...released]) {
    for (const version of versions) {
      const { host, subset } = versionService(target, version);
      if (subset !== '' && services.destinationRule(host)?.subsets.some(({ name }) => name === subset) !== true) continue;
      for (const { number } of services.service(host)?.ports ?? []) clusters.use(host, subset, number, number);
    }
  }
}
