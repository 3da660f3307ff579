/**
 * `npm run demo`: Bookinfo's six processes, Serin in front of them, and a little traffic, until Ctrl-C.
 *
 * Works on copies of serin.yaml and istio/gateway.yaml in a temporary directory, where a reader may change them; the directory goes when the
 * demo does. Ends with 0 when it was stopped, 1 when something died or could not start, 2 on wrong usage. A second Ctrl-C waits for nothing.
 */
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Child } from './demo/child.ts';
import { freePorts, movedPort, movePorts, portsAt, type DemoPorts } from './demo/ports.ts';
import { Tally } from './demo/tally.ts';
import { startTraffic } from './demo/traffic.ts';
import { WORKLOADS } from './workloads.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const REDRAW_MS = 500;
const LINE_EVERY_MS = 5000;

const USAGE = `npm run demo [-- --port-base N]

Runs Bookinfo behind Serin on ten ports from N on; without it, from 9080 on or the next free range.`;

interface Demo {
  readonly ports: DemoPorts;
  /** The copies Serin reads. */
  readonly serinYaml: string;
  readonly gatewayYaml: string;
  readonly stateDir: string;
}

process.exitCode = await main();

async function main(): Promise<number> {
  let portBase: number | undefined;
  try {
    const { values } = parseArgs({ options: { 'port-base': { type: 'string' }, help: { type: 'boolean', short: 'h' } } });
    if (values.help === true) {
      console.log(USAGE);
      return 0;
    }
    portBase = portBaseIn(values['port-base']);
  } catch (error) {
    console.error(`${messageOf(error)}\n\n${USAGE}`);
    return 2;
  }

  const children: Child[] = [];
  const stopped = signalled(children);
  const directory = await mkdtemp(join(tmpdir(), 'serin-demo-'));
  let stopTraffic: (() => Promise<void>) | undefined;
  try {
    const demo = await prepare(directory, await (portBase === undefined ? freePorts() : portsAt(portBase)));
    const isRunning = await Promise.race([startAll(demo, children).then(() => true), stopped.then(() => false)]);
    if (isRunning) {
      console.log(welcome(demo));
      stopTraffic = watchTraffic(demo);
      await Promise.race([stopped, firstDeath(children)]);
    }
    return 0;
  } catch (error) {
    console.error(`\n${messageOf(error)}`);
    return 1;
  } finally {
    await stopTraffic?.();
    await stopAll(children);
    await rm(directory, { recursive: true, force: true });
    console.log('Stopped.');
  }
}

function portBaseIn(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const base = Number(text);
  if (!Number.isInteger(base) || base < 1 || base > 65_526)
    throw new Error(`--port-base: expected a port from 1 to 65526, found "${text}"`);
  return base;
}

/** Resolves at the first signal that asks to stop; at the second one nothing is waited for any more. */
function signalled(children: readonly Child[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let isStopping = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (isStopping) for (const child of children) child.kill();
      isStopping = true;
      resolve();
    });
  }
  return promise;
}

async function prepare(directory: string, ports: DemoPorts): Promise<Demo> {
  const serinYaml = join(directory, 'serin.yaml');
  const gatewayYaml = join(directory, 'gateway.yaml');
  await writeFile(serinYaml, movePorts(await readFile(join(HERE, 'serin.yaml'), 'utf8'), ports.base));
  await copyFile(join(HERE, 'istio/gateway.yaml'), gatewayYaml);
  return { ports, serinYaml, gatewayYaml, stateDir: join(directory, 'state') };
}

/** Resolves when everything is ready; `children` holds what has been started so far, whatever happens. */
async function startAll({ ports, serinYaml, gatewayYaml, stateDir }: Demo, children: Child[]): Promise<void> {
  const servicesUrl = `http://127.0.0.1:${ports.mesh}`;
  for (const { service, version, port } of WORKLOADS) {
    children.push(
      new Child({
        name: `${service} ${version}`,
        args: [join(HERE, `${service}.ts`), '--version', version, '--port', String(movedPort(port, ports.base))],
        cwd: ROOT,
        env: { ...process.env, SERVICES_URL: servicesUrl },
        isReadyLine: (line) => line.includes('listens on'),
      }),
    );
  }
  const listen = ['--listen', `80=127.0.0.1:${ports.gateway}`, '--mesh', `127.0.0.1:${ports.mesh}`, '--admin', `127.0.0.1:${ports.admin}`];
  children.push(
    new Child({
      name: 'serin',
      args: ['src/cli/main.ts', 'up', '-f', serinYaml, '-f', gatewayYaml, ...listen, '--state', stateDir],
      cwd: ROOT,
      env: process.env,
      isReadyLine: (line) => line.trim() === 'ready',
      onLine: (line) => announce(`serin | ${line}`),
    }),
  );
  await Promise.all(children.map((child) => child.ready));
}

async function firstDeath(children: readonly Child[]): Promise<never> {
  const obituary = await Promise.race(children.map(async (child) => child.obituary(await child.ended)));
  throw new Error(obituary);
}

/** Serin first: it drains, while what it drains to is still there. */
async function stopAll(children: readonly Child[]): Promise<void> {
  await Promise.all(children.filter(({ name }) => name === 'serin').map((child) => child.stop()));
  await Promise.all(children.map((child) => child.stop()));
}

function welcome({ ports, serinYaml, stateDir }: Demo): string {
  return `
Bookinfo runs behind Serin.

  the page         http://127.0.0.1:${ports.gateway}/productpage
  mesh listener    http://127.0.0.1:${ports.mesh}      (curl -H 'Host: reviews' http://127.0.0.1:${ports.mesh}/reviews/0)
  metrics          http://127.0.0.1:${ports.admin}/metrics
  configuration    ${serinYaml}

Three things to try:

  1. Open the page and watch the dots: nine answers in ten come from reviews v1, one from v2.
  2. Sign in on the page as jason: every answer is v2 now, with black stars.
  3. Shift the traffic, from another terminal:
       npm run serin -- shift reviews v1=50 v2=50 --state ${stateDir}
       npm run serin -- shift reviews --reset --state ${stateDir}
     or change the weights in the configuration above and save it (while no shift by hand is in force).

Ctrl-C stops everything.
`;
}

// --- the one line that changes ------------------------------------------------------------------------------------------------------------

/** Sends the traffic and keeps the tally in sight: redrawn in place on a terminal, else a line now and then. */
function watchTraffic({ ports }: Demo): () => Promise<void> {
  const tally = new Tally();
  const stopTraffic = startTraffic(`http://127.0.0.1:${ports.gateway}/productpage`, (user, outcome) =>
    tally.record(performance.now(), user, outcome),
  );
  const show = (): void => {
    const line = tally.line(performance.now());
    if (process.stdout.isTTY) process.stdout.write(`\r\u001B[K${line.slice(0, terminalWidth() - 1)}`);
    else console.log(line);
  };
  const timer = setInterval(show, process.stdout.isTTY ? REDRAW_MS : LINE_EVERY_MS);
  return async () => {
    clearInterval(timer);
    if (process.stdout.isTTY) process.stdout.write('\n');
    await stopTraffic();
  };
}

/** Some terminals (over a serial line, in an editor) do not know their size, or say 0. */
function terminalWidth(): number {
  return process.stdout.columns > 0 ? process.stdout.columns : 80;
}

/** A line of its own above the tally. */
function announce(line: string): void {
  if (process.stdout.isTTY) process.stdout.write('\r\u001B[K');
  console.log(line);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
