/** The shapes of HTTPRoute, GRPCRoute and TLSRoute (gateway-api apis/v1). What the shapes cannot say is in check-route.ts and check-filters.ts. */
import { z } from 'zod';
import { foreign, later, optional } from '../istio/fields.ts';
import { duration, headerName, headerValue, hostname, parentRef, sectionName, sized, weightedBackendFields } from './fields.ts';
import { grpcFilters, httpFilters } from './filter-schema.ts';

const common = {
  parentRefs: optional(z.array(parentRef).max(32)),
  useDefaultGateways: later(z.enum(['All', 'None']), 'a route belongs to the Gateways it names in parentRefs'),
};
const hostnames = optional(z.array(hostname).max(16));

const matchType = optional(z.enum(['Exact', 'RegularExpression']));

const httpMatch = z.strictObject({
  path: optional(z.strictObject({ type: optional(z.enum(['Exact', 'PathPrefix', 'RegularExpression'])), value: optional(sized(0, 1024)) })),
  headers: optional(z.array(z.strictObject({ type: matchType, name: headerName, value: headerValue })).max(16)),
  queryParams: optional(z.array(z.strictObject({ type: matchType, name: headerName, value: sized(1, 1024) })).max(16)),
  method: optional(z.enum(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'])),
});

const sessionPersistence = foreign(
  z.strictObject({
    type: optional(z.enum(['Cookie', 'Header'])),
    absoluteTimeout: optional(duration),
    cookie: optional(
      z.strictObject({
        name: optional(headerName),
        path: optional(sized(0, 1024)),
        lifetimeType: optional(z.enum(['Permanent', 'Session'])),
      }),
    ),
    header: optional(z.strictObject({ name: headerName })),
  }),
  {
    sessionName: 'it became cookie.name and header.name with version 1.6',
    idleTimeout: 'version 1.6 has absoluteTimeout only',
  },
);

const httpRule = z.strictObject({
  name: optional(sectionName),
  matches: optional(z.array(httpMatch).max(64)),
  filters: optional(httpFilters),
  backendRefs: optional(z.array(z.strictObject({ ...weightedBackendFields, filters: optional(httpFilters) })).max(16)),
  timeouts: optional(z.strictObject({ request: optional(duration), backendRequest: optional(duration) })),
  retry: optional(
    z.strictObject({
      codes: optional(z.array(z.int().min(400).max(599))),
      attempts: optional(z.int().min(1)),
      backoff: optional(duration),
    }),
  ),
  sessionPersistence: optional(sessionPersistence),
});

export const httpRouteSchema = z.strictObject({ ...common, hostnames, rules: optional(z.array(httpRule).min(1).max(16)) });

const grpcMatch = z.strictObject({
  method: optional(z.strictObject({ type: matchType, service: optional(sized(0, 1024)), method: optional(sized(0, 1024)) })),
  headers: optional(z.array(z.strictObject({ type: matchType, name: headerName, value: sized(1, 4096) })).max(16)),
});

const grpcRule = z.strictObject({
  name: optional(sectionName),
  matches: optional(z.array(grpcMatch).max(64)),
  filters: optional(grpcFilters),
  backendRefs: optional(z.array(z.strictObject({ ...weightedBackendFields, filters: optional(grpcFilters) })).max(16)),
  sessionPersistence: optional(sessionPersistence),
});

export const grpcRouteSchema = z.strictObject({ ...common, hostnames, rules: optional(z.array(grpcRule).max(16)) });

/** Versions before v1 allow what v1 refuses: no hostnames, and several rules. */
export const tlsRouteSchema = z.strictObject({
  ...common,
  hostnames: optional(z.array(hostname).min(1).max(1024)),
  rules: z
    .array(
      z.strictObject({
        name: optional(sectionName),
        backendRefs: z.array(z.strictObject(weightedBackendFields)).min(1).max(16),
      }),
    )
    .min(1)
    .max(16),
});

export type ParsedHttpRule = z.infer<typeof httpRule>;
export type ParsedGrpcRule = z.infer<typeof grpcRule>;
export type ParsedSessionPersistence = z.infer<typeof sessionPersistence>;
export type ParsedHttpRoute = z.infer<typeof httpRouteSchema>;
export type ParsedGrpcRoute = z.infer<typeof grpcRouteSchema>;
export type ParsedTlsRoute = z.infer<typeof tlsRouteSchema>;
