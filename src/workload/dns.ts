/**
 * Keeps the addresses behind the host names in a routing table.
 *
 * Rules (reliability F-25):
 * 1. The last good addresses are kept for as long as the name is in the table: an error, an empty answer or silence changes nothing.
 * 2. A name is asked again when its time to live is over, at the earliest after 1 s and at the latest after 30 s.
 * 3. Addresses are de-duplicated and sorted, so that an answer in another order is no change, and at most 1,000 are used.
 * 4. At most two lookups run at once: they take threads from the pool that file access needs too.
 */
import { isIP } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { Cluster, Endpoint, RoutingTable } from '../routing/table.ts';
import { systemLookup } from './name-lookup.ts';
import type { NameAnswer, NameLookup } from './name-lookup.ts';

const MIN_REFRESH_MS = 1000;
const MAX_REFRESH_MS = 30_000;
/** When nobody said how long an answer holds (the hosts file). */
const DEFAULT_REFRESH_MS = 5000;
/** After failures 1, 2, 4 and then 5 s: a name that comes back is noticed soon. */
const MAX_RETRY_MS = 5000;
const LOOKUP_TIMEOUT_MS = 5000;
const MAX_ADDRESSES = 1000;
const MAX_LOOKUPS = 2;
/** Changes this close together are told as one. */
const GATHER_MS = 50;

export interface DnsResolverDeps {
  readonly clock: Clock;
  /** Addresses changed since `resolve` was last called: call it again and use what it returns. */
  readonly onChange: () => void;
  /** A name's lookup failed for the first time, or works again. */
  readonly onTrouble?: (state: NameState) => void;
  /** The system's by default. */
  readonly lookup?: NameLookup;
}

export interface NameState {
  readonly name: string;
  /** The last good ones; empty when there never were any. */
  readonly addresses: readonly string[];
  /** When they were last confirmed, epoch ms. */
  readonly resolvedAtMs: number | undefined;
  /** Why the last lookup failed; undefined when it did not. */
  readonly error: string | undefined;
}

interface Name {
  readonly name: string;
  addresses: readonly string[];
  resolvedAtMs: number | undefined;
  error: string | undefined;
  failures: number;
  timer: NodeJS.Timeout | undefined;
}

export class DnsResolver {
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #onTrouble: (state: NameState) => void;
  readonly #lookup: NameLookup;
  readonly #names = new Map<string, Name>();
  /** Not looked up even once. */
  readonly #untried = new Set<Name>();
  /** Due and waiting for a free lookup. */
  #queue: Name[] = [];
  #lookups = 0;
  #hasNews = false;
  #newsTimer: NodeJS.Timeout | undefined;
  #readyWaiters: (() => void)[] = [];

  constructor(deps: DnsResolverDeps) {
    this.#clock = deps.clock;
    this.#onChange = deps.onChange;
    this.#onTrouble = deps.onTrouble ?? (() => undefined);
    this.#lookup = deps.lookup ?? systemLookup();
  }

