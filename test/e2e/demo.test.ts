/** `npm run demo`, as a user meets it: it comes up, tells where everything is, traffic splits, and stopping it leaves nothing behind. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { access, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { freePorts, type DemoPorts } from '../../examples/bookinfo/demo/ports.ts';
import { ROOT } from '../helpers/moved-clone.ts';
import { replaceFile } from '../helpers/replace-file.ts';
import { ShellSession } from '../helpers/shell-session.ts';

/** Rejects, with what was printed, when the program ends otherwise than with 0. */
const runNode = promisify(execFile);

class Demo {
  readonly process: ChildProcess;
  readonly exited: Promise<number | null>;
  output = '';
  readonly #watchers = new Set<() => void>();

  constructor(args: readonly string[]) {
    this.process = spawn(process.execPath, ['examples/bookinfo/demo.ts', ...args], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
        for (const check of this.#watchers) check();
      });
    }
    this.exited = new Promise((resolve) => {
      this.process.once('close', (code) => {
        resolve(code);
        for (const check of this.#watchers) check();
      });
    });
  }

  /** The first match in what it has printed or will print. */
  printed(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const found = pattern.exec(this.output);
        if (found === null && this.process.exitCode === null) return;
        this.#watchers.delete(check);
        if (found === null) reject(new Error(`the demo ended without printing ${pattern}; it printed:\n${this.output}`));
        else resolve(found);
      };
      this.#watchers.add(check);
      check();
    });
  }
}

const started: Demo[] = [];

function startDemo(...args: string[]): Demo {
  const demo = new Demo(args);
  started.push(demo);
  return demo;
}

afterEach(async () => {
  for (const demo of started.splice(0)) {
    demo.process.kill('SIGTERM');
    await demo.exited;
  }
});

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

async function listeningPorts({ base }: DemoPorts): Promise<number[]> {
  const listening: number[] = [];
  for (let port = base; port < base + 10; port++) if (await isListening(port)) listening.push(port);
  return listening;
}

async function versionsFor(page: string, user: string | undefined, count: number): Promise<Set<string>> {
  const versions = new Set<string>();
  for (let asked = 0; asked < count; asked++) {
    const response = await fetch(page, { headers: user === undefined ? {} : { cookie: `user=${user}` } });
    versions.add(/^reviews-(v\d)/.exec(response.headers.get('reviews-served-by') ?? '')?.[1] ?? `none: ${response.status}`);
  }
  return versions;
}

const READY = /Ctrl-C stops everything/;
const PAGE = /the page\s+(?<page>http:\S+)/;
const YAML = /configuration\s+(?<yaml>\S+)/;

test('runs Bookinfo behind Serin until it is told to stop, and leaves nothing behind', async () => {
  const ports = await freePorts(13_080);
  const demo = startDemo('--port-base', String(ports.base));
  await demo.printed(READY);
  const page = (await demo.printed(PAGE)).groups?.['page'] ?? '';
  const yaml = (await demo.printed(YAML)).groups?.['yaml'] ?? '';
  const state = /export SERIN_STATE=(?<state>\S+)/.exec(demo.output)?.groups?.['state'] ?? '';

  // 200 requests miss the 10 % version once in 1.4 billion runs.
  expect(await versionsFor(page, undefined, 200)).toEqual(new Set(['v1', 'v2']));
  expect(await versionsFor(page, 'jason', 20)).toEqual(new Set(['v2']));

  // Of the things to try the third.
  await runNode(process.execPath, ['src/cli/main.ts', 'shift', 'reviews', 'v1=0', 'v3=100', '--state', state], { cwd: ROOT });
  expect(await versionsFor(page, undefined, 20)).toEqual(new Set(['v3']));
  expect(await versionsFor(page, 'jason', 5)).toEqual(new Set(['v2']));

  const tally = await demo.printed(/last 30 s .*v1 \d+ %.*\n/);
  expect(tally[0]).not.toContain('failed');

  demo.process.kill('SIGINT');
  expect(await demo.exited).toBe(0);
  expect(await listeningPorts(ports)).toEqual([]);
  await expect(access(join(yaml, '..'))).rejects.toThrow('ENOENT');
}, 120_000);

test('takes a change of the copied file while the traffic runs', async () => {
  const ports = await freePorts(15_080);
  const demo = startDemo('--port-base', String(ports.base));
  await demo.printed(READY);
  const page = (await demo.printed(PAGE)).groups?.['page'] ?? '';
  const yaml = (await demo.printed(YAML)).groups?.['yaml'] ?? '';
  replaceFile(yaml, (await readFile(yaml, 'utf8')).replace('{ v1: 90, v2: 10 }', '{ v3: 100 }'));
  await expect.poll(() => versionsFor(page, undefined, 1), { timeout: 20_000 }).toEqual(new Set(['v3']));
  expect(await versionsFor(page, undefined, 30)).toEqual(new Set(['v3']));
}, 120_000);

