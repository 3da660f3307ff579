/** Whether a process that was just started serves yet: asks again and again, over HTTP where it has a path for it, else by connecting. */
import { connect } from 'node:net';
import { probe } from './health-probe.ts';

const FIRST_PAUSE_MS = 20;
const MAX_PAUSE_MS = 250;
const PROBE_TIMEOUT_MS = 1000;

export interface ReadyTarget {
  readonly address: string;
  readonly port: number;
  /** Sent as Host. */
  readonly host: string;
  readonly isHttp2: boolean;
  /** GET until 200 to 299; absent: a connection is enough. */
  readonly path: string | undefined;
}

/** @returns What the last attempt found, when `signal` was aborted; undefined when it serves. */
export async function untilReady(target: ReadyTarget, signal: AbortSignal): Promise<string | undefined> {
  let detail = 'it was not asked yet';
  let pauseMs = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    const found = await ask(target, signal);
    if (found === undefined) return signal.aborted ? detail : undefined;
    if (!signal.aborted) detail = found;
    await pause(pauseMs, signal);
    pauseMs = Math.min(pauseMs * 1.5, MAX_PAUSE_MS);
  }
  return detail;
}

/** @returns Why not; undefined when it serves. */
async function ask({ address, port, host, isHttp2, path }: ReadyTarget, signal: AbortSignal): Promise<string | undefined> {
  if (path === undefined) return canConnect(address, port);
  try {
    const { passed, detail } = await probe({ address, port, host, path, isHttp2, timeoutMs: PROBE_TIMEOUT_MS }, signal);
    return passed ? undefined : detail;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function canConnect(address: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: PROBE_TIMEOUT_MS });
    const end = (detail: string | undefined): void => {
      socket.destroy();
      resolve(detail);
    };
    socket.on('connect', () => end(undefined));
    socket.on('timeout', () => end(`no answer within ${PROBE_TIMEOUT_MS} ms`));
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}

/** Shorter when `signal` is aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}
