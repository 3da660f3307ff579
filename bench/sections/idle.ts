/** (d) Idle connections: how much memory 10,000 keep-alive connections take that made one request each and wait. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Child } from '../child.ts';
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
import type { Context } from './context.ts';
import { nodeBackends } from './head.ts';

const CONNECTIONS = 10_000;
const LIMIT_MB = 150;
/** Time for buffers to be given back before memory is read. */
const SETTLE_MS = 3000;

interface Idle {
  readonly name: string;
  readonly beforeMb: number;
  readonly growthMb: number;
}

export async function idleSection({ directory, print }: Context): Promise<SectionResult> {
  const backends = await nodeBackends();
  // A file a connection on both sides, and some to live on.
  const connections = Math.min(CONNECTIONS, openFilesLimit() - 1000);
  if (connections < CONNECTIONS) print(`  only ${connections} connections: raise the limit of open files (ulimit -n) for ${CONNECTIONS}`);
  const found: Idle[] = [];
  const rows: string[][] = [];
  for (const [index, kind] of [nginx('nginx', 'on'), haproxy(), serin(), httpProxy3()].entries()) {
    const own = join(directory, String(index));
    mkdirSync(own);
    const result = kind.missing === undefined ? await holdConnections(own, kind, backends, connections) : `missing (${kind.missing})`;
    if (typeof result === 'string') rows.push([kind.name, result]);
    else {
      found.push(result);
      rows.push([kind.name, format(result.beforeMb), format(result.growthMb), format((result.growthMb * 1000) / connections)]);
    }
  }
  printTable(print, ['', 'before MB', 'growth MB', 'KB/connection'], rows);
  const own = found.find(({ name }) => name === 'Serin');
  return {
    section: 'idle',
    checks: [
      {
        what: `memory of ${connections} idle connections`,
        asked: 'at most',
        limit: (LIMIT_MB * connections) / CONNECTIONS,
        unit: ' MB',
        measured: own?.growthMb,
      },
    ],
    details: found,
  };
}

/** What it found, or why it could not. */
async function holdConnections(directory: string, kind: ProxyKind, backends: Backends, connections: number): Promise<Idle | string> {
  const proxy = await kind.start({ directory, backends });
  // A proxy that has worked before has taken the memory it works with.
  await load(directory, { port: proxy.port, connections: 64, requests: [requestHead('/', 'app')], seconds: 2 });
  await sleep(SETTLE_MS);
  const before = residentBytes(proxy.child.pid);
  const program = fileURLToPath(new URL('../idle-connections.ts', import.meta.url));
  const holder = new Child('idle connections', LOAD_CORE, [process.execPath, program, String(proxy.port), String(connections)]);
  try {
    await holder.waitFor(/^holding/m);
    await sleep(SETTLE_MS);
    return { name: kind.name, beforeMb: before / 1e6, growthMb: (residentBytes(proxy.child.pid) - before) / 1e6 };
  } catch {
    return `does not take ${connections} connections with ${openFilesLimit()} open files`;
  } finally {
    await holder.stop();
    await proxy.child.stop();
  }
}
