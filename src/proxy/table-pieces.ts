/**
 * A table in pieces: posted whole, a big one would keep a worker from its requests for as long as it takes to be read (structured clone). Pieces are read
 * one a turn of the event loop.
 */
import type { Cluster, Route, RoutingTable, VirtualHost } from '../routing/table.ts';

export type TablePiece =
  | { readonly kind: 'clusters'; readonly clusters: readonly Cluster[] }
  /** Of the listener with this index. */
  | { readonly kind: 'virtualHosts'; readonly listener: number; readonly virtualHosts: readonly VirtualHost[] }
  /** Further routes of the listener's last virtual host. */
  | { readonly kind: 'routes'; readonly listener: number; readonly routes: readonly Route[] };

/** Routes or clusters; they are read in a few milliseconds. */
const PIECE_SIZE = 200;

/** @returns The table without clusters and virtual hosts, and the pieces that they come in. */
export function inPieces(table: RoutingTable): { readonly rest: RoutingTable; readonly pieces: readonly TablePiece[] } {
  const pieces: TablePiece[] = [];
  for (const clusters of slices(table.clusters)) pieces.push({ kind: 'clusters', clusters });
  for (const [listener, { virtualHosts }] of table.listeners.entries()) {
    let group: VirtualHost[] = [];
    let size = 0;
    const flush = (): void => {
      if (group.length > 0) pieces.push({ kind: 'virtualHosts', listener, virtualHosts: group });
      group = [];
      size = 0;
    };
    for (const virtualHost of virtualHosts) {
      const [first = [], ...more] = slices(virtualHost.routes);
      group.push(more.length === 0 ? virtualHost : { ...virtualHost, routes: first });
      size += 1 + first.length;
      if (size >= PIECE_SIZE || more.length > 0) flush();
      for (const routes of more) pieces.push({ kind: 'routes', listener, routes });
    }
    flush();
  }
  return { rest: { ...table, clusters: [], listeners: table.listeners.map((listener) => ({ ...listener, virtualHosts: [] })) }, pieces };
}

/** Puts together what `inPieces` has taken apart; the pieces in their order. */
export function fromPieces(rest: RoutingTable, pieces: readonly TablePiece[]): RoutingTable {
  const clusters: Cluster[] = [];
  const virtualHosts = rest.listeners.map((): VirtualHost[] => []);
  for (const piece of pieces) {
    if (piece.kind === 'clusters') clusters.push(...piece.clusters);
    else if (piece.kind === 'virtualHosts') virtualHosts[piece.listener]?.push(...piece.virtualHosts);
    else {
      const last = virtualHosts[piece.listener]?.pop();
      if (last !== undefined) virtualHosts[piece.listener]?.push({ ...last, routes: [...last.routes, ...piece.routes] });
    }
  }
  return {
    ...rest,
    clusters,
    listeners: rest.listeners.map((listener, index) => ({ ...listener, virtualHosts: virtualHosts[index] ?? [] })),
  };
}

function slices<Item>(items: readonly Item[]): (readonly Item[])[] {
  if (items.length <= PIECE_SIZE) return items.length === 0 ? [] : [items];
  return Array.from({ length: Math.ceil(items.length / PIECE_SIZE) }, (_, index) =>
    items.slice(index * PIECE_SIZE, (index + 1) * PIECE_SIZE),
  );
}
