import type { GatewayApiHttpRoute, GatewayApiRoute, GrpcRoute } from '../../config/gateway-api/types.ts';
import { isLive } from '../merge-routes.ts';
import type { Route } from '../table.ts';
import type { MeshAttachment } from './model.ts';
import { inPrecedence } from './precedence.ts';
import type { RouteCompiler } from './route-compiler.ts';

/** Routes whose parent is a Service, by its full name. */
export class MeshRoutes {
  readonly #compiler: RouteCompiler;
  readonly #byHost = new Map<string, MeshAttachment[]>();

  constructor(compiler: RouteCompiler, attachments: readonly MeshAttachment[]) {
    this.#compiler = compiler;
    for (const attachment of attachments) {
      const same = this.#byHost.get(attachment.host);
      if (same === undefined) this.#byHost.set(attachment.host, [attachment]);
      else same.push(attachment);
    }
  }

  /** Those for callers of one namespace. */
  get consumers(): readonly { readonly route: GatewayApiRoute; readonly callers: string }[] {
    return [...this.#byHost.values()].flat().flatMap(({ route, callers }) => (callers === undefined ? [] : [{ route, callers }]));
  }

  /**
   * The routes of a Service's port. Once one of them may be taken, they are all there is: what no rule takes gets 404 (GEP-1324).
   *
   * Those of consumers are for callers of their namespace alone, and take the place of the producer's for them (GEP-1426).
   *
   * @param callers Namespace of those who ask; undefined: they have none.
   */
  routes(host: string, port: number, callers: string | undefined): { readonly routes: readonly Route[]; readonly isDecided: boolean } {
    const attached = (this.#byHost.get(host) ?? []).filter((attachment) => attachment.port === undefined || attachment.port === port);
    if (attached.length === 0) return NONE;
    const producers: Served[] = [];
    const consumers = new Map<Served, string>();
    for (const { route, callers: namespace } of attached) {
      if (route.kind === 'TLSRoute') continue;
      if (namespace === undefined) producers.push(route);
      else consumers.set(route, namespace);
    }
    const ours = [...consumers].flatMap(([route, namespace]) => (namespace === callers ? [route] : []));
    const own = inPrecedence([...new Set(ours.length > 0 ? ours : producers)].map((route) => this.#compiler.blocks(route, port)));
    const who = callers === undefined ? 'callers have no namespace here' : `these are of ${callers}`;
    const others = [...consumers].flatMap(([route, namespace]) => {
      if (namespace === callers) return [];
      const never = `parentRefs: only for callers in ${namespace}, and ${who}`;
      return inPrecedence([this.#compiler.blocks(route, port)]).map((rule) => ({
        ...rule,
        matches: rule.matches.map((match) => ({ ...match, never })),
      }));
    });
    return { routes: [...own, ...others], isDecided: own.some(isLive) };
  }
}

type Served = GatewayApiHttpRoute | GrpcRoute;

const NONE = { routes: [], isDecided: false } as const;
