/**
 * The admin HTTP API: probes, metrics and /api/v1 over injected ports (ports.ts), on loopback only.
 *
 * Every answer carries the same security headers, every error is problem+json, GET and HEAD change nothing, and a method that a path does not
 * have is a 405 with Allow. The guard (guard.ts) runs before any of it. Limits on what a client can hold: 256 connections, 10 s for a head,
 * 30 s for a request, 30 s without progress, 32 changes waiting.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { VERBS } from '../rollout/verbs.ts';
import { type ApiObject, ExplainRequest, RolloutRequest, ShiftRequest } from './api-types.ts';
import { guard, tokenDigestOf } from './guard.ts';
import { readJsonBody } from './json-body.ts';
import { isLoopback } from './loopback.ts';
import type { AdminPorts } from './ports.ts';
import { ProblemError } from './problem.ts';

const MAX_CONNECTIONS = 256;
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const IDLE_TIMEOUT_MS = 30_000;
const CLOSE_GRACE_MS = 1000;
const MAX_WAITING_CHANGES = 32;
/** DNS label rules, dots allowed: what a namespace or a host can be. */
const NAME = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;

const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};

export interface AdminAddress {
  readonly host: string;
  readonly port: number;
}

export interface AdminServer {
  readonly address: AdminAddress;
  /** Ends idle connections at once and the others after their answer, a second later at the latest. */
  close(): Promise<void>;
}

export class AdminListenError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AdminListenError';
    this.code = code;
  }
}

/**
 * @param address Where to listen; port 0 takes a free one.
 * @throws AdminListenError `E_ADMIN_EXPOSED` when the address can be reached from other machines, `E_LISTEN_…` when it cannot be bound.
 */
export async function startAdmin(ports: AdminPorts, token: string, address: AdminAddress): Promise<AdminServer> {
  if (!isLoopback(address.host)) {
    throw new AdminListenError(
      'E_ADMIN_EXPOSED',
      `the admin API does not listen on ${address.host}: other machines could reach it, and it speaks plain HTTP; use 127.0.0.1:${address.port} and an SSH tunnel`,
    );
  }
  const tokenDigest = tokenDigestOf(token);
  const app = adminApp(ports);
  const handle = getRequestListener(app.fetch, {
    overrideGlobalObjects: false,
    errorHandler: () => withHeaders(new ProblemError(400, 'E_REQUEST_INVALID', 'the request is malformed').toResponse(), ports.version),
  });
  const server = createServer(
    { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS, connectionsCheckingInterval: 1000, keepAliveTimeout: 5000 },
    (request, response) => {
      try {
        guard(guardedRequest(request), tokenDigest);
      } catch (error) {
        return void refuse(response, error, ports);
      }
      return void handle(request, response);
    },
  );
  server.timeout = IDLE_TIMEOUT_MS;
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, address);
  return {
    address: { host: address.host, port: portOf(server) },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
        setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS).unref();
      }),
  };
}

function listen(server: Server, { host, port }: AdminAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const code = error.code ?? 'UNKNOWN';
      const why = code === 'EADDRINUSE' ? 'the address is in use' : error.message;
      reject(
        new AdminListenError(
          `E_LISTEN_${code}`,
          `cannot listen on ${host}:${port} for the admin API: ${why}; give another with --admin ADDR:PORT`,
          { cause: error },
        ),
      );
    });
    server.listen(port, host, resolve);
  });
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

type Env = { Bindings: HttpBindings };
type Handler = (context: Context<Env>) => Response | Promise<Response>;

function adminApp(ports: AdminPorts): Hono<Env> {
  const app = new Hono<Env>();
  app.use(async (context, next) => {
    await next();
    withHeaders(context.res, ports.version);
  });
  app.onError((error) => errorResponse(error, ports));
  app.notFound(() => {
    throw new ProblemError(404, 'E_ADMIN_PATH', 'there is nothing at this path');
  });

  for (const [path, methods] of Object.entries(routes(ports))) {
    for (const [method, handler] of Object.entries(methods)) app.on(method, path, handler);
    const allow = Object.keys(methods).flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
    app.all(path, (context) => {
      throw new ProblemError(405, 'E_ADMIN_METHOD', `${context.req.method} is not allowed here, only ${allow.join(', ')}`, {
        headers: { allow: allow.join(', ') },
      });
    });
  }
  return app;
}

