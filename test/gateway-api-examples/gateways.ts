/** Gateway, ListenerSet, GatewayClass, ReferenceGrant and BackendTLSPolicy: accepted or refused by their definitions. */
import { documents, type Example } from './documents.ts';

const LONG = 'x'.repeat(300);

// --- Gateway and ListenerSet --------------------------------------------------------------------------------------------------------

const HTTP80 = 'name: http, port: 80, protocol: HTTP';
const CERTIFICATE = 'certificateRefs: [{ name: cert }]';
const gateway = (rest: string): string => `{ gatewayClassName: serin, listeners: [{ ${HTTP80} }], ${rest} }`;

const GOOD_LISTENERS: readonly string[] = [
  `[{ ${HTTP80} }]`,
  `[{ ${HTTP80}, hostname: "*.example.com" }, { name: b, port: 80, protocol: HTTP, hostname: a.example.com }, { name: c, port: 80, protocol: HTTP }]`,
  `[{ name: https, port: 443, protocol: HTTPS, tls: { ${CERTIFICATE} } }]`,
  '[{ name: https, port: 443, protocol: HTTPS }]',
  `[{ name: https, port: 443, protocol: HTTPS, tls: { mode: Terminate, certificateRefs: [{ group: "", kind: Secret, name: a, namespace: b }] } }]`,
  '[{ name: https, port: 443, protocol: HTTPS, tls: { options: { example.com/min: "1.3" } } }]',
  '[{ name: tls, port: 443, protocol: TLS, tls: { mode: Passthrough } }]',
  `[{ name: tls, port: 443, protocol: TLS, hostname: a.b, tls: { mode: Terminate, ${CERTIFICATE} } }]`,
  '[{ name: tcp, port: 53, protocol: TCP }, { name: udp, port: 53, protocol: UDP }]',
  '[{ name: own, port: 80, protocol: example.com/quic }]',
  `[{ ${HTTP80}, allowedRoutes: { namespaces: { from: Selector, selector: { matchLabels: { a: b }, matchExpressions: [{ key: c, operator: In, values: [d] }] } }, kinds: [{ kind: HTTPRoute }, { group: "", kind: Service }] } }]`,
  `[{ ${HTTP80}, allowedRoutes: { namespaces: { from: All } } }]`,
  `[{ ${HTTP80}, allowedRoutes: {} }]`,
];
const BAD_LISTENERS: readonly string[] = [
  '[]',
  '{}',
  '[{ name: a, port: 80 }]',
  '[{ port: 80, protocol: HTTP }]',
  '[{ name: a, protocol: HTTP }]',
  '[{ name: a, port: 0, protocol: HTTP }]',
  '[{ name: a, port: 65536, protocol: HTTP }]',
  '[{ name: a, port: "80", protocol: HTTP }]',
  '[{ name: A_b, port: 80, protocol: HTTP }]',
  '[{ name: a, port: 80, protocol: "" }]',
  '[{ name: a, port: 80, protocol: "HTTP!" }]',
  `[{ ${HTTP80}, hostname: 10.0.0.1:80 }]`,
  `[{ ${HTTP80}, hostname: A.example.com }]`,
  `[{ ${HTTP80}, hostname: "a.*.com" }]`,
  `[{ ${HTTP80}, hostname: "" }]`,
  `[{ ${HTTP80}, hostnames: [a] }]`,
  `[{ ${HTTP80}, tls: { ${CERTIFICATE} } }]`,
  `[{ name: tcp, port: 53, protocol: TCP, tls: { ${CERTIFICATE} } }]`,
  '[{ name: https, port: 443, protocol: HTTPS, tls: { mode: Passthrough } }]',
  '[{ name: https, port: 443, protocol: HTTPS, tls: {} }]',
  '[{ name: https, port: 443, protocol: HTTPS, tls: { certificateRefs: [], options: {} } }]',
  '[{ name: tls, port: 443, protocol: TLS }]',
  '[{ name: tls, port: 443, protocol: TLS, tls: { mode: PASSTHROUGH } }]',
  '[{ name: udp, port: 53, protocol: UDP, hostname: a.b }]',
  `[{ ${HTTP80} }, { name: http, port: 81, protocol: HTTP }]`,
  `[{ ${HTTP80} }, { name: b, port: 80, protocol: HTTP }]`,
  `[{ ${HTTP80}, hostname: a.b }, { name: b, port: 80, protocol: HTTP, hostname: a.b }]`,
  `[{ ${HTTP80}, allowedRoutes: { namespaces: { from: None } } }]`,
  `[{ ${HTTP80}, allowedRoutes: { kinds: [{ group: a }] } }]`,
  `[{ ${HTTP80}, allowedRoutes: { namespaces: { selector: { matchExpressions: [{ key: a }] } } } }]`,
  `[{ name: https, port: 443, protocol: HTTPS, tls: { certificateRefs: [{ name: "" }] } }]`,
  `[${Array.from({ length: 65 }, (_, index) => `{ name: l${index}, port: ${index + 1}, protocol: HTTP }`).join(', ')}]`,
];

