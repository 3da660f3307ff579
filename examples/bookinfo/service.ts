/**
 * The little HTTP server all of Bookinfo's services share: a handler is a function from a request to an answer.
 *
 * Invariants: binds 127.0.0.1 only; a body is read whole and never beyond MAX_BODY_BYTES; `/health` answers before the handler is asked; a
 * handler that throws costs its own request (500) and nothing else; `close()` lets running requests finish.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { parseArgs } from 'node:util';
import { defaultPort, type ServiceName } from './workloads.ts';

/** The sign-in form is the largest thing anyone sends. */
const MAX_BODY_BYTES = 4096;

/** How long a stopping service waits for its running requests before it drops them. */
const STOP_TIMEOUT_MS = 5000;

export interface ServiceRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type Handler = (request: ServiceRequest) => Answer | Promise<Answer>;

export interface Identity {
  readonly service: ServiceName;
  readonly version: string;
}

export interface RunningService {
  readonly port: number;
  readonly url: string;
  /** Accepts nothing new, waits for running requests, resolves when every connection is closed. */
  close(): Promise<void>;
}

export function json(status: number, value: unknown): Answer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}

/** A name for this process in the form Kubernetes gives pods, `reviews-v2-1a2b`, so that an answer says which version gave it. */
export function podName({ service, version }: Identity): string {
  return `${service}-${version}-${process.pid.toString(36)}`;
}

/**
 * The number in `/details/0`, as text. Undefined where the path is not that resource at all, null where its id is not a number.
 */
export function idIn(path: string, resource: string): string | null | undefined {
  const prefix = `/${resource}/`;
  if (!path.startsWith(prefix)) return undefined;
  const id = path.slice(prefix.length);
  return /^\d{1,9}$/.test(id) ? id : null;
}

/** @param port 0 takes any free port. */
export async function startService(identity: Identity, port: number, handler: Handler): Promise<RunningService> {
  let isStopping = false;
  const server = createServer((incoming, outgoing) => {
    const respond = async (): Promise<void> => {
      const result = await answer(incoming, identity, handler);
      if (isStopping) outgoing.shouldKeepAlive = false;
      send(outgoing, result);
    };
    void respond();
  });
  // Longer than a proxy keeps its pooled connections, so that it is not this side that closes one just as a request is sent on it.
  server.keepAliveTimeout = 75_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server has no address after it has begun to listen');
  return {
    port: address.port,
    url: `http://127.0.0.1:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        isStopping = true;
        const deadline = setTimeout(() => server.closeAllConnections(), STOP_TIMEOUT_MS);
        server.close(() => {
          clearTimeout(deadline);
          resolve();
        });
      }),
  };
}

async function answer(incoming: IncomingMessage, identity: Identity, handler: Handler): Promise<Answer> {
  try {
    const method = incoming.method ?? 'GET';
    const path = (incoming.url ?? '/').split('?', 1)[0] ?? '/';
    const body = await readBody(incoming);
    if (body === undefined) return json(413, { error: `a body has at most ${MAX_BODY_BYTES} bytes here` });
    if (path === '/health') return json(200, { status: `${identity.service} ${identity.version} is healthy` });
    return await handler({ method, path, headers: incoming.headers, body });
  } catch (error) {
    console.error(`${podName(identity)}: ${incoming.method} ${incoming.url}:`, error);
    return json(500, { error: 'this request failed inside the service; its log says why' });
  }
}

async function readBody(incoming: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming.iterator({ destroyOnReturn: false })) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError('an HTTP body is read as bytes');
    size += chunk.length;
    if (size > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function send(outgoing: ServerResponse, { status, headers, body }: Answer): void {
  // The body of a refused upload is still arriving: the connection cannot carry another request.
  if (status === 413) outgoing.shouldKeepAlive = false;
  outgoing.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers });
  outgoing.end(body);
}

/** What a service's main is given: its place, and the environment it may read settings from. */
export interface Settings {
  readonly identity: Identity;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Runs a service as a process: `--port N` or `$PORT`, `--version vN` or `$SERVICE_VERSION`. Prints where it listens, and stops gracefully on
 * SIGTERM and SIGINT.
 */
export async function runService(service: ServiceName, handlerFor: (settings: Settings) => Handler): Promise<void> {
  const env = process.env;
  const { values } = parseArgs({ options: { port: { type: 'string' }, version: { type: 'string' } } });
  const version = values.version ?? env['SERVICE_VERSION'] ?? 'v1';
  const port = Number(values.port ?? env['PORT'] ?? defaultPort(service, version));
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    console.error(`${service}: expected a port from 0 to 65535, found "${values.port ?? env['PORT']}"`);
    process.exitCode = 2;
    return;
  }
  const identity = { service, version };
  try {
    const running = await startService(identity, port, handlerFor({ identity, env }));
    console.log(`${service} ${version} listens on ${running.url}`);
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void running.close());
  } catch (error) {
    console.error(`${service} ${version}: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
