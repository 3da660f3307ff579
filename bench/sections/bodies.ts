/**
 * (b) Large bodies: 1 MiB answers, then 1 MiB requests, on 16 connections.
 *
 * nginx is measured as it comes (it takes bodies in before it passes them on) and with its buffering off (it passes pieces on, as Serin does);
 * Serin is held against whichever of the two costs less.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { LoadPlan } from '../load.ts';
import { cpuMicrosPerRequest, measure, medianOf, ratioOf } from '../measure.ts';
import type { Measured } from '../measure.ts';
import { haproxy } from '../proxies/haproxy.ts';
import { httpProxy3 } from '../proxies/http-proxy-3.ts';
import { nginx } from '../proxies/nginx.ts';
import { serin } from '../proxies/serin.ts';
import { format, printTable } from '../report.ts';
import type { Check, SectionResult } from '../report.ts';
import { LARGE_BYTES, requestHead } from '../request-heads.ts';
import type { Context } from './context.ts';
import { nodeBackends } from './head.ts';

const CONNECTIONS = 16;

export async function bodiesSection({ directory, rounds, print }: Context): Promise<SectionResult> {
  const directions: readonly { readonly name: string; readonly plan: Omit<LoadPlan, 'port' | 'seconds'> }[] = [
    { name: 'responses', plan: { connections: CONNECTIONS, requests: [requestHead('/large', 'app')] } },
    { name: 'requests', plan: { connections: CONNECTIONS, requests: [requestHead('/', 'app', LARGE_BYTES)], bodyBytes: LARGE_BYTES } },
  ];
  const all = [nginx('nginx', 'on'), nginx('nginx, buffering off', 'off'), haproxy(), serin(), httpProxy3()];
  const backends = await nodeBackends();
  const checks: Check[] = [];
  const details: Record<string, readonly Measured[]> = {};
  for (const { name, plan } of directions) {
    const own = join(directory, name);
    mkdirSync(own);
    const contenders = all.filter(({ missing }) => missing === undefined).map((kind) => ({ kind, backends, plan }));
    const measured = await measure(own, contenders, rounds);
    details[name] = measured;
    const servers = measured.filter((each) => each.name.startsWith('nginx'));
    const cheapest = servers.toSorted((a, b) => medianOf(a, cpuMicrosPerRequest) - medianOf(b, cpuMicrosPerRequest))[0];

    print(`  1 MiB ${name}`);
    const rows = all.map((kind) => {
      const found = measured.find((each) => each.name === kind.name);
      if (found === undefined) return [kind.name, `missing (${kind.missing ?? ''})`];
      return [
        kind.name,
        format(medianOf(found, cpuMicrosPerRequest)),
        medianOf(found, ({ load }) => load.requests / load.seconds).toFixed(0),
        format(medianOf(found, ({ load }) => load.p99Ms)),
        format(cheapest === undefined ? Number.NaN : ratioOf(found, cheapest, cpuMicrosPerRequest)),
        String(found.samples.reduce((total, { load }) => total + load.failures, 0)),
      ];
    });
    printTable(print, ['', 'CPU us/MiB', 'MiB/s', 'p99 ms', 'CPU / cheaper nginx', 'failures'], rows);
    const serinMeasured = measured.find((each) => each.name === 'Serin');
    checks.push({
      what: `CPU per byte of 1 MiB ${name}, of the cheaper nginx's`,
      asked: 'at most',
      limit: 1.5,
      unit: ' x',
      measured: serinMeasured === undefined || cheapest === undefined ? undefined : ratioOf(serinMeasured, cheapest, cpuMicrosPerRequest),
    });
  }
  return { section: 'bodies', checks, details };
}
