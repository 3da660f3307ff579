/**
 * Where a rule is compiled for. The same rule of a VirtualService means different things on different listeners: `match.port` and
 * `match.gateways` are settled by it, and a destination without a port takes the listener's (Istio route.go, translateRoute).
 */
export interface Scope {
  /** What the callers' port is: the Gateway's declared one, or the service's on mesh. */
  readonly port: number;
  /** Names the rule may be meant for: `mesh`, or `namespace/name` of the Gateways that brought the VirtualService here. */
  readonly gateways: ReadonlySet<string>;
  /** Namespace that the callers belong to; absent where they have none. */
  readonly callers?: string;
}
