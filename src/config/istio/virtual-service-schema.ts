/** The shape of a VirtualService (istio/api networking/v1 virtual_service.proto). What the shape cannot say is in virtual-service.ts and http-route.ts. */
import { z } from 'zod';
import { bool, destination, int32, later, optional, percent, text, textMap, texts, uint32 } from './fields.ts';

const stringMatch = z.strictObject({ exact: optional(text), prefix: optional(text), regex: optional(text) });
const stringMatches = z.record(z.string(), stringMatch);

const headerOperations = z.strictObject({ set: optional(textMap), add: optional(textMap), remove: optional(texts) });
const headers = z.strictObject({ request: optional(headerOperations), response: optional(headerOperations) });

const httpMatch = z.strictObject({
  name: optional(text),
  uri: optional(stringMatch),
  scheme: optional(stringMatch),
  method: optional(stringMatch),
  authority: optional(stringMatch),
  headers: optional(stringMatches),
  withoutHeaders: optional(stringMatches),
  queryParams: optional(stringMatches),
  port: optional(uint32),
  ignoreUriCase: optional(bool),
  sourceLabels: later(textMap, 'callers on one machine have no labels, so this match never holds'),
  sourceNamespace: later(text, 'callers on one machine have no namespace, so this match never holds'),
  gateways: optional(texts),
  statPrefix: later(text, 'no statistics are kept under this prefix'),
});

const httpRoute = z.strictObject({
  name: optional(text),
  match: optional(z.array(httpMatch)),
  route: optional(z.array(z.strictObject({ destination, weight: optional(int32), headers: optional(headers) }))),
  redirect: optional(
    z.strictObject({
      uri: optional(text),
      prefixRewrite: optional(text),
      authority: optional(text),
      scheme: optional(text),
      port: optional(uint32),
      derivePort: optional(z.enum(['FROM_PROTOCOL_DEFAULT', 'FROM_REQUEST_PORT'])),
      redirectCode: optional(uint32),
    }),
  ),
  directResponse: optional(
    z.strictObject({ status: uint32, body: optional(z.strictObject({ string: optional(text), bytes: optional(text) })) }),
  ),
  delegate: later(
    z.strictObject({ name: optional(text), namespace: optional(text) }),
    'rules of the delegate are not merged in; this rule is left out',
  ),
  rewrite: optional(
    z.strictObject({
      uri: optional(text),
      authority: optional(text),
      uriRegexRewrite: optional(z.strictObject({ match: text, rewrite: text })),
    }),
  ),
  timeout: optional(text),
  retries: later(
    z.strictObject({
      attempts: optional(int32),
      perTryTimeout: optional(text),
      retryOn: optional(text),
      retryRemoteLocalities: optional(bool),
      retryIgnorePreviousHosts: optional(bool),
      backoff: optional(text),
    }),
    'requests are not retried',
  ),
  fault: later(
    z.strictObject({
      delay: optional(
        z.strictObject({
          percent: optional(int32),
          percentage: optional(percent),
          fixedDelay: optional(text),
          exponentialDelay: optional(text),
        }),
      ),
      abort: optional(
        z.strictObject({
          httpStatus: optional(int32),
          grpcStatus: optional(text),
          http2Error: optional(text),
          percentage: optional(percent),
        }),
      ),
    }),
    'no delays and aborts are injected',
  ),
  mirror: later(destination, 'requests are not mirrored'),
  mirrors: later(z.array(z.strictObject({ destination, percentage: optional(percent) })), 'requests are not mirrored'),
  mirrorPercent: later(uint32, 'requests are not mirrored'),
  mirror_percent: later(uint32, 'requests are not mirrored'),
  mirrorPercentage: later(percent, 'requests are not mirrored'),
  corsPolicy: later(
    z.strictObject({
      allowOrigin: optional(texts),
      allowOrigins: optional(z.array(stringMatch)),
      allowMethods: optional(texts),
      allowHeaders: optional(texts),
      exposeHeaders: optional(texts),
      maxAge: optional(text),
      allowCredentials: optional(bool),
      unmatchedPreflights: optional(z.enum(['UNSPECIFIED', 'FORWARD', 'IGNORE'])),
    }),
    'preflight requests are passed on and no CORS headers are added',
  ),
  headers: optional(headers),
});

const routeDestinations = z.array(z.strictObject({ destination, weight: optional(int32) }));

const tlsRoute = z.strictObject({
  match: z.array(
    z.strictObject({
      sniHosts: texts,
      destinationSubnets: optional(texts),
      port: optional(uint32),
      sourceLabels: optional(textMap),
      gateways: optional(texts),
      sourceNamespace: optional(text),
    }),
  ),
  route: optional(routeDestinations),
});

const tcpRoute = z.strictObject({
  match: optional(
    z.array(
      z.strictObject({
        destinationSubnets: optional(texts),
        port: optional(uint32),
        sourceSubnet: optional(text),
        sourceLabels: optional(textMap),
        gateways: optional(texts),
        sourceNamespace: optional(text),
      }),
    ),
  ),
  route: optional(routeDestinations),
});

export const virtualServiceSchema = z.strictObject({
  hosts: optional(texts),
  gateways: optional(texts),
  http: optional(z.array(httpRoute)),
  tls: later(z.array(tlsRoute), 'TLS is not routed by SNI'),
  tcp: later(z.array(tcpRoute), 'TCP is not routed'),
  exportTo: later(texts, 'the resource is seen from every namespace'),
});

export type TlsRoute = z.infer<typeof tlsRoute>;
export type TcpRoute = z.infer<typeof tcpRoute>;
export type ParsedHttpRoute = z.infer<typeof httpRoute>;
export type ParsedVirtualService = z.infer<typeof virtualServiceSchema>;
