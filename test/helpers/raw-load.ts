/**
 * A closed-loop load over raw keep-alive sockets in which every request is accounted for: answered with 200, answered otherwise, or broken.
 * The target answers with a Content-Length body of a few bytes.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';

export interface Tally {
  sent: number;
  ok: number;
  failed: number;
  /** First few failures, for the message of a failing test. */
  readonly failures: string[];
  readonly bodies: Map<string, number>;
}

export class RawLoad {
  readonly tally: Tally = { sent: 0, ok: 0, failed: 0, failures: [], bodies: new Map() };
  readonly #address: { readonly host: string; readonly port: number };
  readonly #request: string;
  readonly #sockets = new Set<Socket>();
  #left: number;
  #isStopped = false;
  #onQuiet: () => void = () => undefined;
  readonly #quiet = new Promise<void>((resolve) => {
    this.#onQuiet = resolve;
  });

  /** @param limit  Requests in all; `Infinity` goes on until `stop`. */
  constructor(
    address: { readonly host: string; readonly port: number },
    host: string,
    connections: number,
    limit = Number.POSITIVE_INFINITY,
  ) {
    this.#address = address;
    this.#request = `GET /load HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
    this.#left = limit;
    for (let i = 0; i < connections; i++) this.#open();
  }

  /** Resolves when `limit` requests have been answered or failed. */
  get done(): Promise<void> {
    return this.#quiet;
  }

  /** Lets what is under way finish. */
  async stop(): Promise<Tally> {
    this.#isStopped = true;
    await this.#quiet;
    return this.tally;
  }

  #open(): void {
    const socket = connect({ ...this.#address, noDelay: true });
    this.#sockets.add(socket);
    let waits = false;
    let received = '';
    const next = (): void => {
      if (this.#isStopped || this.#left <= 0) {
        socket.end();
        return;
      }
      this.#left--;
      this.tally.sent++;
      waits = true;
      socket.write(this.#request);
    };
    const end = (why: string): void => {
      if (!this.#sockets.delete(socket)) return;
      if (waits) this.#fail(why);
      if (this.#isStopped || this.#left <= 0) {
        if (this.#sockets.size === 0) this.#onQuiet();
      } else {
        this.#open();
      }
    };
    socket.setEncoding('latin1');
    socket.on('connect', next);
    socket.on('data', (text: string) => {
      received += text;
      const headEnd = received.indexOf('\r\n\r\n');
      if (headEnd === -1) return;
      const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0);
      if (received.length < headEnd + 4 + length) return;
      const body = received.slice(headEnd + 4, headEnd + 4 + length);
      if (received.startsWith('HTTP/1.1 200 ')) {
        this.tally.ok++;
        this.tally.bodies.set(body, (this.tally.bodies.get(body) ?? 0) + 1);
      } else {
        this.#fail(received.slice(0, 200));
      }
      waits = false;
      const isClosing = /\r\nconnection: close\r\n/i.test(received.slice(0, headEnd + 2));
      received = '';
      if (!isClosing) next();
    });
    socket.on('error', (error) => end(error.message));
    socket.on('close', () => end('connection closed before the answer'));
  }

  #fail(why: string): void {
    this.tally.failed++;
    if (this.tally.failures.length < 5) this.tally.failures.push(why);
  }
}
