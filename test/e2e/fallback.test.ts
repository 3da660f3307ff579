/** A canary that dies at half of the traffic, with `fallback: stable`: nobody who may be asked again notices, and the release is taken back all the same. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { SerinProcess } from '../helpers/serin-process.ts';
import { ask, close, listen, startUpstream, type Upstream } from '../helpers/upstream.ts';

let stable: Upstream;
let canary: Server;
let directory: string;
let process_: SerinProcess;

beforeEach(async () => {
  stable = await startUpstream('v1');
  canary = createServer((_request, response) => response.end('v2'));
  directory = mkdtempSync(join(tmpdir(), 'serin-fallback-'));
  const config = join(directory, 'config.yaml');
  writeFileSync(
    config,
    `
services:
  reviews:
    versions: { v1: http://127.0.0.1:${stable.port}, v2: http://127.0.0.1:${await listen(canary)} }
    routes: [{ to: v1 }]
    rollout: { stable: v1, canary: v2, fallback: stable, steps: [{ setWeight: 50 }, { pause: {} }, { setWeight: 100 }] }
`,
  );
  process_ = await up(config);
});

function up(config: string): Promise<SerinProcess> {
  const addresses = ['--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
  return new SerinProcess(['up', '-f', config, '--state', state(), ...addresses, '--workers', '2', '--access-log', 'errors']).ready();
}

afterEach(async () => {
  await process_.end();
  await Promise.all([stable.close(), close(canary)]);
  rmSync(directory, { recursive: true, force: true });
});

const state = (): string => join(directory, 'state');

interface Seen {
  readonly status: number;
  readonly body: string;
  readonly fallback: unknown;
}

async function send(method: 'GET' | 'POST'): Promise<Seen> {
  const { status, body, headers } = await ask(process_.address('mesh'), { method, headers: { host: 'reviews' } });
  return { status, body, fallback: headers['x-serin-fallback'] };
}

const Status = z.object({
  status: z.looseObject({ phase: z.string(), decisions: z.array(z.looseObject({ action: z.string(), reason: z.string() })) }),
});

async function statusOf(): Promise<z.infer<typeof Status>['status']> {
  const { host, port } = process_.address('admin');
  const authorization = `Bearer ${readFileSync(join(state(), 'token'), 'utf8').trim()}`;
  const response = await fetch(`http://${host}:${port}/api/v1/rollouts/default/reviews`, { headers: { authorization } });
  return Status.parse(await response.json()).status;
}

test('no GET fails, POSTs do, and the evidence takes the canary back', { timeout: 60_000 }, async () => {
  for (let body = ''; body !== 'v2'; { body } = await send('GET')) await sleep(10);
  // Killed, it goes on where it was, and falls back as before.
  process_.signal('SIGKILL');
  await process_.finished;
  process_ = await up(join(directory, 'config.yaml'));
  await close(canary);
  const gets: Seen[] = [];
  const posts: Seen[] = [];
  // One that is drawn to v2, while there is still something to draw.
  while (posts.at(-1)?.status !== 503) posts.push(await send('POST'));
  while ((await statusOf()).phase !== 'Degraded') {
    gets.push(...(await Promise.all(Array.from({ length: 4 }, () => send('GET')))));
  }
  expect(new Set(gets.map(({ status, body }) => `${status} ${body}`))).toEqual(new Set(['200 v1']));
  expect(new Set(gets.map(({ fallback }) => fallback))).toEqual(new Set([undefined, 'stable']));
  expect(posts.at(-1)?.fallback).toBeUndefined();
  const last = (await statusOf()).decisions.at(-1);
  expect(last?.action).toBe('rollback');
  process_.signal('SIGTERM');
  await process_.finished;
  const lines = readFileSync(join(state(), 'logs', 'access.log'), 'utf8')
    .trimEnd()
    .split('\n');
  const fallen = lines.filter((line) => line.includes('"fallback_from":"outbound|80|v2|reviews.default.svc.cluster.local"'));
  expect(fallen).toHaveLength(gets.filter(({ fallback }) => fallback === 'stable').length);
  expect(fallen.every((line) => line.includes('"response_code":200') && line.includes('"upstream_cluster":"outbound|80|v1|'))).toBe(true);
});
