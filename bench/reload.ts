/**
 * What requests notice of a reload: `serin up` with a big file, asked every few milliseconds while the file changes again and again. Whatever else runs on the
 * machine delays requests, too, so the same is measured before the first change.
 */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { serin } from './proxies/serin.ts';

export interface ReloadTimes {
  /** From the write to the log line that says that it is in force; each reload. */
  readonly reloadMs: readonly number[];
  /** Longest a request took during each. */
  readonly pausesMs: readonly number[];
  /** Longest a request took before any. */
  readonly quietMs: number;
}

const RELOADS = 6;
const EVERY_MS = 2;
const QUIET_MS = 1500;
/** After a reload is in force, whatever it left to be cleared away. */
const AFTER_MS = 500;

/** @param yaml With a `weight: 90` in it, which changes. */
export async function reloadTimes(
  directory: string,
  yaml: string,
  { gatewayPort, request }: { readonly gatewayPort?: number; readonly request: (route: number) => string },
): Promise<ReloadTimes> {
  const { port, child } = await serin('reloaded', yaml, gatewayPort, 'any').start({ directory, backends: { v1: 0, v2: 0 } });
  const client = await Pinger.start(port, request(0));
  await sleep(QUIET_MS);
  const quietMs = client.longestMs();
  const reloadMs: number[] = [];
  const pausesMs: number[] = [];
  for (let reload = 0; reload < RELOADS; reload++) {
    const seen = changes(child.errors);
    const start = performance.now();
    writeFileSync(join(directory, 'serin.yaml'), yaml.replace('weight: 90', `weight: ${80 - reload}`));
    while (changes(child.errors) === seen) await sleep(5);
    reloadMs.push(performance.now() - start);
    await sleep(AFTER_MS);
    pausesMs.push(client.longestMs());
  }
  client.stop();
  await child.stop();
  return { reloadMs, pausesMs, quietMs };
}

function changes(output: string): number {
  return output.split('configuration changed').length;
}

/** One keep-alive connection, asked every few milliseconds unless an answer is still on its way. */
class Pinger {
  readonly #socket: Socket;
  readonly #request: string;
  readonly #timer: NodeJS.Timeout;
  #sentAt: number | undefined;
  #longestMs = 0;

  private constructor(socket: Socket, request: string) {
    this.#socket = socket;
    this.#request = request;
    socket.on('data', () => this.#answered());
    socket.on('error', () => undefined);
    this.#timer = setInterval(() => this.#ask(), EVERY_MS);
  }

  static async start(port: number, request: string): Promise<Pinger> {
    const socket = connect(port, '127.0.0.1').setNoDelay();
    await once(socket, 'connect');
    return new Pinger(socket, request);
  }

  #ask(): void {
    if (this.#sentAt !== undefined) return;
    this.#sentAt = performance.now();
    this.#socket.write(this.#request);
  }

  #answered(): void {
    if (this.#sentAt !== undefined) this.#longestMs = Math.max(this.#longestMs, performance.now() - this.#sentAt);
    this.#sentAt = undefined;
  }

  /** Since it was last asked, an answer that is still awaited included. */
  longestMs(): number {
    const longest = Math.max(this.#longestMs, this.#sentAt === undefined ? 0 : performance.now() - this.#sentAt);
    this.#longestMs = 0;
    return longest;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#socket.destroy();
  }
}
