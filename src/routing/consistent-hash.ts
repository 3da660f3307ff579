/**
 * Which endpoint a key belongs to, so that a key keeps its endpoint and few keys move when an endpoint comes or goes. Pure; the same list of endpoints
 * gives the same answer in every worker and on every machine.
 *
 * - Ring hash: each endpoint has many places on a ring of 2^32, in proportion to its weight; a key goes to the next place at or after its own (Karger
 *   et al., "Consistent Hashing and Random Trees", 1997; envoy.config.cluster.v3.Cluster.RingHashLbConfig).
 * - Maglev: a table of prime size that the endpoints fill in turns, each in an order of its own; a key looks up one entry (Eisenbud et al., "Maglev: A Fast and
 *   Reliable Software Network Load Balancer", 2016, section 3.4; envoy.config.cluster.v3.Cluster.MaglevLbConfig).
 *
 * Endpoints that cannot be used are passed over by the keys that would have gone to them, and by no others.
 */
import { murmur3 } from '../base/bucket.ts';
import type { HashPolicy } from './table.ts';

export interface HashedEndpoint {
  readonly address: string;
  readonly port: number;
  /** >= 1. */
  readonly weight: number;
}

export interface HashTable {
  /**
   * @param hash      Unsigned 32-bit.
   * @param isUsable  By position in the list the table was made of.
   * @returns         A position; -1 when no endpoint is usable.
   */
  pick(hash: number, isUsable: (position: number) => boolean): number;
}

/** Envoy's max_ring_size. */
const MAX_RING = 8_388_608;

/** The hash of a key. */
export function hashOf(key: string): number {
  return murmur3(Buffer.from(key, 'utf8'), 0);
}

export function hashTable(spec: HashPolicy['table'], endpoints: readonly HashedEndpoint[]): HashTable {
  return spec.kind === 'ringHash' ? ring(endpoints, spec.minimumSize) : maglev(endpoints, spec.size);
}

function nameOf({ address, port }: HashedEndpoint): string {
  return `${address}:${port}`;
}

function ring(endpoints: readonly HashedEndpoint[], minimumSize: number): HashTable {
  const total = endpoints.reduce((sum, { weight }) => sum + weight, 0);
  const smallest = Math.min(...endpoints.map(({ weight }) => weight / total));
  // So many that the lightest endpoint has a whole number of places and the ring has its minimum (Envoy's scale).
  const scale = Math.min(Math.ceil(smallest * minimumSize) / smallest, MAX_RING);
  const places = endpoints.flatMap((endpoint, position) =>
    Array.from({ length: Math.max(1, Math.floor((scale * endpoint.weight) / total + 1e-9)) }, (_, copy) => ({
      hash: hashOf(`${nameOf(endpoint)}_${copy}`),
      position,
    })),
  );
  places.sort((a, b) => a.hash - b.hash || a.position - b.position);
  const hashes = Uint32Array.from(places, ({ hash }) => hash);
  const owners = Uint32Array.from(places, ({ position }) => position);
  return {
    pick: (hash, isUsable) => {
      const start = firstAtLeast(hashes, hash);
      for (let step = 0; step < owners.length; step++) {
        const position = owners[(start + step) % owners.length] ?? 0;
        if (isUsable(position)) return position;
      }
      return -1;
    },
  };
}

/** Index of the first element that is not below `value`; the length when there is none. */
function firstAtLeast(sorted: Uint32Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function maglev(endpoints: readonly HashedEndpoint[], size: number): HashTable {
  const table = fill(endpoints, size);
  return {
    pick: (hash, isUsable) => {
      const position = table[hash % size] ?? 0;
      if (isUsable(position)) return position;
      // Other entries by hashes of the hash: the keys of one endpoint spread over all the others.
      let next = hash;
      for (let attempt = 0; attempt < 4 * endpoints.length; attempt++) {
        next = murmur3(Buffer.from(String(next)), attempt);
        const other = table[next % size] ?? 0;
        if (isUsable(other)) return other;
      }
      return endpoints.findIndex((_, at) => isUsable(at));
    },
  };
}

/** An endpoint of the largest weight takes an entry a turn, the others as many as their weight is of it. */
function fill(endpoints: readonly HashedEndpoint[], size: number): Uint32Array {
  const table = new Uint32Array(size);
  const isTaken = new Uint8Array(size);
  const largest = Math.max(...endpoints.map(({ weight }) => weight));
  const fillers = endpoints.map((endpoint, position) => {
    const name = Buffer.from(nameOf(endpoint), 'utf8');
    return {
      position,
      share: endpoint.weight / largest,
      due: 0,
      next: murmur3(name, 1) % size,
      skip: (murmur3(name, 2) % (size - 1)) + 1,
    };
  });
  for (let filled = 0; filled < size;) {
    for (const filler of fillers) {
      filler.due += filler.share;
      if (filler.due < 1) continue;
      filler.due -= 1;
      while (isTaken[filler.next] === 1) filler.next = (filler.next + filler.skip) % size;
      isTaken[filler.next] = 1;
      table[filler.next] = filler.position;
      filled++;
      if (filled === size) break;
    }
  }
  return table;
}
