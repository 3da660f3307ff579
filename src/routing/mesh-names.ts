import { resolveHost, shortNames } from '../config/hosts.ts';
import type { Compilation } from './compilation.ts';

/**
 * The names by which callers of the mesh listener may address each host: its own, and for `NAME.NAMESPACE.svc.cluster.local` the shorter
 * `NAME.NAMESPACE.svc`, `NAME.NAMESPACE` and `NAME` (Istio generateAltVirtualHosts).
 *
 * Istio gives the bare name to callers of the service's own namespace. Callers of Serin have none, unless they come to a listener for them
 * (`callers`). So a bare name is the service in their namespace; else the one in `default`; where
 * `default` has none of that name, the one service that bears it; where two other namespaces do, nobody's, with a warning: sending a request to
 * whichever was declared first would be a guess.
 */
export function meshNames(
  compilation: Compilation,
  hosts: readonly string[],
  callers: string | undefined,
): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, readonly string[]>();
  const bearers = new Map<string, string[]>();
  // Names without short forms; the only ones that a short form of another can be equal to.
  const plain = new Set<string>();
  for (const host of hosts) {
    const aliases = shortNames(host);
    names.set(host, aliases);
    const [bare] = aliases;
    if (bare === undefined || aliases.length === 1) {
      plain.add(host);
      continue;
    }
    const same = bearers.get(bare);
    if (same === undefined) bearers.set(bare, [host]);
    else same.push(host);
  }
  for (const [bare, candidates] of bearers) {
    const [only, ...others] = candidates;
    const of = (namespace: string): string | undefined => candidates.find((host) => host === resolveHost(bare, namespace));
    const owner = others.length === 0 ? only : ((callers === undefined ? undefined : of(callers)) ?? of('default'));
    if (others.length === 0 && plain.size === 0) continue;
    if (others.length > 0 && callers === undefined) warnAmbiguous(compilation, bare, candidates, owner);
    for (const host of candidates) {
      const aliases = names.get(host) ?? [];
      // A name that somebody declared outright is that host, not a short form of another.
      const own = aliases.filter((alias) => !plain.has(alias) && (alias !== bare || host === owner));
      names.set(host, own);
    }
  }
  return names;
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
