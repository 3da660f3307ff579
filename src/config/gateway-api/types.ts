/**
 * The kinds of the Kubernetes Gateway API, with field names spelt exactly as upstream spells them.
 *
 * Shapes follow kubernetes-sigs/gateway-api apis/v1 (gateway_types.go, httproute_types.go, grpcroute_types.go, listenerset_types.go,
 * backendtlspolicy_types.go, referencegrant_types.go), version 1.6. Values are what validation has let through; what an API server would fill in
 * as a default is absent where the user left it out. Nothing here is mutated after parsing.
 */
import type { Resource } from '../resources.ts';

export const GATEWAY_API_GROUP = 'gateway.networking.k8s.io';

/** The class that exists without being declared, and who its controller is. */
export const SERIN_GATEWAY_CLASS = 'serin';
export const SERIN_GATEWAY_CONTROLLER = 'serin.dev/gateway-controller';

// --- references ---------------------------------------------------------------------------------------------------------------------

export interface ParentReference {
  /** Default `gateway.networking.k8s.io`; empty for a Service. */
  readonly group?: string;
  /** Default `Gateway`. */
  readonly kind?: string;
  /** Default: the route's own. */
  readonly namespace?: string;
  readonly name: string;
  readonly sectionName?: string;
  readonly port?: number;
}

/** group, default empty; kind, default `Service`; namespace, default the referring resource's. */
export interface BackendObjectReference {
  readonly group?: string;
  readonly kind?: string;
  readonly name: string;
  readonly namespace?: string;
  readonly port?: number;
}

/** group, default empty; kind, default `Secret`. */
export interface SecretObjectReference {
  readonly group?: string;
  readonly kind?: string;
  readonly name: string;
  readonly namespace?: string;
}

export interface ObjectReference {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

export interface LocalObjectReference {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
}

// --- GatewayClass, Gateway, ListenerSet ---------------------------------------------------------------------------------------------

export interface GatewayClassSpec {
  readonly controllerName: string;
  readonly parametersRef?: ObjectReference;
  readonly description?: string;
}
/** Belongs to no namespace: `metadata.namespace` is empty. */
export type GatewayClass = Resource<'GatewayClass', GatewayClassSpec>;

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

export interface RouteGroupKind {
  readonly group?: string;
  readonly kind: string;
}

export interface AllowedRoutes {
  readonly namespaces?: { readonly from?: 'All' | 'Selector' | 'Same'; readonly selector?: LabelSelector };
  readonly kinds?: readonly RouteGroupKind[];
}

export interface ListenerTlsConfig {
  /** Default `Terminate`. */
  readonly mode?: 'Terminate' | 'Passthrough';
  readonly certificateRefs?: readonly SecretObjectReference[];
  readonly options?: Readonly<Record<string, string>>;
}

/** Of a Gateway or a ListenerSet. */
export interface GatewayApiListener {
  readonly name: string;
  readonly hostname?: string;
  readonly port: number;
  /** `HTTP`, `HTTPS`, `TLS`, `TCP`, `UDP` or a vendor's own. */
  readonly protocol: string;
  readonly tls?: ListenerTlsConfig;
  readonly allowedRoutes?: AllowedRoutes;
}

export interface FrontendTlsConfig {
  readonly validation?: {
    readonly caCertificateRefs: readonly ObjectReference[];
    readonly mode?: 'AllowValidOnly' | 'AllowInsecureFallback';
  };
}

export interface GatewayApiGatewaySpec {
  readonly gatewayClassName: string;
  readonly listeners: readonly GatewayApiListener[];
  readonly addresses?: readonly { readonly type?: string; readonly value?: string }[];
  readonly infrastructure?: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly parametersRef?: LocalObjectReference;
  };
  readonly allowedListeners?: {
    readonly namespaces?: { readonly from?: 'All' | 'Selector' | 'Same' | 'None'; readonly selector?: LabelSelector };
  };
  readonly tls?: {
    readonly backend?: { readonly clientCertificateRef?: SecretObjectReference };
    readonly frontend?: {
      readonly default: FrontendTlsConfig;
      readonly perPort?: readonly { readonly port: number; readonly tls: FrontendTlsConfig }[];
    };
  };
  readonly defaultScope?: 'All' | 'None';
}
/** `kind: Gateway` of `gateway.networking.k8s.io`; `Gateway` alone is Istio's in this code. See `wireKind`. */
export type GatewayApiGateway = Resource<'GatewayApiGateway', GatewayApiGatewaySpec>;

