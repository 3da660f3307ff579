/** The shape of a VirtualService (istio/api networking/v1 virtual_service.proto). What the shape cannot say is in virtual-service.ts and http-route.ts. */
import { z } from 'zod';
import { bool, destination, int32, later, optional, partly, percent, text, textMap, texts, uint32 } from './fields.ts';

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
  sourceNamespace: optional(text),
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
  delegate: optional(z.strictObject({ name: optional(text), namespace: optional(text) })),
  rewrite: optional(
    z.strictObject({
      uri: optional(text),
      authority: optional(text),
      uriRegexRewrite: optional(z.strictObject({ match: text, rewrite: text })),
    }),
  ),
  timeout: optional(text),
  retries: optional(
    z.strictObject({
      attempts: optional(int32),
      perTryTimeout: optional(text),
      retryOn: optional(text),
      retryRemoteLocalities: later(bool, 'endpoints of a retry are chosen as those of a first attempt'),
      retryIgnorePreviousHosts: optional(bool),
      backoff: optional(text),
    }),
  ),
  fault: optional(
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
  ),
  mirror: optional(destination),
  mirrors: optional(z.array(z.strictObject({ destination, percentage: optional(percent) }))),
  mirrorPercent: optional(uint32),
  mirror_percent: optional(uint32),
  mirrorPercentage: optional(percent),
  corsPolicy: optional(
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
  ),
  headers: optional(headers),
});

const routeDestinations = z.array(z.strictObject({ destination, weight: optional(int32) }));

const workload = {
  sourceLabels: later(textMap, 'callers on one machine have no labels, so this match never holds'),
  sourceNamespace: later(text, 'callers of a Gateway have no namespace, so this match never holds'),
};

const tlsRoute = z.strictObject({
  match: z.array(
    z.strictObject({
      sniHosts: texts,
      destinationSubnets: optional(texts),
      port: optional(uint32),
      ...workload,
      gateways: optional(texts),
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
        ...workload,
        gateways: optional(texts),
      }),
    ),
  ),
  route: optional(routeDestinations),
});

/** A connection that is no HTTP says nothing of where it was meant to go, and nothing here intercepts it on its way there. */
export const NOT_FOR_MESH = 'on Gateways only: for mesh there is no listener that could take such connections';

export const virtualServiceSchema = z.strictObject({
  hosts: optional(texts),
  gateways: optional(texts),
  http: optional(z.array(httpRoute)),
  tls: partly(z.array(tlsRoute), NOT_FOR_MESH),
  tcp: partly(z.array(tcpRoute), NOT_FOR_MESH),
  exportTo: later(texts, 'the resource is seen from every namespace'),
});

export type TlsRoute = z.infer<typeof tlsRoute>;
export type TcpRoute = z.infer<typeof tcpRoute>;
export type ParsedHttpRoute = z.infer<typeof httpRoute>;
export type ParsedVirtualService = z.infer<typeof virtualServiceSchema>;
