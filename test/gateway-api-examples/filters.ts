/** Entries of `filters`, good and bad ones, for the documents in routes.ts. */
export const SERVICE = 'name: a, port: 80';
export const rule = (rest: string): string => `{ rules: [{ ${rest} }] }`;
export const filter = (rest: string): string => rule(`filters: [{ ${rest} }]`);
export const backendFilter = (rest: string): string => rule(`backendRefs: [{ ${SERVICE}, filters: [{ ${rest} }] }]`);

const HEADERS = 'set: [{ name: A, value: b }], add: [{ name: C, value: "d e" }], remove: [f]';
/** Good members, by the type of their filter. */
export const MEMBERS: Readonly<Record<string, string>> = {
  RequestHeaderModifier: `requestHeaderModifier: { ${HEADERS} }`,
  ResponseHeaderModifier: `responseHeaderModifier: { ${HEADERS} }`,
  RequestMirror: `requestMirror: { backendRef: { ${SERVICE} } }`,
  ExtensionRef: 'extensionRef: { group: a.b, kind: C, name: d }',
  RequestRedirect: 'requestRedirect: { hostname: a.b }',
  URLRewrite: 'urlRewrite: { hostname: a.b }',
  CORS: 'cors: { allowOrigins: ["https://a.b"] }',
  ExternalAuth: `externalAuth: { protocol: HTTP, backendRef: { ${SERVICE} }, http: {} }`,
};
export const SHARED = ['RequestHeaderModifier', 'ResponseHeaderModifier', 'RequestMirror', 'ExtensionRef'];
export const ONCE = ['RequestHeaderModifier', 'ResponseHeaderModifier', 'RequestRedirect', 'URLRewrite', 'CORS'];

export const FORBIDDEN_CHANGES: readonly string[] = [
  'type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: Content-Length, value: "0" }] }',
  'type: RequestHeaderModifier, requestHeaderModifier: { add: [{ name: transfer-encoding, value: chunked }] }',
  'type: RequestHeaderModifier, requestHeaderModifier: { remove: [Host] }',
  'type: ResponseHeaderModifier, responseHeaderModifier: { remove: [":status"] }',
  'type: ResponseHeaderModifier, responseHeaderModifier: { set: [{ name: Host, value: a }] }',
];

/** Inside of one entry of `filters`, of both kinds of route. */
export const BAD_SHARED_FILTERS: readonly string[] = [
  'requestHeaderModifier: {}',
  'type: ""',
  'type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: A, value: b }, { name: A, value: c }] }',
  'type: RequestHeaderModifier, requestHeaderModifier: { add: [{ name: "a b", value: c }] }',
  'type: RequestHeaderModifier, requestHeaderModifier: { add: [{ name: a, value: "" }] }',
  'type: RequestHeaderModifier, requestHeaderModifier: { add: [{ name: a, value: "b  c" }] }',
  'type: RequestHeaderModifier, requestHeaderModifier: { add: [{ name: a, value: "ü" }] }',
  'type: RequestHeaderModifier, requestHeaderModifier: { set: { a: b } }',
  'type: ResponseHeaderModifier, responseHeaderModifier: { remove: [a, a] }',
  'type: RequestMirror, requestMirror: { backendRef: { name: a } }',
  `type: RequestMirror, requestMirror: { backendRef: { ${SERVICE} }, percent: 101 }`,
  `type: RequestMirror, requestMirror: { backendRef: { ${SERVICE} }, percent: 1, fraction: { numerator: 1 } }`,
  `type: RequestMirror, requestMirror: { backendRef: { ${SERVICE} }, fraction: { numerator: 101 } }`,
  `type: RequestMirror, requestMirror: { backendRef: { ${SERVICE} }, fraction: { numerator: 3, denominator: 2 } }`,
  `type: RequestMirror, requestMirror: { backendRef: { ${SERVICE} }, fraction: { denominator: 2 } }`,
  'type: ExtensionRef, extensionRef: { group: a, name: b }',
];
export const GOOD_SHARED_FILTERS: readonly string[] = [
  ...SHARED.map((type) => `type: ${type}, ${MEMBERS[type]}`),
  'type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: A, value: b }, { name: a, value: c }] }',
  `type: RequestMirror, requestMirror: { backendRef: { group: g, kind: K, name: a }, percent: 0 }`,
  `type: RequestMirror, requestMirror: { backendRef: { ${SERVICE} }, fraction: { numerator: 100 } }`,
];

