/** Bookinfo's YAML: it loads without a word of complaint, names the ports the programs listen on, and says what the comments in it say. */
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { formatDiagnostic } from '../../src/base/diagnostic.ts';
import { resolveHost } from '../../src/config/hosts.ts';
import { loadFiles } from '../../src/config/load.ts';
import { compile } from '../../src/routing/compile.ts';
import { Matcher } from '../../src/routing/matcher.ts';
import { MESH_LISTENER, type RoutingTable } from '../../src/routing/table.ts';
import { WORKLOADS } from './workloads.ts';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The table of these files; whatever is said about them fails the test. */
async function tableOf(...paths: readonly string[]): Promise<RoutingTable> {
  const { snapshot, diagnostics } = await loadFiles(paths.map(at));
  const compiled = compile(snapshot);
  expect([...diagnostics, ...compiled.diagnostics].map(formatDiagnostic)).toEqual([]);
  return compiled.table;
}

interface Asked {
  readonly listener?: string;
  readonly authority: string;
  readonly path: string;
  readonly user?: string;
}

/** Where a request goes: weight by `host|subset`. Undefined where no route takes it. */
function sharesOf(table: RoutingTable, { listener = MESH_LISTENER, authority, path, user }: Asked): Record<string, number> | undefined {
  const header = (name: string): string | undefined => (name === 'end-user' ? user : undefined);
  const hit = new Matcher(table).listener(listener)?.match({ method: 'GET', scheme: 'http', authority, path, query: '', header });
  const action = hit?.route.action;
  if (action?.kind !== 'forward') return undefined;
  const named = action.clusters.map(({ cluster, weight }): [string, number] => {
    const { host, subset } = table.clusters[cluster] ?? { host: 'none', subset: '' };
    return [`${host.split('.', 1)[0]}|${subset}`, weight / action.totalWeight];
  });
  return Object.fromEntries(named);
}

const reviewsFor = (table: RoutingTable, user?: string): Record<string, number> | undefined =>
  sharesOf(table, { authority: 'reviews', path: '/reviews/0', ...(user === undefined ? {} : { user }) });

describe.each([
  ['the short form', ['serin.yaml']],
  ['the Istio resources', ['istio', 'istio/reviews/90-v1-10-v2.yaml']],
])('%s', (_, paths) => {
  test('names the port of every process', async () => {
    const { snapshot } = await loadFiles(paths.map(at));
    const named = snapshot.serviceEntries.flatMap(({ spec, metadata }) =>
      (spec.endpoints ?? []).map(
        ({ address, ports, labels }) =>
          `${spec.hosts.map((host) => resolveHost(host, metadata.namespace)).join()} ${labels?.['version']} ${address}:${Object.values(ports ?? {}).join()}`,
      ),
    );
    const running = WORKLOADS.map(({ service, version, port }) => `${service}.default.svc.cluster.local ${version} 127.0.0.1:${port}`);
    expect(new Set(named)).toEqual(new Set(running));
  });

  test('sends jason to reviews v2, and the others to v1 and v2 nine to one', async () => {
    const table = await tableOf(...paths);
    expect(reviewsFor(table)).toEqual({ 'reviews|v1': 0.9, 'reviews|v2': 0.1 });
    expect(reviewsFor(table, 'ann')).toEqual({ 'reviews|v1': 0.9, 'reviews|v2': 0.1 });
    expect(reviewsFor(table, 'jason')).toEqual({ 'reviews|v2': 1 });
  });

  test('knows the other services by name', async () => {
    const table = await tableOf(...paths);
    for (const service of ['productpage', 'ratings', 'details']) expect(sharesOf(table, { authority: service, path: '/' })).toBeDefined();
  });
});

describe('istio/reviews', () => {
  const files: Record<string, [anyone: Record<string, number>, jason: Record<string, number>]> = {
    'v1.yaml': [{ 'reviews|v1': 1 }, { 'reviews|v1': 1 }],
    'jason-v2.yaml': [{ 'reviews|v1': 1 }, { 'reviews|v2': 1 }],
    '90-v1-10-v2.yaml': [{ 'reviews|v1': 0.9, 'reviews|v2': 0.1 }, { 'reviews|v2': 1 }],
    '50-v1-50-v3.yaml': [
      { 'reviews|v1': 0.5, 'reviews|v3': 0.5 },
      { 'reviews|v1': 0.5, 'reviews|v3': 0.5 },
    ],
    'v3.yaml': [{ 'reviews|v3': 1 }, { 'reviews|v3': 1 }],
  };

  test('has these files', async () => {
    expect((await readdir(at('istio/reviews'))).sort((a, b) => a.localeCompare(b))).toEqual(
      Object.keys(files).sort((a, b) => a.localeCompare(b)),
    );
  });

  test.each(Object.entries(files))('%s', async (file, [anyone, jason]) => {
    const table = await tableOf('istio', `istio/reviews/${file}`);
    expect(reviewsFor(table)).toEqual(anyone);
    expect(reviewsFor(table, 'jason')).toEqual(jason);
  });
});

test('the Rollout of the demo releases v3 when it is asked to', async () => {
  const { snapshot, diagnostics } = await loadFiles(['serin.yaml', 'rollout.yaml'].map(at));
  expect(diagnostics.map(formatDiagnostic)).toEqual([]);
  expect(snapshot.rollouts.map(({ spec }) => spec)).toMatchObject([{ host: 'reviews', stable: 'v2', canary: 'v3', paused: true }]);
});

test('the gateway takes what a browser asks of productpage, and nothing else', async () => {
  const table = await tableOf('serin.yaml', 'istio/gateway.yaml');
  const ask = (path: string): unknown => sharesOf(table, { listener: '80', authority: '127.0.0.1:9087', path });
  for (const path of ['/', '/productpage', '/login', '/logout', '/static/page.css', '/api/v1/products/0/reviews'])
    expect([path, ask(path)]).toEqual([path, { 'productpage|': 1 }]);
  for (const path of ['/reviews/0', '/productpages', '/health']) expect([path, ask(path)]).toEqual([path, undefined]);
});

test('the walk-through has half of /reviews on v1 and half on v2, whatever the host, and nothing on v3', async () => {
  const table = await tableOf('adopt');
  expect(sharesOf(table, { listener: '80', authority: 'any.example', path: '/reviews/0' })).toEqual({
    'reviews|v1': 0.5,
    'reviews|v2': 0.5,
  });
  expect(sharesOf(table, { listener: '80', authority: 'any.example', path: '/ratings/0' })).toBeUndefined();
  expect(reviewsFor(table)).toEqual({ 'reviews|': 1 });
});
