import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../base/clock.ts';
import type { Cluster, Endpoint, RoutingTable } from '../routing/table.ts';
import { DnsResolver } from './dns.ts';
import type { NameAnswer, NameLookup } from './name-lookup.ts';

const resolvers: DnsResolver[] = [];
afterEach(() => {
  for (const resolver of resolvers.splice(0)) resolver.close();
});

interface Names {
  readonly resolver: DnsResolver;
  /** How often `onChange` was called. */
  readonly changes: () => number;
}

function start(lookup: NameLookup): Names {
  let changes = 0;
  const resolver = new DnsResolver({ clock: systemClock, lookup, onChange: () => changes++ });
  resolvers.push(resolver);
  return { resolver, changes: () => changes };
}

function endpoint(address: string, port = 80, weight = 1): Endpoint {
  return { address, port, weight, labels: { version: 'v1' } };
}

function cluster(discovery: Cluster['discovery'], ...endpoints: readonly Endpoint[]): Cluster {
  return {
    name: 'outbound|80||app',
    host: 'app.default.svc.cluster.local',
    subset: '',
    port: 80,
    discovery,
    endpoints,
    loadBalancer: 'ROUND_ROBIN',
    connectTimeoutMs: 1000,
    idleTimeoutMs: 1000,
    maxRequestsPerConnection: 0,
    retryLimit: { percent: 20, atLeast: 3 },
  };
}

function table(...clusters: readonly Cluster[]): RoutingTable {
  return { version: '1', listeners: [], clusters };
}

const APP = table(cluster('DNS', endpoint('app.test')));

function addresses(resolved: RoutingTable): readonly string[] {
  return resolved.clusters.flatMap(({ endpoints }) => endpoints.map(({ address }) => address));
}

/** Answers in turn; the last one for ever. */
function inTurn(...answers: readonly (NameAnswer | Error)[]): NameLookup & { readonly calls: string[] } {
  const calls: string[] = [];
  const lookup = async (name: string): Promise<NameAnswer> => {
    const answer = answers[Math.min(calls.length, answers.length - 1)];
    calls.push(name);
    if (answer === undefined || answer instanceof Error) throw answer ?? new Error('no answer');
    return answer;
  };
  return Object.assign(lookup, { calls });
}

async function resolved(names: Names, wanted: RoutingTable): Promise<RoutingTable> {
  names.resolver.resolve(wanted);
  await names.resolver.ready();
  return names.resolver.resolve(wanted);
}

describe('a table with names', () => {
  test('gets their addresses, sorted, each once, with the endpoint everything else it had', async () => {
    const names = start(inTurn({ addresses: ['10.0.0.2', '10.0.0.1', '10.0.0.2'] }));
    const found = await resolved(names, table(cluster('DNS', endpoint('app.test', 9080, 3))));
    expect(found.clusters[0]?.endpoints).toEqual([
      { address: '10.0.0.1', port: 9080, weight: 3, labels: { version: 'v1' } },
      { address: '10.0.0.2', port: 9080, weight: 3, labels: { version: 'v1' } },
    ]);
  });

  test('keeps addresses that need no lookup, and clusters that are not found by name', async () => {
    const lookup = inTurn({ addresses: ['10.0.0.1'] });
    const names = start(lookup);
    const wanted = table(cluster('DNS', endpoint('10.9.9.9')), cluster('STATIC', endpoint('::1')));
    expect(await resolved(names, wanted)).toEqual(wanted);
    expect(lookup.calls).toEqual([]);
  });

  test('keeps a name as it is until it is known', async () => {
    const names = start(inTurn(new Error('ENOTFOUND')));
    expect(addresses(await resolved(names, APP))).toEqual(['app.test']);
    expect(names.resolver.states()).toMatchObject([{ name: 'app.test', addresses: [], error: 'ENOTFOUND' }]);
  });

  test('names that share an address share one endpoint with the weight of both', async () => {
    const names = start(inTurn({ addresses: ['10.0.0.1'] }));
    const found = await resolved(names, table(cluster('DNS', endpoint('a.test', 80, 2), endpoint('b.test', 80, 3))));
    expect(found.clusters[0]?.endpoints.map(({ address, weight }) => [address, weight])).toEqual([['10.0.0.1', 5]]);
  });

  test('uses 1,000 addresses of a name that has more', async () => {
    const many = Array.from({ length: 5000 }, (_, i) => `10.1.${i >> 8}.${i & 255}`);
    const names = start(inTurn({ addresses: many }));
    const found = addresses(await resolved(names, APP));
    expect(found).toHaveLength(1000);
    expect(new Set(found).size).toBe(1000);
  });

  test('at most two lookups run at once', async () => {
    let running = 0;
    let most = 0;
    const names = start(async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return { addresses: ['10.0.0.1'] };
    });
    await resolved(names, table(cluster('DNS', ...Array.from({ length: 50 }, (_, i) => endpoint(`app-${i}.test`)))));
    expect(most).toBe(2);
  });
});

