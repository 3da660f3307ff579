/**
 * One HTTP health check of one endpoint: `GET path`, a fresh connection, and the status decides.
 *
 * - 2xx passes; everything else fails, redirects included: they are not followed (reliability P57).
 * - The verdict falls when the head of the answer is there. Of the body at most 64 KiB are read and thrown away, within the same timeout.
 * - A fresh connection every time, so that a check says whether the endpoint accepts new work and never meets a connection that was just
 *   being closed.
 */
import { request } from 'node:http';
import type { Agent } from 'node:http';

const MAX_BODY_BYTES = 64 * 1024;

export interface ProbeTarget {
  readonly address: string;
  readonly port: number;
  readonly path: string;
  /** Sent as Host. */
  readonly host: string;
  readonly timeoutMs: number;
}

export interface ProbeResult {
  readonly passed: boolean;
  /** For people: `status 200`, `no answer within 1000 ms`, `ECONNREFUSED`. */
  readonly detail: string;
  /** The endpoint did say no. False when nothing came in time, which a stall of our own explains as well. */
  readonly answered: boolean;
}

/**
 * @param agent   Makes the connections; without keep-alive.
 * @param signal  Aborting it ends the check; the promise then rejects with an AbortError.
 */
export function probe(target: ProbeTarget, agent: Agent, signal: AbortSignal): Promise<ProbeResult> {
  const { promise, resolve, reject } = Promise.withResolvers<ProbeResult>();
  const check = request({
    agent,
    signal,
    host: target.address,
    port: target.port,
    path: target.path,
    headers: { host: target.host, 'user-agent': 'serin-health-check', accept: '*/*' },
  });
  const timer = setTimeout(() => {
    resolve({ passed: false, detail: `no answer within ${target.timeoutMs} ms`, answered: false });
    check.destroy();
  }, target.timeoutMs);

  check.on('response', (response) => {
    const status = response.statusCode ?? 0;
    resolve({ passed: status >= 200 && status <= 299, detail: `status ${status}`, answered: true });
    let bodyBytes = 0;
    response.on('data', (chunk: Uint8Array) => {
      bodyBytes += chunk.length;
      if (bodyBytes > MAX_BODY_BYTES) check.destroy();
    });
    // The verdict has fallen; how the body ends does not matter.
    response.on('error', () => check.destroy());
  });
  check.on('error', (error: NodeJS.ErrnoException) => {
    if (signal.aborted) reject(error);
    else resolve({ passed: false, detail: error.code ?? error.message, answered: error.code === 'ECONNREFUSED' });
  });
  check.on('close', () => clearTimeout(timer));
  check.end();
  return promise;
}
