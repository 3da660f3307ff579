/**
 * (f) What policies cost the requests they are not for: small requests through a table with nothing but their route, and through one in which another host has
 * every policy there is. Asked: at most 2 % of CPU per request.
 *
 * 2 % is less than two processes of the same program differ by (code is compiled and memory laid out as it happens) and less than one minute differs from the
 * next on a shared machine. So pairs are started again and again, each pair is measured in turn in many short rounds whose order is drawn, and what counts is the
 * logarithm of the ratio within a round: its median over the rounds of a start, and the mean of those over the starts, because only starts are independent of each
 * other. The interval is Student's. A third process, with the first table again, goes through the same: its ratio is 1, so how far its interval reaches says what
 * this run could tell apart; where that is more than what is asked, nothing is claimed.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { seededRandom } from '../../src/base/random.ts';
import type { LoadPlan } from '../load.ts';
import { cpuNanos } from '../machine.ts';
import { load, median } from '../measure.ts';
import type { Backends, RunningProxy } from '../proxies/proxy.ts';
import { serin } from '../proxies/serin.ts';
import { format, printTable } from '../report.ts';
import type { SectionResult } from '../report.ts';
import { requestHead } from '../request-heads.ts';
import { appService, splitRule } from '../table-yaml.ts';
import type { Context } from './context.ts';
import { startBackends } from './head.ts';

const LIMIT = 1.02;
/** Of each of the three. */
const STARTS = 8;
const ROUNDS = 12;
const SECONDS = 0.5;
const WARM_UP_SECONDS = 3;
/** Of Student's distribution with `STARTS - 1` degrees of freedom, two-sided 95 %. */
const STUDENT_T = 2.365;

const OTHERS_ROUTE = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: other }
spec:
  hosts: [other]
  http:
  - match: [{ uri: { prefix: /a }, headers: { x-a: { regex: 'a.*' } }, queryParams: { b: { exact: c } } }]
    redirect: { uri: /b }
  - route:
    - { destination: { host: other, subset: v1 }, weight: 90, headers: { request: { set: { x-version: v1 } } } }
    - { destination: { host: other, subset: v2 }, weight: 10 }
    timeout: 10s
    retries: { attempts: 3, perTryTimeout: 5s, retryOn: '5xx,reset,connect-failure' }
    fault: { delay: { percentage: { value: 1 }, fixedDelay: 1s }, abort: { percentage: { value: 1 }, httpStatus: 503 } }
    mirrors: [{ destination: { host: other, subset: v2 }, percentage: { value: 50 } }]
    rewrite: { uri: /c }
    corsPolicy: { allowOrigins: [{ exact: https://example.com }], allowMethods: [GET], maxAge: 1h }
    headers:
      request: { set: { x-team: app }, add: { x-seen-by: serin }, remove: [x-trace] }
      response: { set: { x-served-by: app }, remove: [server] }
`;

const OTHERS_POLICY = `  trafficPolicy:
    loadBalancer: { consistentHash: { httpCookie: { name: user, ttl: 1h } } }
    outlierDetection: { consecutive5xxErrors: 5, consecutiveGatewayErrors: 5, interval: 1s, maxEjectionPercent: 100 }
    connectionPool:
      tcp: { maxConnections: 1000, connectTimeout: 1s, idleTimeout: 30s }
      http: { http1MaxPendingRequests: 1000, http2MaxRequests: 1000, maxRequestsPerConnection: 1000 }
    retryBudget: { percent: 20, minRetryConcurrency: 3 }
`;

const TABLES = ['no policy', 'policies of another host', 'no policy, again'] as const;

interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

export async function offSection({ directory, print }: Context): Promise<SectionResult> {
  const backends = await startBackends(directory);
  const plan = { connections: 64, requests: [requestHead('/', 'app')] };
  const random = seededRandom(1);
  /** A start a row, a table a column: the logarithm of the ratio to the first, its median over the rounds. */
  const starts: number[][] = [];
  const micros: number[][] = TABLES.map(() => []);
  for (let start = 0; start < STARTS; start++) {
    const proxies: RunningProxy[] = [];
    for (const [table, name] of TABLES.entries()) {
      const own = join(directory, `${start}-${table}`);
      mkdirSync(own);
      const proxy = await serin(`Serin, ${name}`, configuration(backends, table === 1)).start({ directory: own, backends });
      await load(directory, { ...plan, port: proxy.port, seconds: WARM_UP_SECONDS });
      proxies.push(proxy);
    }
    const logs: number[][] = TABLES.map(() => []);
    for (let round = 0; round < ROUNDS; round++) {
      const order = TABLES.map((_, table) => ({ table, at: random() })).toSorted((one, other) => one.at - other.at);
      const costs: number[] = [];
      for (const { table } of order) {
        const proxy = proxies[table];
        if (proxy !== undefined) costs[table] = await microsPerRequest(directory, proxy, plan);
      }
      for (const [table, cost] of costs.entries()) {
        micros[table]?.push(cost);
        logs[table]?.push(Math.log(cost / (costs[0] ?? Number.NaN)));
      }
    }
    starts.push(logs.map(median));
    await Promise.all(proxies.map(({ child }) => child.stop()));
  }

  const intervals = TABLES.map((_, table) => intervalOf(starts.map((logs) => logs[table] ?? Number.NaN)));
  const rows = TABLES.map((name, table) => {
    const { mean, low, high } = intervals[table] ?? intervalOf([]);
    const interval = table === 0 ? '' : `${low.toFixed(4)} to ${high.toFixed(4)}`;
    const costs = micros[table] ?? [];
    return [name, format(median(costs)), mean.toFixed(4), interval];
  });
  printTable(print, ['', 'CPU us/request', 'of the first', '95 % interval'], rows);
  const [, off, again] = intervals;
  const isResolved = again !== undefined && again.low > 1 / LIMIT && again.high < LIMIT;
  if (!isResolved)
    print('  The same table differs from itself by more than that: this run cannot tell. It takes a machine that does nothing else.');
  return {
    section: 'off',
    checks: [
      {
        what: 'CPU per request with policies that are off, upper end of its interval',
        asked: 'at most',
        limit: LIMIT,
        unit: ' x',
        measured: isResolved ? off?.high : undefined,
      },
    ],
    details: { starts, micros },
  };
}

async function microsPerRequest(
  directory: string,
  { child, port }: RunningProxy,
  plan: Omit<LoadPlan, 'port' | 'seconds'>,
): Promise<number> {
  const before = cpuNanos(child.pid);
  const { requests } = await load(directory, { ...plan, port, seconds: SECONDS });
  return (cpuNanos(child.pid) - before) / 1000 / requests;
}

function intervalOf(logs: readonly number[]): Interval {
  const mean = logs.reduce((total, each) => total + each, 0) / logs.length;
  const variance = logs.reduce((total, each) => total + (each - mean) ** 2, 0) / (logs.length - 1);
  const reach = STUDENT_T * Math.sqrt(variance / logs.length);
  return { mean: Math.exp(mean), low: Math.exp(mean - reach), high: Math.exp(mean + reach) };
}

function configuration(backends: Backends, hasPolicies: boolean): string {
  const own = `${appService(backends)}---\n${splitRule('')}`;
  return hasPolicies ? `${own}---\n${appService(backends, OTHERS_POLICY, 'HTTP', 'other')}---\n${OTHERS_ROUTE}` : own;
}
