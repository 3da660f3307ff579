/**
 * The compiled form of a Snapshot: what a data plane needs to carry one request, and nothing of the resources' own language.
 *
 * Plain data (structured-cloneable: it is posted to worker threads), immutable, complete: every reference is an index or a copy. Patterns are
 * kept as text; `matcher.ts` compiles them once per data plane. Nouns are Envoy's (config.route.v3, config.cluster.v3).
 */

import type { ReleaseAssignment } from '../config/release.ts';
import type { ProxyProtocolVersion } from '../http/proxy-protocol.ts';
import type { RetryCondition } from '../config/retry-on.ts';

export interface RoutingTable {
  /** `Snapshot.version` of what it was compiled from (with the overlay applied). */
  readonly version: string;
  readonly listeners: readonly Listener[];
  /** `WeightedCluster.cluster` is an index into this list. */
  readonly clusters: readonly Cluster[];
  /** Every `ReleaseArm.observation` and `killSwitch` that occurs; absent while nothing is released. */
  readonly observations?: readonly string[];
  readonly killSwitches?: readonly string[];
  /** Of releases by user: what remembers who was counted, and the observations whose users they are. */
  readonly ledgers?: readonly { readonly ledger: string; readonly observations: readonly string[] }[];
}

/** Name of the listener for services addressed by their own name; every other listener belongs to Gateways. */
export const MESH_LISTENER = 'mesh';

/** Of the same for callers that belong to a namespace (`CompileOptions.meshNamespaces`). */
export function meshListenerOf(namespace: string): string {
  return `${MESH_LISTENER}/${namespace}`;
}

export function isMeshListener(name: string): boolean {
  return name === MESH_LISTENER || name.startsWith(`${MESH_LISTENER}/`);
}

export interface Listener {
  /** `mesh`, `mesh/NAMESPACE`, the declared port (`80`) for the Gateways that share it, or `NAMESPACE/NAME:80` for one that is served on its own address. */
  readonly name: string;
  /** The port as declared in the Gateway; 0 for the mesh listener. Where it is really bound is the operator's choice (`--listen`). */
  readonly port: number;
  /** `servers[].bind`, where a Gateway states an address. */
  readonly bind?: string;
  /** `namespace/name` of the Gateways served here; empty for mesh. */
  readonly gateways: readonly string[];
  /** The servers that end TLS here; absent where plain HTTP is spoken. */
  readonly tls?: readonly TlsSite[];
  /** TLS that is passed on as it is, beside `tls` or alone: by server name, of which every match has some. */
  readonly passthrough?: readonly TcpRoute[];
  /** Where connections go that are no HTTP and no TLS; then there are no virtual hosts. */
  readonly tcp?: readonly TcpRoute[];
  readonly virtualHosts: readonly VirtualHost[];
}

/** One server of a Gateway that ends TLS: for which names, with which certificates, and what it asks of clients. */
export interface TlsSite {
  /** `NAMESPACE/NAME spec.servers[0]`. */
  readonly name: string;
  /** Lower case: exact, `*.example.com` or `*`. */
  readonly serverNames: readonly string[];
  /** Names of credentials, which are kept apart from the table; several for keys of several kinds. */
  readonly certificates: readonly string[];
  /** `unchecked`: asked for, and let in whatever it is; only what leads to `clientCa` is told to upstreams. */
  readonly clientCertificate: 'none' | 'optional' | 'required' | 'unchecked';
  /** Name of the credential whose CA client certificates must lead to. */
  readonly clientCa?: string;
  /** One of them must be in a client's certificate; empty: any may. */
  readonly subjectAltNames: readonly string[];
  /** SHA-256 of a client's public key in base64, of its certificate in hexadecimal: one of all of them must fit; empty: any may. */
  readonly spkiSha256: readonly string[];
  readonly certificateSha256: readonly string[];
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
  /** OpenSSL's list; absent: Node's. */
  readonly ciphers?: string;
  /** What is inside is no HTTP, and goes by these. */
  readonly tcp?: readonly TcpRoute[];
}

/** A rule for whole connections; the first one that holds takes them. */
export interface TcpRoute {
  /** `tcp[0]`, `tls[2]`. */
  readonly name: string;
  readonly source: RouteSource;
  /** ORed; never empty. */
  readonly matches: readonly TcpMatch[];
  /** As in `ForwardAction`. */
  readonly clusters: readonly TcpCluster[];
  readonly totalWeight: number;
}

export interface TcpCluster {
  /** Index into `RoutingTable.clusters`. */
  readonly cluster: number;
  readonly weight: number;
}

