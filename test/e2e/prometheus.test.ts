/** Releases judged by a real Prometheus server (SERIN_PROMETHEUS: its program), which scrapes what the versions say of themselves and Serin itself. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { untilRollout } from '../helpers/admin-api.ts';
import { replaceFile } from '../helpers/replace-file.ts';
import { serin, SerinProcess } from '../helpers/serin-process.ts';
import { close, listen, startUpstream, tally, type Upstream } from '../helpers/upstream.ts';

const PROGRAM = process.env['SERIN_PROMETHEUS'];

let v1: Upstream;
let v2: Upstream;
let exporter: Server;
let exporterPort: number;
let lagSeconds = 0;
let directory: string;
let state: string;
const started: SerinProcess[] = [];
const servers: ChildProcess[] = [];

beforeAll(async () => {
  [v1, v2] = await Promise.all([startUpstream('v1'), startUpstream('v2')]);
  exporter = createServer((_request, response) =>
    response.end(`# TYPE queue_lag_seconds gauge\nqueue_lag_seconds{version="v2"} ${lagSeconds}\n`),
  );
  exporterPort = await listen(exporter);
});

afterAll(() => Promise.all([v1.close(), v2.close(), close(exporter)]));

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-prometheus-'));
  state = join(directory, 'state');
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((process) => process.end()));
  for (const server of servers.splice(0)) {
    server.kill('SIGKILL');
    await new Promise((resolve) => {
      server.once('close', resolve);
    });
  }
  rmSync(directory, { recursive: true, force: true });
});

const Found = z.looseObject({ data: z.looseObject({ result: z.array(z.unknown()) }) });

/** Host and port, as its log says them. */
function listensOn({ stderr }: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let log = '';
    stderr?.setEncoding('utf8').on('data', (text: string) => {
      log += text;
      const address = /"Listening on".* address=(?<address>\S+)/.exec(log)?.groups?.['address'];
      if (address !== undefined) resolve(address);
    });
    stderr?.on('end', () => reject(new Error(`Prometheus has ended:\n${log}`)));
  });
}

/** @returns Its address, once it has scraped `targets`. */
async function prometheus(targets: readonly string[]): Promise<string> {
  const config = join(directory, 'prometheus.yml');
  const jobs = targets.map((target, index) => `  - { job_name: job${index}, static_configs: [{ targets: ["${target}"] }] }\n`);
  writeFileSync(config, `global: { scrape_interval: 1s, scrape_timeout: 1s }\nscrape_configs:\n${jobs.join('')}`);
  const words = [`--config.file=${config}`, `--storage.tsdb.path=${join(directory, 'data')}`, '--web.listen-address=127.0.0.1:0'];
  const server = spawn(PROGRAM ?? '', words, { stdio: ['ignore', 'ignore', 'pipe'] });
  servers.push(server);
  const address = `http://${await listensOn(server)}`;
  for (;;) {
    try {
      const answer = await fetch(`${address}/api/v1/query?query=up==1`);
      const found = Found.safeParse(await answer.json());
      if (found.success && found.data.data.result.length === targets.length) return address;
    } catch {
      // Not listening yet.
    }
    await sleep(100);
  }
}

function save(metrics: string, templates = ''): void {
  replaceFile(
    join(directory, 'serin.yaml'),
    `
services:
  reviews:
    versions: { v1: http://127.0.0.1:${v1.port}, v2: http://127.0.0.1:${v2.port} }
    routes: [{ to: v1 }]
    rollout:
      stable: v1
      canary: v2
      paused: true
      steps: [{ setWeight: 50 }, { pause: {} }, { setWeight: 100 }]
      analysis: { metrics: [${metrics}] }
${templates}`,
  );
}

async function up(): Promise<SerinProcess> {
  const config = join(directory, 'serin.yaml');
  const process = new SerinProcess(['up', '-f', config, '--state', state, '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0']);
  started.push(process);
  return process.ready();
}

const Status = z.looseObject({
  phase: z.string(),
  message: z.string(),
  metrics: z
    .array(
      z.looseObject({
        name: z.string(),
        phase: z.string(),
        message: z.string(),
        measurements: z.array(z.looseObject({ phase: z.string(), value: z.string().optional() })),
      }),
    )
    .default([]),
});
type Status = z.infer<typeof Status>;

const until = (process: SerinProcess, holds: (status: Status) => boolean): Promise<Status> => untilRollout(process, state, Status, holds);