function routes(ports: AdminPorts): Record<string, Record<string, Handler>> {
  let waitingChanges = 0;
  const change = (perform: Handler): Handler => {
    return async (context) => {
      if (waitingChanges >= MAX_WAITING_CHANGES) {
        throw new ProblemError(429, 'E_ADMIN_BUSY', `${MAX_WAITING_CHANGES} changes are waiting already`, {
          headers: { 'retry-after': '1' },
        });
      }
      waitingChanges++;
      try {
        return await perform(context);
      } finally {
        waitingChanges--;
      }
    };
  };

  return {
    '/livez': { GET: (context) => context.text('ok\n') },
    '/readyz': {
      GET: (context) => {
        const { ready, reasons } = ports.readiness();
        if (!ready) throw new ProblemError(503, 'E_NOT_READY', reasons.join('; '));
        return context.text('ok\n');
      },
    },
    '/metrics': {
      GET: async (context) => {
        const { contentType, text } = await ports.metrics();
        return context.body(text, 200, { 'content-type': contentType });
      },
    },
    '/api/v1/resources/:kind': {
      GET: (context) => {
        const namespace = context.req.query('namespace');
        if (namespace !== undefined) requireName('namespace', namespace);
        return context.json(ports.list(context.req.param('kind') ?? '', namespace));
      },
    },
    '/api/v1/resources/:kind/:namespace/:name': {
      GET: (context) => context.json(ports.get(context.req.param('kind') ?? '', name(context, 'namespace'), name(context, 'name'))),
    },
    '/api/v1/listeners': { GET: (context) => context.json(ports.listeners()) },
    '/api/v1/clusters': { GET: (context) => context.json(ports.clusters()) },
    '/api/v1/endpoints': { GET: (context) => context.json(ports.endpoints()) },
    '/api/v1/processes': { GET: (context) => context.json(ports.processes()) },
    '/api/v1/explain': {
      POST: async (context) => context.json(ports.explain(await readJsonBody(context.req.raw, ExplainRequest))),
    },
    '/api/v1/rollouts': {
      GET: (context) => {
        const namespace = context.req.query('namespace');
        if (namespace !== undefined) requireName('namespace', namespace);
        return context.json(ports.rollouts(namespace));
      },
    },
    '/api/v1/rollouts/:namespace/:name': {
      GET: (context) => rolloutAnswer(context, ports.rollout(name(context, 'namespace'), rolloutName(context))),
    },
    '/api/v1/rollouts/:namespace/:name/:verb': {
      POST: change(async (context) => {
        const asked = context.req.param('verb') ?? '';
        const verb = VERBS.find((known) => known === asked);
        if (verb === undefined) throw new ProblemError(404, 'E_NOT_FOUND', `there is no '${asked}', only ${VERBS.join(', ')}`);
        const request = await readJsonBody(context.req.raw, RolloutRequest);
        const idempotencyKey = idempotencyKeyOf(context);
        const ifMatch = context.req.header('if-match');
        const terms = { ...(idempotencyKey === undefined ? {} : { idempotencyKey }), ...(ifMatch === undefined ? {} : { ifMatch }) };
        return rolloutAnswer(context, await ports.rolloutVerb(name(context, 'namespace'), rolloutName(context), verb, request, terms));
      }),
    },
    '/api/v1/shifts': { GET: (context) => context.json({ items: ports.shifts() }) },
    '/api/v1/shifts/:namespace/:host': {
      PUT: change(async (context) => {
        const { weights } = await readJsonBody(context.req.raw, ShiftRequest);
        return context.json(await ports.shift(name(context, 'namespace'), name(context, 'host'), weights));
      }),
      DELETE: change(async (context) => context.json(await ports.resetShift(name(context, 'namespace'), name(context, 'host')))),
    },
  };
}

function name(context: Context<Env>, parameter: 'namespace' | 'name' | 'host'): string {
  return requireName(parameter, context.req.param(parameter) ?? '');
}

/** Of a Rollout, or of the host it releases, which may have dots. */
function rolloutName(context: Context<Env>): string {
  const value = context.req.param('name') ?? '';
  if (NAME.test(value)) return value;
  throw new ProblemError(
    422,
    'E_NAME',
    'the name is not one of a Rollout: expected lower-case letters, digits and -, at most 63 characters',
  );
}

function rolloutAnswer(context: Context<Env>, object: ApiObject): Response {
  const { resourceVersion } = object.metadata;
  return context.json(object, 200, typeof resourceVersion === 'string' ? { etag: `"${resourceVersion}"` } : {});
}

function idempotencyKeyOf(context: Context<Env>): string | undefined {
  const key = context.req.header('idempotency-key');
  if (key === undefined || /^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw new ProblemError(422, 'E_REQUEST_INVALID', 'the Idempotency-Key must be 1 to 255 printable ASCII characters without spaces');
}

function requireName(what: string, value: string): string {
  if (NAME.test(value)) return value;
  throw new ProblemError(
    422,
    'E_NAME',
    `the ${what} is not a name: expected lower-case letters, digits, '-' and '.', at most 253 characters`,
  );
}

function errorResponse(error: unknown, ports: AdminPorts): Response {
  if (error instanceof ProblemError) return withHeaders(error.toResponse(), ports.version);
  ports.onError(error);
  return withHeaders(new ProblemError(500, 'E_INTERNAL', 'see the log of serin up').toResponse(), ports.version);
}

/** Answers what the guard refused, and ends the connection: nothing of the request's body is read. */
async function refuse(response: ServerResponse, error: unknown, ports: AdminPorts): Promise<void> {
  const answer = errorResponse(error, ports);
  response.writeHead(answer.status, { ...Object.fromEntries(answer.headers), connection: 'close' });
  response.end(await answer.text());
}

function guardedRequest(incoming: IncomingMessage): { method: string; target: string; header: (name: string) => string | undefined } {
  return { method: incoming.method ?? '', target: incoming.url ?? '', header: (field) => singleHeader(incoming, field) };
}

/** Two lines of a field that decides about access are as good as none: joined they match nothing. */
function singleHeader(incoming: IncomingMessage, field: string): string | undefined {
  const values = incoming.rawHeaders.filter((_, index, raw) => index % 2 === 1 && raw[index - 1]?.toLowerCase() === field);
  return values.length === 0 ? undefined : values.join(', ');
}

function withHeaders(response: Response, version: string): Response {
  for (const [field, value] of Object.entries(SECURITY_HEADERS)) response.headers.set(field, value);
  response.headers.set('serin-version', version);
  return response;
}