/** Conditions are ANDed; an absent one always holds. */
export interface TcpMatch {
  readonly path: string;
  /** As in `TlsSite`; one of them. Of several routes the one with the most exact name is taken. */
  readonly serverNames?: readonly string[];
  /** CIDR blocks or addresses: of the address the connection came in on, and of its client. */
  readonly destinationSubnets?: readonly string[];
  readonly sourceSubnet?: string;
  /** Why it can never hold here. */
  readonly never?: string;
}

export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';

export interface VirtualHost {
  readonly name: string;
  /**
   * Lower case, without a trailing dot: exact (`reviews`, `reviews:9080`), suffix wildcard (`*.example.com`) or `*`. Exact beats the longest
   * suffix beats `*`. A request's Host is looked up with its port first, then without.
   */
  readonly domains: readonly string[];
  readonly routes: readonly Route[];
  /**
   * Name of the `TlsSite` whose connections may ask for it, where others must not: their requests are answered 421, so that a client that reuses a
   * connection opens another one (RFC 9110 15.5.20; Gateway API, listeners of HTTPS).
   */
  readonly tlsSite?: string;
}

export interface Route {
  /** `name` of the rule, or its position (`http[2]`): for logs, metrics and explain. */
  readonly name: string;
  readonly source: RouteSource;
  /** ORed, in the user's order; never empty (a rule without `match` has one that matches everything). */
  readonly matches: readonly RouteMatch[];
  readonly action: RouteAction;
  /** Applied after the chosen cluster's own (weighted), or merged with it (single destination): compile() has settled the order. */
  readonly requestHeaders: HeaderOps;
  readonly responseHeaders: HeaderOps;
  readonly cors?: CorsPolicy;
  /** Why no request gets this far (an earlier rule takes everything, say); absent when some may. Kept for explain, passed over by matching. */
  readonly unreachable?: string;
}

/** What pages of other origins may ask for and see; lists as they are sent, empty where nothing is stated. */
export interface CorsPolicy {
  /** Exact `*` is all. */
  readonly origins: readonly ValueMatch[];
  readonly allowMethods: string;
  readonly allowHeaders: string;
  readonly exposeHeaders: string;
  readonly maxAgeSeconds?: number;
  readonly allowsCredentials: boolean;
  /** Preflights of other origins go to the upstream; else they are answered without saying anything. */
  readonly forwardsUnmatched: boolean;
  /**
   * The Gateway API's way with `*` among methods and headers: a preflight is answered with what it asked for, since to a browser with credentials `*` is
   * a name like any other (Fetch standard, CORS protocol and credentials). Else `*` is sent as it is written.
   */
  readonly echoesRequested?: true;
}

/** Which line of whose file a route comes from. */
export interface RouteSource {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** `spec.http[2]`; empty for a default route that no resource wrote. */
  readonly path: string;
  readonly file: string;
  readonly line: number;
}

/** Conditions are ANDed; an absent one always holds. Conditions that do not depend on the request are settled by compile(). */
export interface RouteMatch {
  /** `spec.http[2].match[0]`, or the rule's own path when it has no match block. */
  readonly path: string;
  readonly uri?: UriMatch;
  readonly scheme?: ValueMatch;
  readonly method?: ValueMatch;
  readonly authority?: ValueMatch;
  readonly headers: readonly HeaderMatch[];
  readonly queryParams: readonly QueryParamMatch[];
  /** Why this block can never hold on this data plane (`sourceLabels` where callers have none, say); absent when it can. */
  readonly never?: string;
}

export type ValueMatch =
  | { readonly kind: 'exact'; readonly value: string }
  | { readonly kind: 'prefix'; readonly value: string }
  /** RE2, whole value. */
  | { readonly kind: 'regex'; readonly value: string };

/** Against the normalised path without query. `pathPrefix` is by path element (Gateway API), `prefix` by characters (Istio). */
export interface UriMatch {
  readonly kind: 'exact' | 'prefix' | 'pathPrefix' | 'regex';
  readonly value: string;
  /** Exact and prefix only. */
  readonly ignoreCase: boolean;
}

export interface HeaderMatch {
  /** Lower case; `:method`, `:path`, `:scheme` and `:authority` are allowed. */
  readonly name: string;
  /** Absent: the header must be present. Several values of a header are matched joined with `,`. */
  readonly value?: ValueMatch;
  /** The condition holds when the match does not. */
  readonly invert: boolean;
  /** A missing header counts as the empty string (`withoutHeaders`); otherwise it never matches, inverted or not. */
  readonly missingIsEmpty: boolean;
}

