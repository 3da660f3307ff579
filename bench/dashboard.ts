/**
 * `npm run bench:dashboard`: what it costs that people watch, with a Serin as a user starts it.
 *
 * 1. The control plane (the main thread) with 100 open event streams, by how many services there are, all of them with traffic; beside it the same without streams.
 * 2. The data plane (all other threads) for each request at a steady rate, without a dashboard and with five, in turn.
 * 3. From the end of a request to the event that tells of it, for services that were idle.
 *
 *     ... --services 50,1000   --streams 100   --seconds 15   --rate 5000   --rounds 8
 *
 * Linux only (machine.ts). Exits with 1 when a goal is missed: 30 % of a core for the first number of services, 2 % of the data plane's processor time, 1.25 s (an
 * update a second, and what the machine adds).
 */
import { get } from 'node:http';
import { connect, type Socket } from 'node:net';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { LiveUpdate } from '../src/admin/live-types.ts';
import { Child, stopAll } from './child.ts';
import { cpuMicrosByThread, describeMachine, residentBytes } from './machine.ts';
import { median } from './measure.ts';
import { Daemon } from './release/daemon.ts';

const CONTROL_LIMIT = 0.3;
const DATA_LIMIT = 0.02;
const DELAY_LIMIT_MS = 1250;
const DASHBOARDS = 5;
const CONNECTIONS = 64;
const DELAY_SAMPLES = 25;
/** Until everything is compiled and every stream has its greeting. */
const WARM_UP_MS = 5000;
const BACKEND = new URL('backend.ts', import.meta.url).pathname;

const { values: flags } = parseArgs({
  options: {
    services: { type: 'string', default: '50,1000' },
    streams: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '15' },
    rate: { type: 'string', default: '5000' },
    rounds: { type: 'string', default: '8' },
  },
});

/** A fixed number of requests a second over connections that are kept, each with one request at a time; what finds none free is left out. */
class SteadyLoad {
  requests = 0;
  readonly #free: Socket[] = [];
  readonly #all: Socket[] = [];
  readonly #timer: NodeJS.Timeout;

  /** @param rate Requests a second, to the services in turn. */
  constructor(port: number, rate: number, services: number) {
    for (let index = 0; index < CONNECTIONS; index++) {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => this.#free.push(socket));
      // Answers are a packet each.
      socket.on('data', () => {
        this.requests++;
        this.#free.push(socket);
      });
      this.#all.push(socket);
    }
    let sent = 0;
    const beganAt = performance.now();
    this.#timer = setInterval(() => {
      const due = ((performance.now() - beganAt) * rate) / 1000;
      for (; sent < due; sent++) this.#free.pop()?.write(`GET / HTTP/1.1\r\nHost: s${sent % services}\r\n\r\n`);
    }, 1);
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const socket of this.#all) socket.destroy();
  }
}

/** Open streams of everything; what comes is counted and not looked at. */
class Streams {
  bytes = 0;
  readonly #closers: (() => void)[] = [];

  constructor(daemon: Daemon, count: number) {
    for (let index = 0; index < count; index++) {
      const asked = get(
        {
          host: '127.0.0.1',
          port: daemon.adminPort,
          path: '/api/v1/events',
          headers: { authorization: daemon.authorization },
          agent: false,
        },
        (response) => response.on('data', (chunk: Buffer) => (this.bytes += chunk.length)).on('error', () => undefined),
      );
      asked.on('error', () => undefined);
      this.#closers.push(() => asked.destroy());
    }
  }