  /**
   * The table with names replaced by their last good addresses; a name that never resolved stays as it is. From now on exactly the names of
   * this table are kept up to date.
   */
  resolve(table: RoutingTable): RoutingTable {
    this.#want(new Set(table.clusters.filter(isDns).flatMap(({ endpoints }) => endpoints.map(({ address }) => address).filter(isName))));
    this.#hasNews = false;
    if (this.#names.size === 0) return table;
    return { ...table, clusters: table.clusters.map((cluster) => (isDns(cluster) ? this.#resolveCluster(cluster) : cluster)) };
  }

  /** Resolves when every name of the last table was looked up at least once, with whatever result. Takes a few seconds at most. */
  ready(): Promise<void> {
    if (this.#untried.size === 0) return Promise.resolve();
    return new Promise((resolve) => void this.#readyWaiters.push(resolve));
  }

  states(): readonly NameState[] {
    return [...this.#names.values()].map(stateOf);
  }

  /** Stops all lookups; nothing is told any more. */
  close(): void {
    this.#want(new Set());
    clearTimeout(this.#newsTimer);
  }

  #want(wanted: ReadonlySet<string>): void {
    for (const [key, name] of this.#names) {
      if (wanted.has(key)) continue;
      clearTimeout(name.timer);
      this.#names.delete(key);
      this.#untried.delete(name);
    }
    this.#queue = this.#queue.filter((each) => this.#isWanted(each));
    for (const name of wanted) {
      if (this.#names.has(name)) continue;
      const fresh: Name = { name, addresses: [], resolvedAtMs: undefined, error: undefined, failures: 0, timer: undefined };
      this.#names.set(name, fresh);
      this.#untried.add(fresh);
      this.#queue.push(fresh);
    }
    this.#lookUpQueued();
    this.#tellReady();
  }

  #resolveCluster(cluster: Cluster): Cluster {
    const endpoints = new Map<string, Endpoint>();
    for (const endpoint of cluster.endpoints) {
      const addresses = this.#names.get(endpoint.address)?.addresses ?? [];
      for (const address of addresses.length === 0 ? [endpoint.address] : addresses) {
        // Names that share an address share its endpoint.
        const key = `${address} ${endpoint.port}`;
        const weight = endpoint.weight + (endpoints.get(key)?.weight ?? 0);
        endpoints.set(key, { ...endpoint, address, weight });
      }
    }
    return { ...cluster, endpoints: [...endpoints.values()] };
  }

  #lookUpQueued(): void {
    while (this.#lookups < MAX_LOOKUPS) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#lookups++;
      void this.#refresh(next).finally(() => {
        this.#lookups--;
        this.#lookUpQueued();
      });
    }
  }

  async #refresh(name: Name): Promise<void> {
    let refreshMs: number;
    try {
      const { addresses, ttlMs } = await within(LOOKUP_TIMEOUT_MS, this.#lookup(name.name));
      const usable = [...new Set(addresses)].sort().slice(0, MAX_ADDRESSES);
      if (usable.length === 0) throw new Error('the answer has no address');
      const isBack = name.failures > 0;
      name.failures = 0;
      name.error = undefined;
      name.resolvedAtMs = this.#clock.nowMs();
      refreshMs = Math.min(Math.max(ttlMs ?? DEFAULT_REFRESH_MS, MIN_REFRESH_MS), MAX_REFRESH_MS);
      if (!sameItems(usable, name.addresses)) {
        name.addresses = usable;
        if (this.#isWanted(name)) this.#tellChange();
      }
      if (isBack && this.#isWanted(name)) this.#onTrouble(stateOf(name));
    } catch (error) {
      name.error = error instanceof Error ? error.message : String(error);
      refreshMs = Math.min(MIN_REFRESH_MS * 2 ** name.failures, MAX_RETRY_MS);
      name.failures = Math.min(name.failures + 1, 10);
      if (name.failures === 1 && this.#isWanted(name)) this.#onTrouble(stateOf(name));
    }
    this.#untried.delete(name);
    this.#tellReady();
    if (!this.#isWanted(name)) return;
    name.timer = setTimeout(() => {
      this.#queue.push(name);
      this.#lookUpQueued();
    }, refreshMs);
  }

  /** False for a name that left the table while it was looked up, also when it came back since. */
  #isWanted(name: Name): boolean {
    return this.#names.get(name.name) === name;
  }

  #tellChange(): void {
    this.#hasNews = true;
    this.#newsTimer ??= setTimeout(() => {
      this.#newsTimer = undefined;
      if (this.#hasNews) this.#onChange();
    }, GATHER_MS);
  }

  #tellReady(): void {
    if (this.#untried.size > 0) return;
    for (const tell of this.#readyWaiters.splice(0)) tell();
  }
}

function stateOf({ name, addresses, resolvedAtMs, error }: Name): NameState {
  return { name, addresses, resolvedAtMs, error };
}

function isDns(cluster: Cluster): boolean {
  return cluster.discovery === 'DNS';
}

function isName(address: string): boolean {
  return isIP(address) === 0;
}

function sameItems(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}

/** Rejects when the answer takes longer; the lookup itself cannot be ended and its late answer is not used. */
async function within(limitMs: number, answer: Promise<NameAnswer>): Promise<NameAnswer> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${limitMs} ms`)), limitMs);
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
