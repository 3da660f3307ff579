import type { BackendObjectReference, GatewayApiHttpRoute, GatewayApiRoute, GrpcRoute } from '../../config/gateway-api/types.ts';
import type { Compilation } from '../compilation.ts';
import { compileGrpcRoute } from './compile-grpc-route.ts';
import { compileHttpRoute } from './compile-http-route.ts';
import type { ResolvedBackend } from './model.ts';
import type { RouteBlocks } from './precedence.ts';
import type { RouteContext } from './route-context.ts';

/** Follows a reference of a route to a backend. */
export type BackendResolver = (route: GatewayApiRoute, reference: BackendObjectReference) => ResolvedBackend;

/** Routes of HTTP by where they are served, each compiled once for each port and certificate: its hosts and listeners share the rules. */
export class RouteCompiler {
  readonly compilation: Compilation;
  readonly #resolve: BackendResolver;
  /** By port and certificate. */
  readonly #known = new Map<string, Map<GatewayApiRoute, RouteBlocks>>();

  constructor(compilation: Compilation, resolve: BackendResolver) {
    this.compilation = compilation;
    this.#resolve = resolve;
  }

  context<R extends GatewayApiRoute>(route: R, port: number, clientCertificate?: string): RouteContext<R> {
    return {
      compilation: this.compilation,
      route,
      port,
      resolve: (reference) => this.#resolve(route, reference),
      ...(clientCertificate === undefined ? {} : { clientCertificate }),
    };
  }

  blocks(route: GatewayApiHttpRoute | GrpcRoute, port: number, clientCertificate?: string): RouteBlocks {
    const scope = `${port} ${clientCertificate ?? ''}`;
    let inScope = this.#known.get(scope);
    if (inScope === undefined) {
      inScope = new Map();
      this.#known.set(scope, inScope);
    }
    let compiled = inScope.get(route);
    if (compiled === undefined) {
      const { kind, metadata } = route;
      const blocks =
        route.kind === 'HTTPRoute'
          ? compileHttpRoute(this.context(route, port, clientCertificate))
          : compileGrpcRoute(this.context(route, port, clientCertificate));
      compiled = { kind, metadata, blocks };
      inScope.set(route, compiled);
    }
    return compiled;
  }
}
