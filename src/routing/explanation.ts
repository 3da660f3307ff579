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
  /** Path and query as sent upstream. */
  readonly path: string;
  /** 0: none. */
  readonly timeoutMs: number;
}

export interface ClusterExplanation extends Pick<
  Cluster,
  'name' | 'host' | 'subset' | 'port' | 'discovery' | 'loadBalancer' | 'endpoints'
> {
  /** 0..1 of the requests that take this route. */
  readonly share: number;
  readonly missing?: string;
  /** Host as sent upstream. */
  readonly authority: string;
  readonly requestHeaders: readonly string[];
  readonly responseHeaders: readonly string[];
}
