/** A release by user in a running Serin: a user counts once, over workers, reloads and restarts. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { askAdmin, rolloutStatus, untilRollout } from '../helpers/admin-api.ts';
import { replaceFile } from '../helpers/replace-file.ts';
import { SerinProcess } from '../helpers/serin-process.ts';
import { type Answer, ask, close, listen } from '../helpers/upstream.ts';

let versions: readonly Server[];
/** Who is answered 500, by either version; `all of v2`: everybody there. */
let unhappy: ReadonlySet<string>;
let directory: string;
let config: string;
let state: string;
let yaml: string;
const started: SerinProcess[] = [];

beforeEach(async () => {
  unhappy = new Set();
  canaryAnswers = 0;
  const version = (name: string) => (request: IncomingMessage, response: ServerResponse) => {
    const isBad = unhappy.has(String(request.headers['end-user'])) || unhappy.has(`all of ${name}`);
    response.writeHead(isBad ? 500 : 200).end(name);
  };
  versions = ['v1', 'v2'].map((name) => createServer(version(name)));
  const [v1, v2] = await Promise.all(versions.map(listen));
  directory = mkdtempSync(join(tmpdir(), 'serin-users-'));
  config = join(directory, 'config.yaml');
  state = join(directory, 'state');
  yaml = `
services:
  reviews:
    versions: { v1: http://127.0.0.1:${v1}, v2: http://127.0.0.1:${v2} }
    routes: [{ to: v1 }]
    rollout:
      stable: v1
      canary: v2
      assignment: { by: user, header: end-user }
      steps: [{ setWeight: 50 }, { pause: {} }, { setWeight: 100 }]
`;
  writeFileSync(config, yaml);
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((process) => process.end()));
  await Promise.all(versions.map(close));
  rmSync(directory, { recursive: true, force: true });
});

async function up(): Promise<SerinProcess> {
  const args = ['up', '-f', config, '--state', state, '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--workers', '2'];
  const process = new SerinProcess(args);
  started.push(process);
  return process.ready();
}

const Status = z.looseObject({
  phase: z.string(),
  currentStepIndex: z.number().optional(),
  analysis: z.looseObject({ metrics: z.array(z.looseObject({ n: z.looseObject({ canary: z.number() }) })) }).optional(),
  decisions: z.array(z.looseObject({ action: z.string(), reason: z.string() })),
});
type Status = z.infer<typeof Status>;

const statusOf = (process: SerinProcess): Promise<Status> => rolloutStatus(process, state, Status);
const until = (process: SerinProcess, holds: (status: Status) => boolean): Promise<Status> => untilRollout(process, state, Status, holds);

/** Answers of the new version, over all processes. */
let canaryAnswers = 0;

/** A new connection a request, so that both workers get some. */
async function askAs(process: SerinProcess, user: string): Promise<Answer> {
  const answer = await ask(process.address('mesh'), { headers: { host: 'reviews', 'end-user': user } });
  if (answer.body === 'v2') canaryAnswers++;
  return answer;
}

const PEOPLE = Array.from({ length: 300 }, (_, index) => `user-${index}`);

async function askAsAll(process: SerinProcess): Promise<void> {
  for (let from = 0; from < PEOPLE.length; from += 30) await Promise.all(PEOPLE.slice(from, from + 30).map((user) => askAs(process, user)));
}

/** The analysis has taken in everything that was answered. */
const looked = (process: SerinProcess): Promise<Status> =>
  until(process, ({ analysis }) => (analysis?.metrics[0]?.n.canary ?? 0) >= canaryAnswers);

test('one user whose every request fails on the new version is one failure, not three hundred', { timeout: 60_000 }, async () => {
  const first = await up();
  await until(first, ({ currentStepIndex }) => currentStepIndex === 1);
  await askAsAll(first);
  let angry = '';
  for (const user of PEOPLE) if ((await askAs(first, user)).body === 'v2') angry = user;
  unhappy = new Set([angry]);
  const complain = async (process: SerinProcess): Promise<void> => {
    for (let round = 0; round < 15; round++) {
      const answers = await Promise.all(Array.from({ length: 10 }, () => askAs(process, angry)));
      expect(new Set(answers.map(({ status, body }) => `${status} ${body}`))).toEqual(new Set(['500 v2']));
    }
  };
  await complain(first);
  await looked(first);
  expect((await statusOf(first)).phase).toBe('Paused');

  // Nor does a reload or a restart make them a new one.
  const { length } = first.err;
  replaceFile(config, `${yaml}  ratings: { versions: { v1: http://127.0.0.1:1 } }\n`);
  await first.logged(/configuration changed/, length);
  await complain(first);
  await looked(first);
  first.signal('SIGTERM');
  await first.finished;
  const second = await up();
  await complain(second);
  await askAsAll(second);
  await looked(second);
  expect((await statusOf(second)).phase).toBe('Paused');

  // But many users with one failure each are a proof.
  unhappy = new Set(['all of v2']);
  await askAsAll(second);
  await until(second, ({ phase }) => phase === 'Degraded');
  expect((await statusOf(second)).decisions.at(-1)).toMatchObject({ action: 'rollback', reason: expect.stringContaining('worse') });
});

const Explained = z.object({
  explanation: z.object({
    forward: z.object({
      assignment: z.object({
        by: z.array(z.string()),
        user: z.object({ by: z.string(), value: z.string() }).nullable(),
        bucket: z.number().nullable(),
        cluster: z.string().nullable(),
      }),
    }),
  }),
});

test('explain names the bucket and the version a user gets, and traffic agrees', { timeout: 60_000 }, async () => {
  const process = await up();
  await until(process, ({ currentStepIndex }) => currentStepIndex === 1);
  const explain = async (
    headers: readonly (readonly [string, string])[],
  ): Promise<z.infer<typeof Explained>['explanation']['forward']['assignment']> => {
    const { json } = await askAdmin(process, state, { path: 'explain', body: { url: 'http://reviews/', headers } });
    return Explained.parse(json).explanation.forward.assignment;
  };
  for (const user of PEOPLE.slice(0, 40)) {
    const { bucket, cluster, ...assignment } = await explain([['end-user', user]]);
    expect(assignment).toEqual({ by: ['header end-user'], user: { by: 'header end-user', value: user } });
    expect(bucket).toBeGreaterThanOrEqual(0);
    expect(cluster).toBe(`outbound|80|${(await askAs(process, user)).body}|reviews.default.svc.cluster.local`);
  }
  expect(await explain([])).toEqual({ by: ['header end-user'], user: null, bucket: null, cluster: null });
});
