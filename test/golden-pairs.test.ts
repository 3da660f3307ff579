import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { formatDiagnostic, hasErrors } from '../src/base/diagnostic.ts';
import { loadText } from '../src/config/load.ts';
import { compile } from '../src/routing/compile.ts';
import type { Listener, Route, RouteMatch, RoutingTable, TcpRoute } from '../src/routing/table.ts';

/*
 * Each folder of golden-pairs/ says one thing twice: `istio.yaml` with a VirtualService, `gateway-api.yaml` with a route of the Gateway API. Both are
 * served by a Gateway of their own language (shared/) and lead to the same Services, so both must compile to the same routes. What cannot be the same is taken
 * out first: what rules are called and where they stand, the kind of a path prefix (by characters or by elements), and whether a copy's Host says that it is one,
 * which is Istio's way alone.
 */

const ROOT = join(import.meta.dirname, 'golden-pairs');

function tableOf(pair: string, dialect: string): RoutingTable {
  const files = [join(ROOT, 'shared', 'backends.yaml'), join(ROOT, 'shared', `${dialect}.yaml`), join(ROOT, pair, `${dialect}.yaml`)];
  const { snapshot, diagnostics } = loadText(`${dialect}.yaml`, files.map((file) => readFileSync(file, 'utf8')).join('---\n'));
  if (hasErrors(diagnostics)) throw new Error(diagnostics.map(formatDiagnostic).join('\n'));
  return compile(snapshot).table;
}

/** What data planes get of the listeners that the case is about, with clusters in place of their numbers. */
function served(table: RoutingTable): unknown {
  return table.listeners.map(({ name, port, virtualHosts, passthrough = [] }: Listener) => ({
    name,
    port,
    virtualHosts: virtualHosts.map((host) => ({ ...host, routes: host.routes.map((route) => plainRoute(table, route)) })),
    passthrough: passthrough.map((route) => plainTcpRoute(table, route)),
  }));
}

function plainRoute(table: RoutingTable, { name: _name, source: _source, ...route }: Route): unknown {
  const { cors, action } = route;
  // Only lists with `*` are echoed, and no pair has one.
  const { echoesRequested: _echoes, ...plainCors } = cors ?? {};
  return {
    ...route,
    matches: route.matches.map(plainMatch),
    ...(cors === undefined ? {} : { cors: plainCors }),
    action:
      action.kind === 'forward'
        ? {
            ...action,
            clusters: action.clusters.map((weighted) => ({ ...weighted, cluster: table.clusters[weighted.cluster] })),
            mirrors: action.mirrors?.map(({ marksHost: _marksHost, ...mirror }) => ({
              ...mirror,
              cluster: table.clusters[mirror.cluster],
            })),
            rewrite: plainRewrite(route, action.rewrite),
          }
        : action,
  };
}

/** To replace what an exact match took is to replace the path. */
function plainRewrite({ matches }: Pick<Route, 'matches'>, rewrite: { readonly path?: object } | undefined): unknown {
  const isWhole = matches.every(({ uri }) => uri?.kind === 'exact');
  return rewrite?.path === undefined || !isWhole ? rewrite : { ...rewrite, path: { ...rewrite.path, kind: 'full' } };
}

function plainMatch({ path: _path, uri, ...match }: RouteMatch): unknown {
  return { ...match, uri: uri?.kind === 'pathPrefix' ? { ...uri, kind: 'prefix' } : uri };
}

function plainTcpRoute(table: RoutingTable, { name: _name, source: _source, ...route }: TcpRoute): unknown {
  return {
    ...route,
    matches: route.matches.map(({ path: _path, ...match }) => match),
    clusters: route.clusters.map((weighted) => ({ ...weighted, cluster: table.clusters[weighted.cluster] })),
  };
}

const pairs = readdirSync(ROOT).filter((name) => name !== 'shared');

test('there is a pair for each behaviour that both languages can say', () => {
  expect(pairs.length).toBeGreaterThanOrEqual(40);
});

describe.each(pairs)('%s', (pair) => {
  test('compiles to the same routes from either language', () => {
    const istio = tableOf(pair, 'istio');
    const own = JSON.stringify(istio.listeners.flatMap(({ virtualHosts, passthrough = [] }) => [...virtualHosts, ...passthrough]));
    expect(own, 'something is served').toContain('"kind":"VirtualService"');
    expect(served(tableOf(pair, 'gateway-api'))).toEqual(served(istio));
  });
});