export interface ListenerSetSpec {
  readonly parentRef: { readonly group?: string; readonly kind?: string; readonly name: string; readonly namespace?: string };
  readonly listeners: readonly GatewayApiListener[];
}
export type ListenerSet = Resource<'ListenerSet', ListenerSetSpec>;

// --- filters ------------------------------------------------------------------------------------------------------------------------

export interface HttpHeader {
  readonly name: string;
  readonly value: string;
}

export interface HttpHeaderFilter {
  readonly set?: readonly HttpHeader[];
  readonly add?: readonly HttpHeader[];
  readonly remove?: readonly string[];
}

export interface HttpPathModifier {
  readonly type: 'ReplaceFullPath' | 'ReplacePrefixMatch';
  readonly replaceFullPath?: string;
  readonly replacePrefixMatch?: string;
}

export interface HttpRequestRedirectFilter {
  readonly scheme?: 'http' | 'https';
  readonly hostname?: string;
  readonly path?: HttpPathModifier;
  readonly port?: number;
  readonly statusCode?: number;
}

export interface HttpUrlRewriteFilter {
  readonly hostname?: string;
  readonly path?: HttpPathModifier;
}

export interface HttpRequestMirrorFilter {
  readonly backendRef: BackendObjectReference;
  readonly percent?: number;
  readonly fraction?: { readonly numerator: number; readonly denominator?: number };
}

export interface HttpCorsFilter {
  readonly allowOrigins?: readonly string[];
  readonly allowCredentials?: boolean;
  readonly allowMethods?: readonly string[];
  readonly allowHeaders?: readonly string[];
  readonly exposeHeaders?: readonly string[];
  readonly maxAge?: number;
}

export interface HttpExternalAuthFilter {
  readonly protocol: 'HTTP' | 'GRPC';
  readonly backendRef: BackendObjectReference;
  readonly grpc?: { readonly allowedHeaders?: readonly string[] };
  readonly http?: {
    readonly path?: string;
    readonly allowedHeaders?: readonly string[];
    readonly allowedResponseHeaders?: readonly string[];
  };
  readonly forwardBody?: { readonly maxSize?: number };
}

/** The member that `type` names is there, and no other. */
export interface HttpRouteFilter {
  readonly type:
    | 'RequestHeaderModifier'
    | 'ResponseHeaderModifier'
    | 'RequestMirror'
    | 'RequestRedirect'
    | 'URLRewrite'
    | 'ExtensionRef'
    | 'CORS'
    | 'ExternalAuth';
  readonly requestHeaderModifier?: HttpHeaderFilter;
  readonly responseHeaderModifier?: HttpHeaderFilter;
  readonly requestMirror?: HttpRequestMirrorFilter;
  readonly requestRedirect?: HttpRequestRedirectFilter;
  readonly urlRewrite?: HttpUrlRewriteFilter;
  readonly extensionRef?: LocalObjectReference;
  readonly cors?: HttpCorsFilter;
  readonly externalAuth?: HttpExternalAuthFilter;
}

export interface GrpcRouteFilter {
  readonly type: 'RequestHeaderModifier' | 'ResponseHeaderModifier' | 'RequestMirror' | 'ExtensionRef';
  readonly requestHeaderModifier?: HttpHeaderFilter;
  readonly responseHeaderModifier?: HttpHeaderFilter;
  readonly requestMirror?: HttpRequestMirrorFilter;
  readonly extensionRef?: LocalObjectReference;
}

// --- HTTPRoute ----------------------------------------------------------------------------------------------------------------------

export interface GatewayApiPathMatch {
  /** Default `PathPrefix`. */
  readonly type?: 'Exact' | 'PathPrefix' | 'RegularExpression';
  /** Default `/`. */
  readonly value?: string;
}

export interface GatewayApiValueMatch {
  /** Default `Exact`. */
  readonly type?: 'Exact' | 'RegularExpression';
  readonly name: string;
  readonly value: string;
}

export interface GatewayApiHttpMatch {
  readonly path?: GatewayApiPathMatch;
  readonly headers?: readonly GatewayApiValueMatch[];
  readonly queryParams?: readonly GatewayApiValueMatch[];
  readonly method?: string;
}

