/**
 * What Serin promises of Istio's YAML, as data: a configuration, requests, and what must come of each. Nothing here knows which engine carries
 * the requests: `routing.test.ts` asks the pure matcher, `embedded.test.ts` the embedded proxy over every protocol it speaks.
 *
 * The services are the same in every case (`services.ts`): `reviews` with the versions v1, v2, v3, `dead`, which nobody answers for, and `empty`,
 * which has no endpoints. A version answers 200 with what it was sent, or does what the request's `x-do` asks for (`versions.ts`).
 */

export type Version = 'v1' | 'v2' | 'v3';

export interface ContractRequest {
  /** `GET reviews/path?query`, or with a scheme: then it is only asked over protocols of that scheme. The method may be left out. */
  readonly ask: string;
  /** `name: value`, in this order. */
  readonly with?: readonly string[];
  readonly body?: string;
  /** Port of a Gateway; default: the mesh. */
  readonly port?: number;
  /** Namespace of whoever asks in the mesh; default: none. */
  readonly from?: 'books';
  /** The version that answers, or the status of an answer that is not a version's. */
  readonly gets: Version | number;
  /** Status of the version's answer. Default 200. */
  readonly status?: number;
  /** Header fields of the answer; several of a name joined with `,`; null: not there. */
  readonly answer?: Readonly<Record<string, string | null>>;
  /** What the version was sent: `:path` with the query, `host`, and header fields as in `answer`. */
  readonly sent?: Readonly<Record<string, string | null>>;
  /** How many requests reached each version because of this one, copies and retries included; what is not named got none. */
  readonly reached?: Readonly<Partial<Record<Version, number>>>;
}

export interface ContractShares {
  /** As `ContractRequest.ask`, asked many times. */
  readonly ask: string;
  /** As in `ContractRequest`. */
  readonly with?: readonly string[];
  readonly body?: string;
  readonly port?: number;
  /** Of 1; together 1. */
  readonly shares: Readonly<Partial<Record<Version, number>>>;
}

export interface ContractCase {
  /** Number in the list of vectors (`A13`), where it has one. */
  readonly vector?: string;
  readonly title: string;
  /** Beside the services. */
  readonly config: string;
  /** As Istio does it, also where Serin's own way is safer. */
  readonly exactIstio?: true;
  /** Whoever asks is a proxy that is believed. */
  readonly isTrusted?: true;
  /** gRPC needs HTTP/2: over other protocols the case is not asked. */
  readonly isGrpc?: true;
  readonly requests?: readonly ContractRequest[];
  readonly shares?: readonly ContractShares[];
}

/** A configuration that must be refused. */
export interface RefusedCase {
  readonly vector?: string;
  readonly title: string;
  readonly config: string;
  /** Where. */
  readonly path: string;
  /** What a part of the message says. */
  readonly says: string;
}

/** `METHOD SCHEME://HOST/PATH?QUERY` in its parts. */
export interface Asked {
  readonly method: string;
  /** Undefined: any. */
  readonly scheme: 'http' | 'https' | undefined;
  readonly authority: string;
  readonly path: string;
  readonly query: string;
}

const ASKED = /^(?:(?<method>[A-Z]+) )?(?:(?<scheme>https?):\/\/)?(?<authority>[^/\s]+)(?<path>\/[^?\s]*)(?:\?(?<query>\S*))?$/;

export function parseAsked(ask: string): Asked {
  const { method = 'GET', scheme, authority, path, query = '' } = ASKED.exec(ask)?.groups ?? {};
  if (authority === undefined || path === undefined)
    throw new Error(`expected [METHOD ][SCHEME://]HOST/PATH, found ${JSON.stringify(ask)}`);
  return { method, scheme: scheme === 'http' || scheme === 'https' ? scheme : undefined, authority, path, query };
}

/** Name of the listener that is asked, in the table. */
export function listenerOf({ port, from }: Pick<ContractRequest, 'port' | 'from'>): string {
  if (port !== undefined) return String(port);
  return from === undefined ? 'mesh' : `mesh/${from}`;
}

/** `name: value` in its two parts. */
export function parseField(line: string): readonly [string, string] {
  const colon = line.indexOf(':', 1);
  return [line.slice(0, colon), line.slice(colon + 1).trim()];
}

/** A VirtualService for `reviews` in the mesh; each rule in flow style, without its braces. */
export function rules(...http: readonly string[]): string {
  return virtualService('reviews', 'hosts: [reviews]', http);
}

/** The same behind a Gateway on port 80 that serves `*`. */
export function gatewayRules(...http: readonly string[]): string {
  return `${gateway('["*"]')}${virtualService('front', 'hosts: ["*"], gateways: [front]', http)}`;
}

