import { parseDuration } from '../base/duration.ts';
import type { CorsPolicy as WrittenPolicy } from '../config/resources.ts';
import { valueMatch } from './compile-match.ts';
import type { CorsPolicy, ValueMatch } from './table.ts';

/** Lists as they are sent (Istio route.go, TranslateCORSPolicy). The deprecated `allowOrigin` counts where there are no `allowOrigins`. */
export function compileCors(policy: WrittenPolicy | undefined): CorsPolicy | undefined {
  if (policy === undefined) return undefined;
  const { allowOrigins = [], allowOrigin = [], allowMethods = [], allowHeaders = [], exposeHeaders = [], maxAge } = policy;
  const maxAgeMs = maxAge === undefined ? undefined : parseDuration(maxAge);
  const matched = allowOrigins.map(valueMatch).filter((match) => match !== undefined);
  return {
    origins: matched.length > 0 ? matched : allowOrigin.map((value): ValueMatch => ({ kind: 'exact', value })),
    allowMethods: allowMethods.join(','),
    allowHeaders: allowHeaders.join(','),
    exposeHeaders: exposeHeaders.join(','),
    ...(maxAgeMs === undefined ? {} : { maxAgeSeconds: Math.trunc(maxAgeMs / 1000) }),
    allowsCredentials: policy.allowCredentials ?? false,
    forwardsUnmatched: policy.unmatchedPreflights !== 'IGNORE',
  };
}
