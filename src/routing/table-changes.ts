/**
 * What changes for traffic between two routing tables, as text a person can read: listeners, hosts, routes and clusters.
 *
 * Names of rules and their places in files are no part of it: a route is known by the requests it takes, so one that only moves down because another
 * was put before it is the same route. The order of those that both tables have is compared by itself.
 */
import { printBehaviour, printCluster, printListener, printMatches, printTcpClusters, printTcpMatches } from './print.ts';
import type { Listener, RoutingTable, TlsSite } from './table.ts';
import { tcpRoutesOf } from './tcp-match.ts';

export interface TableChange {
  /** `order`: the same routes, looked at in another order; `connections`: a rule for whole connections. */
  readonly part: 'listener' | 'host' | 'route' | 'order' | 'connections' | 'cluster';
  readonly change: 'added' | 'removed' | 'changed';
  /** Empty for a cluster. */
  readonly listener: string;
  /** Name of the virtual host; empty where it is about none. */
  readonly host: string;
  /** Which requests a route takes, a line a block; of a cluster its name. */
  readonly name: readonly string[];
  readonly before: readonly string[];
  readonly after: readonly string[];
}

type Place = Pick<TableChange, 'part' | 'listener' | 'host' | 'name'>;

interface RouteText {
  readonly name: readonly string[];
  readonly lines: readonly string[];
}

interface HostText {
  readonly lines: readonly string[];
  readonly routes: readonly RouteText[];
}

interface ListenerText {
  readonly lines: readonly string[];
  readonly connections: HostText;
  readonly hosts: ReadonlyMap<string, HostText>;
}

const NO_HOST: HostText = { lines: [], routes: [] };
const NO_LISTENER: ListenerText = { lines: [], connections: NO_HOST, hosts: new Map() };

/** Of both tables names are not yet resolved and processes not yet started: what runs at the moment is no difference. */
export function tableChanges(before: RoutingTable, after: RoutingTable): readonly TableChange[] {
  const listeners = pairs(listenerTexts(before), listenerTexts(after)).flatMap(([name, was, is]) =>
    listenerChanges(name, was ?? NO_LISTENER, is ?? NO_LISTENER),
  );
  const clusters = pairs(clusterTexts(before), clusterTexts(after)).flatMap(([name, was, is]) =>
    linesChange({ part: 'cluster', listener: '', host: '', name: [name] }, was ?? [], is ?? []),
  );
  return [...listeners, ...clusters];
}

function listenerChanges(listener: string, was: ListenerText, is: ListenerText): readonly TableChange[] {
  return [
    ...linesChange({ part: 'listener', listener, host: '', name: [] }, was.lines, is.lines),
    ...routeChanges({ part: 'connections', listener, host: '' }, was.connections.routes, is.connections.routes),
    ...pairs(was.hosts, is.hosts).flatMap(([host, hostWas = NO_HOST, hostIs = NO_HOST]) => [
      ...linesChange({ part: 'host', listener, host, name: [] }, hostWas.lines, hostIs.lines),
      ...routeChanges({ part: 'route', listener, host }, hostWas.routes, hostIs.routes),
    ]),
  ];
}

function routeChanges(place: Omit<Place, 'name'>, was: readonly RouteText[], is: readonly RouteText[]): readonly TableChange[] {
  const [old, now] = [byName(was), byName(is)];
  const changes = pairs(old, now).flatMap(([, before, after]) =>
    linesChange({ ...place, name: (after ?? before)?.name ?? [] }, before?.lines ?? [], after?.lines ?? []),
  );
  const orderWas = [...old.keys()].filter((key) => now.has(key));
  const orderIs = [...now.keys()].filter((key) => old.has(key));
  return [...changes, ...linesChange({ ...place, part: 'order', name: [] }, orderWas.map(oneLine), orderIs.map(oneLine))];
}

/** A route that takes the same requests as an earlier one is known by how many there are before it. */
function byName(routes: readonly RouteText[]): ReadonlyMap<string, RouteText> {
  const seen = new Map<string, number>();
  return new Map(
    routes.map((route): [string, RouteText] => {
      const key = route.name.join('\n');
      const count = (seen.get(key) ?? 0) + 1;
      seen.set(key, count);
      return [count === 1 ? key : `${key}\nonce more (${count})`, route];
    }),
  );
}

const oneLine = (key: string): string => key.replaceAll('\n', ', or ');

function linesChange(place: Place, before: readonly string[], after: readonly string[]): readonly TableChange[] {
  if (before.length === after.length && before.every((line, index) => line === after[index])) return [];
  const change = before.length === 0 ? 'added' : after.length === 0 ? 'removed' : 'changed';
  return [{ ...place, change, before, after }];
}

/** Every key of both, those of the first in its order. */
function pairs<T>(before: ReadonlyMap<string, T>, after: ReadonlyMap<string, T>): [string, T | undefined, T | undefined][] {
  return [...new Set([...before.keys(), ...after.keys()])].map((key) => [key, before.get(key), after.get(key)]);
}

function listenerTexts(table: RoutingTable): ReadonlyMap<string, ListenerText> {
  return new Map(
    table.listeners.map((listener): [string, ListenerText] => {
      const hosts = listener.virtualHosts.map(({ name, domains, routes }): [string, HostText] => [
        name,
        {
          lines: [`domains ${domains.join(' ')}`],
          routes: routes
            .filter(({ unreachable }) => unreachable === undefined)
            .map((route) => ({ name: printMatches(route), lines: printBehaviour(table, route) })),
        },
      ]);
      const connections = tcpRoutesOf(listener).map((route) => ({ name: printTcpMatches(route), lines: printTcpClusters(table, route) }));
      return [listener.name, { lines: listenerLines(listener), connections: { lines: [], routes: connections }, hosts: new Map(hosts) }];
    }),
  );
}

function listenerLines(listener: Listener): readonly string[] {
  return [printListener(listener), ...(listener.tls ?? []).map(siteLine)];
}

/** Certificates by name: what they hold is no part of the table. */
function siteLine({ serverNames, certificates, clientCertificate, minVersion, maxVersion }: TlsSite): string {
  const asks = clientCertificate === 'none' ? '' : `, client certificate ${clientCertificate}`;
  return `TLS for ${serverNames.join(' ')}, ${minVersion} to ${maxVersion}, by ${certificates.join(' ')}${asks}`;
}

function clusterTexts(table: RoutingTable): ReadonlyMap<string, readonly string[]> {
  return new Map(
    table.clusters.map((cluster) => [
      cluster.name,
      printCluster(cluster)
        .slice(1)
        .map((line) => line.trim()),
    ]),
  );
}
