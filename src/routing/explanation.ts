import type { RequestView } from './request-view.ts';
import type { Cluster, RouteSource } from './table.ts';

/**
 * What would happen to one request, and why: the rule that takes it, and for every rule that does not, the condition that failed. Plain
 * data, fit for JSON; `explain` makes it, `formatExplanation` prints it.
 */
export interface Explanation {
  readonly listener: string;
  readonly request: Pick<RequestView, 'method' | 'scheme' | 'authority' | 'path' | 'query'>;
  readonly outcome: 'forward' | 'redirect' | 'directResponse' | 'noListener' | 'noVirtualHost' | 'noRoute';
  /** What Serin answers by itself; absent when the request is forwarded. */
  readonly answer?: { readonly status: number; readonly responseFlag?: 'NR'; readonly location?: string; readonly bodyBytes?: number };
  readonly virtualHost?: { readonly name: string; readonly domain: string };
  /** Every rule of the virtual host, in the order in which they are asked. */
  readonly rules: readonly RuleExplanation[];
  readonly forward?: ForwardExplanation;
  /** The policy for pages of other origins, in words. */
  readonly cors?: string;
  /** Of the route that takes the request, beside those of a chosen cluster: `set x: 1`, in the order in which they run. */
  readonly requestHeaders: readonly string[];
  readonly responseHeaders: readonly string[];
}

export interface RuleExplanation {
  readonly name: string;
  readonly source: RouteSource;
  /** `notReached`: an earlier rule took this request; `unreachable`: no request ever gets to it. */
  readonly verdict: 'taken' | 'lost' | 'notReached' | 'unreachable';
  readonly reason?: string;
  readonly matches: readonly MatchExplanation[];
}

export interface MatchExplanation {
  /** `spec.http[2].match[0]`. */
  readonly path: string;
  readonly verdict: 'holds' | 'fails' | 'never';
  readonly reason?: string;
  readonly conditions: readonly ConditionExplanation[];
}

export interface ConditionExplanation {
  readonly what: string;
  readonly expected: string;
  /** Null: the request has no such value. */
  readonly found: string | null;
  readonly holds: boolean;
}

export interface ForwardExplanation {
  readonly clusters: readonly ClusterExplanation[];
  /** Where users keep their side; absent: every request is an independent draw. */
  readonly assignment?: AssignmentExplanation;
  /** Path and query as sent upstream. */
  readonly path: string;
  /** 0: none. */
  readonly timeoutMs: number;
  readonly isUnlimited?: true;
  /** What is tried again, in words. */
  readonly retries: string;
  /** How clients are kept on their endpoint, in words; absent where they are not. */
  readonly session?: string;
  /** Failures made on purpose, in words; absent where there are none. */
  readonly fault?: string;
  /** Absent where nothing is mirrored. */
  readonly mirrors?: readonly MirrorExplanation[];
}

export interface AssignmentExplanation {
  /** What users are known by, in the order in which it is looked for: `header end-user`. */
  readonly by: readonly string[];
  /** What the request has of that; null: it names nobody. */
  readonly user: { readonly by: string; readonly value: string } | null;
  /** 0..9999, the same for this user in every request of the release; null without a user. */
  readonly bucket: number | null;
  /** Name of the cluster the bucket belongs to; null without a user. */
  readonly cluster: string | null;
}

export interface MirrorExplanation extends Pick<Cluster, 'name' | 'endpoints'> {
  /** 0..100, of the requests that take this route. */
  readonly percent: number;
  readonly missing?: string;
  /** Host as sent with the copies; for several clusters, as sent for the first. */
  readonly authority: string;
}

export interface ClusterExplanation extends Pick<
  Cluster,
  'name' | 'host' | 'subset' | 'port' | 'discovery' | 'loadBalancer' | 'endpoints' | 'http2' | 'missing' | 'missingStatus'
> {
  /** 0..1 of the requests that take this route. */
  readonly share: number;
  /** In words: outlier detection, limits, hashing, warm-up, TLS. */
  readonly policies: readonly string[];
  /** Host as sent upstream. */
  readonly authority: string;
  /** Path and query as sent upstream, where this destination has a rewrite of its own. */
  readonly path?: string;
  /** `Location` of the answer that requests for this destination get instead of being sent there. */
  readonly location?: string;
  /** Copies beside those of the route. */
  readonly mirrors?: readonly MirrorExplanation[];
  /** Where idempotent requests that fail here go; absent: they do not. */
  readonly fallback?: { readonly to: string; readonly statusCodes: readonly number[] };
  readonly requestHeaders: readonly string[];
  readonly responseHeaders: readonly string[];
}