const PATHS = (type: string, member: string): readonly string[] => [
  `type: ${type}, ${member}: { path: { type: ReplaceFullPath } }`,
  `type: ${type}, ${member}: { path: { type: ReplacePrefixMatch } }`,
  `type: ${type}, ${member}: { path: { type: ReplacePrefixMatch, replacePrefixMatch: /a, replaceFullPath: /b } }`,
  `type: ${type}, ${member}: { path: { type: ReplaceFullPath, replacePrefixMatch: /a, replaceFullPath: /b } }`,
  `type: ${type}, ${member}: { path: { replaceFullPath: /b } }`,
];
const auth = (rest: string): string => `type: ExternalAuth, externalAuth: { backendRef: { ${SERVICE} }, ${rest} }`;

export const BAD_HTTP_FILTERS: readonly string[] = [
  ...BAD_SHARED_FILTERS,
  ...Object.keys(MEMBERS).map((type) => `type: ${type}`),
  ...Object.entries(MEMBERS).map(([type, member]) =>
    type === 'CORS' ? `type: URLRewrite, urlRewrite: {}, ${member}` : `type: CORS, cors: {}, ${member}`,
  ),
  ...PATHS('RequestRedirect', 'requestRedirect'),
  ...PATHS('URLRewrite', 'urlRewrite'),
  'type: RequestRedirect, requestRedirect: { statusCode: 300 }',
  'type: RequestRedirect, requestRedirect: { scheme: ftp }',
  'type: RequestRedirect, requestRedirect: { hostname: "*.a" }',
  'type: RequestRedirect, requestRedirect: { port: 0 }',
  'type: CORS, cors: { allowOrigins: ["*", "https://a.b"] }',
  'type: CORS, cors: { allowOrigins: ["https://a.b", "https://a.b"] }',
  'type: CORS, cors: { allowOrigins: ["a.b"] }',
  'type: CORS, cors: { allowOrigins: ["https://a.b/c"] }',
  'type: CORS, cors: { allowMethods: ["*", GET] }',
  'type: CORS, cors: { allowMethods: [get] }',
  'type: CORS, cors: { allowHeaders: ["*", a] }',
  'type: CORS, cors: { allowHeaders: ["a b"] }',
  'type: CORS, cors: { exposeHeaders: [a, a] }',
  'type: CORS, cors: { maxAge: 0 }',
  'type: ExternalAuth, externalAuth: { protocol: HTTP, backendRef: { name: a }, http: {} }',
  auth('protocol: HTTP'),
  auth('protocol: GRPC'),
  auth('protocol: HTTP, http: {}, grpc: {}'),
  auth('protocol: GRPC, http: {}, grpc: {}'),
  auth('protocol: HTTP, http: { path: "/a b" }'),
  auth('protocol: HTTP, http: { allowedHeaders: [a, a] }'),
  auth('protocol: GRPC, grpc: { allowedHeaders: [a, a] }'),
  auth('protocol: HTTP, http: {}, forwardBody: { maxSize: -1 }'),
];
export const GOOD_HTTP_FILTERS: readonly string[] = [
  ...GOOD_SHARED_FILTERS,
  ...Object.entries(MEMBERS).map(([type, member]) => `type: ${type}, ${member}`),
  'type: RequestRedirect, requestRedirect: { scheme: https, port: 8443, statusCode: 308, path: { type: ReplaceFullPath, replaceFullPath: /a } }',
  'type: URLRewrite, urlRewrite: { hostname: b.c, path: { type: ReplacePrefixMatch, replacePrefixMatch: "" } }',
  'type: CORS, cors: { allowOrigins: ["*"], allowMethods: ["*"], allowHeaders: ["*"], exposeHeaders: ["*", a], maxAge: 600, allowCredentials: true }',
  'type: CORS, cors: { allowOrigins: ["https://*.a.b:8443", "http://*"], allowMethods: [GET, POST] }',
  auth('protocol: GRPC, grpc: { allowedHeaders: [a] }'),
  auth('protocol: HTTP, http: { path: /a, allowedHeaders: [a], allowedResponseHeaders: [b] }, forwardBody: { maxSize: 100 }'),
];
