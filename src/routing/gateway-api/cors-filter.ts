import type { HttpCorsFilter } from '../../config/gateway-api/types.ts';
import type { CorsPolicy, ValueMatch } from '../table.ts';

/** Seconds, where nothing is stated (httproute_types.go, HTTPCORSFilter.maxAge). */
const DEFAULT_MAX_AGE = 5;

export function compileCorsFilter(filter: HttpCorsFilter): CorsPolicy {
  const { allowOrigins = [], allowCredentials = false, allowMethods = [], allowHeaders = [], exposeHeaders = [] } = filter;
  const { maxAge = DEFAULT_MAX_AGE } = filter;
  return {
    origins: allowOrigins.map(originMatch),
    allowMethods: allowMethods.join(','),
    allowHeaders: allowHeaders.join(','),
    exposeHeaders: exposeHeaders.join(','),
    maxAgeSeconds: maxAge,
    allowsCredentials: allowCredentials,
    forwardsUnmatched: false,
    echoesRequested: true,
  };
}

/** The `*` of a host stands for one label or more on its left; `*` alone is every origin. */
function originMatch(origin: string): ValueMatch {
  const value = origin.toLowerCase();
  if (value === '*' || !value.includes('*')) return { kind: 'exact', value };
  return { kind: 'regex', value: value.split('*').map(quoteRegex).join('[^/:]+') };
}

/** Literal text as RE2 (RE2::QuoteMeta, of what is ASCII). */
export function quoteRegex(text: string): string {
  return text.replaceAll(/[\\^$.|?*+()[\]{}]/g, String.raw`\$&`);
}
