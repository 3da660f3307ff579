/**
 * (e) What policies and protocols cost: the small requests of (a) through Serin without a policy and with all of them at once, beside nginx doing only
 * the proxying; then without a policy over TLS, over HTTP/2 in plain text, and unary gRPC calls, each beside nginx doing the same.
 */
import { cpuMicrosPerRequest, measure, medianOf, ratioOf } from '../measure.ts';
import type { Contender, Measured } from '../measure.ts';
import { nginx } from '../proxies/nginx.ts';
import type { Backends } from '../proxies/proxy.ts';
import { serin } from '../proxies/serin.ts';
import { format, printTable } from '../report.ts';
import type { SectionResult } from '../report.ts';
import { requestHead } from '../request-heads.ts';
import { appService, splitRule } from '../table-yaml.ts';
import { CALL_HEAD } from '../load-http2.ts';
import { NGINX_GRPC, NGINX_HTTP2, certificateFiles, nginxTls, tlsConfiguration } from '../tls.ts';
import type { Context } from './context.ts';
import { grpcBackends, startBackends } from './head.ts';

/** None of them ever acts: what is measured is that they are there. */
const ALL_POLICIES = `    timeout: 10s
    retries: { attempts: 3, perTryTimeout: 5s, retryOn: "5xx,reset,connect-failure" }
    headers:
      request: { set: { x-team: app }, add: { x-seen-by: serin }, remove: [x-trace] }
      response: { set: { x-served-by: app }, remove: [server] }
`;

const LIMITS = `  trafficPolicy:
    outlierDetection: { consecutive5xxErrors: 5, consecutiveGatewayErrors: 5, maxEjectionPercent: 100 }
    connectionPool:
      tcp: { maxConnections: 1000 }
      http: { http1MaxPendingRequests: 1000, http2MaxRequests: 1000 }
    retryBudget: { percent: 20, minRetryConcurrency: 3 }
`;

export async function policiesSection({ directory, rounds, print }: Context): Promise<SectionResult> {
  const backends = await startBackends(directory);
  const tls = await certificateFiles(directory);
  const plan = { connections: 64, requests: [requestHead('/', 'app')] };
  const overTls = { ...plan, tlsCa: tls.ca };
  const greeters = await grpcBackends();
  const calls = { connections: 64, requests: [CALL_HEAD], isHttp2: true };
  const overHttp2 = { ...plan, isHttp2: true };
  const contenders: readonly Contender[] = [
    { kind: nginx('nginx', 'on'), backends, plan },
    { kind: serin('Serin, no policy', configuration(backends, '')), backends, plan },
    { kind: serin('Serin, all policies', configuration(backends, ALL_POLICIES, LIMITS)), backends, plan },
    { kind: nginx('nginx, TLS', 'on', nginxTls(tls)), backends, plan: overTls },
    { kind: serin('Serin, TLS', tlsConfiguration(backends, tls), 443), backends, plan: overTls },
    { kind: nginx('nginx, HTTP/2', 'on', NGINX_HTTP2), backends, plan: overHttp2 },
    { kind: serin('Serin, HTTP/2', configuration(backends, '')), backends, plan: overHttp2 },
    { kind: nginx('nginx, gRPC unary', 'on', NGINX_GRPC), backends: greeters, plan: calls },
    { kind: serin('Serin, gRPC unary', `${appService(greeters, '', 'GRPC')}---\n${splitRule('')}`), backends: greeters, plan: calls },
  ];
  const measured = await measure(
    directory,
    contenders.filter(({ kind }) => kind.missing === undefined),
    rounds,
  );
  const find = (name: string): Measured | undefined => measured.find((each) => each.name === name);
  const ratio = (one: string, other: string): number | undefined => {
    const [above, below] = [find(one), find(other)];
    return above === undefined || below === undefined ? undefined : ratioOf(above, below, cpuMicrosPerRequest);
  };
  const rows = contenders.map(({ kind: { name, missing } }) => {
    const found = find(name);
    if (found === undefined) return [name, `missing (${missing ?? ''})`];
    const rival = name.replace(/^Serin(?:, no policy|, all policies)?/, 'nginx');
    return [
      name,
      format(medianOf(found, cpuMicrosPerRequest)),
      medianOf(found, ({ load }) => load.requests / load.seconds).toFixed(0),
      format(medianOf(found, ({ load }) => load.p99Ms)),
      format(ratio(name, rival) ?? Number.NaN),
      String(found.samples.reduce((total, { load }) => total + load.failures, 0)),
    ];
  });
  printTable(print, ['', 'CPU us/request', 'requests/s', 'p99 ms', 'CPU / nginx', 'failures'], rows);
  return {
    section: 'policies',
    checks: [
      {
        what: "CPU per request with all policies, of nginx's doing only the proxying",
        asked: 'at most',
        limit: 1.5,
        unit: ' x',
        measured: ratio('Serin, all policies', 'nginx'),
      },
    ],
    details: measured,
  };
}

function configuration(backends: Backends, rule: string, rulePolicy = ''): string {
  return `${appService(backends, rulePolicy)}---\n${splitRule(rule)}`;
}
