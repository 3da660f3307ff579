/**
 * `npm run demo`: Bookinfo's seven processes, Serin in front of them, and a little traffic, until Ctrl-C.
 *
 * Works on copies of serin.yaml, rollout.yaml and istio/gateway.yaml in a temporary directory, where a reader may change them; the directory goes when the
 * demo does. Ends with 0 when it was stopped, 1 when something died or could not start, 2 on wrong usage. A second Ctrl-C waits for nothing.
 */
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Watchdog } from '../../src/workload/process-watchdog.ts';
import { Child } from './demo/child.ts';
import { type DemoOptions, demoOptions, USAGE } from './demo/options.ts';
import { freePorts, movedPort, movePorts, portsAt } from './demo/ports.ts';
import { Tally } from './demo/tally.ts';
import { startTraffic } from './demo/traffic.ts';
import { type Demo, welcome } from './demo/welcome.ts';
import { WORKLOADS } from './workloads.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const REDRAW_MS = 500;
const LINE_EVERY_MS = 5000;
/** Of each answer of reviews. Without it they take a millisecond, and a busy machine makes one version three times as slow as another. */
const THINK_MS = 20;

process.exitCode = await main();

async function main(): Promise<number> {
  let options: DemoOptions | undefined;
  try {
    options = demoOptions();
    if (options === undefined) {
      console.log(USAGE);
      return 0;
    }
  } catch (error) {
    console.error(`${messageOf(error)}\n\n${USAGE}`);
    return 2;
  }

  const children: Child[] = [];
  const watchdog = new Watchdog();
  const stopped = signalled(children);
  const directory = await mkdtemp(join(tmpdir(), 'serin-demo-'));
  let stopTraffic: (() => Promise<void>) | undefined;
  try {
    const demo = await prepare(directory, options);
    const isRunning = await Promise.race([startAll(demo, children, watchdog).then(() => true), stopped.then(() => false)]);
    if (isRunning) {
      console.log(welcome(demo, ROOT));
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
    watchdog.close();
    await rm(directory, { recursive: true, force: true });
    console.log('Stopped.');
  }
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

async function prepare(directory: string, { portBase, trafficPerS }: DemoOptions): Promise<Demo> {
  const ports = await (portBase === undefined ? freePorts() : portsAt(portBase));
  const serinYaml = join(directory, 'serin.yaml');
  const rolloutYaml = join(directory, 'rollout.yaml');
  const gatewayYaml = join(directory, 'gateway.yaml');
  await writeFile(serinYaml, movePorts(await readFile(join(HERE, 'serin.yaml'), 'utf8'), ports.base));
  await copyFile(join(HERE, 'rollout.yaml'), rolloutYaml);
  await copyFile(join(HERE, 'istio/gateway.yaml'), gatewayYaml);
  return { ports, serinYaml, rolloutYaml, gatewayYaml, stateDir: join(directory, 'state'), trafficPerS };
}

/** Resolves when everything is ready; `children` holds what has been started so far, whatever happens. */
async function startAll(
  { ports, serinYaml, rolloutYaml, gatewayYaml, stateDir }: Demo,
  children: Child[],
  watchdog: Watchdog,
): Promise<void> {
  const servicesUrl = `http://127.0.0.1:${ports.mesh}`;
  for (const { service, version, port } of WORKLOADS) {
    children.push(
      new Child({
        name: `${service} ${version}`,
        args: [join(HERE, `${service}.ts`), '--version', version, '--port', String(movedPort(port, ports.base))],
        cwd: ROOT,
        env: { ...process.env, SERVICES_URL: servicesUrl, THINK_MS: String(THINK_MS) },
        isReadyLine: (line) => line.includes('listens on'),
        watchdog,
      }),
    );
  }
  const listen = ['--listen', `80=127.0.0.1:${ports.gateway}`, '--mesh', `127.0.0.1:${ports.mesh}`, '--admin', `127.0.0.1:${ports.admin}`];
  children.push(
    new Child({
      name: 'serin',
      args: ['src/cli/main.ts', 'up', '-f', serinYaml, '-f', rolloutYaml, '-f', gatewayYaml, ...listen, '--state', stateDir],
      cwd: ROOT,
      env: process.env,
      isReadyLine: (line) => line.trim() === 'ready',
      watchdog,
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

// --- the one line that changes ------------------------------------------------------------------------------------------------------------

/** Sends the traffic and keeps the tally in sight: redrawn in place on a terminal, else a line now and then. */
function watchTraffic({ ports, trafficPerS }: Demo): () => Promise<void> {
  const tally = new Tally();
  const stopTraffic = startTraffic(`http://127.0.0.1:${ports.gateway}/productpage`, trafficPerS, (user, outcome) =>
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
