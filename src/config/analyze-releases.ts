/**
 * What a release does not reach: connections that are passed on whole. It counts requests that went well or did not, and moves what it counts; bytes say
 * nothing of the kind.
 */
import { resolveHost } from './hosts.ts';
import { type Place, show } from './report.ts';
import type { Rollout, VirtualService } from './resources.ts';

interface Reached {
  /** `VirtualService default/mongo spec.tcp[0]`. */
  readonly connections: string[];
  hasRequests: boolean;
}

/** @param place Of the Rollout's `spec.host`. */
export function warnConnections(
  rollouts: readonly Rollout[],
  virtualServices: readonly VirtualService[],
  place: (rollout: Rollout) => Place | undefined,
): void {
  if (rollouts.length === 0) return;
  const reached = reachedHosts(virtualServices);
  for (const rollout of rollouts) {
    const { host } = rollout.spec;
    if (host === undefined) continue;
    const { connections = [], hasRequests = false } = reached.get(resolveHost(host, rollout.metadata.namespace)) ?? {};
    const [first, ...others] = connections;
    if (first === undefined) continue;
    const rules = others.length === 0 ? first : `${first} and ${others.length} more`;
    if (hasRequests)
      place(rollout)?.warn(
        'W_RELEASE_CONNECTIONS',
        `the release moves and judges the requests to ${show(host)}; its connections (${rules}) stay as the files say`,
        'state their weights in the files',
      );
    else
      place(rollout)?.warn(
        'W_RELEASE_CONNECTIONS',
        `rules send connections to ${show(host)} (${rules}) and no requests: a release moves and judges requests, so the connections stay as the files say whatever becomes of it, and what waits for evidence gets none`,
        `leave the Rollout out and move connections by hand: serin shift ${host} SUBSET=WEIGHT...`,
      );
  }
}

/** By full name. */
function reachedHosts(virtualServices: readonly VirtualService[]): ReadonlyMap<string, Reached> {
  const found = new Map<string, Reached>();
  const of = (host: string): Reached => {
    const reached = found.get(host) ?? { connections: [], hasRequests: false };
    found.set(host, reached);
    return reached;
  };
  for (const { metadata, spec } of virtualServices) {
    const { namespace, name } = metadata;
    const { http = [], tcp = [], tls = [], gateways = [] } = spec;
    for (const { destination } of http.flatMap(({ route = [] }) => route)) of(resolveHost(destination.host, namespace)).hasRequests = true;
    if (gateways.every((gateway) => gateway === 'mesh')) continue;
    for (const [kind, rules] of Object.entries({ tcp, tls })) {
      for (const [index, { route = [] }] of rules.entries()) {
        const hosts = new Set(route.map(({ destination }) => resolveHost(destination.host, namespace)));
        for (const host of hosts) of(host).connections.push(`VirtualService ${namespace}/${name} spec.${kind}[${index}]`);
      }
    }
  }
  return found;
}
