/**
 * The versions behind every engine: real servers that answer with what they were sent, and count it. They speak HTTP/1.1 and HTTP/2 in plain text on one
 * port, and end answers to gRPC as it does.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttp2Server, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { listen } from '../helpers/upstream.ts';
import type { Version } from './contract.ts';

/** What a version answers with as JSON. */
export const RECEIVED = z.object({
  version: z.enum(['v1', 'v2', 'v3']),
  target: z.string(),
  /** Flat, as they came; `x-http-version` is the version's own word for what it was spoken to in. */
  headers: z.array(z.string()),
});
export type Received = z.infer<typeof RECEIVED>;

/** Names a request of the contract, so that what it led to can be counted. */
export const ID = 'x-contract-id';

export interface Versions {
  readonly ports: Readonly<Record<Version, number>>;
  /** Requests that arrived because of one. */
  reached(id: string): Readonly<Partial<Record<Version, number>>>;
  close(): Promise<void>;
}

/** Of `x-do: slow`: longer than the timeouts that are to be missed, and much shorter than those that are to be kept. */
const SLOW_MS = 800;

export async function startVersions(): Promise<Versions> {
  const counts = new Map<string, Partial<Record<Version, number>>>();
  const start = async (version: Version): Promise<{ readonly port: number; readonly close: () => Promise<void> }> => {
    const onRequest = (request: Asked, response: Answering): void => {
      const count = counts.get(idOf(request)) ?? {};
      count[version] = (count[version] ?? 0) + 1;
      counts.set(idOf(request), count);
      request.resume();
      request.once('end', () => void answer(version, request, response, count[version] ?? 1));
    };
    return serveBoth(onRequest);
  };
  const [v1, v2, v3] = await Promise.all([start('v1'), start('v2'), start('v3')]);
  return {
    ports: { v1: v1.port, v2: v2.port, v3: v3.port },
    reached: (id) => counts.get(id) ?? {},
    close: async () => void (await Promise.all([v1.close(), v2.close(), v3.close()])),
  };
}

type Asked = IncomingMessage | Http2ServerRequest;
type Answering = ServerResponse | Http2ServerResponse;

/** HTTP/2 begins with a preface that no HTTP/1.1 request begins with (RFC 9113 3.4). */
async function serveBoth(
  onRequest: (request: Asked, response: Answering) => void,
): Promise<{ readonly port: number; readonly close: () => Promise<void> }> {
  const http1 = createServer(onRequest);
  const http2 = createHttp2Server(onRequest);
  const open = new Set<Socket>();
  const server = createTcpServer((socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket)).on('error', () => undefined);
    socket.once('data', (first: Buffer) => {
      socket.pause();
      socket.unshift(first);
      const isHttp2 = first.toString('latin1').startsWith('PRI ');
      (isHttp2 ? http2 : http1).emit('connection', socket);
      // A session of HTTP/2 takes what is there itself, and would miss what flows past it.
      if (!isHttp2) socket.resume();
    });
  });
  return {
    port: await listen(server),
    close: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function idOf({ headers }: Asked): string {
  return String(headers[ID]);
}

/** @param nth  Of the requests with this id at this version, from 1. */
async function answer(version: Version, request: Asked, response: Answering, nth: number): Promise<void> {
  const received: Received = {
    version,
    target: request.url ?? '',
    headers: [...request.rawHeaders, 'x-http-version', request.httpVersion],
  };
  const body = JSON.stringify(received);
  const task = String(request.headers['x-do'] ?? '');
  const status = /^(?<status>\d{3})(?<first> first)?$/.exec(task)?.groups;
  response.setHeader('server', 'versions');
  response.setHeader('x-who', version);
  if (request.headers['content-type'] === 'application/grpc') {
    response.setHeader('content-type', 'application/grpc');
    response.addTrailers({ 'grpc-status': '0' });
  }
  if (task === 'slow') await sleep(SLOW_MS);
  if (task === 'overloaded') response.setHeader('x-envoy-overloaded', 'true');
  if (status === undefined) response.statusCode = task === 'overloaded' ? 503 : 200;
  else response.statusCode = status['first'] !== undefined && nth > 1 ? 200 : Number(status['status']);
  response.end(body);
}
