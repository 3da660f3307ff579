/**
 * Where the demo's listeners go: ten ports in a row, so that one number says where everything is.
 *
 *     base + 0..6   the workloads, in the order of their documented ports 9080 to 9086
 *     base + 7      the way in (the Gateway's port 80)
 *     base + 8      the mesh listener
 *     base + 9      the admin address
 */
import { createServer } from 'node:net';

const DOCUMENTED_BASE = 9080;
const PORTS_IN_A_ROW = 10;
const BASES_TRIED = 20;
const BASE_STEP = 100;

export interface DemoPorts {
  readonly base: number;
  readonly gateway: number;
  readonly mesh: number;
  readonly admin: number;
}

/** The port that stands in for a documented one. */
export function movedPort(documented: number, base: number): number {
  return documented - DOCUMENTED_BASE + base;
}

/** A text (YAML, or commands) with every documented port, 9080 to 9089, moved to another base. */
export function movePorts(text: string, base: number): string {
  return text.replace(/\b908\d\b/g, (port) => String(movedPort(Number(port), base)));
}

/**
 * Ten free ports in a row: the first such range of those that begin at `from`, `from` + 100, and so on.
 *
 * @throws Error when none of them is free
 */
export async function freePorts(from = DOCUMENTED_BASE): Promise<DemoPorts> {
  for (let index = 0; index < BASES_TRIED; index++) {
    const base = from + index * BASE_STEP;
    if ((await firstTaken(base)) === undefined) return portsFrom(base);
  }
  throw new Error(`found no ${PORTS_IN_A_ROW} free ports in a row from ${from} on; name a base with --port-base`);
}

/** The ten ports from `base` on. @throws Error naming the first that is taken */
export async function portsAt(base: number): Promise<DemoPorts> {
  const taken = await firstTaken(base);
  if (taken !== undefined)
    throw new Error(`port ${taken} is in use; --port-base takes ${PORTS_IN_A_ROW} free ports from the number given on`);
  return portsFrom(base);
}

function portsFrom(base: number): DemoPorts {
  return { base, gateway: base + 7, mesh: base + 8, admin: base + 9 };
}

async function firstTaken(base: number): Promise<number | undefined> {
  for (let port = base; port < base + PORTS_IN_A_ROW; port++) {
    if (!(await isFree(port))) return port;
  }
  return undefined;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
