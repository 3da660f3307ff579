/** (d) Idle connections: how much memory 10,000 keep-alive connections take that made one request each and wait; then over TLS, and sessions of HTTP/2. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Child } from '../child.ts';
import type { LoadPlan } from '../load.ts';
import { LOAD_CORE, openFilesLimit, residentBytes } from '../machine.ts';
import { load } from '../measure.ts';
import { haproxy } from '../proxies/haproxy.ts';
import { httpProxy3 } from '../proxies/http-proxy-3.ts';
import { nginx } from '../proxies/nginx.ts';
import type { Backends, ProxyKind } from '../proxies/proxy.ts';
import { serin } from '../proxies/serin.ts';
import { format, printTable } from '../report.ts';
import type { SectionResult } from '../report.ts';
import { requestHead } from '../request-heads.ts';
import { NGINX_HTTP2, certificateFiles, nginxTls, tlsConfiguration } from '../tls.ts';
import type { Context } from './context.ts';
import { nodeBackends } from './head.ts';

const CONNECTIONS = 10_000;
/** Time for buffers to be given back before memory is read. */
const SETTLE_MS = 3000;
/** Ten thousand TLS handshakes on one core take their time. */
const HOLDING_TIMEOUT_MS = 120_000;

interface Idle {
  readonly name: string;
  readonly beforeMb: number;
  readonly growthMb: number;
}

interface Case {
  readonly kind: ProxyKind;
  /** As idle-connections.ts takes it; empty for HTTP/1.1 in plain text. */
  readonly protocol: readonly string[];
  readonly load: Pick<LoadPlan, 'tlsCa' | 'isHttp2'>;
  /** What is asked of it: MB for 10,000. */
  readonly limitMb?: number;
}

export async function idleSection({ directory, print }: Context): Promise<SectionResult> {
  const backends = await nodeBackends();
  const tls = await certificateFiles(directory);
  const overTls = { protocol: ['tls', tls.caFile], load: { tlsCa: tls.ca } };
  const overHttp2 = { protocol: ['http2'], load: { isHttp2: true } };
  const plain = { protocol: [], load: {} };
  const cases: readonly Case[] = [
    { kind: nginx('nginx', 'on'), ...plain },
    { kind: haproxy(), ...plain },
    { kind: serin(), ...plain, limitMb: 150 },
    { kind: httpProxy3(), ...plain },
    { kind: nginx('nginx, TLS', 'on', nginxTls(tls)), ...overTls },
    { kind: serin('Serin, TLS', tlsConfiguration(backends, tls), 443), ...overTls, limitMb: 450 },
    { kind: nginx('nginx, HTTP/2', 'on', NGINX_HTTP2), ...overHttp2 },
    { kind: serin('Serin, HTTP/2'), ...overHttp2, limitMb: 300 },
  ];
  // A file a connection on both sides, and some to live on.
  const connections = Math.min(CONNECTIONS, openFilesLimit() - 1000);
  if (connections < CONNECTIONS) print(`  only ${connections} connections: raise the limit of open files (ulimit -n) for ${CONNECTIONS}`);
  const found: Idle[] = [];
  const rows: string[][] = [];
  for (const [index, each] of cases.entries()) {
    const { kind } = each;
    const own = join(directory, String(index));
    mkdirSync(own);
    const result = kind.missing === undefined ? await holdConnections(own, each, backends, connections) : `missing (${kind.missing})`;
    if (typeof result === 'string') rows.push([kind.name, result]);
    else {
      found.push(result);
      rows.push([kind.name, format(result.beforeMb), format(result.growthMb), format((result.growthMb * 1000) / connections)]);
    }
  }
  printTable(print, ['', 'before MB', 'growth MB', 'KB/connection'], rows);
  return {
    section: 'idle',
    checks: cases.flatMap(({ kind: { name }, limitMb }) =>
      limitMb === undefined
        ? []
        : [
            {
              what: `memory of ${connections} idle connections: ${name}`,
              asked: 'at most' as const,
              limit: (limitMb * connections) / CONNECTIONS,
              unit: ' MB',
              measured: found.find((idle) => idle.name === name)?.growthMb,
            },
          ],
    ),
    details: found,
  };
}

/** What it found, or why it could not. */
async function holdConnections(
  directory: string,
  { kind, protocol, load: how }: Case,
  backends: Backends,
  connections: number,
): Promise<Idle | string> {
  const proxy = await kind.start({ directory, backends });
  // A proxy that has worked before has taken the memory it works with.
  await load(directory, { port: proxy.port, connections: 64, requests: [requestHead('/', 'app')], seconds: 2, ...how });
  await sleep(SETTLE_MS);
  const before = residentBytes(proxy.child.pid);
  const program = fileURLToPath(new URL('../idle-connections.ts', import.meta.url));
  const holder = new Child('idle connections', LOAD_CORE, [
    process.execPath,
    program,
    String(proxy.port),
    String(connections),
    ...protocol,
  ]);
  try {
    await holder.waitFor(/^holding/m, HOLDING_TIMEOUT_MS);
    await sleep(SETTLE_MS);
    return { name: kind.name, beforeMb: before / 1e6, growthMb: (residentBytes(proxy.child.pid) - before) / 1e6 };
  } catch {
    return `does not take ${connections} connections with ${openFilesLimit()} open files`;
  } finally {
    await holder.stop();
    await proxy.child.stop();
  }
}
