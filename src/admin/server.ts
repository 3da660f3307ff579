/**
 * The admin HTTP API: probes, metrics, /api/v1 over injected ports (ports.ts) and the dashboard's files; on loopback, and beyond it only with TLS.
 *
 * The guard (guard.ts) runs before the application (app.ts). Limits on what a client can hold: 256 connections, 10 s for a head, 30 s for a request,
 * 30 s without progress, 8 requests a connection without an answer, 32 changes waiting.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, Server as SecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { getRequestListener } from '@hono/node-server';
import type { Access, Caller } from './access.ts';
import { adminApp, errorResponse } from './app.ts';
import { Door } from './door.ts';
import { guard, type GuardedRequest } from './guard.ts';
import { isLoopback } from './loopback.ts';
import type { AdminPorts } from './ports.ts';
import { ProblemError } from './problem.ts';
import { siteOf } from './site.ts';
import { readStaticFiles, type StaticFiles } from './static-files.ts';

const MAX_CONNECTIONS = 256;
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const IDLE_TIMEOUT_MS = 30_000;
/** For reading an answer once it is complete, whatever else the client sends meanwhile. */
const READING_TIMEOUT_MS = 30_000;
/** Requests of one connection without an answer: browsers and programs send one at a time, and 64 KiB of requests for /metrics are 7 MB of answers. */
const MAX_PIPELINED = 8;
const CLOSE_GRACE_MS = 1000;

export interface AdminAddress {
  readonly host: string;
  readonly port: number;
}

export interface AdminServer {
  readonly address: AdminAddress;
  /** New connections get this certificate. @throws AdminListenError when it cannot be used; then the one before stays. */
  renew(certificate: AdminCertificate): void;
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

export interface AdminOptions {
  /** Default: a page that says that there is no dashboard. */
  readonly files?: StaticFiles;
  /** Host names it answers for, beside the loopback ones and its own address. */
  readonly names?: readonly string[];
  /** Default: plain HTTP, on loopback only. */
  readonly tls?: AdminCertificate;
  /** Since the epoch, ms. */
  readonly nowMs: () => number;
}

/** PEM. */
export interface AdminCertificate {
  readonly certificate: string;
  readonly privateKey: string;
}

/**
 * @param address Where to listen; port 0 takes a free one.
 * @throws AdminListenError `E_ADMIN_EXPOSED` when the address could be reached from other machines and not everything that takes is there,
 *   `E_ADMIN_TLS` when the certificate cannot be used, `E_LISTEN_…` when the address cannot be bound.
 */
export async function startAdmin(ports: AdminPorts, access: Access, address: AdminAddress, options: AdminOptions): Promise<AdminServer> {
  const { files = readStaticFiles(undefined), names = [], tls, nowMs } = options;
  refuseExposure(address, access, names, tls);
  const server = newServer(tls);
  server.timeout = IDLE_TIMEOUT_MS;
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, address);
  const port = portOf(server);
  const site = siteOf(address.host, port, tls !== undefined, names);
  const door = new Door(access, site, (by, action) => ports.session(by, action), nowMs);
  const app = adminApp(ports, { files, site, door });
  const callers = new WeakMap<object, Caller>();
  const handle = getRequestListener((request, bindings) => app.fetch(request, { caller: callers.get(bindings.incoming), ...bindings }), {
    overrideGlobalObjects: false,
    errorHandler: () => errorResponse(new ProblemError(400, 'E_ADMIN_MALFORMED', 'no URL can be made of its path and Host'), ports),
  });
  const unanswered = new WeakMap<Socket, number>();
  server.on('request', (request, response) => {
    const { socket } = request;
    const before = unanswered.get(socket) ?? 0;
    if (before >= MAX_PIPELINED) return void socket.destroy();
    unanswered.set(socket, before + 1);
    response.on('prefinish', () => {
      const timer = setTimeout(() => socket.destroy(), READING_TIMEOUT_MS).unref();
      response.on('close', () => clearTimeout(timer));
    });
    response.on('close', () => unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1));
    try {
      const caller = guard(guardedRequest(request), access, site);
      if (caller !== undefined) callers.set(request, caller);
    } catch (error) {
      return void refuse(response, error, ports);
    }
    return void handle(request, response);
  });
  return {
    address: { host: address.host, port },
    renew: (certificate) => {
      if (server instanceof SecureServer) server.setSecureContext(contextOf(certificate));
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        ports.events.close();
        server.closeIdleConnections();
        setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS).unref();
      }),
  };
}

/** @throws AdminListenError */
function refuseExposure({ host, port }: AdminAddress, access: Access, names: readonly string[], tls: AdminCertificate | undefined): void {
  if (isLoopback(host)) return;
  const refused = (why: string): never => {
    throw new AdminListenError(
      'E_ADMIN_EXPOSED',
      `the admin API does not listen on ${host}, where other machines could reach it: ${why}; or use 127.0.0.1:${port} and an SSH tunnel`,
    );
  };
  if (tls === undefined) refused('it speaks plain HTTP; give --admin-tls-cert and --admin-tls-key');
  if (access.anonymousRead) refused('nobody would have to show a token to look; leave out --admin-anonymous-read');
  if ((host === '0.0.0.0' || host === '::') && names.length === 0) refused('it has no name there; say which with --admin-name');
}

/** @throws AdminListenError */
function newServer(tls: AdminCertificate | undefined): Server | SecureServer {
  const options = {
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: 1000,
    keepAliveTimeout: 5000,
  };
  return tls === undefined ? createServer(options) : createSecureServer({ ...options, ...contextOf(tls) });
}

/** Checked, because a server takes any. @throws AdminListenError */
function contextOf({ certificate, privateKey }: AdminCertificate): SecureContextOptions {
  const context: SecureContextOptions = { cert: certificate, key: privateKey, minVersion: 'TLSv1.2' };
  try {
    createSecureContext(context);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new AdminListenError('E_ADMIN_TLS', `the certificate and key of the admin API cannot be used: ${detail}`, { cause: error });
  }
  return context;
}

function listen(server: Server | SecureServer, { host, port }: AdminAddress): Promise<void> {
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

function portOf(server: Server | SecureServer): number {
  const address: AddressInfo | string | null = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Answers what the guard refused, and ends the connection: nothing of the request's body is read. */
async function refuse(response: ServerResponse, error: unknown, ports: AdminPorts): Promise<void> {
  const answer = errorResponse(error, ports);
  response.writeHead(answer.status, { ...Object.fromEntries(answer.headers), connection: 'close' });
  response.end(await answer.text());
}

function guardedRequest(incoming: IncomingMessage): GuardedRequest {
  return {
    method: incoming.method ?? '',
    target: incoming.url ?? '',
    address: incoming.socket.remoteAddress ?? '',
    header: (field) => singleHeader(incoming, field),
  };
}

/** Two lines of a field that decides about access are as good as none: joined they match nothing. */
function singleHeader(incoming: IncomingMessage, field: string): string | undefined {
  const values = incoming.rawHeaders.filter((_, index, raw) => index % 2 === 1 && raw[index - 1]?.toLowerCase() === field);
  return values.length === 0 ? undefined : values.join(', ');
}
