/** What is done with a request, in terms that do not depend on the dialect it was configured in: where it goes by address, and what is changed on the way. */
import { explain } from '../../src/routing/explain.ts';
import type { RequestView } from '../../src/routing/request-view.ts';
import { Matcher } from '../../src/routing/matcher.ts';
import type { RetryPolicy, RoutingTable, RouteSource } from '../../src/routing/table.ts';

export interface Decision {
  /** Of the rule that takes the request; empty where none does. */
  readonly rule: string;
  readonly source: RouteSource | undefined;
  /** Comparable texts by what they are about. */
  readonly facets: Readonly<Record<string, string>>;
}

const MATCHERS = new WeakMap<RoutingTable, Matcher>();

function retryOf(table: RoutingTable, listener: string, request: RequestView): string {
  const matcher = MATCHERS.get(table) ?? new Matcher(table);
  MATCHERS.set(table, matcher);
  const action = matcher.listener(listener)?.match(request)?.route.action;
  return action?.kind === 'forward' && action.retry !== undefined ? retryText(action.retry) : '';
}

/** Conditions that are nothing but statuses are those. */
function retryText({ attempts, on, statusCodes, ...times }: RetryPolicy): string {
  if (attempts === 0) return '0';
  const codes = [...statusCodes, ...(on.includes('gateway-error') ? [502, 503, 504] : []), ...(on.includes('retriable-4xx') ? [409] : [])];
  const others = on.filter((condition) => condition !== 'gateway-error' && condition !== 'retriable-4xx');
  return JSON.stringify([attempts, [...others].sort(), [...new Set(codes)].sort((a, b) => a - b), times]);
}

export function decide(table: RoutingTable, listener: string, request: RequestView): Decision {
  const { outcome, answer, forward, rules, cors = '', requestHeaders, responseHeaders } = explain(table, listener, request);
  const taken = rules.find(({ verdict }) => verdict === 'taken');
  const missing = (name: string): string => {
    const cluster = table.clusters.find((each) => each.name === name);
    return cluster?.missing === undefined ? '' : `answered with ${cluster.missingStatus ?? 503}`;
  };
  const clusters = (forward?.clusters ?? []).filter(({ share }) => share > 0);
  const refusals = new Set(clusters.map(({ name }) => missing(name)));
  const [refusal = ''] = refusals;
  if (refusals.size === 1 && refusal !== '') {
    // Whoever is drawn, Serin answers by itself.
    const none = {
      location: '',
      clusters: '',
      host: '',
      path: '',
      timeout: '',
      retries: '',
      fault: '',
      mirrors: '',
      requestHeaders: '',
      responseHeaders: '',
    };
    return {
      rule: taken?.name ?? '',
      source: taken?.source,
      facets: { ...none, answer: refusal.slice(refusal.lastIndexOf(' ') + 1), cors },
    };
  }
  const facets = {
    answer: outcome === 'forward' ? '' : `${answer?.status ?? 404}`,
    location: answer?.location ?? '',
    clusters: clusters
      .map((cluster) => `${cluster.share.toFixed(6)} ${missing(cluster.name) || addresses(cluster.endpoints)}`)
      .sort()
      .join('; '),
    host: clusters
      .map((cluster) => `${addresses(cluster.endpoints)} ${cluster.authority}`)
      .sort()
      .join('; '),
    path: forward?.path ?? '',
    timeout: forward === undefined ? '' : String(forward.timeoutMs),
    retries: forward === undefined ? '' : retryOf(table, listener, request),
    fault: forward?.fault ?? '',
    mirrors: (forward?.mirrors ?? [])
      .map((mirror) => `${mirror.percent} ${addresses(mirror.endpoints)} ${mirror.authority}`)
      .sort()
      .join('; '),
    cors,
    requestHeaders: clusters
      .map((cluster) => applied([...cluster.requestHeaders, ...requestHeaders]))
      .sort()
      .join('; '),
    // Of its own errors nothing is sent on.
    responseHeaders: (answer !== undefined && answer.status >= 400 ? [] : clusters.length === 0 ? [{ responseHeaders: [] }] : clusters)
      .map((cluster) => applied([...cluster.responseHeaders, ...responseHeaders]))
      .sort()
      .join('; '),
  };
  return { rule: taken?.name ?? '', source: taken?.source, facets };
}

function addresses(endpoints: readonly { readonly address: string; readonly port: number }[]): string {
  return endpoints
    .map(({ address, port }) => `${address}:${port}`)
    .sort()
    .join(' ');
}

/** What becomes of a header that is there before: operations in words (`set x: 1`), in the order in which they are given, each level as remove, set, add. */
function applied(operations: readonly string[]): string {
  const headers = new Map<string, readonly string[]>();
  for (const operation of operations) {
    const [, verb = '', name = '', value = ''] = /^(remove|set|add) ([^:]+)(?:: (.*))?$/s.exec(operation) ?? [];
    const lower = name.toLowerCase();
    const before = headers.get(lower) ?? ['(own)'];
    if (verb === 'remove') headers.set(lower, []);
    else headers.set(lower, verb === 'set' ? [value] : [...before, value]);
  }
  return [...headers]
    .map(([name, values]) => `${name}=${values.join(',')}`)
    .sort()
    .join(' ');
}
