/**
 * What retries and outlier detection promise under load, with `serin up` as a process: an upstream that fails everything is not buried by retries, and
 * one of three that dies is nobody's problem but its own.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { RawLoad } from '../helpers/raw-load.ts';
import { SerinProcess } from '../helpers/serin-process.ts';
import { ask, close, listen } from '../helpers/upstream.ts';

let directory: string;
let serin: SerinProcess | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-bars-'));
});

afterEach(async () => {
  await serin?.end();
  rmSync(directory, { recursive: true, force: true });
});

/** @param policy Of the DestinationRule, in flow style. */
async function up(ports: readonly number[], retries: string, policy: string, workers: number): Promise<SerinProcess> {
  const file = join(directory, 'config.yaml');
  const endpoints = ports.map((port) => `{ address: 127.0.0.1, ports: { http: ${port} } }`).join(', ');
  writeFileSync(
    file,
    `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: app }
spec: { hosts: [app], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [${endpoints}] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: app }
spec: { host: app, trafficPolicy: { ${policy} } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: app }
spec: { hosts: [app], http: [{ route: [{ destination: { host: app } }], retries: { ${retries} } }] }
`,
  );
  const addresses = ['--state', join(directory, 'state'), '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
  serin = new SerinProcess(['up', '-f', file, ...addresses, '--workers', String(workers)]);
  return serin.ready();
}

async function metric(process: SerinProcess, pattern: RegExp): Promise<number> {
  const { body } = await ask(process.address('admin'), { path: '/metrics' });
  return body.split('\n').reduce((sum, line) => (pattern.test(line) ? sum + Number(line.split(' ').at(-1)) : sum), 0);
}

test.each([1, 2])(
  'a retry storm: three retries of everything are a fifth more load at most (%i workers)',
  { timeout: 60_000 },
  async (workers) => {
    let asked = 0;
    const failing = createServer((_request, response) => {
      asked++;
      response.writeHead(503, { 'content-length': 2 }).end('no');
    });
    const port = await listen(failing);
    onTestFinished(() => close(failing));
    const started = await up([port], 'attempts: 3, retryOn: 5xx', 'loadBalancer: { simple: ROUND_ROBIN }', workers);
    // With few in flight three retries are let through, whatever part that is.
    const load = new RawLoad(started.address('mesh'), 'app', 64, 8000);
    await load.done;
    const { sent, ok } = load.tally;
    expect(ok).toBe(0);
    expect(asked - sent).toBe(await metric(started, /^serin_retries_total\{/));
    expect(asked - sent).toBeGreaterThan(0);
    expect(asked).toBeLessThanOrEqual(sent * 1.2);
    expect(await metric(started, /^serin_retries_refused_total\{/)).toBeGreaterThan(0);
  },
);

/** An upstream that can be killed. */
async function startVictim(): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const program = join(directory, `upstream-${Math.random()}.mjs`);
  writeFileSync(
    program,
    `import { createServer } from 'node:http';
     const server = createServer((request, response) => response.writeHead(200, { 'content-length': 2 }).end('ok'));
     server.keepAliveTimeout = 60_000;
     server.listen(0, '127.0.0.1', () => process.send(server.address().port));`,
  );
  const child = fork(program, { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [port] = (await once(child, 'message')) as [number];
  return { child, port };
}

test('one of three upstreams is killed at load: no client notices, and it is ejected', { timeout: 60_000 }, async () => {
  const victims = await Promise.all([startVictim(), startVictim(), startVictim()]);
  const started = await up(
    victims.map(({ port }) => port),
    'attempts: 2, retryOn: "connect-failure,reset,503", backoff: 5ms',
    'outlierDetection: { consecutive5xxErrors: 3, interval: 1s, baseEjectionTime: 60s, maxEjectionPercent: 100 }',
    1,
  );
  const load = new RawLoad(started.address('mesh'), 'app', 32);
  await expect.poll(() => load.tally.ok).toBeGreaterThan(500);
  const [victim] = victims;
  victim?.child.kill('SIGKILL');
  const isEjected = new RegExp(`^serin_endpoint_ejected\\{.*127\\.0\\.0\\.1:${victim?.port}"`);
  await expect.poll(() => metric(started, isEjected), { timeout: 20_000 }).toBe(1);
  const after = load.tally.ok;
  await expect.poll(() => load.tally.ok - after).toBeGreaterThan(500);
  const { failed, failures, sent, ok } = await load.stop();
  expect(failures).toEqual([]);
  expect([failed, ok]).toEqual([0, sent]);
});
