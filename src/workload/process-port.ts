/**
 * Ports for processes: free on 127.0.0.1 when asked, never handed out twice at the same time, and below the range that Linux and macOS take the ports
 * of outgoing connections from. In that range a probe of a port nobody listens on yet can connect to itself, and any client of the machine can
 * have the port before the process does.
 */
import { createServer } from 'node:net';
import type { Random } from '../base/random.ts';

const FIRST = 20_000;
const COUNT = 12_000;
const TRIES = 200;

export class PortPool {
  readonly #random: Random;
  readonly #taken = new Set<number>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** @throws Error when none of many tried is free */
  async take(): Promise<number> {
    for (let tried = 0; tried < TRIES; tried++) {
      const port = FIRST + Math.floor(this.#random() * COUNT);
      if (this.#taken.has(port)) continue;
      this.#taken.add(port);
      if (await isFree(port)) return port;
      this.#taken.delete(port);
    }
    throw new Error(`no free port found on 127.0.0.1 between ${FIRST} and ${FIRST + COUNT - 1}`);
  }

  giveBack(port: number): void {
    this.#taken.delete(port);
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