export function gateway(hosts: string, name = 'front'): string {
  return resource('Gateway', name, `servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ${hosts} }]`);
}

export function virtualService(name: string, bound: string, http: readonly string[], metadata = ''): string {
  return resource('VirtualService', name, `${bound}, http: [${http.map((rule) => `{ ${rule} }`).join(', ')}]`, metadata);
}

function resource(kind: string, name: string, spec: string, metadata = ''): string {
  return `---\napiVersion: networking.istio.io/v1\nkind: ${kind}\nmetadata: { name: ${name}${metadata} }\nspec: { ${spec} }\n`;
}

/** The route to one version of reviews. */
export function to(version: Version | 'dead' | 'empty' | 'unknown', rest = ''): string {
  return `route: [{ destination: { host: reviews, subset: ${version} }${rest} }]`;
}

/** The route to several, `{ v1: 90 }`. */
export function split(weights: Readonly<Partial<Record<Version, number>>>): string {
  const destinations = Object.entries(weights).map(
    ([version, weight]) => `{ destination: { host: reviews, subset: ${version} }, weight: ${weight} }`,
  );
  return `route: [${destinations.join(', ')}]`;
}

/** A Gateway of the Gateway API with one listener on port 80, which lets the routes of every namespace in. */
export function kubernetesGateway(hostname?: string, name = 'front'): string {
  const listener = `name: http, port: 80, protocol: HTTP, allowedRoutes: { namespaces: { from: All } }`;
  return gatewayApi(
    'Gateway',
    name,
    `gatewayClassName: serin, listeners: [{ ${listener}${hostname === undefined ? '' : `, hostname: "${hostname}"`} }]`,
  );
}

/** An HTTPRoute of the Gateway `front`; each rule in flow style, without its braces. */
export function httpRoute(name: string, bound: string, rulesOfIt: readonly string[], metadata = ''): string {
  return gatewayApi('HTTPRoute', name, boundRules(bound, rulesOfIt), metadata);
}

export function grpcRoute(name: string, bound: string, rulesOfIt: readonly string[], metadata = ''): string {
  return gatewayApi('GRPCRoute', name, boundRules(bound, rulesOfIt), metadata);
}

/** The Gateway, and an HTTPRoute for every host. */
export function fronted(...rulesOfIt: readonly string[]): string {
  return `${kubernetesGateway()}${httpRoute('front', '', rulesOfIt)}`;
}

function boundRules(bound: string, rulesOfIt: readonly string[]): string {
  const parents = bound.includes('parentRefs') ? '' : 'parentRefs: [{ name: front, namespace: default }], ';
  return `${parents}${bound}${bound === '' ? '' : ', '}rules: [${rulesOfIt.map((rule) => `{ ${rule} }`).join(', ')}]`;
}

export function gatewayApi(kind: string, name: string, spec: string, metadata = ''): string {
  return `---\napiVersion: gateway.networking.k8s.io/v1\nkind: ${kind}\nmetadata: { name: ${name}${metadata} }\nspec: { ${spec} }\n`;
}

/** backendRefs to one version. */
export function ref(version: Version | 'dead' | 'empty' | 'unknown', rest = ''): string {
  return `backendRefs: [{ name: reviews-${version}, port: 80${rest} }]`;
}

/** backendRefs to several, `{ v1: 90 }`. */
export function refs(weights: Readonly<Partial<Record<Version | 'unknown', number>>>): string {
  const list = Object.entries(weights).map(([version, weight]) => `{ name: reviews-${version}, port: 80, weight: ${weight} }`);
  return `backendRefs: [${list.join(', ')}]`;
}

/** What makes a request a call of gRPC. */
export const CALL = { body: '', with: ['content-type: application/grpc', 'te: trailers'] } as const;

/** A call that a version answers. @param ask Without the method. */
export function call(ask: string, gets: Version, rest: Partial<ContractRequest> = {}): ContractRequest {
  return {
    ...CALL,
    gets,
    ...rest,
    ask: `POST ${ask}`,
    with: [...CALL.with, ...(rest.with ?? [])],
    answer: { 'grpc-status': '0', ...rest.answer },
  };
}

/** An answer of Serin's own to a call: HTTP's 200 with the status of gRPC. */
export function refused(ask: string, grpcStatus: number, rest: Partial<ContractRequest> = {}): ContractRequest {
  return {
    ...CALL,
    ...rest,
    ask: `POST ${ask}`,
    gets: 200,
    with: [...CALL.with, ...(rest.with ?? [])],
    answer: { 'grpc-status': String(grpcStatus) },
  };
}

/** A match of a GRPCRoute's rule, in flow style. */
export function grpcMatch(method: string): string {
  return `matches: [{ method: { ${method} } }]`;
}
