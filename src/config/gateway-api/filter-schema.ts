/** The shapes of the filters of HTTPRoute and GRPCRoute (gateway-api apis/v1). What the shapes cannot say is in check-filters.ts. */
import { z } from 'zod';
import { later, optional, partly, texts } from '../istio/fields.ts';
import { backendObjectRef, corsOrigin, headerName, headerValue, localRef, pathText, portNumber, preciseHostname, sized } from './fields.ts';

const header = z.strictObject({ name: headerName, value: headerValue });
const headerFilter = z.strictObject({
  set: optional(z.array(header).max(16)),
  add: optional(z.array(header).max(16)),
  remove: optional(texts.max(16)),
});

const pathModifier = z.strictObject({
  type: z.enum(['ReplaceFullPath', 'ReplacePrefixMatch']),
  replaceFullPath: optional(sized(0, 1024)),
  replacePrefixMatch: optional(sized(0, 1024)),
});

const mirror = z.strictObject({
  backendRef: backendObjectRef,
  percent: optional(z.int32().min(0).max(100)),
  fraction: optional(z.strictObject({ numerator: z.int32().min(0), denominator: optional(z.int32().min(1)) })),
});

const corsMethods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', '*'] as const;

/** Members of both kinds of filter. */
const shared = {
  requestHeaderModifier: optional(headerFilter),
  responseHeaderModifier: optional(headerFilter),
  requestMirror: optional(mirror),
  extensionRef: partly(localRef, 'there are no filters but the standard ones: the status of the route says so'),
};

const httpFilter = z.strictObject({
  type: z.enum([
    'RequestHeaderModifier',
    'ResponseHeaderModifier',
    'RequestMirror',
    'RequestRedirect',
    'URLRewrite',
    'ExtensionRef',
    'CORS',
    'ExternalAuth',
  ]),
  ...shared,
  requestRedirect: optional(
    z.strictObject({
      scheme: optional(z.enum(['http', 'https'])),
      hostname: optional(preciseHostname),
      path: optional(pathModifier),
      port: optional(portNumber),
      statusCode: optional(z.literal([301, 302, 303, 307, 308])),
    }),
  ),
  urlRewrite: optional(z.strictObject({ hostname: optional(preciseHostname), path: optional(pathModifier) })),
  cors: optional(
    z.strictObject({
      allowOrigins: optional(z.array(corsOrigin).max(64)),
      allowCredentials: optional(z.boolean()),
      allowMethods: optional(z.array(z.enum(corsMethods)).max(9)),
      allowHeaders: optional(z.array(headerName).max(64)),
      exposeHeaders: optional(z.array(headerName).max(64)),
      maxAge: optional(z.int32().min(1)),
    }),
  ),
  externalAuth: later(
    z.strictObject({
      protocol: z.enum(['HTTP', 'GRPC']),
      backendRef: backendObjectRef,
      grpc: optional(z.strictObject({ allowedHeaders: optional(texts.max(64)) })),
      http: optional(
        z.strictObject({
          path: optional(pathText),
          allowedHeaders: optional(texts.max(64)),
          allowedResponseHeaders: optional(texts.max(64)),
        }),
      ),
      forwardBody: optional(z.strictObject({ maxSize: optional(z.int32().min(0)) })),
    }),
    'nobody is asked whether a request may pass',
  ),
});

const grpcFilter = z.strictObject({
  type: z.enum(['ResponseHeaderModifier', 'RequestHeaderModifier', 'RequestMirror', 'ExtensionRef']),
  ...shared,
});

export const httpFilters = z.array(httpFilter).max(16);
export const grpcFilters = z.array(grpcFilter).max(16);

export type ParsedHttpFilter = z.infer<typeof httpFilter>;
export type ParsedGrpcFilter = z.infer<typeof grpcFilter>;
export type ParsedPathModifier = z.infer<typeof pathModifier>;
