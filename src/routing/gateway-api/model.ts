/**
 * What becomes of Gateways and routes once every reference has been followed: between `attach` (who is served where, and what is said about it) and
 * `listeners` (the routes that a data plane gets).
 */
import type {
  BackendTlsPolicy,
  GatewayApiGateway,
  GatewayApiListener,
  GatewayApiRoute,
  ListenerSet,
} from '../../config/gateway-api/types.ts';
import type { GatewayApiStatuses } from './status.ts';

export interface Attachments {
  /** Those that are accepted and can be served, in the order in which they count where several want the same. */
  readonly listeners: readonly AttachedListener[];
  /** Routes of the mesh: whose parent is a Service. */
  readonly mesh: readonly MeshAttachment[];
  /** In force, by `backendKey` of a Service's port. */
  readonly backendTls: ReadonlyMap<string, BackendTls>;
  /** Of everything, accepted or not; `attach` has looked at every backend reference with `resolveBackend`, so nothing is added afterwards. */
  readonly statuses: GatewayApiStatuses;
}

export interface AttachedListener {
  readonly gateway: GatewayApiGateway;
  /** Whose spec the listener stands in. */
  readonly owner: GatewayApiGateway | ListenerSet;
  readonly listener: GatewayApiListener;
  /** `NAMESPACE/NAME listeners[0]`: unique, for the names of TLS sites. */
  readonly name: string;
  /**
   * `namespace/name:80` where the Gateway has an address of its own (`--listen NAMESPACE/NAME:80=…`, `spec.addresses`), else `80`: of the
   * `Listener` in the table that it is part of.
   */
  readonly tableListener: string;
  /** A loopback address the Gateway states, for `Listener.bind`. */
  readonly bind?: string;
  /** HTTPS, and TLS that ends here: names of credentials (`credentialName`), all of them good. */
  readonly certificates: readonly string[];
  /** Client certificates, where the Gateway asks for them. */
  readonly clientValidation?: { readonly ca: string; readonly isUnchecked: boolean };
  /** Name of the credential that the Gateway shows to backends that speak TLS, where it states a good one (`spec.tls.backend`). */
  readonly clientCertificate?: string;
  readonly routes: readonly ListenerRoute[];
}

export interface ListenerRoute {
  readonly route: GatewayApiRoute;
  /** Where the route's hostnames and the listener's meet, the narrower of the two each; `*` where neither states one. Never empty. */
  readonly hostnames: readonly string[];
}

export interface MeshAttachment {
  /** Full name of the Service. */
  readonly host: string;
  /** Undefined: every port of it. */
  readonly port: number | undefined;
  readonly route: GatewayApiRoute;
  /** Namespace to which callers must belong (a consumer route), undefined for a producer's: everybody. */
  readonly callers: string | undefined;
}

/** Where a reference to a backend leads. */
export type ResolvedBackend =
  | { readonly kind: 'service'; /** Full name. */ readonly host: string; readonly port: number }
  /** `reason` of the condition ResolvedRefs: InvalidKind, BackendNotFound, RefNotPermitted, UnsupportedProtocol … */
  | { readonly kind: 'invalid'; readonly reason: string; readonly message: string };

export interface BackendTls {
  readonly policy: BackendTlsPolicy;
  /** Undefined: the CAs Node trusts. */
  readonly ca: string | undefined;
  /** The policy cannot be kept: its requests are refused (5xx) rather than sent in the clear. */
  readonly invalid?: string;
}

export function backendKey(host: string, port: number): string {
  return `${host}:${port}`;
}
