/** (a) Small requests: 560-byte heads, answers of three bytes, 64 keep-alive connections, 90 % to one backend and 10 % to the other. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from '../child.ts';
import { LOAD_CORE } from '../machine.ts';
import { cpuMicrosPerRequest, measure, medianOf, ratioOf } from '../measure.ts';
import type { Measured, Sample } from '../measure.ts';
import { haproxy } from '../proxies/haproxy.ts';
import { httpProxy3 } from '../proxies/http-proxy-3.ts';
import { nginx, nginxBackends } from '../proxies/nginx.ts';
import type { Backends, ProxyKind } from '../proxies/proxy.ts';
import { serinBare } from '../proxies/serin-bare.ts';
import { serin } from '../proxies/serin.ts';
import { format, printTable } from '../report.ts';
import type { SectionResult } from '../report.ts';
import { requestHead } from '../request-heads.ts';
import type { Context } from './context.ts';

export async function headSection({ directory, rounds, print, isSmoke }: Context): Promise<SectionResult> {
  const all: readonly ProxyKind[] = isSmoke
    ? [nginx('nginx', 'on'), serin(), httpProxy3()]
    : [nginx('nginx', 'on'), haproxy(), serin(), serinBare(), httpProxy3()];
  const backends = await startBackends(directory);
  const plan = { connections: 64, requests: [requestHead('/', 'app')] };
  const contenders = all.filter(({ missing }) => missing === undefined).map((kind) => ({ kind, backends, plan }));
  const measured = await measure(directory, contenders, rounds);

  const find = (name: string): Measured | undefined => measured.find((each) => each.name === name);
  const ratio = (one: Measured | undefined, other: Measured | undefined): number | undefined =>
    one === undefined || other === undefined ? undefined : ratioOf(one, other, cpuMicrosPerRequest);
  const rows = all.map((kind) => {
    const found = find(kind.name);
    if (found === undefined) return [kind.name, `missing (${kind.missing ?? ''})`];
    const failures = found.samples.reduce((total, { load }) => total + load.failures, 0);
    return [
      kind.name,
      format(medianOf(found, cpuMicrosPerRequest)),
      medianOf(found, requestsPerSecond).toFixed(0),
      format(medianOf(found, ({ load }) => load.p50Ms)),
      format(medianOf(found, ({ load }) => load.p99Ms)),
      format(ratio(found, find('nginx')) ?? Number.NaN),
      format(ratio(found, find('http-proxy-3')) ?? Number.NaN),
      `${(found.secondShare * 100).toFixed(1)} %`,
      String(failures),
    ];
  });
  printTable(
    print,
    ['', 'CPU us/request', 'requests/s', 'p50 ms', 'p99 ms', 'CPU / nginx', 'CPU / http-proxy-3', 'to v2', 'failures'],
    rows,
  );
  const own = find('Serin');
  if (own !== undefined) printThreads(print, own);

  const inverse = ratio(find('http-proxy-3'), own);
  return {
    section: 'head',
    checks: [
      { what: "CPU per request, of nginx's", asked: 'at most', limit: 1.5, unit: ' x', measured: ratio(own, find('nginx')) },
      { what: "http-proxy-3's CPU per request, of Serin's", asked: 'at least', limit: 5, unit: ' x', measured: inverse },
    ],
    details: measured,
  };
}

/** nginx where there is one, because it leaves more of the core to the load; else Node. */
export async function startBackends(directory: string): Promise<Backends> {
  const own = join(directory, 'backends');
  mkdirSync(own);
  return (await nginxBackends(own))?.backends ?? (await nodeBackends());
}

export function nodeBackends(): Promise<Backends> {
  return startProgram('backend.ts');
}

export function grpcBackends(): Promise<Backends> {
  return startProgram('grpc-backend.ts');
}

async function startProgram(file: string): Promise<Backends> {
  const program = fileURLToPath(new URL(`../${file}`, import.meta.url));
  const child = new Child('backends', LOAD_CORE, [process.execPath, program]);
  const [, v1, v2] = await child.waitFor(/^ports (\d+) (\d+)$/m);
  return { v1: Number(v1), v2: Number(v2) };
}

function requestsPerSecond({ load }: Sample): number {
  return load.requests / load.seconds;
}

function printThreads(print: Context['print'], measured: Measured): void {
  const names = [...new Set(measured.samples.flatMap(({ cpuMicrosByThread }) => Object.keys(cpuMicrosByThread)))];
  const parts = names
    .map((name) => ({ name, micros: medianOf(measured, ({ cpuMicrosByThread, load }) => (cpuMicrosByThread[name] ?? 0) / load.requests) }))
    .filter(({ micros }) => micros >= 0.05)
    .map(({ name, micros }) => `${name} ${format(micros)}`);
  print(`  Serin by thread, us/request: ${parts.join(', ')}`);
}
