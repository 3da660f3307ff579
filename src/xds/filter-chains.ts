/**
 * Which connection a listener hands to whom, as filter chains (config.listener.v3 FilterChain).
 *
 * Serin takes the most exact server name, servers that end TLS before rules that pass it on, then the first rule whose addresses hold. As long as no rule
 * asks for addresses, Envoy's `filter_chain_match` says the same. Where one does, Envoy would take the narrowest network before it looks at a name, so the
 * order is written down in a `filter_chain_matcher` instead.
 */
import { isIPv6 } from 'node:net';
import type { Listener, TcpMatch, TcpRoute, TlsSite } from '../routing/table.ts';
import { patternExactness } from '../routing/tcp-match.ts';
import { any, type Message, present } from './message.ts';

const INPUTS = 'envoy.extensions.matching.common_inputs.network.v3';
/** Every name, and none. */
const ANY_NAME = '*';

export interface ChainParts {
  /** Of a connection whose requests are routed; `site` where TLS has been ended. */
  readonly http: (site?: TlsSite) => Message;
  readonly tcp: (route: TcpRoute) => Message;
  readonly transportSocket: (site: TlsSite) => Message;
}

/** `filters` empty: the connection is closed. */
interface Chain {
  readonly name: string;
  readonly parts: { readonly filters: readonly Message[]; readonly transport_socket?: Message };
}

/** One reason to take a chain. Claims are looked at in order. */
interface Claim extends Pick<TcpMatch, 'destinationSubnets' | 'sourceSubnet'> {
  /** Undefined on a listener without TLS. */
  readonly serverName: string | undefined;
  readonly chain: Chain;
}

/** @returns `filter_chains`, and what chooses between them and looks at names, where that is needed. */
export function filterChains(listener: Listener, parts: ChainParts): Message {
  const { tls, passthrough, tcp } = listener;
  if (tls === undefined && passthrough === undefined && tcp === undefined) return { filter_chains: [{ filters: [parts.http()] }] };
  const claims = withoutTaken(
    tcp === undefined
      ? [...(tls ?? []).flatMap((site) => siteClaims(site, parts)), ...passthroughClaims(passthrough ?? [], parts)]
      : ruleClaims(tcp, parts),
  );
  return present({
    listener_filters: tcp === undefined ? [tlsInspector()] : undefined,
    ...(claims.some(asksAddresses) ? inOrder(claims) : byName(claims)),
  });
}

function tlsInspector(): Message {
  return {
    name: 'envoy.filters.listener.tls_inspector',
    typed_config: any('envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector'),
  };
}

function ruleClaims(routes: readonly TcpRoute[], parts: ChainParts): readonly Claim[] {
  return routes.flatMap((route) => {
    const chain = { name: nameOf(route), parts: { filters: filtersOf(route, parts) } };
    return holding(route).map((match) => ({ ...addressesOf(match), serverName: undefined, chain }));
  });
}

function passthroughClaims(routes: readonly TcpRoute[], parts: ChainParts): readonly Claim[] {
  return routes.flatMap((route) => {
    const chain = { name: nameOf(route), parts: { filters: filtersOf(route, parts) } };
    return holding(route).flatMap((match) =>
      (match.serverNames ?? [ANY_NAME]).map((serverName) => ({ ...addressesOf(match), serverName, chain })),
    );
  });
}

/** A site is chosen by name alone, its rules for connections by names of its own: where none of them holds, nobody else gets the connection. */
function siteClaims(site: TlsSite, parts: ChainParts): readonly Claim[] {
  const transport_socket = parts.transportSocket(site);
  const claimed = (chain: Chain, match?: TcpMatch): readonly Claim[] =>
    (match?.serverNames ?? site.serverNames).map((serverName) => ({
      ...(match === undefined ? {} : addressesOf(match)),
      serverName,
      chain,
    }));
  if (site.tcp === undefined) return claimed({ name: site.name, parts: { filters: [parts.http(site)], transport_socket } });
  const rules = site.tcp.flatMap((route) => {
    const chain = { name: `${site.name} ${nameOf(route)}`, parts: { filters: filtersOf(route, parts), transport_socket } };
    return holding(route).flatMap((match) => claimed(chain, match));
  });
  return [...rules, ...claimed({ name: `${site.name} closed`, parts: { filters: [], transport_socket } })];
}

const nameOf = ({ source: { namespace, name }, name: rule }: TcpRoute): string => `${namespace}/${name} ${rule}`;

function filtersOf(route: TcpRoute, { tcp }: ChainParts): readonly Message[] {
  return route.clusters.length === 0 ? [] : [tcp(route)];
}

function holding({ matches }: TcpRoute): readonly TcpMatch[] {
  return matches.filter(({ never }) => never === undefined);
}

