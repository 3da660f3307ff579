/**
 * The compiled form of a Snapshot: what a data plane needs to carry one request, and nothing of the resources' own language.
 *
 * Plain data (structured-cloneable: it is posted to worker threads), immutable, complete: every reference is an index or a copy. Patterns are
 * kept as text; `matcher.ts` compiles them once per data plane. Nouns are Envoy's (config.route.v3, config.cluster.v3).
 */

import type { ReleaseAssignment } from '../config/release.ts';

export interface RoutingTable {
  /** `Snapshot.version` of what it was compiled from (with the overlay applied). */
  readonly version: string;
  readonly listeners: readonly Listener[];
  /** `WeightedCluster.cluster` is an index into this list. */
  readonly clusters: readonly Cluster[];
  /** Every `ReleaseArm.observation` and `killSwitch` that occurs; absent while nothing is released. */
  readonly observations?: readonly string[];
  readonly killSwitches?: readonly string[];
}

/** Name of the listener for services addressed by their own name; every other listener belongs to Gateways. */
export const MESH_LISTENER = 'mesh';

export interface Listener {
  /** `mesh`, the declared port (`80`) for the Gateways that share it, or `NAMESPACE/NAME:80` for one that is served on its own address. */
  readonly name: string;
  /** The port as declared in the Gateway; 0 for the mesh listener. Where it is really bound is the operator's choice (`--listen`). */
  readonly port: number;
  /** `servers[].bind`, where a Gateway states an address. */
  readonly bind?: string;
  /** `namespace/name` of the Gateways served here; empty for mesh. */
  readonly gateways: readonly string[];
  readonly virtualHosts: readonly VirtualHost[];
}

export interface VirtualHost {
  readonly name: string;
  /**
   * Lower case, without a trailing dot: exact (`reviews`, `reviews:9080`), suffix wildcard (`*.example.com`) or `*`. Exact beats the longest
   * suffix beats `*`. A request's Host is looked up with its port first, then without.
   */
  readonly domains: readonly string[];
  readonly routes: readonly Route[];
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
  /** Why no request gets this far (an earlier rule takes everything, say); absent when some may. Kept for explain, passed over by matching. */
  readonly unreachable?: string;
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
   * first weight only adds users to it. Absent, or a request without any key: drawn independently.
   */
  readonly assignment?: ReleaseAssignment;
  /** Whole transaction including retries, ms; 0: none (Istio's default). */
  readonly timeoutMs: number;
}

export interface WeightedCluster {
  /** Index into `RoutingTable.clusters`. */
  readonly cluster: number;
  readonly weight: number;
  readonly requestHeaders: HeaderOps;
  readonly responseHeaders: HeaderOps;
  /** Replaces Host, from `headers.request.set.Host` of this destination. */
  readonly hostRewrite?: string;
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
  readonly discovery: 'STATIC' | 'DNS';
  readonly endpoints: readonly Endpoint[];
  /** Versions run by Serin; their endpoints are added while they are ready, on the way to the data plane. */
  readonly processes?: readonly ClusterProcess[];
  readonly loadBalancer: LoadBalancer;
  readonly connectTimeoutMs: number;
  /** How long an idle upstream connection is kept, ms. Serin's own default is short on purpose (reliability P64). */
  readonly idleTimeoutMs: number;
  /** 0: no limit; 1: no keep-alive. */
  readonly maxRequestsPerConnection: number;
  readonly healthCheck?: HealthCheck;
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
}

export interface HealthCheck {
  readonly path: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly unhealthyThreshold: number;
  readonly healthyThreshold: number;
}
