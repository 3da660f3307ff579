/**
 * An upstream that records literally what it receives, connection by connection, and does what a script tells it: answer literal bytes,
 * close, reset, stall.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import type { Bytes } from './bytes.ts';
import { RawSocket } from './raw-socket.ts';
import { readRequest, readRequestHead, readRequests } from './reference-message.ts';
import type { Field, ReferenceRequest } from './reference-message.ts';

export class UpstreamSide extends RawSocket {
  #read = 0;

  /** The next complete request, strictly read; undefined when the connection closes before there is one. */
  async request(): Promise<ReferenceRequest | undefined> {
    let found: ReferenceRequest | undefined;
    await this.until(() => {
      found = readRequest(this.received, this.#read);
      return found !== undefined || this.isClosed || this.isEnded;
    }, 'a request');
    if (found !== undefined) this.#read = found.end;
    return found;
  }

  /** The head of the next request, as soon as it is there. */
  async head(): Promise<{ readonly line: string; readonly fields: readonly Field[] }> {
    let found: { readonly line: string; readonly fields: readonly Field[] } | undefined;
    await this.until(() => {
      found = readRequestHead(this.received, this.#read);
      return found !== undefined;
    }, 'a request head');
    if (found === undefined) throw new Error('unreachable');
    return found;
  }

  /** The next request, which must come. */
  async nextRequest(): Promise<ReferenceRequest> {
    const request = await this.request();
    if (request === undefined) throw new Error(`the connection ended before a complete request: ${JSON.stringify(this.text)}`);
    return request;
  }
}

/** What a connection does; may throw when the connection goes away. */
export type UpstreamScript = (side: UpstreamSide, index: number) => Promise<void> | void;

export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Answers every request with the same bytes, or with what a function makes of it. */
export function answering(answer: Bytes | ((request: ReferenceRequest, index: number) => Bytes)): UpstreamScript {
  return async (side) => {
    for (let index = 0; ; index++) {
      const request = await side.request();
      if (request === undefined) return;
      side.write(typeof answer === 'function' ? answer(request, index) : answer);
    }
  };
}

export class RawUpstream {
  readonly port: number;
  readonly connections: UpstreamSide[] = [];
  /** What scripts threw, malformed requests above all. */
  readonly errors: unknown[] = [];
  readonly #server: Server;
  readonly #script: UpstreamScript;
  #waiting: (() => void)[] = [];

  static async start(script: UpstreamScript = answering(OK)): Promise<RawUpstream> {
    const server = createServer({ allowHalfOpen: true });
    server.listen({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    return new RawUpstream(server, script);
  }

  private constructor(server: Server, script: UpstreamScript) {
    this.#server = server;
    this.#script = script;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (socket) => {
      const side = new UpstreamSide(socket);
      // Serin's side closes; ours follows, unless the script holds it open.
      socket.on('end', () => socket.end());
      this.connections.push(side);
      void this.#run(side, this.connections.length - 1);
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const wake of waiting) wake();
    });
  }

  async #run(side: UpstreamSide, index: number): Promise<void> {
    try {
      await this.#script(side, index);
    } catch (error) {
      this.errors.push(error);
    }
  }

  /** The connection with this number, as soon as it is made. */
  async connection(index: number): Promise<UpstreamSide> {
    for (;;) {
      const side = this.connections[index];
      if (side !== undefined) return side;
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }

  /** Every complete request over all connections, strictly read. */
  get requests(): readonly ReferenceRequest[] {
    return this.connections.flatMap((side) => readRequests(side.received).requests);
  }

  /** Everything received, over all connections. */
  get text(): string {
    return this.connections.map((side) => side.text).join('');
  }

  close(): void {
    for (const side of this.connections) side.close();
    this.#server.close();
  }
}
