/** Logs of what Serin runs, over the API; and that nothing secret is told to who watches. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LiveUpdate, LogLine, ProcessLog } from '../../src/admin/live-types.ts';
import { askAdmin } from '../helpers/admin-api.ts';
import { EventReader } from '../helpers/event-reader.ts';
import { SerinProcess } from '../helpers/serin-process.ts';
import { ask } from '../helpers/upstream.ts';

const LONG = { timeout: 60_000 };

/** Each stands somewhere else; none may be told. */
const SECRETS = {
  env: 'CANARY-env-0001',
  hostEnv: 'CANARY-host-env-0002',
  header: 'CANARY-header-0003',
  cookie: 'CANARY-cookie-0004',
  query: 'CANARY-query-0005',
  password: 'CANARY-password-0006',
  setting: 'CANARY-setting-0007',
};

const PROGRAM = `
const { createServer } = require('node:http');
console.log('started');
console.log('postgres://ana:${SECRETS.password}@db:5432/x');
console.log('DB_PASSWORD=${SECRETS.setting}');
console.error('to stderr');
createServer((request, response) => {
  console.log(request.method + ' ' + request.url);
  console.log('authorization: ' + request.headers.authorization);
  console.log(JSON.stringify({ cookie: request.headers.cookie }));
  response.end('v1');
}).listen(process.env.PORT, '127.0.0.1');
`;

let directory: string;
let state: string;
let daemon: SerinProcess;
const readers: EventReader[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'serin-live-processes-'));
  state = join(directory, 'state');
  writeFileSync(join(directory, 'program.cjs'), PROGRAM);
  const config = join(directory, 'config.yaml');
  writeFileSync(
    config,
    `services:
  reviews:
    versions:
      v1: { run: node program.cjs, env: { API_KEY: ${SECRETS.env}, OTHER: "\${OTHER}" } }
      v2: http://127.0.0.1:1
    routes: [{ to: v1 }]
    rollout: { stable: v1, canary: v2, paused: true, steps: [{ setWeight: 1 }, { pause: {} }, { setWeight: 100 }] }
`,
  );
  daemon = await new SerinProcess(['up', '-f', config, '--state', state, '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0'], {
    env: { PATH: `${join(process.execPath, '..')}:${process.env['PATH'] ?? ''}`, OTHER: SECRETS.hostEnv },
  }).ready();
});

afterEach(async () => {
  for (const reader of readers.splice(0)) reader.close();
  await daemon.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function watch(path: string): Promise<EventReader> {
  const token = readFileSync(join(state, 'token'), 'utf8').trim();
  const reader = await EventReader.open(daemon.address('admin').port, path, { authorization: `Bearer ${token}` });
  readers.push(reader);
  return reader;
}

const get = (path: string): ReturnType<typeof askAdmin> => askAdmin(daemon, state, { path });

test('the last lines, then those that come; secrets are left out of them and of every event', LONG, async () => {
  const events = await watch('events');
  const following = await watch('processes/reviews-v1-1/log?follow=true&lines=2');
  await ask(daemon.address('mesh'), {
    path: `/a?token=${SECRETS.query}`,
    headers: { host: 'reviews', authorization: `Bearer ${SECRETS.header}`, cookie: `session=${SECRETS.cookie}` },
  });
  const line = await following.next('line', ({ text }: LogLine) => text.includes('GET /a'));
  expect(LogLine.parse(line).text).toMatch(/^\d{4}-\S+ \d+ out GET \/a\?token=redacted$/);
  await following.next('line', ({ text }: LogLine) => text.includes('cookie'));

  const shown = ProcessLog.parse((await get('processes/reviews-v1-1/log')).json);
  expect(shown.process).toBe('reviews-v1-1');
  const texts = shown.lines.map(({ text }) => text.replace(/^\S+ \d+ /, ''));
  expect(texts).toEqual(
    expect.arrayContaining(['out started', 'err to stderr', 'out DB_PASSWORD=redacted', 'out authorization: redacted']),
  );
  const last = ProcessLog.parse((await get('processes/reviews-v1-1/log?lines=1')).json);
  expect(last.lines).toEqual(shown.lines.slice(-1));

  const update = LiveUpdate.parse(await events.next('live', ({ requestsPerSecond }: LiveUpdate) => requestsPerSecond > 0));
  expect(update.services[0]?.versions[0]).toMatchObject({
    subset: 'v1',
    processes: { total: 1, ready: 1 },
    endpoints: { total: 1, healthy: 1 },
  });
  await askAdmin(daemon, state, { method: 'POST', path: 'rollouts/default/reviews/start', body: {} });
  await events.next('live');
  const everything = [events.text, following.text, JSON.stringify(shown), daemon.err, daemon.out].join('\n');
  expect(Object.values(SECRETS).filter((secret) => everything.includes(secret))).toEqual([]);
  const token = readFileSync(join(state, 'token'), 'utf8').trim();
  expect(everything).not.toContain(token);
});

test('what there is not, and what cannot be asked', LONG, async () => {
  expect(await get('processes/reviews-v1/log?lines=1')).toMatchObject({ status: 200 });
  expect(await get('processes/reviews-v1-11/log')).toMatchObject({
    status: 404,
    json: { code: 'E_NOT_FOUND', hint: 'did you mean reviews-v1-1?' },
  });
  expect(await get('processes/reviews-v1-1/log?namespace=other')).toMatchObject({ status: 404 });
  for (const query of ['lines=0', 'lines=5001', 'lines=x', 'follow=yes'])
    expect(await get(`processes/reviews-v1-1/log?${query}`)).toMatchObject({ status: 400, json: { code: 'E_QUERY' } });
  expect(await get('processes/..%2ftoken/log')).toMatchObject({ status: 404 });
});

test('evidence of a Rollout that has none yet, and of one there is not', LONG, async () => {
  expect(await get('rollouts/default/reviews/evidence')).toMatchObject({ status: 200, json: { run: 0, points: [] } });
  expect(await get('rollouts/default/review/evidence')).toMatchObject({ status: 404, json: { hint: 'did you mean reviews?' } });
});
