import type { Compilation } from './compilation.ts';

/**
 * The names by which callers of the mesh listener may address each host: its own, and for `NAME.NAMESPACE.svc.cluster.local` the shorter
 * `NAME.NAMESPACE.svc`, `NAME.NAMESPACE` and `NAME` (Istio generateAltVirtualHosts).
 *
 * Istio gives the bare name to callers of the service's own namespace; callers of Serin have none. So a bare name is the service in `default`; where
 * `default` has none of that name, the one service that bears it; where two other namespaces do, nobody's, with a warning: sending a request to
 * whichever was declared first would be a guess.
 */
export function meshNames(compilation: Compilation, hosts: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const declared = new Set(hosts);
  const bearers = new Map<string, { readonly host: string; readonly namespace: string }[]>();
  for (const host of hosts) {
    const local = parseClusterLocal(host);
    if (local === undefined) continue;
    const same = bearers.get(local.name);
    const bearer = { host, namespace: local.namespace };
    if (same === undefined) bearers.set(local.name, [bearer]);
    else same.push(bearer);
  }
  const bareOwner = new Map<string, string>();
  for (const [name, candidates] of bearers) {
    const owner = candidates.find(({ namespace }) => namespace === 'default') ?? (candidates.length === 1 ? candidates[0] : undefined);
    if (owner !== undefined) bareOwner.set(name, owner.host);
    if (candidates.length > 1)
      warnAmbiguous(
        compilation,
        name,
        candidates.map(({ host }) => host),
        owner?.host,
      );
  }
  const names = new Map<string, readonly string[]>();
  for (const host of hosts) {
    const local = parseClusterLocal(host);
    // A name that somebody declared outright is that host, not a short form of another.
    const short = (alias: string): readonly string[] => (declared.has(alias) ? [] : [alias]);
    names.set(
      host,
      local === undefined
        ? [host]
        : [
            ...(bareOwner.get(local.name) === host ? short(local.name) : []),
            ...short(`${local.name}.${local.namespace}`),
            ...short(`${local.name}.${local.namespace}.svc`),
            host,
          ],
    );
  }
  return names;
}

const CLUSTER_LOCAL = /^([^.*]+)\.([^.]+)\.svc\.cluster\.local$/;

function parseClusterLocal(host: string): { readonly name: string; readonly namespace: string } | undefined {
  const parts = CLUSTER_LOCAL.exec(host);
  return parts === null ? undefined : { name: parts[1] ?? '', namespace: parts[2] ?? '' };
}

function warnAmbiguous(compilation: Compilation, name: string, hosts: readonly string[], owner: string | undefined): void {
  for (const host of hosts) {
    const service = compilation.services.service(host);
    if (host === owner || service === undefined) continue;
    compilation.warn(service.entry, {
      code: 'W_SHORT_NAME',
      path: 'spec.hosts',
      message: `the bare name ${name} is ${owner === undefined ? `nobody's: it could mean ${hosts.join(' or ')}` : `taken by ${owner}`}`,
      hint: `address this one as ${name}.${service.namespace}`,
    });
  }
}
