/**
 * The same requests through Serin and through a real Envoy (SERIN_ENVOY: its program) that has the bootstrap rendered from the same table: the same status, the same
 * destination, the same head upstream and back.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { request as httpRequest, type Server } from 'node:http';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadFiles, loadText } from '../../src/config/load.ts';
import { createProxy } from '../../src/proxy/proxy.ts';
import type { Proxy } from '../../src/proxy/proxy.ts';
import { compile } from '../../src/routing/compile.ts';
import type { Cluster, Route, RoutingTable } from '../../src/routing/table.ts';
import { staticBootstrap } from '../../src/xds/bootstrap.ts';
import { envoyResources } from '../../src/xds/translate.ts';
import { ENVOY, EnvoyProcess } from '../helpers/envoy-process.ts';
import { type GoldenRequest, parseRequest } from '../helpers/golden-requests.ts';
import { close, listen } from '../helpers/upstream.ts';

const GOLDEN = join(import.meta.dirname, '../golden');
const EXAMPLES = join(import.meta.dirname, '../../examples');
/** Draws until Envoy has chosen the version that Serin chose; a version of 1 in 100 is missed once in 10^8. */
const MAX_DRAWS = 2000;

/** What came to a version, and which. */
interface Arrival {
  readonly cluster: string;
  readonly target: string;
  readonly headers: readonly string[];
}

interface Seen {
  readonly status: number;
  readonly headers: readonly string[];
  readonly arrival: Arrival | undefined;
}

/** By request line: where the two are known to differ, as docs/compatibility.md says. */
const KNOWN: ReadonlySet<string> = new Set([
  // the port of a redirect to https
  'GET http://secure.example.com:8081/x?q=1 @81',
  'GET http://shop.example.com/secure @8080',
  // the dot at the end of a Host
  'GET http://Reviews.Default.svc.cluster.local.:9080/',
  // dot segments made by a rewrite
  'GET http://reviews:9080/root../admin',
]);

/** What each side says of itself, and how it frames. */
const OWN_TO_UPSTREAM = new Set([
  'via',
  'x-request-id',
  'connection',
  'x-forwarded-for',
  'content-length',
  'x-envoy-attempt-count',
  'x-envoy-original-host',
]);
const OWN_TO_CLIENT = new Set([
  'date',
  'connection',
  'keep-alive',
  'transfer-encoding',
  'content-length',
  'via',
  'x-request-id',
  'x-serin-error',
  'server',
  'vary',
  'x-envoy-upstream-service-time',
]);

function lines(raw: readonly string[], own: ReadonlySet<string>): string[] {
  const found: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at]?.toLowerCase() ?? '';
    if (!own.has(name)) found.push(`${name}: ${raw[at + 1]}`);
  }
  return found.sort();
}

/** A version behind every cluster that has one; answers say nothing that differs. */
class Versions {
  readonly #servers: Server[] = [];
  readonly #arrivals = new Map<string, Arrival>();

  /** The table with its clusters' endpoints here, and faults that do not hold up a test. */
  async behind(table: RoutingTable): Promise<RoutingTable> {
    const clusters: Cluster[] = [];
    for (const cluster of table.clusters) {
      // The versions here speak HTTP/1.1.
      const { http2: _http2, ...plain } = cluster;
      if (cluster.missing !== undefined || cluster.endpoints.length === 0) clusters.push(cluster);
      else clusters.push({ ...plain, discovery: 'STATIC', endpoints: [await this.#start(cluster.name)] });
    }
    const listeners = table.listeners.map((listener) => ({
      ...listener,
      virtualHosts: listener.virtualHosts.map((host) => ({ ...host, routes: host.routes.map((route) => rendered(quick(route))) })),
    }));
    return { ...table, listeners, clusters };
  }

  async #start(cluster: string): Promise<Cluster['endpoints'][number]> {
    const server = createServer((request, response) => {
      const arrival = { cluster, target: `${request.method} ${request.url}`, headers: lines(request.rawHeaders, OWN_TO_UPSTREAM) };
      const id = String(request.headers['x-test-id']);
      // A copy for a mirror is no answer to the request.
      if (request.headers.host?.includes('-shadow') !== true) this.#arrivals.set(id, arrival);
      response.setHeader('x-version', 'kept').end('answer');
    });
    this.#servers.push(server);
    return { address: '127.0.0.1', port: await listen(server), weight: 1, labels: {} };
  }

  take(id: string): Arrival | undefined {
    const arrival = this.#arrivals.get(id);
    this.#arrivals.delete(id);
    return arrival;
  }

  async close(): Promise<void> {
    await Promise.all(this.#servers.map(close));
  }
}

function quick(route: Route): Route {
  const { action } = route;
  if (action.kind !== 'forward' || action.fault?.delay === undefined) return route;
  return { ...route, action: { ...action, fault: { ...action.fault, delay: { ...action.fault.delay, ms: 1 } } } };
}

/** Without what Envoy is not given (W_ENVOY_OMITTED), and without copies that would be taken for the request itself. */
function rendered(route: Route): Route {
  const { action } = route;
  if (action.kind !== 'forward') return route;
  const { session: _session, mirrors = [], ...rest } = action;
  const clusters = action.clusters.map(({ pathRewrite: _path, redirect: _redirect, mirrors: _mirrors, ...weighted }) => weighted);
  const marked = mirrors.filter(({ marksHost }) => marksHost);
  return { ...route, action: { ...rest, clusters, ...(marked.length === 0 ? {} : { mirrors: marked }) } };
}

let ids = 0;

function send(port: number, { view, headers }: GoldenRequest, versions: Versions): Promise<Seen> {
  const id = String(++ids);
  const path = view.query === '' ? view.path : `${view.path}?${view.query}`;
  const fields = { ...Object.fromEntries(headers), host: view.authority, 'x-test-id': id };
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, method: view.method, path, headers: fields, agent: false }, (response) => {
      response.resume().on('end', () => {
        const arrival = versions.take(id);
        const ownId = (line: string): boolean => !line.startsWith('x-test-id: ');
        resolve({
          status: response.statusCode ?? 0,
          // The bodies of their own answers are theirs.
          headers: lines(response.rawHeaders, OWN_TO_CLIENT).filter((line) => arrival !== undefined || !line.startsWith('content-type: ')),
          arrival: arrival && { ...arrival, headers: arrival.headers.filter(ownId) },
        });
      });
    });
    request.on('error', reject);
    request.end();
  });
}