export const GATEWAYS: readonly Example[] = [
  ...documents(
    'Gateway',
    'valid',
    GOOD_LISTENERS.map((listeners) => `{ gatewayClassName: serin, listeners: ${listeners} }`),
  ),
  ...documents(
    'ListenerSet',
    'valid',
    GOOD_LISTENERS.map((listeners) => `{ parentRef: { name: g }, listeners: ${listeners} }`),
  ),
  ...documents(
    'Gateway',
    'invalid',
    BAD_LISTENERS.map((listeners) => `{ gatewayClassName: serin, listeners: ${listeners} }`),
  ),
  ...documents(
    'ListenerSet',
    'invalid',
    BAD_LISTENERS.map((listeners) => `{ parentRef: { name: g }, listeners: ${listeners} }`),
  ),
  ...documents('ListenerSet', 'valid', [
    `{ parentRef: { group: gateway.networking.k8s.io, kind: Gateway, name: g, namespace: n }, listeners: [{ ${HTTP80} }] }`,
  ]),
  ...documents('ListenerSet', 'invalid', [
    `{ listeners: [{ ${HTTP80} }] }`,
    `{ parentRef: { kind: Gateway }, listeners: [{ ${HTTP80} }] }`,
    `{ parentRef: { name: g, sectionName: a }, listeners: [{ ${HTTP80} }] }`,
    '{ parentRef: { name: g } }',
  ]),
  ...documents('Gateway', 'valid', [gateway('')], 'v1beta1'),
  ...documents('Gateway', 'valid', [
    gateway('addresses: [{ value: 127.0.0.1 }, { type: IPAddress, value: "::1" }, { type: Hostname, value: a.example.com }, {}]'),
    gateway('addresses: [{ type: NamedAddress, value: anything }, { type: example.com/pool, value: x }, { type: Hostname }]'),
    gateway('infrastructure: { labels: { app: x, example.com/tier: "" }, annotations: { a.b/c: anything at all } }'),
    gateway('infrastructure: { parametersRef: { group: "", kind: ConfigMap, name: p } }'),
    gateway('allowedListeners: { namespaces: { from: Same } }'),
    gateway('allowedListeners: { namespaces: { from: Selector, selector: { matchLabels: { a: b } } } }'),
    gateway('allowedListeners: {}'),
    gateway('tls: { backend: { clientCertificateRef: { name: c } } }'),
    gateway(
      'tls: { frontend: { default: { validation: { caCertificateRefs: [{ group: "", kind: ConfigMap, name: ca }], mode: AllowInsecureFallback } }, perPort: [{ port: 80, tls: {} }, { port: 81, tls: {} }] } }',
    ),
    gateway('tls: { frontend: { default: {} } }'),
    gateway('defaultScope: All'),
  ]),
  ...documents('Gateway', 'invalid', [
    `{ listeners: [{ ${HTTP80} }] }`,
    `{ gatewayClassName: "", listeners: [{ ${HTTP80} }] }`,
    `{ gatewayClassName: ${LONG}, listeners: [{ ${HTTP80} }] }`,
    '{ gatewayClassName: serin }',
    gateway('listener: []'),
    gateway('addresses: [{ value: 127.0.0.1 }, { value: 127.0.0.1 }]'),
    gateway('addresses: [{ type: Hostname, value: a.b }, { type: Hostname, value: a.b }]'),
    gateway('addresses: [{ value: a.example.com }]'),
    gateway('addresses: [{ value: 127.1 }]'),
    gateway('addresses: [{ value: 010.0.0.1 }]'),
    gateway('addresses: [{ value: "fe80::1%eth0" }]'),
    gateway('addresses: [{ type: Hostname, value: A_b }]'),
    gateway('addresses: [{ type: Hostname, value: "" }]'),
    gateway('addresses: [{ type: "?" }]'),
    gateway(`addresses: [${Array.from({ length: 17 }, (_, index) => `{ value: 127.0.0.${index} }`).join(', ')}]`),
    gateway('infrastructure: { labels: { "a b": x } }'),
    gateway('infrastructure: { labels: { a: "b c" } }'),
    gateway(`infrastructure: { labels: { ${Array.from({ length: 9 }, (_, index) => `k${index}: v`).join(', ')} } }`),
    gateway(`infrastructure: { labels: { ${'a.'.repeat(130)}b/c: v } }`),
    gateway('infrastructure: { annotations: { "/a": x } }'),
    gateway(`infrastructure: { annotations: { ${'a.'.repeat(130)}b/c: v } }`),
    gateway(`infrastructure: { annotations: { ${Array.from({ length: 17 }, (_, index) => `k${index}: v`).join(', ')} } }`),
    gateway('infrastructure: { parametersRef: { kind: ConfigMap, name: p } }'),
    gateway('allowedListeners: { namespaces: { from: Nobody } }'),
    gateway('tls: { backend: { clientCertificateRef: {} } }'),
    gateway('tls: { frontend: {} }'),
    gateway('tls: { frontend: { default: { validation: { caCertificateRefs: [] } } } }'),
    gateway('tls: { frontend: { default: { validation: { caCertificateRefs: [{ name: ca }] } } } }'),
    gateway('tls: { frontend: { default: {}, perPort: [{ port: 80, tls: {} }, { port: 80, tls: {} }] } }'),
    gateway('tls: { frontend: { default: {}, perPort: [{ port: 80 }] } }'),
    gateway('defaultScope: Some'),
  ]),
  ...documents('GatewayClass', 'valid', [
    '{ controllerName: serin.dev/gateway-controller }',
    '{ controllerName: example.com/a, description: A class, parametersRef: { group: "", kind: ConfigMap, name: a, namespace: b } }',
    `{ controllerName: a/b, description: ${'🐦'.repeat(64)} }`,
  ]),
  ...documents('GatewayClass', 'valid', ['{ controllerName: a/b }'], 'v1beta1'),
  ...documents('GatewayClass', 'invalid', [
    '{}',
    '{ controllerName: serin }',
    '{ controllerName: /a }',
    '{ controllerName: A.b/c }',
    `{ controllerName: a/b, description: ${LONG} }`,
    `{ controllerName: a/b, description: ${'🐦'.repeat(65)} }`,
    '{ controllerName: a/b, parametersRef: { kind: ConfigMap, name: a } }',
    '{ controllerName: a/b, parametersRef: { group: "", kind: "Config Map", name: a } }',
    '{ controllerName: a/b, parametersRef: { group: "", kind: ConfigMap, name: a, namespace: A } }',
    '{ controllerName: a/b, controler: c }',
  ]),
];

