import { hostCovers, normalizeHost } from '../config/hosts.ts';
import type { VirtualService } from '../config/resources.ts';
import type { Compilation } from './compilation.ts';
import { boundGateways } from './compile-match.ts';

export interface ServedDomain {
  readonly virtualService: VirtualService;
  /** The narrower of the VirtualService's host and the server's. */
  readonly domain: string;
}

interface HostsOfGateway {
  /** By host without wildcard. */
  readonly exact: Map<string, VirtualService[]>;
  readonly wildcard: Map<string, VirtualService[]>;
}

/**
 * Hosts of the VirtualServices bound to each Gateway, so that meeting them with a server's hosts costs as much as there is to find: thousands of
 * exact hosts on either side are looked up, not compared in pairs.
 *
 * A host without a dot is served under its full name, as in Istio, and as it is written too: on one machine `localhost` is a name people call, and
 * `localhost.default.svc.cluster.local` is not.
 */
export class BoundHosts {
  readonly #gateways = new Map<string, HostsOfGateway>();

  constructor(compilation: Compilation) {
    for (const virtualService of compilation.snapshot.virtualServices) {
      const { namespace } = virtualService.metadata;
      const { hosts = [], gateways, http = [] } = virtualService.spec;
      if (http.length === 0) continue;
      const names = new Set(hosts.flatMap((written) => [normalizeHost(written), compilation.resolve(written, namespace)]));
      for (const gateway of new Set(boundGateways(gateways, namespace))) {
        const known = this.#hostsOf(gateway);
        for (const host of names) {
          const byHost = host.startsWith('*') ? known.wildcard : known.exact;
          const same = byHost.get(host);
          if (same === undefined) byHost.set(host, [virtualService]);
          else same.push(virtualService);
        }
      }
    }
  }

  #hostsOf(gateway: string): HostsOfGateway {
    let known = this.#gateways.get(gateway);
    if (known === undefined) {
      known = { exact: new Map(), wildcard: new Map() };
      this.#gateways.set(gateway, known);
    }
    return known;
  }

  /**
   * What a server's host serves of the VirtualServices bound to its Gateway (`namespace/name`), in no particular order.
   */
  served(gateway: string, { host, namespace }: ServerHost): readonly ServedDomain[] {
    const { exact, wildcard } = this.#hostsOf(gateway);
    const isOpenTo = (virtualService: VirtualService): boolean => namespace === '*' || namespace === virtualService.metadata.namespace;
    const found: ServedDomain[] = [];
    const add = (virtualServices: readonly VirtualService[], domain: string): void => {
      for (const virtualService of virtualServices) if (isOpenTo(virtualService)) found.push({ virtualService, domain });
    };
    if (host.startsWith('*')) {
      for (const [name, virtualServices] of exact) if (hostCovers(host, name)) add(virtualServices, name);
    } else {
      add(exact.get(host) ?? [], host);
    }
    for (const [pattern, virtualServices] of wildcard) {
      if (hostCovers(host, pattern)) add(virtualServices, pattern);
      else if (hostCovers(pattern, host)) add(virtualServices, host);
    }
    return found;
  }
}

export interface ServerHost {
  readonly host: string;
  /** `*`: open to VirtualServices of every namespace. */
  readonly namespace: string;
}

/** An entry of `servers[].hosts`: a host, or one with the namespace it is open to before a slash; `.` is the Gateway's own, `*` any. */
export function parseServerHost(text: string, ownNamespace: string): ServerHost {
  const slash = text.indexOf('/');
  if (slash === -1) return { host: normalizeHost(text), namespace: '*' };
  const namespace = text.slice(0, slash);
  return { host: normalizeHost(text.slice(slash + 1)), namespace: namespace === '.' ? ownNamespace : namespace };
}