export interface SessionPersistence {
  /** Default `Cookie`. */
  readonly type?: 'Cookie' | 'Header';
  readonly absoluteTimeout?: string;
  readonly cookie?: { readonly name?: string; readonly path?: string; readonly lifetimeType?: 'Permanent' | 'Session' };
  readonly header?: { readonly name: string };
}

export interface HttpBackendRef extends BackendObjectReference {
  /** Default 1. */
  readonly weight?: number;
  readonly filters?: readonly HttpRouteFilter[];
}

export interface GatewayApiHttpRule {
  readonly name?: string;
  readonly matches?: readonly GatewayApiHttpMatch[];
  readonly filters?: readonly HttpRouteFilter[];
  readonly backendRefs?: readonly HttpBackendRef[];
  readonly timeouts?: { readonly request?: string; readonly backendRequest?: string };
  readonly retry?: { readonly codes?: readonly number[]; readonly attempts?: number; readonly backoff?: string };
  readonly sessionPersistence?: SessionPersistence;
}

interface CommonRouteSpec {
  readonly parentRefs?: readonly ParentReference[];
  readonly useDefaultGateways?: 'All' | 'None';
  readonly hostnames?: readonly string[];
}

export interface HttpRouteSpec extends CommonRouteSpec {
  readonly rules?: readonly GatewayApiHttpRule[];
}
/** Not to be taken for a rule of a VirtualService (`IstioHttpRoute`). */
export type GatewayApiHttpRoute = Resource<'HTTPRoute', HttpRouteSpec>;

// --- GRPCRoute ----------------------------------------------------------------------------------------------------------------------

export interface GrpcMethodMatch {
  readonly type?: 'Exact' | 'RegularExpression';
  readonly service?: string;
  readonly method?: string;
}

export interface GrpcMatch {
  readonly method?: GrpcMethodMatch;
  readonly headers?: readonly GatewayApiValueMatch[];
}

export interface GrpcBackendRef extends BackendObjectReference {
  readonly weight?: number;
  readonly filters?: readonly GrpcRouteFilter[];
}

export interface GrpcRule {
  readonly name?: string;
  readonly matches?: readonly GrpcMatch[];
  readonly filters?: readonly GrpcRouteFilter[];
  readonly backendRefs?: readonly GrpcBackendRef[];
  readonly sessionPersistence?: SessionPersistence;
}

export interface GrpcRouteSpec extends CommonRouteSpec {
  readonly rules?: readonly GrpcRule[];
}
export type GrpcRoute = Resource<'GRPCRoute', GrpcRouteSpec>;

// --- TLSRoute -----------------------------------------------------------------------------------------------------------------------

export interface TlsRouteSpec extends CommonRouteSpec {
  readonly rules: readonly {
    readonly name?: string;
    readonly backendRefs: readonly (BackendObjectReference & { readonly weight?: number })[];
  }[];
}
export type TlsRoute = Resource<'TLSRoute', TlsRouteSpec>;

// --- ReferenceGrant and BackendTLSPolicy ----------------------------------------------------------------------------------------------

export interface ReferenceGrantSpec {
  readonly from: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[];
  readonly to: readonly { readonly group: string; readonly kind: string; readonly name?: string }[];
}
export type ReferenceGrant = Resource<'ReferenceGrant', ReferenceGrantSpec>;

export interface BackendTlsPolicySpec {
  readonly targetRefs: readonly (LocalObjectReference & { readonly sectionName?: string })[];
  readonly validation: {
    readonly caCertificateRefs?: readonly LocalObjectReference[];
    readonly wellKnownCACertificates?: string;
    readonly hostname: string;
    readonly subjectAltNames?: readonly { readonly type: 'Hostname' | 'URI'; readonly hostname?: string; readonly uri?: string }[];
  };
  readonly options?: Readonly<Record<string, string>>;
}
export type BackendTlsPolicy = Resource<'BackendTLSPolicy', BackendTlsPolicySpec>;

/** Routes of the Gateway API. */
export type GatewayApiRoute = GatewayApiHttpRoute | GrpcRoute | TlsRoute;

export type GatewayApiResource = GatewayClass | GatewayApiGateway | ListenerSet | GatewayApiRoute | ReferenceGrant | BackendTlsPolicy;