  close(): void {
    for (const close of this.#closers) close();
  }
}

interface Cpu {
  /** Shares of one core. */
  readonly control: number;
  readonly data: number;
  readonly requests: number;
}

async function measured(daemon: Daemon, load: SteadyLoad, seconds: number): Promise<Cpu> {
  const before = cpuMicrosByThread(daemon.pid);
  const [beganAt, requests] = [performance.now(), load.requests];
  await sleep(seconds * 1000);
  const micros = (performance.now() - beganAt) * 1000;
  let [control, data] = [0, 0];
  for (const [name, total] of cpuMicrosByThread(daemon.pid)) {
    const spent = total - (before.get(name) ?? 0);
    if (name.endsWith('(main)')) control += spent;
    else data += spent;
  }
  return { control: control / micros, data: data / micros, requests: load.requests - requests };
}

/** @returns Whether the goal was reached. */
async function controlPlane(ports: readonly number[], services: number, isJudged: boolean): Promise<boolean> {
  const [seconds, count] = [Number(flags.seconds), Number(flags.streams)];
  const daemon = await Daemon.start(configOf(ports, services));
  const load = new SteadyLoad(daemon.meshPort, Math.max(500, 2 * services), services);
  await sleep(WARM_UP_MS);
  const without = await measured(daemon, load, seconds);
  const streams = new Streams(daemon, count);
  await sleep(WARM_UP_MS);
  const bytes = streams.bytes;
  const watched = await measured(daemon, load, seconds);
  const perStream = (streams.bytes - bytes) / seconds / count / 1024;
  const rate = Math.round(watched.requests / seconds);
  console.log(
    `${services} services, ${rate} requests/s, ${count} streams: control plane ${percent(watched.control)} of a core (${percent(without.control)} without), ` +
      `${perStream.toFixed(0)} KiB/s a stream, ${Math.round(residentBytes(daemon.pid) / 1e6)} MB`,
  );
  streams.close();
  load.stop();
  await daemon.stop();
  return !isJudged || watched.control <= CONTROL_LIMIT;
}

async function dataPlane(ports: readonly number[]): Promise<boolean> {
  const [seconds, services] = [Number(flags.seconds), 50];
  const daemon = await Daemon.start(configOf(ports, services));
  const load = new SteadyLoad(daemon.meshPort, Number(flags.rate), services);
  await sleep(WARM_UP_MS);
  const ratios: number[] = [];
  const costs: number[] = [];
  for (let round = 0; round < Number(flags.rounds); round++) {
    const cost = async (isWatched: boolean): Promise<number> => {
      const streams = new Streams(daemon, isWatched ? DASHBOARDS : 0);
      await sleep(500);
      const { data, requests } = await measured(daemon, load, seconds / 3);
      streams.close();
      // Sampling goes on for ten seconds after the last stream: those without are to be without.
      if (isWatched) await sleep(11_000);
      return (data * 1e6 * (seconds / 3)) / requests;
    };
    const first = round % 2 === 0;
    const one = await cost(first);
    const other = await cost(!first);
    const [watched, without] = first ? [one, other] : [other, one];
    ratios.push(watched / without - 1);
    costs.push(without);
  }
  load.stop();
  await daemon.stop();
  const extra = median(ratios);
  const spread = ratios.map((ratio) => percent(ratio)).join(' ');
  console.log(
    `${flags.rate} requests/s wanted, ${DASHBOARDS} streams: data plane ${median(costs).toFixed(1)} us a request without, ${extra < 0 ? '' : '+'}${percent(extra)} with (median of ${ratios.length} rounds: ${spread})`,
  );
  return extra <= DATA_LIMIT;
}

async function delays(ports: readonly number[]): Promise<boolean> {
  const daemon = await Daemon.start(configOf(ports, DELAY_SAMPLES));
  const cameAt = new Map<string, number>();
  let text = '';
  const asked = get(
    {
      host: '127.0.0.1',
      port: daemon.adminPort,
      path: '/api/v1/events?topics=live',
      headers: { authorization: daemon.authorization },
      agent: false,
    },
    (response) => {
      response.setEncoding('utf8').on('data', (more: string) => {
        const blocks = (text + more).split('\n\n');
        text = blocks.pop() ?? '';
        for (const block of blocks) {
          const data = block.split('\ndata: ')[1];
          if (data === undefined) continue;
          for (const { name, requestsPerSecond } of LiveUpdate.parse(JSON.parse(data)).services)
            if (requestsPerSecond > 0 && !cameAt.has(name)) cameAt.set(name, performance.now());
        }
      });
      response.on('error', () => undefined);
    },
  );
  asked.on('error', () => undefined);
  await sleep(2000);
  const found: number[] = [];
  for (let sample = 0; sample < DELAY_SAMPLES; sample++) {
    await sleep(Math.random() * 1000);
    await new Promise((resolve) => {
      get({ host: '127.0.0.1', port: daemon.meshPort, headers: { host: `s${sample}` }, agent: false }, (response) =>
        response.resume().on('end', resolve),
      );
    });
    const endedAt = performance.now();
    while (!cameAt.has(`s${sample}`)) await sleep(5);
    found.push((cameAt.get(`s${sample}`) ?? 0) - endedAt);
  }
  asked.destroy();
  await daemon.stop();
  const longest = Math.max(...found);
  console.log(
    `from the end of a request to its event: median ${median(found).toFixed(0)} ms, longest of ${found.length} ${longest.toFixed(0)} ms`,
  );
  return longest <= DELAY_LIMIT_MS;
}

function configOf([v1, v2]: readonly number[], services: number): string {
  const all = Array.from(
    { length: services },
    (_, index) =>
      `  s${index}: { versions: { v1: http://127.0.0.1:${v1}, v2: http://127.0.0.1:${v2} }, routes: [{ split: { v1: 90, v2: 10 } }] }`,
  );
  return `services:\n${all.join('\n')}\n`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

const load = (): string =>
  loadavg()
    .map((each) => each.toFixed(1))
    .join(' ');

console.log(`${describeMachine()}; load ${load()}`);
try {
  const backend = new Child('backend', 'any', [process.execPath, BACKEND]);
  const said = await backend.waitFor(/^ports (\d+) (\d+)/m);
  const ports = [Number(said[1]), Number(said[2])];
  const results: boolean[] = [];
  for (const [index, services] of flags.services.split(',').entries())
    results.push(await controlPlane(ports, Number(services), index === 0));
  results.push(await delays(ports));
  results.push(await dataPlane(ports));
  console.log(`load at the end ${load()}`);
  process.exitCode = results.every(Boolean) ? 0 : 1;
} finally {
  await stopAll();
}
