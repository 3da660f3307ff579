import type { HttpBackendRef } from '../../config/gateway-api/types.ts';
import { NO_HEADER_OPS } from '../table.ts';
import type { WeightedCluster } from '../table.ts';
import { compileFilters, type Filters } from './filters.ts';
import { shareNames, thenOps } from './header-filter.ts';
import { backendCluster, refusedCluster, type RouteContext } from './route-context.ts';
import { unsupportedFilter } from './rules.ts';

export interface Backends {
  /** In the order in which they are written, without those of weight 0; empty where nobody may get a request. */
  readonly clusters: readonly WeightedCluster[];
  /** Those of weight 0 included; the others are the same objects. */
  readonly all: readonly WeightedCluster[];
  /** The rule's filters, with what its only backend adds. */
  readonly filters: Filters;
}

/**
 * Weights are relative and 1 where none is stated (vector A10).
 *
 * A rule's filters run before those of the backend that was chosen, so the backend's win. The table runs header operations the other way round;
 * where both touch a header, the backend gets both in one.
 */
export function compileBackends(context: RouteContext, references: readonly HttpBackendRef[], rule: Filters): Backends {
  const isLone = references.length === 1;
  const own = references.map(({ filters }) => compileFilters(context, filters));
  const isLayered = own.some(({ requestHeaders }) => shareNames(rule.requestHeaders, requestHeaders));
  const all = references.map((reference, index): WeightedCluster => {
    const filters = own[index] ?? rule;
    const { weight = 1 } = reference;
    const refused = unsupportedFilter(reference)?.message ?? (isLone || filters.cors === undefined ? undefined : CORS_OF_ONE);
    return {
      cluster:
        refused === undefined ? backendCluster(context, reference) : refusedCluster(context.compilation, context.route, reference, refused),
      weight: isLone && weight > 0 ? 1 : weight,
      requestHeaders: isLayered ? thenOps(rule.requestHeaders, filters.requestHeaders) : filters.requestHeaders,
      responseHeaders: filters.responseHeaders,
      ...(isLone ? {} : ownBehaviour(filters)),
    };
  });
  const [only] = own;
  const lifted = isLone && only !== undefined ? withLone(rule, only) : rule;
  return {
    clusters: all.filter(({ weight }) => weight > 0),
    all,
    filters: isLayered ? { ...lifted, requestHeaders: NO_HEADER_OPS } : lifted,
  };
}

/** Preflights ask before a backend is chosen. */
const CORS_OF_ONE = 'filter CORS is not supported on one of several backends';

function ownBehaviour({ host, path, redirect, mirrors }: Filters): Partial<WeightedCluster> {
  return {
    ...(host === undefined ? {} : { hostRewrite: host }),
    ...(path === undefined ? {} : { pathRewrite: path }),
    ...(redirect === undefined ? {} : { redirect }),
    ...(mirrors.length === 0 ? {} : { mirrors }),
  };
}

/** What the only backend does is what the rule does. */
function withLone(rule: Filters, { host, path, redirect, mirrors, cors }: Filters): Filters {
  return {
    ...rule,
    host: host ?? rule.host,
    path: path ?? rule.path,
    redirect: redirect ?? rule.redirect,
    mirrors: [...rule.mirrors, ...mirrors],
    cors: cors ?? rule.cors,
  };
}