// --- ReferenceGrant and BackendTLSPolicy ----------------------------------------------------------------------------------------------

const FROM = 'from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: a }]';
const TO = 'to: [{ group: "", kind: Service }]';
const TARGET = 'group: "", kind: Service, name: a';
const policy = (validation: string): string => `{ targetRefs: [{ ${TARGET} }], validation: { ${validation} } }`;
const trusted = (rest: string): string => policy(`hostname: a.b, wellKnownCACertificates: System, ${rest}`);

export const POLICIES: readonly Example[] = [
  ...documents('ReferenceGrant', 'valid', [`{ ${FROM}, ${TO} }`, `{ ${FROM}, to: [{ group: "", kind: Secret, name: a }] }`]),
  ...documents('ReferenceGrant', 'valid', [`{ ${FROM}, ${TO} }`], 'v1beta1'),
  ...documents('ReferenceGrant', 'invalid', [
    `{ ${FROM} }`,
    `{ ${TO} }`,
    `{ ${FROM}, to: [] }`,
    `{ from: [], ${TO} }`,
    `{ from: [{ group: a, kind: HTTPRoute }], ${TO} }`,
    `{ from: [{ kind: HTTPRoute, namespace: a }], ${TO} }`,
    `{ from: [{ group: "A b", kind: HTTPRoute, namespace: a }], ${TO} }`,
    `{ from: [{ group: a, kind: HTTPRoute, namespace: a.b }], ${TO} }`,
    `{ ${FROM}, to: [{ group: "", kind: "" }] }`,
    `{ ${FROM}, to: [{ group: "", kind: Service, name: "" }] }`,
    `{ ${FROM}, to: [{ group: "", kind: Service, namespace: a }] }`,
  ]),
  ...documents('BackendTLSPolicy', 'valid', [
    policy('hostname: a.b, wellKnownCACertificates: System'),
    policy('hostname: a.b, wellKnownCACertificates: example.com/corporate'),
    policy('hostname: a.b, caCertificateRefs: [{ group: "", kind: ConfigMap, name: ca }]'),
    trusted('subjectAltNames: [{ type: Hostname, hostname: "*.b" }, { type: URI, uri: "spiffe://a/b" }]'),
    `{ targetRefs: [{ ${TARGET}, sectionName: a }, { ${TARGET}, sectionName: b }, { group: "", kind: Service, name: other }], validation: { hostname: a, wellKnownCACertificates: System }, options: { a: b } }`,
  ]),
  ...documents('BackendTLSPolicy', 'valid', [policy('hostname: a.b, wellKnownCACertificates: System')], 'v1alpha3'),
  ...documents('BackendTLSPolicy', 'invalid', [
    policy('wellKnownCACertificates: System'),
    policy('hostname: a.b'),
    policy('hostname: a.b, caCertificateRefs: []'),
    policy('hostname: "*.b", wellKnownCACertificates: System'),
    policy('hostname: a.b, wellKnownCACertificates: Mine'),
    policy('hostname: a.b, wellKnownCACertificates: System, caCertificateRefs: [{ group: "", kind: ConfigMap, name: ca }]'),
    policy('hostname: a.b, caCertificateRefs: [{ name: ca }]'),
    trusted('subjectAltNames: [{ type: Hostname }]'),
    trusted('subjectAltNames: [{ type: URI }]'),
    trusted('subjectAltNames: [{ type: Hostname, hostname: a, uri: "a://b" }]'),
    trusted('subjectAltNames: [{ type: URI, uri: "a://b", hostname: a }]'),
    trusted('subjectAltNames: [{ type: URI, uri: mailto:a }]'),
    trusted('subjectAltNames: [{ type: Email, uri: "a://b" }]'),
    '{ validation: { hostname: a, wellKnownCACertificates: System } }',
    '{ targetRefs: [], validation: { hostname: a, wellKnownCACertificates: System } }',
    `{ targetRefs: [{ ${TARGET} }] }`,
    `{ targetRefs: [{ ${TARGET} }, { ${TARGET}, sectionName: a }], validation: { hostname: a, wellKnownCACertificates: System } }`,
    `{ targetRefs: [{ ${TARGET} }, { ${TARGET} }], validation: { hostname: a, wellKnownCACertificates: System } }`,
    `{ targetRefs: [{ ${TARGET}, sectionName: a }, { ${TARGET}, sectionName: a }], validation: { hostname: a, wellKnownCACertificates: System } }`,
    `{ targetRefs: [{ ${TARGET} }], validation: { hostname: a, wellKnownCACertificates: System }, options: { ${Array.from({ length: 17 }, (_, index) => `k${index}: v`).join(', ')} } }`,
  ]),
];