export interface QueryParamMatch {
  /** Exact. Name and value are compared as received, not percent-decoded, as Envoy does; only the first occurrence of a parameter counts. */
  readonly name: string;
  /** Absent: the parameter must be present. */
  readonly value?: ValueMatch;
}

export type RouteAction = ForwardAction | RedirectAction | DirectResponseAction;

export interface ForwardAction {
  readonly kind: 'forward';
  /** Never empty; every weight > 0 unless there is exactly one. */
  readonly clusters: readonly WeightedCluster[];
  /** Sum of the weights; with a single cluster it is 1 whatever was written. */
  readonly totalWeight: number;
  readonly rewrite?: Rewrite;
  /**
   * By user: the bucket is `bucketOf(salt, value of the first key the request has)`, and the clusters own the buckets in list order, so a growing
   * first weight only adds users to it. With several canaries a cluster may stand in the list more than once: the one before it can then grow
   * without moving it. Absent, or a request without any key: drawn independently.
   */
  readonly assignment?: ReleaseAssignment;
  /** Whole transaction including retries, ms; 0: none (Istio's default). */
  readonly timeoutMs: number;
  /** No limit is what the route states (an HTTPRoute's `0s`), so the answer may begin whenever it likes. */
  readonly isUnlimited?: true;
  /** Absent: only what cannot be noticed is tried again. */
  readonly retry?: RetryPolicy;
  readonly fault?: FaultInjection;
  /** Where copies of the requests go; never empty. */
  readonly mirrors?: readonly Mirror[];
  /** Of clients that have been here before. */
  readonly session?: SessionPersistence;
}

/**
 * A client's later requests go to the endpoint that its first one went to, whatever the weights say now (gateway-api GEP-1619). Without the session's
 * token, or with one whose endpoint is gone, a request is drawn as any other and its answer brings a new token.
 */
export interface SessionPersistence {
  /** Where the token is: a cookie's or a header field's name. */
  readonly key:
    | {
        readonly kind: 'cookie';
        readonly name: string;
        /** `; Path=/; HttpOnly` and what else follows the value. */
        readonly attributes: string;
      }
    | { readonly kind: 'header'; readonly name: string };
  /** After so long a session ends, however busy it is; absent: never. */
  readonly absoluteTimeoutMs?: number;
  /** All the rule's destinations, those of weight 0 included: sessions on them go on. */
  readonly destinations: readonly WeightedCluster[];
}

/** Failures made on purpose; each draw is independent. */
export interface FaultInjection {
  readonly delay?: { readonly perMillion: number; readonly ms: number };
  readonly abort?: InjectedAbort & { readonly perMillion: number };
  /**
   * Istio's way: once a request, before it is sent anywhere, so that neither timeouts nor retries see it. Else every attempt meets it as if the
   * upstream had done it.
   */
  readonly isBeforeRouter: boolean;
}

export interface InjectedAbort {
  readonly status: number;
  /** google.rpc.Code, for a gRPC request; `status` is what it means over plain HTTP. */
  readonly grpcStatus?: number;
}

export interface RetryPolicy {
  /** Tries beyond the first. 0: nothing is tried again. */
  readonly attempts: number;
  readonly on: readonly RetryCondition[];
  readonly statusCodes: readonly number[];
  /** 0: none but the route's. */
  readonly perTryTimeoutMs: number;
  /** Base of the exponential back-off, ms; at most ten times as long. */
  readonly backoffMs: number;
  /** The Gateway API's way: no retry comes before the base has passed. Else it comes at any time up to the back-off, as Envoy's do. */
  readonly backoffIsMinimum?: true;
  /** Endpoints that have failed this request come last. */
  readonly avoidsTried: boolean;
  /** Istio's way: also what is not idempotent, after the upstream may have begun to process it. */
  readonly repeatsAnything: boolean;
}

/** Each is drawn independently. Answers to copies are dropped. */
export interface Mirror {
  /** Index into `RoutingTable.clusters`. */
  readonly cluster: number;
  /** Of a million requests that take the route, how many are copied: 1 to 1,000,000. */
  readonly perMillion: number;
  /** Whether the copy's Host says that it is one (`shadowHost`). */
  readonly marksHost: boolean;
}

export interface WeightedCluster {
  /** Index into `RoutingTable.clusters`. */
  readonly cluster: number;
  readonly weight: number;
  readonly requestHeaders: HeaderOps;
  readonly responseHeaders: HeaderOps;
  /** Replaces Host, from `headers.request.set.Host` of this destination or its URLRewrite; before the route's. */
  readonly hostRewrite?: string;
  /** In place of the route's. */
  readonly pathRewrite?: NonNullable<Rewrite['path']>;
  /** How requests that are drawn for this destination are answered; then nothing is sent there. */
  readonly redirect?: RedirectAction;
  /** Beside the route's; never empty. */
  readonly mirrors?: readonly Mirror[];
  /** Present while this destination is an arm of a release. */
  readonly release?: ReleaseArm;
}

