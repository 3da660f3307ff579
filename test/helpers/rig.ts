/** Serin's data plane in this thread, with a raw upstream behind it and raw clients before it. */
import type { Credentials } from '../../src/config/credential.ts';
import { createProxy } from '../../src/proxy/proxy.ts';
import type { Proxy } from '../../src/proxy/proxy.ts';
import type { ProxyOptions } from '../../src/proxy/options.ts';
import type { Cluster, ForwardAction, Route, RoutingTable } from '../../src/routing/table.ts';
import type { Bytes, Cut } from './bytes.ts';
import { RawClient } from './raw-client.ts';
import { RawUpstream } from './raw-upstream.ts';
import type { UpstreamScript } from './raw-upstream.ts';
import { singleTable } from './tables.ts';

export interface RunningProxy {
  readonly proxy: Proxy;
  readonly port: number;
  /** Exceptions the data plane survived; a test that leaves any here has found a bug. */
  readonly internalErrors: readonly unknown[];
  close(): Promise<void>;
}

/** Serves the table's first listener on a free port. */
export async function startProxy(
  table: RoutingTable,
  options: Partial<ProxyOptions> = {},
  credentials: Credentials = new Map(),
): Promise<RunningProxy> {
  const internalErrors: unknown[] = [];
  const proxy = createProxy({ workers: 0, onInternalError: (error) => internalErrors.push(error), ...options });
  const listener = table.listeners[0]?.name ?? 'mesh';
  const [bound] = await proxy.apply(table, [{ listener, host: '127.0.0.1', port: 0 }], credentials);
  if (bound === undefined) throw new Error('the proxy bound nothing');
  return { proxy, port: bound.port, internalErrors, close: () => proxy.close() };
}

export interface RigOptions {
  readonly script?: UpstreamScript;
  /** Made of the upstream's port; default: everything goes there. */
  readonly table?: (port: number) => RoutingTable;
  readonly cluster?: Partial<Cluster>;
  readonly action?: Partial<ForwardAction>;
  readonly route?: Partial<Route>;
  readonly options?: Partial<ProxyOptions>;
}

export class Rig {
  readonly upstream: RawUpstream;
  readonly running: RunningProxy;
  readonly #clients: RawClient[] = [];

  static async start(options: RigOptions = {}): Promise<Rig> {
    const upstream = await RawUpstream.start(options.script);
    const changes = { cluster: options.cluster ?? {}, action: options.action ?? {}, route: options.route ?? {} };
    const table = options.table?.(upstream.port) ?? singleTable(upstream.port, changes);
    return new Rig(upstream, await startProxy(table, options.options));
  }

  private constructor(upstream: RawUpstream, running: RunningProxy) {
    this.upstream = upstream;
    this.running = running;
  }

  get port(): number {
    return this.running.port;
  }

  get proxy(): Proxy {
    return this.running.proxy;
  }

  async client(): Promise<RawClient> {
    const client = await RawClient.connect(this.port);
    this.#clients.push(client);
    return client;
  }

  /** A new client that has already written. */
  async sent(bytes: Bytes, cut: Cut = 'whole'): Promise<RawClient> {
    const client = await this.client();
    await client.send(bytes, cut);
    return client;
  }

  /** @throws when the data plane caught an exception or the upstream was sent something malformed. */
  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    this.upstream.close();
    await this.running.close();
    const problems = [...this.running.internalErrors, ...this.upstream.errors];
    if (problems.length > 0) throw new AggregateError(problems, `the data plane failed: ${problems.map(String).join('; ')}`);
  }
}