test('reports what died, stops the rest and ends with 1', async () => {
  const ports = await freePorts(16_080);
  const demo = startDemo('--port-base', String(ports.base));
  await demo.printed(READY);
  // Bookinfo's pod names end with the process id.
  const answer = await (await fetch(`http://127.0.0.1:${ports.base + 3}/reviews/0`)).text();
  process.kill(Number.parseInt(/reviews-v3-(?<pid>\w+)/.exec(answer)?.groups?.['pid'] ?? '', 36), 'SIGKILL');
  expect(await demo.exited).toBe(1);
  expect(demo.output).toMatch(/reviews v3 was ended by SIGKILL[\s\S]*reviews v3 listens on/);
  expect(await listeningPorts(ports)).toEqual([]);
}, 120_000);

test('names the port that is taken', async () => {
  const ports = await freePorts(17_080);
  const first = startDemo('--port-base', String(ports.base));
  await first.printed(READY);
  const second = startDemo('--port-base', String(ports.base));
  expect(await second.exited).toBe(1);
  expect(second.output).toContain(`port ${ports.base} is in use`);
}, 120_000);

test('releases v3, which is promoted, and v4, which is taken back, by the commands it prints', { timeout: 240_000 }, async () => {
  const ports = await freePorts(18_080);
  const demo = startDemo('--port-base', String(ports.base), '--traffic', '60');
  await demo.printed(READY);
  const rolloutYaml = (await demo.printed(/^ +(?<file>\S+rollout\.yaml)$/m)).groups?.['file'] ?? '';
  // The same release with less patience between its steps, and twice the readers.
  replaceFile(rolloutYaml, (await readFile(rolloutYaml, 'utf8')).replaceAll(/atLeast: \d+s/g, 'atLeast: 3s').replace('15s', '1s'));
  await demo.printed(/serin \| .*configuration changed/);
  const setUp = (await demo.printed(/^ +cd (?:.*\n)+? +serin\(\) .*$/m))[0];
  const shell = new ShellSession({ cwd: '/', env: process.env });
  try {
    await shell.outputOf(setUp);
    for (const [version, start] of [
      ['v3', await command(demo, /^ +(serin rollout start reviews)$/m)],
      ['v4', await command(demo, /^ +(serin rollout start reviews --to v4)$/m)],
    ] as const) {
      expect(await shell.outputOf(start)).toMatch(/^reviews {2}Progressing /m);
      const shown = await shell.outputOf(await command(demo, /^ +(serin rollout status reviews -w)$/m));
      if (version === 'v3') expect(shown).toMatch(/(?:promote|Healthy) .*v3 is promoted: /);
      else expect(shown).toMatch(/(?:rollback|Degraded) .*back to v3: .*error rate is worse than tolerated: canary .* % of .* requests/);
    }
    expect(await shell.outputOf(await command(demo, /^ +(serin rollout history reviews)$/m))).toMatch(
      /promote +100 %[\s\S]*rollback +0 % +back to v3/,
    );
  } finally {
    await shell.close();
  }
});

/** A command as it is printed. */
async function command(demo: Demo, pattern: RegExp): Promise<string> {
  return (await demo.printed(pattern))[1] ?? '';
}

test('killed, it leaves no process behind', async () => {
  const ports = await freePorts(19_080);
  const demo = startDemo('--port-base', String(ports.base), '--traffic', '0');
  await demo.printed(READY);
  expect(demo.output).toContain('none, as --traffic 0 says');
  expect(await listeningPorts(ports)).toHaveLength(10);
  demo.process.kill('SIGKILL');
  expect(await demo.exited).toBeNull();
  await expect.poll(() => listeningPorts(ports), { timeout: 20_000 }).toEqual([]);
  const directory = join((await demo.printed(YAML)).groups?.['yaml'] ?? '/nowhere/none', '..');
  await rm(directory, { recursive: true });
}, 120_000);

test.each([
  [['--port-base', 'http'], 'expected a port from 1 to 65526, found "http"'],
  [['--traffic', '1000'], 'expected page views a second from 0 to 100, found "1000"'],
  [['--trafic', '1'], "Unknown option '--trafic'"],
])('refuses %s', async (args, message) => {
  const demo = startDemo(...args);
  expect(await demo.exited).toBe(2);
  expect(demo.output).toContain(message);
  expect(demo.output).toContain('npm run demo');
});
