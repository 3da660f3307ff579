/**
 * What one host name stands for right now, and for how long.
 *
 * Addresses come from the operating system (`getaddrinfo`), so the hosts file, search domains and container resolvers count as they do for
 * every other program. It does not tell how long an answer holds; for that the name server is asked as well, and its answer is used only
 * for the time to live. IPv4 where there is any, else IPv6, as Istio's default (`V4_ONLY`) and `V4_PREFERRED` do.
 */
import { lookup as systemAddresses } from 'node:dns/promises';
import { Resolver } from 'node:dns/promises';

export interface NameAnswer {
  readonly addresses: readonly string[];
  /** Absent when nobody said. */
  readonly ttlMs?: number;
}

/** Rejects when there is no answer; may take as long as it likes. */
export type NameLookup = (name: string) => Promise<NameAnswer>;

/** The time to live is worth a short wait only: the addresses are there. */
const TTL_TIMEOUT_MS = 1000;

/** @param servers  Name servers to ask for the time to live (`127.0.0.1:53`); the system's by default. */
export function systemLookup(servers?: readonly string[]): NameLookup {
  const resolver = new Resolver({ timeout: TTL_TIMEOUT_MS, tries: 1 });
  if (servers !== undefined) resolver.setServers(servers);
  return async (name) => {
    const [found, ttlMs] = await Promise.all([systemAddresses(name, { all: true }), timeToLiveMs(resolver, name)]);
    const ipv4 = found.filter(({ family }) => family === 4);
    const addresses = (ipv4.length > 0 ? ipv4 : found).map(({ address }) => address);
    return ttlMs === undefined ? { addresses } : { addresses, ttlMs };
  };
}

/** The shortest of all records; undefined when the name server does not know the name or does not answer. */
async function timeToLiveMs(resolver: Resolver, name: string): Promise<number | undefined> {
  const records = await Promise.allSettled([resolver.resolve4(name, { ttl: true }), resolver.resolve6(name, { ttl: true })]);
  const ttls = records.flatMap((result) => (result.status === 'fulfilled' ? result.value.map(({ ttl }) => ttl) : []));
  return ttls.length === 0 ? undefined : Math.min(...ttls) * 1000;
}