function addressesOf({ destinationSubnets, sourceSubnet }: TcpMatch): Pick<TcpMatch, 'destinationSubnets' | 'sourceSubnet'> {
  return { ...(destinationSubnets === undefined ? {} : { destinationSubnets }), ...(sourceSubnet === undefined ? {} : { sourceSubnet }) };
}

function asksAddresses({ destinationSubnets, sourceSubnet }: Claim): boolean {
  return destinationSubnets !== undefined || sourceSubnet !== undefined;
}

/** In the order of exactness; what an earlier claim for the same name takes whatever the addresses is left out. */
function withoutTaken(claims: readonly Claim[]): readonly Claim[] {
  const taken = new Set<string | undefined>();
  return claims
    .toSorted((a, b) => patternExactness(b.serverName ?? ANY_NAME) - patternExactness(a.serverName ?? ANY_NAME))
    .filter((claim) => {
      if (taken.has(claim.serverName)) return false;
      if (!asksAddresses(claim)) taken.add(claim.serverName);
      return true;
    });
}

/** By `filter_chain_match`. A chain for some names and for every other one stands twice: a match without names cannot list any. */
function byName(claims: readonly Claim[]): Message {
  const chains = [...Map.groupBy(claims, ({ chain }) => chain)].flatMap(([chain, own]) => {
    const names = own.flatMap(({ serverName }) => (serverName === undefined || serverName === ANY_NAME ? [] : [serverName]));
    const rest = own.find(({ serverName }) => serverName === undefined || serverName === ANY_NAME);
    return [
      ...(names.length === 0 ? [] : [filterChain(chain, { server_names: names })]),
      ...(rest === undefined ? [] : [filterChain(names.length === 0 ? chain : others(chain), restMatch(rest))]),
    ];
  });
  // Envoy takes no listener without a chain.
  return { filter_chains: chains.length === 0 ? [{ filters: [] }] : chains };
}

const others = (chain: Chain): Chain => ({ ...chain, name: `${chain.name} others` });

/** What is no TLS must not be passed on as if it were; a site refuses it itself. */
function restMatch({ serverName, chain }: Claim): Message | undefined {
  return serverName !== undefined && chain.parts.transport_socket === undefined ? { transport_protocol: 'tls' } : undefined;
}

function filterChain({ name, parts }: Chain, match?: Message): Message {
  return present({ name, filter_chain_match: match, ...parts });
}

/** By `filter_chain_matcher`, which finds chains by name. */
function inOrder(claims: readonly Claim[]): Message {
  const matchers: Message[] = [];
  let rest: Message | undefined;
  for (const claim of claims) {
    const predicates = predicatesOf(claim);
    const [only] = predicates;
    const on_match = { action: { name: 'filter_chain', typed_config: any('google.protobuf.StringValue', { value: claim.chain.name }) } };
    if (only === undefined) {
      rest = on_match;
      break;
    }
    matchers.push({ predicate: predicates.length === 1 ? only : { and_matcher: { predicate: predicates } }, on_match });
  }
  return {
    filter_chains: [...new Set(claims.map(({ chain }) => chain))].map((chain) => filterChain(chain)),
    filter_chain_matcher: present({ matcher_list: { matchers }, on_no_match: rest }),
  };
}

function predicatesOf({ serverName, destinationSubnets, sourceSubnet }: Claim): readonly Message[] {
  return [
    ...(serverName === undefined ? [] : [namePredicate(serverName)]),
    ...(destinationSubnets === undefined ? [] : [single('DestinationIPInput', withinAny(destinationSubnets))]),
    ...(sourceSubnet === undefined ? [] : [single('SourceIPInput', withinAny([sourceSubnet]))]),
  ];
}

function namePredicate(serverName: string): Message {
  if (serverName === ANY_NAME) return single('TransportProtocolInput', { value_match: { exact: 'tls' } });
  return single('ServerNameInput', { value_match: serverName.startsWith('*') ? { suffix: serverName.slice(1) } : { exact: serverName } });
}

function single(input: string, condition: Message): Message {
  return { single_predicate: { input: { name: input, typed_config: any(`${INPUTS}.${input}`) }, ...condition } };
}

function withinAny(subnets: readonly string[]): Message {
  const cidr_ranges = subnets.map((subnet) => {
    const [address_prefix = '', bits] = subnet.split('/');
    return { address_prefix, prefix_len: bits === undefined ? (isIPv6(address_prefix) ? 128 : 32) : Number(bits) };
  });
  return {
    custom_match: {
      name: 'envoy.matching.matchers.ip',
      typed_config: any('envoy.extensions.matching.input_matchers.ip.v3.Ip', { cidr_ranges, stat_prefix: 'subnet' }),
    },
  };
}
