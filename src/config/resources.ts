/**
 * The resources Serin reads, with field names spelt exactly as upstream spells them.
 *
 * Shapes follow istio/api networking/v1 (virtual_service.proto, destination_rule.proto, gateway.proto, service_entry.proto,
 * workload_entry.proto). Values are what validation has let through: durations are still the user's text (`5s`), numbers are in range,
 * oneofs hold exactly one member. Absent fields are absent, never null. Nothing here is mutated after parsing.
 */
import { GATEWAY_API_GROUP, type GatewayApiResource } from './gateway-api/types.ts';
import type { KubernetesResource } from './kubernetes/types.ts';
import type { MetricTemplateSpec } from './serin/metric-spec.ts';
import type { NotificationSpec } from './serin/notification-spec.ts';
import type { RolloutSpec } from './serin/rollout-spec.ts';

/** Where a resource, or a node inside it, stands in the user's files. */
export interface Origin {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface ObjectMeta {
  readonly name: string;
  /** `default` where the document names none; empty for kinds that belong to no namespace (`isClusterScoped`). */
  readonly namespace: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** RFC 3339; present on what comes from a Kubernetes API server, and honoured as the age in merges when a file states it. */
  readonly creationTimestamp?: string;
  /** Which version of its spec this is, as an API server counts them; 1 where nobody has said. */
  readonly generation?: number;
}

export interface Resource<Kind extends string, Spec> {
  readonly apiVersion: string;
  readonly kind: Kind;
  readonly metadata: ObjectMeta;
  readonly spec: Spec;
  readonly origin: Origin;
}

// --- VirtualService -----------------------------------------------------------------------------------------------------------------

/** Exactly one member; none at all means "present" where the field allows it. */
export interface StringMatch {
  readonly exact?: string;
  readonly prefix?: string;
  /** RE2, matched against the whole value. */
  readonly regex?: string;
}

export interface HeaderOperations {
  readonly set?: Readonly<Record<string, string>>;
  readonly add?: Readonly<Record<string, string>>;
  readonly remove?: readonly string[];
}

export interface Headers {
  readonly request?: HeaderOperations;
  readonly response?: HeaderOperations;
}

export interface PortSelector {
  readonly number?: number;
}

export interface Destination {
  readonly host: string;
  readonly subset?: string;
  readonly port?: PortSelector;
}

export interface HttpRouteDestination {
  readonly destination: Destination;
  readonly weight?: number;
  readonly headers?: Headers;
}

export interface HttpMatchRequest {
  readonly name?: string;
  readonly uri?: StringMatch;
  readonly scheme?: StringMatch;
  readonly method?: StringMatch;
  readonly authority?: StringMatch;
  readonly headers?: Readonly<Record<string, StringMatch>>;
  readonly withoutHeaders?: Readonly<Record<string, StringMatch>>;
  readonly queryParams?: Readonly<Record<string, StringMatch>>;
  readonly port?: number;
  readonly ignoreUriCase?: boolean;
  readonly sourceLabels?: Readonly<Record<string, string>>;
  readonly sourceNamespace?: string;
  readonly gateways?: readonly string[];
  readonly statPrefix?: string;
}

export interface HttpRedirect {
  readonly uri?: string;
  readonly prefixRewrite?: string;
  readonly authority?: string;
  readonly scheme?: string;
  readonly port?: number;
  readonly derivePort?: 'FROM_PROTOCOL_DEFAULT' | 'FROM_REQUEST_PORT';
  readonly redirectCode?: number;
}

export interface HttpDirectResponse {
  readonly status: number;
  /** Exactly one of `string` and `bytes` (base64). */
  readonly body?: { readonly string?: string; readonly bytes?: string };
}

export interface HttpRewrite {
  readonly uri?: string;
  readonly authority?: string;
  readonly uriRegexRewrite?: { readonly match: string; readonly rewrite: string };
}

export interface Percent {
  readonly value?: number;
}

export interface HttpRetry {
  readonly attempts?: number;
  readonly perTryTimeout?: string;
  readonly retryOn?: string;
  readonly retryRemoteLocalities?: boolean;
  readonly retryIgnorePreviousHosts?: boolean;
  readonly backoff?: string;
}

export interface HttpFaultInjection {
  readonly delay?: { readonly fixedDelay?: string; readonly percentage?: Percent; readonly percent?: number };
  readonly abort?: { readonly httpStatus?: number; readonly grpcStatus?: string; readonly percentage?: Percent };
}

export interface HttpMirrorPolicy {
  readonly destination: Destination;
  readonly percentage?: Percent;
}

export interface CorsPolicy {
  readonly allowOrigin?: readonly string[];
  readonly allowOrigins?: readonly StringMatch[];
  readonly allowMethods?: readonly string[];
  readonly allowHeaders?: readonly string[];
  readonly exposeHeaders?: readonly string[];
  readonly maxAge?: string;
  readonly allowCredentials?: boolean;
  readonly unmatchedPreflights?: 'UNSPECIFIED' | 'FORWARD' | 'IGNORE';
}

/** A rule of a VirtualService. Not to be taken for the Gateway API's HTTPRoute kind. */
export interface IstioHttpRoute {
  readonly name?: string;
  readonly match?: readonly HttpMatchRequest[];
  readonly route?: readonly HttpRouteDestination[];
  readonly redirect?: HttpRedirect;
  readonly directResponse?: HttpDirectResponse;
  readonly delegate?: { readonly name?: string; readonly namespace?: string };
  readonly rewrite?: HttpRewrite;
  readonly timeout?: string;
  readonly retries?: HttpRetry;
  readonly fault?: HttpFaultInjection;
  readonly mirror?: Destination;
  readonly mirrors?: readonly HttpMirrorPolicy[];
  readonly mirrorPercent?: number;
  /** protobuf's own spelling of `mirrorPercent`, which its JSON form allows. */
  readonly mirror_percent?: number;
  readonly mirrorPercentage?: Percent;
  readonly corsPolicy?: CorsPolicy;
  readonly headers?: Headers;
}

export interface L4Match {
  readonly destinationSubnets?: readonly string[];
  readonly port?: number;
  readonly sourceLabels?: Readonly<Record<string, string>>;
  readonly gateways?: readonly string[];
  readonly sourceNamespace?: string;
}

export interface L4RouteDestination {
  readonly destination: Destination;
  readonly weight?: number;
}

/** A rule for TLS that is passed on as it is. Not to be taken for the Gateway API's TLSRoute kind; nor the next one for its TCPRoute. */
export interface IstioTlsRoute {
  readonly match: readonly (L4Match & { readonly sniHosts: readonly string[] })[];
  readonly route?: readonly L4RouteDestination[];
}

export interface IstioTcpRoute {
  readonly match?: readonly (L4Match & { readonly sourceSubnet?: string })[];
  readonly route?: readonly L4RouteDestination[];
}

export interface VirtualServiceSpec {
  readonly hosts?: readonly string[];
  readonly gateways?: readonly string[];
  readonly http?: readonly IstioHttpRoute[];
  readonly tls?: readonly IstioTlsRoute[];
  readonly tcp?: readonly IstioTcpRoute[];
  readonly exportTo?: readonly string[];
}
export type VirtualService = Resource<'VirtualService', VirtualServiceSpec>;

// --- DestinationRule ----------------------------------------------------------------------------------------------------------------

export interface LoadBalancerSettings {
  readonly simple?: 'UNSPECIFIED' | 'LEAST_CONN' | 'RANDOM' | 'PASSTHROUGH' | 'ROUND_ROBIN' | 'LEAST_REQUEST';
  readonly consistentHash?: ConsistentHash;
  readonly localityLbSetting?: LocalityLbSetting;
  readonly zoneAwareLbSetting?: Omit<LocalityLbSetting, 'distribute'> & { readonly minClusterSize?: number };
  readonly warmup?: { readonly duration: string; readonly minimumPercent?: number; readonly aggression?: number };
  readonly warmupDurationSecs?: string;
}

/** `distribute`, or the other two. */
export interface LocalityLbSetting {
  readonly distribute?: readonly { readonly from?: string; readonly to?: Readonly<Record<string, number>> }[];
  readonly failover?: readonly { readonly from?: string; readonly to?: string }[];
  readonly failoverPriority?: readonly string[];
  readonly enabled?: boolean;
}

/** At most one key and one table. */
export interface ConsistentHash {
  readonly httpHeaderName?: string;
  readonly httpCookie?: {
    readonly name: string;
    readonly path?: string;
    /** Absent: never set by the proxy; `0s`: a session cookie. */
    readonly ttl?: string;
    readonly attributes?: readonly { readonly name: string; readonly value?: string }[];
  };
  readonly useSourceIp?: boolean;
  readonly httpQueryParameterName?: string;
  readonly ringHash?: { readonly minimumRingSize?: number };
  readonly maglev?: { readonly tableSize?: number };
  /** Deprecated: `ringHash.minimumRingSize`. */
  readonly minimumRingSize?: number;
}

export interface OutlierDetectionSettings {
  readonly consecutiveErrors?: number;
  readonly splitExternalLocalOriginErrors?: boolean;
  readonly consecutiveLocalOriginFailures?: number;
  readonly consecutiveGatewayErrors?: number;
  readonly consecutive5xxErrors?: number;
  readonly interval?: string;
  readonly baseEjectionTime?: string;
  readonly maxEjectionPercent?: number;
  readonly minHealthPercent?: number;
  readonly outlierDetectionHttpErrorCodes?: readonly number[];
}

export interface ConnectionPoolSettings {
  readonly tcp?: {
    readonly maxConnections?: number;
    readonly connectTimeout?: string;
    readonly tcpKeepalive?: { readonly probes?: number; readonly time?: string; readonly interval?: string };
    readonly maxConnectionDuration?: string;
    readonly idleTimeout?: string;
  };
  readonly http?: {
    readonly http1MaxPendingRequests?: number;
    readonly http2MaxRequests?: number;
    readonly maxRequestsPerConnection?: number;
    readonly maxRetries?: number;
    readonly idleTimeout?: string;
    readonly h2UpgradePolicy?: 'DEFAULT' | 'DO_NOT_UPGRADE' | 'UPGRADE';
    readonly useClientProtocol?: boolean;
    readonly maxConcurrentStreams?: number;
    readonly http2KeepAlive?: { readonly interval?: string; readonly timeout?: string };
  };
}

export interface ClientTlsSettings {
  readonly mode?: 'DISABLE' | 'SIMPLE' | 'MUTUAL' | 'ISTIO_MUTUAL';
  readonly clientCertificate?: string;
  readonly privateKey?: string;
  readonly caCertificates?: string;
  readonly credentialName?: string;
  readonly subjectAltNames?: readonly string[];
  readonly sni?: string;
  readonly insecureSkipVerify?: boolean;
  readonly caCrl?: string;
}

export interface TrafficPolicy {
  readonly loadBalancer?: LoadBalancerSettings;
  readonly connectionPool?: ConnectionPoolSettings;
  readonly outlierDetection?: OutlierDetectionSettings;
  readonly tls?: ClientTlsSettings;
  /** Overrides wholesale: what is absent here falls back to defaults, not to the destination's level (destination_rule.proto). */
  readonly portLevelSettings?: readonly (Omit<TrafficPolicy, 'portLevelSettings'> & { readonly port?: PortSelector })[];
  readonly tunnel?: Readonly<Record<string, unknown>>;
  readonly proxyProtocol?: { readonly version?: 'V1' | 'V2' };
  readonly retryBudget?: { readonly percent?: number; readonly minRetryConcurrency?: number; readonly budgetInterval?: string };
}

export interface Subset {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly trafficPolicy?: TrafficPolicy;
}

export interface DestinationRuleSpec {
  readonly host: string;
  readonly trafficPolicy?: TrafficPolicy;
  readonly subsets?: readonly Subset[];
  readonly exportTo?: readonly string[];
  readonly workloadSelector?: { readonly matchLabels?: Readonly<Record<string, string>> };
}
export type DestinationRule = Resource<'DestinationRule', DestinationRuleSpec>;

// --- Gateway ------------------------------------------------------------------------------------------------------------------------

export type TlsProtocolVersion = 'TLS_AUTO' | 'TLSV1_0' | 'TLSV1_1' | 'TLSV1_2' | 'TLSV1_3';

export interface ServerTlsSettings {
  readonly httpsRedirect?: boolean;
  readonly mode?: 'PASSTHROUGH' | 'SIMPLE' | 'MUTUAL' | 'AUTO_PASSTHROUGH' | 'ISTIO_MUTUAL' | 'OPTIONAL_MUTUAL';
  readonly serverCertificate?: string;
  readonly privateKey?: string;
  readonly caCertificates?: string;
  readonly caCrl?: string;
  readonly tlsCertificates?: readonly {
    readonly serverCertificate?: string;
    readonly privateKey?: string;
    readonly caCertificates?: string;
  }[];
  readonly credentialName?: string;
  readonly credentialNames?: readonly string[];
  readonly caCertCredentialName?: string;
  readonly subjectAltNames?: readonly string[];
  readonly verifyCertificateSpki?: readonly string[];
  readonly verifyCertificateHash?: readonly string[];
  readonly minProtocolVersion?: TlsProtocolVersion;
  readonly maxProtocolVersion?: TlsProtocolVersion;
  readonly cipherSuites?: readonly string[];
  readonly insecureSkipVerify?: boolean;
}

export interface GatewayServer {
  readonly port: { readonly number: number; readonly protocol: string; readonly name?: string; readonly targetPort?: number };
  readonly bind?: string;
  readonly hosts: readonly string[];
  readonly tls?: ServerTlsSettings;
  readonly defaultEndpoint?: string;
  readonly name?: string;
}

export interface GatewaySpec {
  readonly servers?: readonly GatewayServer[];
  readonly selector?: Readonly<Record<string, string>>;
}
export type Gateway = Resource<'Gateway', GatewaySpec>;

// --- ServiceEntry and WorkloadEntry -------------------------------------------------------------------------------------------------

export interface WorkloadEntrySpec {
  readonly address?: string;
  /** Service port name to the workload's port number. */
  readonly ports?: Readonly<Record<string, number>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly network?: string;
  readonly locality?: string;
  readonly weight?: number;
  readonly serviceAccount?: string;
}
export type WorkloadEntry = Resource<'WorkloadEntry', WorkloadEntrySpec>;

export interface ServicePort {
  readonly number: number;
  readonly protocol?: string;
  readonly name?: string;
  readonly targetPort?: number;
}

export interface ServiceEntrySpec {
  readonly hosts: readonly string[];
  readonly addresses?: readonly string[];
  readonly ports?: readonly ServicePort[];
  readonly location?: 'MESH_EXTERNAL' | 'MESH_INTERNAL';
  readonly resolution?: 'NONE' | 'STATIC' | 'DNS' | 'DNS_ROUND_ROBIN' | 'DYNAMIC_DNS';
  readonly endpoints?: readonly WorkloadEntrySpec[];
  readonly workloadSelector?: { readonly labels?: Readonly<Record<string, string>> };
  readonly exportTo?: readonly string[];
  readonly subjectAltNames?: readonly string[];
}
export type ServiceEntry = Resource<'ServiceEntry', ServiceEntrySpec>;

// --- core v1 ------------------------------------------------------------------------------------------------------------------------

/** A Secret has no spec in Kubernetes; this is what stands beside its metadata. */
export interface SecretSpec {
  readonly type: string;
  /** Base64, stringData merged in. */
  readonly data: Readonly<Record<string, string>>;
}
export type Secret = Resource<'Secret', SecretSpec>;

// --- serin.dev/v1alpha1 -------------------------------------------------------------------------------------------------------------

export type Rollout = Resource<'Rollout', RolloutSpec>;
export type MetricTemplate = Resource<'MetricTemplate', MetricTemplateSpec>;
export type Notification = Resource<'Notification', NotificationSpec>;

// --- all of them together -----------------------------------------------------------------------------------------------------------

export type AnyResource =
  | VirtualService
  | DestinationRule
  | Gateway
  | ServiceEntry
  | WorkloadEntry
  | Secret
  | Rollout
  | MetricTemplate
  | Notification
  | GatewayApiResource
  | KubernetesResource;
export type ResourceKind = AnyResource['kind'];

/** What documents call a kind: two of them are called Gateway. */
export function wireKind(kind: string): string {
  return kind === 'GatewayApiGateway' ? 'Gateway' : kind;
}

/** What keys, logs and messages call a kind: that of the Gateway API's Gateway with its group, as kubectl tells it from Istio's. */
export function kindText(kind: string): string {
  return kind === 'GatewayApiGateway' ? `Gateway.${GATEWAY_API_GROUP}` : kind;
}

export function isClusterScoped(kind: string): boolean {
  return kind === 'GatewayClass' || kind === 'Namespace';
}

/**
 * Annotation on a ServiceEntry: an active health check of its endpoints, as JSON (`HealthCheckSpec`). Istio has no field for it, so the short
 * form's `healthCheck:` expands to this; Istio itself ignores it.
 */
export const HEALTH_CHECK_ANNOTATION = 'serin.dev/health-check';

/**
 * Annotation on a ServiceEntry: its versions that Serin itself runs as processes, as JSON (`RunSpec` by the value of the label `version`). They are
 * endpoints of the service for as long as they are ready. The short form's `run:` expands to this; Istio itself ignores it.
 */
export const RUN_ANNOTATION = 'serin.dev/run';

/** What `RUN_ANNOTATION` holds for each version. */
export interface RunSpec {
  /** Program and arguments; no shell. `${NAME}` is a variable of Serin's own environment, `${PORT}` the port chosen for the process. */
  readonly command: readonly string[];
  /** Beside PORT and the few variables every process gets. */
  readonly env?: Readonly<Record<string, EnvValue>>;
  /** Default 1. */
  readonly instances?: number;
  /** As `WorkloadEntry.weight`, of each instance; default 1. */
  readonly weight?: number;
  readonly ready?: {
    /** Asked for with GET until it answers 200 to 299; without it a TCP connection is enough. */
    readonly path?: string;
    /** How long a start may take before it is given up and tried again; default `30s`. */
    readonly timeout?: string;
  };
  /** Between SIGTERM and SIGKILL; default `10s`. */
  readonly stopTimeout?: string;
}

/** Text with `${NAME}` in it, or the content of a file. */
export type EnvValue = string | { readonly file: string };

/** What `HEALTH_CHECK_ANNOTATION` holds. Names and defaults are Envoy's (core.v3.HealthCheck). */
export interface HealthCheckSpec {
  /** Path asked for with GET; 200 to 299 is healthy. */
  readonly path: string;
  /** Default `5s`. */
  readonly interval?: string;
  /** Default `1s`. */
  readonly timeout?: string;
  /** Failures in a row before an endpoint is taken out; default 2. */
  readonly unhealthyThreshold?: number;
  /** Successes in a row before it is taken back; default 1. */
  readonly healthyThreshold?: number;
}
