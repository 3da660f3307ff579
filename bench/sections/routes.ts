/**
 * (c) Big tables: 10,000 rules for a path each in one VirtualService, 10,000 VirtualServices for a host each, and the same as HTTPRoutes. How long such a file
 * takes to load, what a request costs compared with a table of one route, and what requests notice of reloads. Requests go to 1,000 different routes, spread
 * over the table.
 *
 * Loading is measured in fresh processes, on both cores as in life, and the least disturbed one counts: whatever else runs can only add to it.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from '../child.ts';
import type { LoadTimes } from '../load-table.ts';
import { cpuMicrosPerRequest, measure, median, medianOf, ratioOf } from '../measure.ts';
import type { Backends } from '../proxies/proxy.ts';
import { serin } from '../proxies/serin.ts';
import { format, printTable } from '../report.ts';
import type { Check, SectionResult } from '../report.ts';
import { requestHead } from '../request-heads.ts';
import { reloadTimes } from '../reload.ts';
import {
  appService,
  GATEWAY_PORT,
  gatewayApiService,
  manyHosts,
  manyHttpRoutes,
  manyPathRoutes,
  manyRules,
  numbered,
} from '../table-yaml.ts';
import type { Context } from './context.ts';
import { nodeBackends } from './head.ts';

const ROUTES = 10_000;
const TARGETS = 1000;
const LOADS = 5;

interface Shape {
  readonly name: string;
  readonly service: (backends: Backends) => string;
  readonly yaml: (count: number) => string;
  /** Of the Gateway that is asked instead of the mesh. */
  readonly gatewayPort?: number;
  readonly request: (route: number) => string;
}

const SHAPES: readonly Shape[] = [
  { name: 'rules', service: appService, yaml: manyRules, request: (route) => requestHead(`/${numbered('r', route)}/item`, 'app') },
  {
    name: 'hosts',
    service: appService,
    yaml: manyHosts,
    request: (route) => requestHead('/item', `${numbered('h', route)}.example.com`),
  },
  {
    name: 'HTTPRoutes',
    service: gatewayApiService,
    yaml: manyHttpRoutes,
    gatewayPort: GATEWAY_PORT,
    request: (route) => requestHead('/item', `${numbered('h', route)}.example.com`),
  },
  {
    name: 'HTTPRoutes of one host',
    service: gatewayApiService,
    yaml: manyPathRoutes,
    gatewayPort: GATEWAY_PORT,
    request: (route) => requestHead(`/${numbered('r', route)}/item`, 'app'),
  },
];

export async function routesSection({ directory, rounds, print }: Context): Promise<SectionResult> {
  const backends = await nodeBackends();
  const checks: Check[] = [];
  const details: Record<string, unknown> = {};
  for (const shape of SHAPES) {
    const own = join(directory, shape.name.replaceAll(' ', '-'));
    mkdirSync(own);
    const times = await loadTimes(own, shape, backends);
    const best = times.toSorted((a, b) => a.totalMs - b.totalMs)[0];
    const one = `1 of ${shape.name}`;
    const many = `${ROUTES} ${shape.name}`;
    const targets = Array.from({ length: TARGETS }, (_, index) => shape.request(index * (ROUTES / TARGETS)));
    const contenders = [
      {
        kind: serin(one, configuration(shape, 1, backends), shape.gatewayPort),
        backends,
        plan: { connections: 64, requests: [shape.request(0)] },
      },
      {
        kind: serin(many, configuration(shape, ROUTES, backends), shape.gatewayPort),
        backends,
        plan: { connections: 64, requests: targets },
      },
    ];
    const measured = await measure(own, contenders, rounds);
    const reloads = await reloadTimes(own, configuration(shape, ROUTES, backends), shape);
    details[shape.name] = { times, measured, reloads };
    if (best !== undefined) {
      const { totalMs, parseMs, compileMs, prepareMs, cpuMs } = best;
      const parts = `${format(parseMs)} parse and validate, ${format(compileMs)} compile, ${format(prepareMs)} index`;
      print(`  ${many} load in ${format(totalMs)} ms: ${parts} (${format(cpuMs)} ms of processor time)`);
    }
    const { reloadMs, pausesMs, quietMs } = reloads;
    const longest = pausesMs.map(format).join(', ');
    print(
      `  a reload takes ${format(Math.min(...reloadMs))} ms; the longest request during each took ${longest} ms, without ${format(quietMs)} ms`,
    );
    const rows = measured.map((each) => [
      each.name,
      format(medianOf(each, cpuMicrosPerRequest)),
      medianOf(each, ({ load }) => load.requests / load.seconds).toFixed(0),
      String(each.samples.reduce((total, { load }) => total + load.failures, 0)),
    ]);
    printTable(print, ['', 'CPU us/request', 'requests/s', 'failures'], rows);
    const [base, big] = measured;
    checks.push(
      { what: `loading ${many}`, asked: 'at most', limit: 1000, unit: ' ms', measured: best?.totalMs },
      {
        what: `CPU per request with ${many}, of that with one`,
        asked: 'at most',
        limit: 1.2,
        unit: ' x',
        measured: base === undefined || big === undefined ? undefined : ratioOf(big, base, cpuMicrosPerRequest),
      },
      { what: `reloading ${many}`, asked: 'at most', limit: 1000, unit: ' ms', measured: Math.min(...reloadMs) },
      {
        what: `longest a request waits while ${many} are reloaded`,
        asked: 'at most',
        limit: 50,
        unit: ' ms',
        measured: median(pausesMs),
      },
    );
  }
  return { section: 'routes', checks, details };
}

function configuration(shape: Shape, count: number, backends: Backends): string {
  return `${shape.service(backends)}---\n${shape.yaml(count)}`;
}

/** In fresh processes, one after the other. */
async function loadTimes(directory: string, shape: Shape, backends: Backends): Promise<LoadTimes[]> {
  const file = join(directory, 'table.yaml');
  writeFileSync(file, configuration(shape, ROUTES, backends));
  const program = fileURLToPath(new URL('../load-table.ts', import.meta.url));
  const times: LoadTimes[] = [];
  for (let run = 0; run < LOADS; run++)
    times.push(JSON.parse(await new Child('load-table', 'any', [process.execPath, program, file]).result()));
  return times;
}