export interface ReleaseArm {
  /**
   * Attempts sent here count under the statistics keys `OBSERVATION|good` and `OBSERVATION|bad`. One weight of one release: its stratum. Absent
   * where requests come here by rule and not by lot.
   */
  readonly observation?: string;
  /** Canaries only: a health key; once it is set unhealthy, `fallback` serves instead, and is not counted for either arm. */
  readonly killSwitch?: string;
  readonly fallback?: WeightedCluster;
  /** An idempotent request that is given no answer here, or one with such a status, is answered by `fallback`; absent: none is. */
  readonly fallbackOn?: readonly number[];
}

export interface Rewrite {
  /** `prefix` replaces what the route's prefix or exact match took; `full` the whole path; `regex` substitutes (RE2, `\1`). */
  readonly path?:
    | { readonly kind: 'prefix'; readonly value: string }
    | { readonly kind: 'full'; readonly value: string }
    | { readonly kind: 'regex'; readonly match: string; readonly rewrite: string };
  readonly host?: string;
}

export interface RedirectAction {
  readonly kind: 'redirect';
  /** 301, 302, 303, 307 or 308. */
  readonly status: number;
  readonly scheme?: 'http' | 'https';
  readonly host?: string;
  /** A number, or where to take it from; absent means: none in Location unless the scheme stays and the Host had one replaced by nothing. */
  readonly port?: number | 'fromRequest' | 'protocolDefault';
  readonly path?: { readonly kind: 'full' | 'prefix'; readonly value: string };
}

export interface DirectResponseAction {
  readonly kind: 'directResponse';
  readonly status: number;
  readonly body: Uint8Array;
}

/** Applied in this order: remove, set (overwrite or add), add (append). Names in lower case for `remove` and `set`. */
export interface HeaderOps {
  readonly remove: readonly string[];
  readonly set: readonly HeaderValue[];
  readonly add: readonly HeaderValue[];
}

export interface HeaderValue {
  /** As it is sent. */
  readonly name: string;
  /**
   * Literal runs and Envoy's `%COMMAND(argument):maxLength%` operators, evaluated against the message as it arrived (`formatHeaderValue`). A value
   * that comes out empty leaves the header alone.
   */
  readonly value: readonly (string | { readonly command: string; readonly argument: string; readonly maxLength?: number })[];
}

/** How long the data plane waits for a response to begin where the route states no timeout, unless it is told otherwise (reliability P64). */
export const RESPONSE_HEADER_TIMEOUT_MS = 30_000;

export const NO_HEADER_OPS: HeaderOps = { remove: [], set: [], add: [] };

export type LoadBalancer = 'ROUND_ROBIN' | 'LEAST_REQUEST' | 'RANDOM';

export interface Cluster {
  /** `outbound|9080|v1|reviews.default.svc.cluster.local`, as Istio names them; stable over reloads, the key of its statistics. */
  readonly name: string;
  readonly host: string;
  /** Empty for the whole service. */
  readonly subset: string;
  readonly port: number;
  /** Why there is no endpoint to send to, when the reference itself is broken (unknown host, unknown subset); the answer is 503, flag NC. */
  readonly missing?: string;
  /** In place of 503, of a reference that the Gateway API calls invalid. Only beside `missing`. */
  readonly missingStatus?: 500;
  readonly discovery: 'STATIC' | 'DNS';
  readonly endpoints: readonly Endpoint[];
  /** Versions run by Serin; their endpoints are added while they are ready, on the way to the data plane. */
  readonly processes?: readonly ClusterProcess[];
  readonly loadBalancer: LoadBalancer;
  readonly connectTimeoutMs: number;
  /** How long an idle upstream connection is kept, ms. Serin's own default is short on purpose (reliability P64). */
  readonly idleTimeoutMs: number;
  /** How long a tunnel to it may stand without a byte, ms; 0: for ever; absent: an hour. */
  readonly tunnelIdleMs?: number;
  /** 0: no limit; 1: no keep-alive. */
  readonly maxRequestsPerConnection: number;
  /** After so long a connection is not used for another request; absent: any age will do. */
  readonly maxConnectionMs?: number;
  /** TCP keep-alive probes after so long without a byte; absent: none. */
  readonly keepAliveMs?: number;
  readonly healthCheck?: HealthCheck;
  /** Absent: plain text. */
  readonly tls?: UpstreamTls;
  /** Absent: HTTP/1.1. */
  readonly http2?: UpstreamHttp2;
  /** Every connection says first which client's it is, in plain text, and serves no other client. Absent: none does. */
  readonly proxyProtocol?: ProxyProtocolVersion;
  readonly retryLimit: RetryLimit;
  readonly outlierDetection?: OutlierDetection;
  /** In place of `loadBalancer`, for requests that have the key. */
  readonly hash?: HashPolicy;
  readonly warmup?: Warmup;
  readonly limits?: Limits;
}

