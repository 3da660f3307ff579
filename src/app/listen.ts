/**
 * Where listeners are bound: `--listen [NAMESPACE/NAME:]PORT=ADDR:PORT` maps the port a Gateway declares to a local address, so that
 * unmodified YAML runs without root and two Gateways can both declare port 80.
 *
 * A mapping that names a Gateway gives that Gateway a listener of its own (`NAMESPACE/NAME:PORT`, see `compile`'s `ownListeners`). A declared
 * port without a mapping is bound on the Gateway server's `bind`, else on 0.0.0.0, at its own number.
 */
import { isIP } from 'node:net';
import { isDns1123Label } from '../config/names.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { isMeshListener, type Listener, MESH_LISTENER, meshListenerOf, type RoutingTable } from '../routing/table.ts';
import { type Binding, ListenError } from '../proxy/options.ts';

export interface Address {
  /** An IP address (IPv6 without brackets) or `localhost`. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
}

export interface ListenMapping {
  /** `namespace/name`; absent: every Gateway that has no mapping of its own. */
  readonly gateway?: string;
  /** As declared in the Gateway. */
  readonly port: number;
  readonly address: Address;
}

/** `--mesh-for`: a listener for callers that belong to a namespace. */
export interface MeshMapping {
  readonly namespace: string;
  readonly address: Address;
}

/** What a flag's value should have looked like. */
export class AddressError extends Error {}

/** `127.0.0.1:8080`, `[::1]:8080`, `localhost:0`. @throws AddressError */
export function parseAddress(text: string): Address {
  const parts = /^(?:\[(?<v6>[^\]]*)\]|(?<v4>[^:[\]]*)):(?<port>[^:]*)$/.exec(text)?.groups;
  const isHost = isIP(parts?.['v6'] ?? '') === 6 || isIP(parts?.['v4'] ?? '') === 4 || parts?.['v4'] === 'localhost';
  // Only addresses as the operating system prints them: `127.1` and `0177.0.0.1` are other spellings that checks by name would miss.
  if (parts === undefined || !isHost) throw new AddressError(`expected ADDR:PORT, as 127.0.0.1:8080 or [::1]:8080, found '${text}'`);
  return { host: parts['v6'] ?? parts['v4'] ?? '', port: parsePort(parts['port'] ?? '', 0) };
}

function parsePort(text: string, least: 0 | 1): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  if (port < least || port > 65535) throw new AddressError(`expected a port from ${least} to 65535, found '${text}'`);
  return port;
}

/** `80=127.0.0.1:8080` or `books/front:80=127.0.0.1:8081`. @throws AddressError */
export function parseListenMapping(text: string): ListenMapping {
  const parts = /^(?:(?<gateway>[^=:]*):)?(?<port>[^=:/]*)=(?<address>.*)$/.exec(text)?.groups;
  if (parts === undefined) throw new AddressError(`expected [NAMESPACE/NAME:]PORT=ADDR:PORT, as 80=127.0.0.1:8080, found '${text}'`);
  const gateway = parts['gateway'];
  if (gateway !== undefined && !/^[a-z0-9][-a-z0-9.]*\/[a-z0-9][-a-z0-9.]*$/.test(gateway)) {
    throw new AddressError(`expected a Gateway as NAMESPACE/NAME before the port, found '${gateway}'`);
  }
  const mapping = { port: parsePort(parts['port'] ?? '', 1), address: parseAddress(parts['address'] ?? '') };
  return gateway === undefined ? mapping : { gateway, ...mapping };
}

/** `books=127.0.0.1:15002`. @throws AddressError */
export function parseMeshMapping(text: string): MeshMapping {
  const equals = text.indexOf('=');
  const namespace = text.slice(0, Math.max(0, equals));
  if (!isDns1123Label(namespace)) throw new AddressError(`expected NAMESPACE=ADDR:PORT, as books=127.0.0.1:15002, found '${text}'`);
  return { namespace, address: parseAddress(text.slice(equals + 1)) };
}

/** `namespace/name:80`, or `80`: the name `compile` gives the listener. */
export function listenerName(mapping: Pick<ListenMapping, 'gateway' | 'port'>): string {
  return mapping.gateway === undefined ? String(mapping.port) : `${mapping.gateway}:${mapping.port}`;
}

/** For `compile`: the Gateways that are served apart. */
export function ownListeners(mappings: readonly ListenMapping[]): ReadonlySet<string> {
  return new Set(mappings.filter((mapping) => mapping.gateway !== undefined).map(listenerName));
}

