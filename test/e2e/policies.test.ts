/** Istio's tasks for faults, timeouts, retries and mirroring, with `serin up` as a process: what its user and its metrics see. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { serinHere } from '../helpers/serin-command.ts';
import { SerinProcess } from '../helpers/serin-process.ts';
import { ask, close, listen, startUpstream, type Upstream } from '../helpers/upstream.ts';

let v1: Upstream;
let v2: Upstream;
let flaky: Server;
let flakyPort: number;
let directory: string;
let config: string;
const started: SerinProcess[] = [];

beforeAll(async () => {
  [v1, v2] = await Promise.all([startUpstream('v1'), startUpstream('v2')]);
  let asked = 0;
  // Every other answer is a 503.
  flaky = createServer((_request, response) => response.writeHead(asked++ % 2 === 0 ? 503 : 200).end('flaky'));
  flakyPort = await listen(flaky);
});

afterAll(() => Promise.all([v1.close(), v2.close(), close(flaky)]));

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-policies-'));
  config = join(directory, 'config.yaml');
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((process) => process.end()));
  rmSync(directory, { recursive: true, force: true });
});

/** @param rule  In flow style, without its braces. */
async function up(rule: string, ...args: string[]): Promise<SerinProcess> {
  writeFileSync(
    config,
    `
services:
  ratings: { versions: { v1: 'http://127.0.0.1:${v1.port}', v2: 'http://127.0.0.1:${v2.port}', flaky: 'http://127.0.0.1:${flakyPort}' } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ratings }
spec:
  hosts: [ratings]
  http:
    - { ${rule} }
    - { route: [{ destination: { host: ratings, subset: v1 } }] }
`,
  );
  const addresses = ['--state', join(directory, 'state'), '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
  const process = new SerinProcess(['up', '-f', config, ...addresses, ...args]);
  started.push(process);
  await process.ready();
  expect(process.err).not.toContain('W_NOT_HONOURED');
  return process;
}

const RATINGS = { headers: { host: 'ratings' } };
const JASON = { headers: { host: 'ratings', 'end-user': 'jason' } };
const FOR_JASON = 'match: [{ headers: { end-user: { exact: jason } } }], route: [{ destination: { host: ratings, subset: v1 } }]';

/** Sum of a metric's samples that match. */
async function metric(process: SerinProcess, pattern: RegExp): Promise<number> {
  const { body } = await ask(process.address('admin'), { path: '/metrics' });
  const samples = body.split('\n').filter((line) => pattern.test(line));
  return samples.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

test('an abort for jason, and for nobody else', async () => {
  const process = await up(`${FOR_JASON}, fault: { abort: { percentage: { value: 100 }, httpStatus: 500 } }`);
  expect([(await ask(process.address('mesh'), JASON)).status, (await ask(process.address('mesh'), RATINGS)).body]).toEqual([500, 'v1']);
  expect(await metric(process, /^istio_requests_total\{.*response_code="500",response_flags="FI"\}/)).toBe(1);
});

test('a delay meets the timeout; in Istio’s way it does not', async () => {
  const rule = `${FOR_JASON}, timeout: 100ms, fault: { delay: { percentage: { value: 100 }, fixedDelay: 400ms } }`;
  const safer = await up(rule);
  expect((await ask(safer.address('mesh'), JASON)).status).toBe(504);
  await safer.end();
  const compatible = await up(rule, '--istio-compat');
  expect((await ask(compatible.address('mesh'), JASON)).body).toBe('v1');
});

test('retries make up for a version that fails every other request, and are counted', async () => {
  const rule = 'route: [{ destination: { host: ratings, subset: flaky } }], retries: { attempts: 3, retryOn: "503" }';
  const process = await up(rule);
  for (let index = 0; index < 10; index++) expect((await ask(process.address('mesh'), RATINGS)).status).toBe(200);
  expect(await metric(process, /^serin_retries_total\{/)).toBe(10);
});

test('copies go to the mirror, users get the answers of the version', async () => {
  const process = await up(
    'route: [{ destination: { host: ratings, subset: v1 } }], mirror: { host: ratings, subset: v2 }, mirrorPercentage: { value: 100 }',
  );
  const before = v2.requests();
  for (let index = 0; index < 20; index++) expect((await ask(process.address('mesh'), RATINGS)).body).toBe('v1');
  await expect.poll(() => v2.requests() - before).toBe(20);
  await expect.poll(() => metric(process, /^serin_mirrored_requests_total\{.*destination_version="v2".*response_code="200"/)).toBe(20);
  expect(await metric(process, /^istio_requests_total\{.*destination_version="v2"/)).toBe(0);
});

test('explain prints what is in force, as the files say it and as the running Serin has it', async () => {
  const rule = `${FOR_JASON}, timeout: 2s, retries: { attempts: 1, retryOn: 5xx }, fault: { delay: { percentage: { value: 1 }, fixedDelay: 7s } },
      mirrors: [{ destination: { host: ratings, subset: v2 }, percentage: { value: 5 } }], corsPolicy: { allowOrigins: [{ exact: 'https://a.example' }] }`;
  await up(rule, '--istio-compat');
  const args = ['-H', 'end-user: jason', 'http://ratings/'];
  const running = await serinHere(['explain', '--state', join(directory, 'state'), ...args]);
  for (const line of [
    'timeout: 2000 ms',
    'retries: at most 1 more on 5xx; back-off from 25 ms; other endpoints first; any method',
    'faults injected: delay of 7000 ms for 1 %; once, before timeouts and retries',
    'a copy of 5 % to outbound|80|v2|ratings.default.svc.cluster.local, Host ratings; its answers are dropped',
    'cors: origins exact "https://a.example"; other preflights passed on',
  ])
    expect(running.out).toContain(`\n${line}\n`);
  const written = await serinHere(['explain', '-f', config, ...args]);
  expect(written.out).toContain('each attempt, within timeouts and retries');
  expect(written.out).toContain('what is not idempotent only before it is sent');
});
