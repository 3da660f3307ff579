/** A version of a service, and a client that looks at answers: for end-to-end tests. */
import { Agent, createServer, type IncomingMessage, request as httpRequest, type Server } from 'node:http';
import type { Server as TcpServer } from 'node:net';

export interface Upstream {
  readonly port: number;
  /** Requests it was asked so far. */
  requests(): number;
  /** Answers to `/slow` are held until this is called. */
  release(): void;
  /** Resolves when a request to `/slow` has arrived. */
  readonly held: Promise<void>;
  close(): Promise<void>;
}

/** Answers every request with its name. */
export async function startUpstream(name: string): Promise<Upstream> {
  let requests = 0;
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let arrived = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const server = createServer((request, response) => {
    requests++;
    if (request.url !== '/slow') return void response.end(name);
    arrived();
    return void released.then(() => response.end(name));
  });
  return { port: await listen(server), requests: () => requests, release, held, close: () => close(server) };
}

export async function listen(server: TcpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

export function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface Asked {
  /** Default GET; without a body. */
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly agent?: Agent;
}

/** Rejects when the connection fails or the answer is cut short. */
export function ask(
  { host, port }: { readonly host: string; readonly port: number },
  { method = 'GET', path = '/', headers = {}, agent }: Asked = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host, port, method, path, headers, agent: agent ?? false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end();
  });
}

/** How often each body came in `count` requests over a few kept connections. */
export async function tally(
  address: { readonly host: string; readonly port: number },
  count: number,
  asked: Asked = {},
): Promise<Record<string, number>> {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const bodies = await Promise.all(Array.from({ length: count }, async () => (await ask(address, { ...asked, agent })).body));
  agent.destroy();
  const counts: Record<string, number> = {};
  for (const body of bodies) counts[body] = (counts[body] ?? 0) + 1;
  return counts;
}