/**
 * A binding for every listener of the table; none for `mesh` when it is off.
 *
 * @throws ListenError `E_LISTEN_CONFLICT` when two listeners would have one address. (The operating system would not notice it where workers
 * share their ports.)
 */
export function bindingsFor(
  table: RoutingTable,
  mappings: readonly ListenMapping[],
  mesh: Address | 'off',
  meshFor: readonly MeshMapping[] = [],
): Binding[] {
  const bindings = table.listeners.flatMap((listener) => bindingOf(listener, mappings, mesh, meshFor) ?? []);
  for (const [index, binding] of bindings.entries()) {
    const other = bindings.slice(0, index).find((earlier) => overlaps(earlier, binding));
    if (other !== undefined)
      throw new ListenError('E_LISTEN_CONFLICT', `${other.listener} and ${binding.listener}`, formatAddress(binding));
  }
  return bindings;
}

function bindingOf(
  listener: Listener,
  mappings: readonly ListenMapping[],
  mesh: Address | 'off',
  meshFor: readonly MeshMapping[],
): Binding | undefined {
  if (listener.name === MESH_LISTENER) return mesh === 'off' ? undefined : { listener: MESH_LISTENER, ...mesh };
  const own = meshFor.find(({ namespace }) => meshListenerOf(namespace) === listener.name);
  if (own !== undefined) return { listener: listener.name, ...own.address };
  const mapping = mappings.find((candidate) => listenerName(candidate) === listener.name);
  return { listener: listener.name, ...(mapping?.address ?? { host: listener.bind ?? '0.0.0.0', port: listener.port }) };
}

function overlaps(a: Binding, b: Binding): boolean {
  const isEverywhere = (host: string): boolean => host === '0.0.0.0' || host === '::';
  return a.port !== 0 && a.port === b.port && (a.host === b.host || isEverywhere(a.host) || isEverywhere(b.host));
}

/** Mappings for ports or Gateways the configuration does not have: probably a slip. */
export function unusedMappings(table: RoutingTable, mappings: readonly ListenMapping[]): ListenMapping[] {
  const names = new Set(table.listeners.map((listener) => listener.name));
  return mappings.filter((mapping) => !names.has(listenerName(mapping)));
}

/** Whether a listener of the Gateway API has the port, accepted or not. */
export function declaresPort(
  { gatewayApiGateways, listenerSets }: Pick<Snapshot, 'gatewayApiGateways' | 'listenerSets'>,
  { gateway, port }: Pick<ListenMapping, 'gateway' | 'port'>,
): boolean {
  const owners = [
    ...gatewayApiGateways.map(({ metadata, spec }) => ({ owner: `${metadata.namespace}/${metadata.name}`, listeners: spec.listeners })),
    ...listenerSets.map(({ metadata, spec: { parentRef, listeners } }) => ({
      owner: `${parentRef.namespace ?? metadata.namespace}/${parentRef.name}`,
      listeners,
    })),
  ];
  return owners.some(({ owner, listeners }) => (gateway === undefined || gateway === owner) && listeners.some((one) => one.port === port));
}

/** `127.0.0.1:8080`, `[::1]:8080`. */
export function formatAddress({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** What went wrong and what to do about it, for people. */
export function describeListenError(error: ListenError): string {
  const flag =
    error.listener === MESH_LISTENER
      ? '--mesh ADDR:PORT'
      : isMeshListener(error.listener)
        ? '--mesh-for NAMESPACE=ADDR:PORT'
        : `--listen ${error.listener}=127.0.0.1:8080`;
  switch (error.code) {
    case 'E_LISTEN_EADDRINUSE':
      return `listener ${error.listener}: ${error.address} is in use by another process; stop it, or choose another address with ${flag}`;
    case 'E_LISTEN_EACCES':
      return `listener ${error.listener}: no permission to listen on ${error.address}; choose an address above port 1023 with ${flag}`;
    case 'E_LISTEN_EADDRNOTAVAIL':
      return `listener ${error.listener}: this machine has no address ${error.address}; choose another with ${flag}`;
    case 'E_LISTEN_CONFLICT':
      return `listeners ${error.listener} would both listen on ${error.address}; give one of them another address with --listen`;
    default:
      return `listener ${error.listener}: cannot listen on ${error.address} (${error.code}); choose another address with ${flag}`;
  }
}
