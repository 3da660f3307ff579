/**
 * How one Bookinfo service calls another.
 *
 * By default every call goes to one address, Serin's mesh listener, and says in Host which service it means: that is all a program has to do to
 * be managed. A service's own URL (`REVIEWS_URL`) goes around Serin.
 */
import { Agent, request, type IncomingHttpHeaders } from 'node:http';
import type { ServiceName } from './workloads.ts';

/** Serin's default `--mesh`. */
const DEFAULT_SERVICES_URL = 'http://127.0.0.1:15001';

/** An answer beyond this is a mistake: Bookinfo's are a few hundred bytes. */
const MAX_ANSWER_BYTES = 1 << 20;

/**
 * What a service passes on unchanged to the services it calls: who the user is, for routing, and what ties the requests of one page together,
 * for tracing. A proxy cannot do this in a program's stead, since only the program knows which of its calls belong to which request.
 */
const PASSED_ON = new Set(['end-user', 'x-request-id', 'traceparent', 'tracestate', 'baggage', 'b3']);
const PASSED_ON_PREFIX = 'x-b3-';

export interface Upstream {
  readonly hostname: string;
  readonly port: number;
  /** The Host sent. */
  readonly authority: string;
}

export interface Reply {
  readonly status: number;
  readonly body: string;
}

/** No answer at all: the service could not be reached, broke off, or did not answer in time. */
export class CallError extends Error {
  readonly isTimeout: boolean;

  constructor(message: string, isTimeout: boolean, cause: unknown) {
    super(message, { cause });
    this.name = 'CallError';
    this.isTimeout = isTimeout;
  }
}

const agent = new Agent({ keepAlive: true, keepAliveMsecs: 5000, maxFreeSockets: 16, timeout: 30_000 });

/** @param env `REVIEWS_URL`, `RATINGS_URL`, `DETAILS_URL` name a service's own address; `SERVICES_URL` the one address for all the others. */
export function upstreamOf(service: ServiceName, env: Readonly<Record<string, string | undefined>>): Upstream {
  const own = env[`${service.toUpperCase()}_URL`];
  const url = new URL(own ?? env['SERVICES_URL'] ?? DEFAULT_SERVICES_URL);
  return { hostname: url.hostname, port: Number(url.port || 80), authority: own === undefined ? service : url.host };
}

/** The headers of an incoming request that belong on the calls made for it. */
export function passedOn(headers: IncomingHttpHeaders): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value === 'string' && (PASSED_ON.has(name) || name.startsWith(PASSED_ON_PREFIX))) kept[name] = value;
  }
  return kept;
}

/**
 * GETs `path`; any status is an answer.
 *
 * @param timeoutMs Until the last byte of the answer.
 * @throws CallError
 */
export function call(upstream: Upstream, path: string, headers: Readonly<Record<string, string>>, timeoutMs: number): Promise<Reply> {
  const signal = AbortSignal.timeout(timeoutMs);
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      const what = signal.aborted ? `gave no answer within ${timeoutMs} ms` : 'could not be reached';
      reject(new CallError(`${upstream.authority} ${what}`, signal.aborted, error));
    };
    const { hostname, port, authority } = upstream;
    const outgoing = request({ hostname, port, path, agent, signal, headers: { ...headers, host: authority } }, (incoming) => {
      let body = '';
      incoming.setEncoding('utf8');
      incoming.on('data', (text: string) => {
        body += text;
        if (body.length > MAX_ANSWER_BYTES) incoming.destroy(new Error(`the answer is longer than ${MAX_ANSWER_BYTES} bytes`));
      });
      incoming.once('error', fail);
      incoming.once('end', () => resolve({ status: incoming.statusCode ?? 0, body }));
    });
    outgoing.once('error', fail);
    outgoing.end();
  });
}