/** What may be held at once, over all workers (envoy.config.cluster.v3.CircuitBreakers.Thresholds); 0: no limit. */
export interface Limits {
  readonly connections: number;
  /** Requests that wait for a connection. */
  readonly pending: number;
  readonly requests: number;
}

/** envoy.config.cluster.v3.OutlierDetection, as far as Istio sets it. A count of 0 ejects nobody. */
export interface OutlierDetection {
  readonly consecutive5xxErrors: number;
  readonly consecutiveGatewayErrors: number;
  /** Failures on our side of the connection have a count of their own. */
  readonly splitLocalErrors: boolean;
  readonly consecutiveLocalFailures: number;
  /** Below 500, and errors all the same. */
  readonly errorStatuses: readonly number[];
  readonly intervalMs: number;
  readonly baseEjectionMs: number;
  /** 0 to 100. */
  readonly maxEjectionPercent: number;
  /** With fewer healthy endpoints than this, health is not looked at any more; 0: it always is. */
  readonly minHealthPercent: number;
}

/** One endpoint for all requests with one key, and as few changes as can be when endpoints come and go. */
export interface HashPolicy {
  readonly key:
    | { readonly kind: 'header' | 'queryParam'; readonly name: string }
    | {
        readonly kind: 'cookie';
        readonly name: string;
        /** Set where a request has none: `; Path=/; Max-Age=…` and what else follows its value. Absent: never set. */
        readonly setAttributes?: string;
      }
    | { readonly kind: 'sourceAddress' };
  readonly table: { readonly kind: 'ringHash'; readonly minimumSize: number } | { readonly kind: 'maglev'; readonly size: number };
}

/** New endpoints get their share little by little (envoy.config.cluster.v3.Cluster.SlowStartConfig). */
export interface Warmup {
  readonly durationMs: number;
  /** Share at the beginning, 0 to 100. */
  readonly minimumPercent: number;
  /** 1: the share grows evenly; more: faster at first. */
  readonly aggression: number;
}

/** When and how HTTP/2 is spoken to a cluster's endpoints: by prior knowledge in plain text, by ALPN over TLS. */
export interface UpstreamHttp2 {
  /** `asClient`: where the request's client does. */
  readonly use: 'always' | 'asClient';
  /** Requests at once on a session, where the endpoint allows as many. */
  readonly maxConcurrentStreams: number;
  /** PING after so long; a session that has not answered in time is closed. */
  readonly keepAlive?: { readonly intervalMs: number; readonly timeoutMs: number };
}

/** TLS towards the endpoints of a cluster (destination_rule.proto, ClientTLSSettings). */
export interface UpstreamTls {
  readonly sni: string;
  /** One of them must be in the endpoint's certificate; empty: it must be for `sni`. */
  readonly subjectAltNames: readonly string[];
  /** Names of credentials, as in `TlsSite`: the CA (absent: those Node trusts) and our own certificate. */
  readonly ca?: string;
  readonly certificate?: string;
  /** False: whoever answers is believed. */
  readonly isVerified: boolean;
}

/** Retries under way at once, over all workers: `percent` of the cluster's requests in flight, and never fewer than `atLeast`. */
export interface RetryLimit {
  readonly percent: number;
  readonly atLeast: number;
}

export interface ClusterProcess {
  /** `namespace/name/version`, of the ServiceEntry. */
  readonly id: string;
  /** Of each of its endpoints. */
  readonly weight: number;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Endpoint {
  /** IP address; a name only while `Cluster.discovery` is DNS and nothing has resolved it yet. */
  readonly address: string;
  readonly port: number;
  /** >= 1. */
  readonly weight: number;
  readonly labels: Readonly<Record<string, string>>;
  /** 0, the default, is served first; the next ones get what those before cannot take. Without gaps. */
  readonly priority?: number;
}

export interface HealthCheck {
  readonly path: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly unhealthyThreshold: number;
  readonly healthyThreshold: number;
}