const rollout = async (verb: string): Promise<void> => {
  const { code, err } = await serin(['rollout', verb, 'reviews', '--state', state]);
  expect(`${code} ${err}`).toBe('0 ');
};

describe.skipIf(PROGRAM === undefined)('a real Prometheus (SERIN_PROMETHEUS)', { timeout: 120_000 }, () => {
  test('a guard lets a release pass, and takes the next one back when what it watches grows', async () => {
    lagSeconds = 2;
    const address = await prometheus([`127.0.0.1:${exporterPort}`]);
    save(
      '{ template: lag }',
      `---
apiVersion: serin.dev/v1alpha1
kind: MetricTemplate
metadata: { name: lag }
spec:
  interval: 1s
  failureLimit: 1
  successCondition: result[0] < 5
  provider: { prometheus: { address: "${address}", query: 'max(queue_lag_seconds{version="{{canary}}"})' } }
`,
    );
    const process = await up();
    await rollout('start');
    await until(
      process,
      ({ metrics }) => metrics[0]?.measurements.some(({ phase, value }) => phase === 'Successful' && value === '2') === true,
    );
    lagSeconds = 30;
    const { message } = await until(process, ({ phase }) => phase === 'Degraded');
    expect(message).toMatch(
      /^back to v1: metric lag is 30 where result\[0\] < 5 is required \(2 of \d+ measurements failed, more than failureLimit 1\)$/,
    );
    lagSeconds = 3;
    for (;;) {
      const answer = await fetch(`${address}/api/v1/query?query=queue_lag_seconds==3`);
      if (Found.parse(await answer.json()).data.result.length > 0) break;
      await sleep(100);
    }
    await rollout('retry');
    await until(process, ({ metrics }) => metrics[0]?.measurements.at(-1)?.value === '3');
    await tally(process.address('mesh'), 50, { headers: { host: 'reviews' } });
    await rollout('promote');
    await until(process, ({ phase }) => phase === 'Healthy');
  });

  test('what Serin counts itself, scraped from it; and what is no number holds the release', async () => {
    save('');
    const process = await up();
    const admin = process.address('admin');
    await tally(process.address('mesh'), 100, { headers: { host: 'reviews' } });
    const address = await prometheus([`${admin.host}:${admin.port}`]);
    const metric = (name: string, condition: string, query: string, more = 'interval: 1s'): string =>
      `{ name: ${name}, ${more}, successCondition: "${condition}", provider: { prometheus: { address: "${address}", query: '${query}' } } }`;
    save(
      [
        metric('requests', 'result[0] >= 50', 'sum(istio_requests_total{destination_version="{{stable}}"})'),
        metric('scalar', 'result == 3', 'scalar(vector(3))'),
        metric('infinite', 'isInf(result[0])', 'vector(1) / vector(0)'),
        metric('empty', 'len(result) == 0', 'nothing_of_this_name', 'interval: 1s, dryRun: true'),
        metric('nan', 'isNaN(result[0])', 'vector(0) / vector(0)', 'interval: 1s, consecutiveErrorLimit: 1'),
        metric('range', 'len(result) > 0', 'up[1m]', 'interval: 1s, dryRun: true'),
        metric('broken', 'len(result) > 0', 'sum(', 'interval: 1s, dryRun: true'),
      ].join(', '),
    );
    await until(process, (status) => status.metrics.length === 7);
    await rollout('start');
    const held = await until(process, ({ phase, message }) => phase === 'Paused' && message.includes('decides nothing'));
    expect(held.message).toContain('metric nan decides nothing: 2 errors in a row');
    const { metrics } = await until(process, (status) => status.metrics.every(({ measurements }) => measurements.length > 0));
    const last = (name: string): string | undefined => {
      const measurement = metrics.find((found) => found.name === name)?.measurements.at(-1);
      return `${measurement?.phase} ${measurement?.value ?? ''}`;
    };
    expect(last('requests')).toMatch(/^Successful \d+$/);
    expect(last('scalar')).toBe('Successful 3');
    expect(last('infinite')).toBe('Successful Infinity');
    expect(last('nan')).toBe('Error NaN');
    expect(metrics.find(({ name }) => name === 'empty')?.message).toBe('the answer is empty');
    expect(metrics.find(({ name }) => name === 'range')?.message).toContain('a range of values');
    expect(metrics.find(({ name }) => name === 'broken')?.message).toContain('Prometheus says bad_data');
  });
});