class Both {
  readonly #proxy: Proxy;
  readonly #envoy: EnvoyProcess;
  readonly #versions: Versions;
  readonly #ports: ReadonlyMap<string, number>;

  static async start(table: RoutingTable): Promise<Both> {
    const versions = new Versions();
    const served = await versions.behind(table);
    const plain = { ...served, listeners: served.listeners.filter(({ tls }) => tls === undefined) };
    const bindings = plain.listeners.map(({ name }) => ({ listener: name, host: '127.0.0.1', port: 0 }));
    const proxy = createProxy({ workers: 0 });
    const bound = await proxy.apply(plain, bindings);
    const resources = envoyResources(plain, {
      addresses: new Map(bindings.map((binding) => [binding.listener, binding])),
      upgrades: ['websocket'],
    });
    const envoy = await EnvoyProcess.start(staticBootstrap(resources));
    return new Both(proxy, envoy, versions, new Map(bound.map(({ listener, port }) => [listener, port])));
  }

  private constructor(proxy: Proxy, envoy: EnvoyProcess, versions: Versions, ports: ReadonlyMap<string, number>) {
    this.#proxy = proxy;
    this.#envoy = envoy;
    this.#versions = versions;
    this.#ports = ports;
  }

  /** What Serin did, and what Envoy did once it had drawn the same version. */
  async ask(request: GoldenRequest): Promise<{ readonly serin: Seen; readonly envoy: Seen } | undefined> {
    const port = this.#ports.get(request.listener);
    const envoyPort = this.#envoy.ports.get(request.listener);
    if (port === undefined || envoyPort === undefined || request.view.scheme === 'https') return undefined;
    const serin = await send(port, request, this.#versions);
    let envoy = await send(envoyPort, request, this.#versions);
    for (let draw = 1; draw < MAX_DRAWS && envoy.arrival?.cluster !== serin.arrival?.cluster; draw++)
      envoy = await send(envoyPort, request, this.#versions);
    return { serin, envoy };
  }

  async close(): Promise<void> {
    await this.#proxy.close();
    await this.#envoy.end();
    await this.#versions.close();
  }
}

async function compare(table: RoutingTable, requests: readonly GoldenRequest[]): Promise<void> {
  const both = await Both.start(table);
  try {
    let compared = 0;
    for (const request of requests) {
      const seen = await both.ask(request);
      if (seen === undefined) continue;
      compared++;
      const isKnown = KNOWN.has(request.text.split('\n').find((line) => !line.startsWith('#')) ?? '');
      if (isKnown) expect.soft(seen.envoy, request.text).not.toEqual(seen.serin);
      else expect.soft(seen.envoy, request.text).toEqual(seen.serin);
    }
    expect(compared).toBeGreaterThan(0);
  } finally {
    await both.close();
  }
}

const cases = readdirSync(GOLDEN, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

describe.runIf(ENVOY !== undefined)('Envoy does what Serin does', () => {
  test.each(cases)('golden %s', async (name) => {
    const { snapshot } = loadText('input.yaml', readFileSync(join(GOLDEN, name, 'input.yaml')));
    const blocks = readFileSync(join(GOLDEN, name, 'requests.http'), 'utf8').split(/\n###\n/);
    await compare(compile(snapshot).table, blocks.map(parseRequest));
  });

  test.each([
    ['bookinfo/serin.yaml'],
    ['bookinfo/adopt'],
    ['bookinfo/istio', 'bookinfo/istio/reviews/90-v1-10-v2.yaml'],
    ['bookinfo/istio', 'bookinfo/istio/reviews/jason-v2.yaml'],
    ['bookinfo/istio', 'bookinfo/istio/reviews/50-v1-50-v3.yaml'],
  ])('example %s', async (...paths) => {
    const { snapshot } = await loadFiles(
      paths.map((path) => join(EXAMPLES, path)),
      undefined,
      Date.now(),
    );
    const { table } = compile(snapshot);
    const hosts = ['reviews', 'reviews:9080', 'productpage', 'ratings.default.svc.cluster.local', 'nobody'];
    const blocks = table.listeners.flatMap(({ name }) =>
      hosts.flatMap((host) => ['', 'end-user: jason\n'].map((header) => `GET http://${host}/reviews/0?a=b @${name}\n${header}`)),
    );
    await compare(table, blocks.map(parseRequest));
  });
});