describe('as time goes by (F-25)', () => {
  // Nothing here does I/O, so time can be moved by hand.
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  test('a change is seen within the time to live plus one second', async () => {
    const names = start(inTurn({ addresses: ['10.0.0.1'], ttlMs: 3000 }, { addresses: ['10.0.0.2'], ttlMs: 3000 }));
    expect(addresses(await resolved(names, APP))).toEqual(['10.0.0.1']);
    await vi.advanceTimersByTimeAsync(4000);
    expect(names.changes()).toBe(1);
    expect(addresses(names.resolver.resolve(APP))).toEqual(['10.0.0.2']);
  });

  test('an answer for a day is asked for again within 31 s', async () => {
    const names = start(inTurn({ addresses: ['10.0.0.1'], ttlMs: 86_400_000 }, { addresses: ['10.0.0.2'] }));
    await resolved(names, APP);
    await vi.advanceTimersByTimeAsync(31_000);
    expect(addresses(names.resolver.resolve(APP))).toEqual(['10.0.0.2']);
  });

  test('an answer for no time at all is not asked for more than once a second', async () => {
    const lookup = inTurn({ addresses: ['10.0.0.1'], ttlMs: 0 });
    await resolved(start(lookup), APP);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lookup.calls.length).toBeGreaterThan(50);
    expect(lookup.calls.length).toBeLessThanOrEqual(61);
  });

  test('an error, an empty answer and another order keep the addresses and are no change', async () => {
    const lookup = inTurn(
      { addresses: ['10.0.0.1', '10.0.0.2'], ttlMs: 1000 },
      new Error('SERVFAIL'),
      { addresses: [] },
      { addresses: ['10.0.0.2', '10.0.0.1'], ttlMs: 1000 },
    );
    const names = start(lookup);
    await resolved(names, APP);
    await vi.advanceTimersByTimeAsync(1000);
    expect(lookup.calls).toHaveLength(2);
    expect(names.resolver.states()).toMatchObject([{ addresses: ['10.0.0.1', '10.0.0.2'], error: 'SERVFAIL' }]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(lookup.calls.length).toBeGreaterThan(4);
    expect(addresses(names.resolver.resolve(APP))).toEqual(['10.0.0.1', '10.0.0.2']);
    expect(names.changes()).toBe(0);
    expect(names.resolver.states()).toMatchObject([{ error: undefined }]);
  });

  test('a name that fails for an hour is back within 6 s of its return', async () => {
    let isBack = false;
    const names = start(() => (isBack ? Promise.resolve({ addresses: ['10.0.0.1'] }) : Promise.reject(new Error('SERVFAIL'))));
    await resolved(names, APP);
    await vi.advanceTimersByTimeAsync(3_600_000);
    isBack = true;
    await vi.advanceTimersByTimeAsync(6000);
    expect(addresses(names.resolver.resolve(APP))).toEqual(['10.0.0.1']);
  });

  test('lookups that never end keep nobody waiting for ever', async () => {
    const names = start((name) => (name.startsWith('stuck') ? new Promise(() => {}) : Promise.resolve({ addresses: ['10.0.0.1'] })));
    const wanted = table(cluster('DNS', endpoint('stuck-1.test'), endpoint('stuck-2.test'), endpoint('app.test')));
    const found = resolved(names, wanted);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(addresses(await found)).toEqual(['stuck-1.test', 'stuck-2.test', '10.0.0.1']);
  });

  test('names that left the table are not asked for again, and those that stay are not asked anew', async () => {
    const lookup = inTurn({ addresses: ['10.0.0.1'], ttlMs: 1000 });
    const names = start(lookup);
    await resolved(names, table(cluster('DNS', endpoint('gone.test'), endpoint('kept.test'))));
    names.resolver.resolve(table(cluster('DNS', endpoint('kept.test'))));
    expect(lookup.calls.join(' ')).toBe('gone.test kept.test');
    await vi.advanceTimersByTimeAsync(1500);
    expect(lookup.calls.join(' ')).toBe('gone.test kept.test kept.test');
    expect(names.resolver.states().map(({ name }) => name)).toEqual(['kept.test']);
  });

  test('many names that change together are told as one change', async () => {
    let address = '10.0.0.1';
    const names = start(() => Promise.resolve({ addresses: [address], ttlMs: 1000 }));
    const wanted = table(cluster('DNS', ...Array.from({ length: 20 }, (_, i) => endpoint(`app-${i}.test`, i + 1))));
    await resolved(names, wanted);
    address = '10.0.0.2';
    await vi.advanceTimersByTimeAsync(1900);
    expect(new Set(addresses(names.resolver.resolve(wanted)))).toEqual(new Set(['10.0.0.2']));
    expect(names.changes()).toBe(1);
  });

  test('trouble is told once when it begins and once when it is over', async () => {
    const told: string[] = [];
    const down = new Error('SERVFAIL');
    const resolver = new DnsResolver({
      clock: systemClock,
      lookup: inTurn(down, down, down, { addresses: ['10.0.0.1'], ttlMs: 1000 }, down, down, { addresses: ['10.0.0.1'] }),
      onChange: () => undefined,
      onTrouble: ({ name, addresses: kept, error }) => told.push(`${name} ${error ?? 'good'} ${kept.join()}`),
    });
    resolvers.push(resolver);
    resolver.resolve(APP);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(told).toEqual(['app.test SERVFAIL ', 'app.test good 10.0.0.1', 'app.test SERVFAIL 10.0.0.1', 'app.test good 10.0.0.1']);
  });

  test('after close nobody is asked and nothing is told', async () => {
    const lookup = inTurn({ addresses: ['10.0.0.1'], ttlMs: 1000 }, { addresses: ['10.0.0.2'], ttlMs: 1000 });
    const names = start(lookup);
    await resolved(names, APP);
    names.resolver.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lookup.calls).toHaveLength(1);
    expect(names.changes()).toBe(0);
  });
});
