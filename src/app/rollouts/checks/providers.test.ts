/** Providers against real sockets and programs: what they bring, and that whatever goes wrong is an answer that says so. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Metric } from '../../../config/serin/metric-resolve.ts';
import type { MetricProvider } from '../../../config/serin/metric-spec.ts';
import type { Answer } from '../../../rollout/metric-verdict.ts';
import { ask } from './providers.ts';

let server: Server;
let address: string;
let directory: string;
let requests: { readonly url: string; readonly method: string; readonly headers: IncomingMessage['headers']; readonly body: string }[];
let reply: (response: ServerResponse) => void;

beforeAll(async () => {
  server = createServer((request, response) => void take(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  address = `http://127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`;
});

async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  const { url = '', method = '', headers } = request;
  requests.push({ url, method, headers, body: Buffer.concat(chunks).toString() });
  reply(response);
}

afterAll(
  () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
);

beforeEach(() => {
  requests = [];
  directory = mkdtempSync(join(tmpdir(), 'serin-provider-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const HOST_ENV = { PATH: process.env['PATH'], TOKEN: 'tell-nobody' };

function measure(provider: MetricProvider, signal = new AbortController().signal): Promise<Answer> {
  const metric: Metric = {
    name: 'a',
    provider,
    rules: { initialDelayMs: 0, failureLimit: 0, inconclusiveLimit: 0, consecutiveErrorLimit: 4, consecutiveSuccessLimit: 0 },
    dryRun: false,
    file: join(directory, 'a.yaml'),
    fingerprint: 'x',
  };
  return ask(metric, HOST_ENV, signal);
}

const json = (value: unknown, status = 200): void => {
  reply = (response) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
};

describe('prometheus', () => {
  const up = { query: 'up{job="a b"} > 0' };

  test.each<[what: string, data: unknown, answer: Answer]>([
    [
      'a vector',
      {
        resultType: 'vector',
        result: [
          { metric: {}, value: [1, '0.5'] },
          { metric: {}, value: [1, '+Inf'] },
        ],
      },
      { value: [0.5, Infinity] },
    ],
    ['nothing', { resultType: 'vector', result: [] }, { value: [] }],
    ['NaN', { resultType: 'vector', result: [{ metric: {}, value: [1, 'NaN'] }] }, { value: [Number.NaN] }],
    ['a scalar', { resultType: 'scalar', result: [1, '3'] }, { value: 3 }],
    ['a range', { resultType: 'matrix', result: [] }, { problem: 'the query gives a range of values, not values of one instant' }],
    [
      'a histogram',
      { resultType: 'vector', result: [{ metric: {}, histogram: [1, {}] }] },
      { problem: 'the query gives histograms, not numbers: use histogram_quantile' },
    ],
  ])('%s', async (_what, data, answer) => {
    json({ status: 'success', data });
    expect(await measure({ prometheus: { address: `${address}/prefix/`, ...up } })).toEqual(answer);
    expect(requests[0]?.url).toBe('/prefix/api/v1/query?query=up%7Bjob%3D%22a+b%22%7D+%3E+0');
  });

  test('says what Prometheus says, and when it is not one', async () => {
    json({ status: 'error', errorType: 'bad_data', error: 'parse error' }, 400);
    expect(await measure({ prometheus: { address, ...up } })).toEqual({ problem: 'Prometheus says bad_data: parse error' });
    json({ hello: 'world' });
    expect(await measure({ prometheus: { address, ...up } })).toEqual({
      problem: expect.stringMatching(/answered 200, and not as Prometheus does$/),
    });
  });

  test('secrets come from files and variables, anew each time, and are in no message', async () => {
    writeFileSync(join(directory, 'token'), 'one\n', { mode: 0o600 });
    const provider = {
      prometheus: { address, ...up, bearerToken: { file: 'token' }, headers: [{ key: 'X-Scope', value: 'tenant ${TOKEN}' }] },
    };
    json({ status: 'success', data: { resultType: 'scalar', result: [1, '3'] } });
    await measure(provider);
    writeFileSync(join(directory, 'token'), 'two\n');
    await measure(provider);
    expect(requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer one', 'Bearer two']);
    expect(requests[0]?.headers['x-scope']).toBe('tenant tell-nobody');
    rmSync(join(directory, 'token'));
    const answer = await measure(provider);
    expect(answer).toEqual({ problem: expect.stringMatching(/^"token" cannot be read/) });
    expect(JSON.stringify(answer)).not.toContain('tell-nobody');
  });
});

describe('web', () => {
  test('selects what counts, and sends what it is told to', async () => {
    json({ data: { rate: 0.25, list: [1, 2] } });
    expect(await measure({ web: { url: `${address}/a`, jsonPath: '{$.data.rate}' } })).toEqual({ value: 0.25 });
    expect(await measure({ web: { url: `${address}/a`, jsonPath: '$.data.list[*]' } })).toEqual({ value: [1, 2] });
    expect(await measure({ web: { url: `${address}/a`, jsonPath: '$.data.none' } })).toEqual({ value: undefined });
    expect(await measure({ web: { url: `${address}/a`, method: 'POST', jsonBody: { q: 1 }, jsonPath: '$.data.rate' } })).toEqual({
      value: 0.25,
    });
    expect(requests.at(-1)).toMatchObject({ method: 'POST', body: '{"q":1}', headers: { 'content-type': 'application/json' } });
  });

  test.each<[what: string, reply: (response: ServerResponse) => void, problem: RegExp]>([
    ['a redirect is not followed', (response) => response.writeHead(302, { location: '/other' }).end(), /302; redirects are not followed/],
    [
      'another protocol is no answer',
      (response) => response.writeHead(101, { connection: 'upgrade', upgrade: 'websocket' }).end(),
      /answered 101 and would speak another protocol/,
    ],
    ['an error of the server', (response) => response.writeHead(500).end('{}'), /answered 500/],
    ['no JSON', (response) => response.end('fine'), /no JSON/],
    ['a body without end', (response) => flood(response), /larger than 1048576 bytes/],
    ['silence', () => undefined, /no answer within 200 ms/],
    [
      'half an answer',
      (response) => response.writeHead(200, { 'content-length': '10' }).write('{', () => response.destroy()),
      /aborted|reset/,
    ],
  ])('%s', async (_what, answer, problem) => {
    reply = answer;
    const found = await measure({ web: { url: `${address}/a`, timeout: '200ms' } });
    expect(found).toEqual({ problem: expect.stringMatching(problem) });
    expect(requests).toHaveLength(1);
  });

  function flood(response: ServerResponse): void {
    if (response.destroyed) return;
    response.write('x'.repeat(256 * 1024), (error) => {
      if (error === null || error === undefined) flood(response);
    });
  }

  test.each([
    ['http://127.0.0.1:1/', /nothing listens at 127\.0\.0\.1:1/],
    ['http://no-such-host.invalid/', /no-such-host\.invalid/],
    ['http://169.254.169.254/latest', /link-local/],
  ])('%s', async (url, problem) => {
    expect(await measure({ web: { url, timeout: '4s' } })).toEqual({ problem: expect.stringMatching(problem) });
  });

  test('ends with the release', async () => {
    reply = () => undefined;
    const controller = new AbortController();
    const measuring = measure({ web: { url: `${address}/a` } }, controller.signal);
    while (requests.length === 0) await new Promise(setImmediate);
    controller.abort();
    expect(await measuring).toHaveProperty('problem');
  });
});

describe('command', () => {
  const node = (script: string, ...words: string[]): MetricProvider => ({
    command: { command: [process.execPath, '-e', script, ...words] },
  });

  test('prints JSON, a number or a text', async () => {
    expect(await measure(node('console.log(JSON.stringify({ rate: 0.5 }))'))).toMatchObject({ value: { rate: 0.5 }, exitCode: 0 });
    expect(await measure(node('console.log(0.5)'))).toMatchObject({ value: 0.5 });
    expect(await measure(node('console.log("green")'))).toMatchObject({ value: 'green' });
    expect(await measure(node('console.error("first"); console.error("no table"); process.exit(3)'))).toEqual({
      value: '',
      exitCode: 3,
      detail: 'no table',
    });
  });

  test('no shell, its own environment, the directory of its file', async () => {
    const script = 'console.log(JSON.stringify([process.argv[1], process.env.TOKEN ?? null, process.env.RATE, process.cwd()]))';
    const provider = node(script, '$(id); ${TOKEN} *');
    const withEnv = { command: { command: provider.command?.command ?? [], env: { RATE: '${TOKEN}' } } };
    expect(await measure(withEnv)).toMatchObject({ value: ['$(id); tell-nobody *', null, 'tell-nobody', directory] });
  });

  test('ends in time, with all it has started, and does not flood', async () => {
    const file = join(directory, 'pid');
    const script = `const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
      require('node:fs').writeFileSync(${JSON.stringify(file)}, String(child.pid)); setInterval(() => {}, 1000)`;
    const { command } = node(script);
    const measuring = measure({ command: { command: command?.command ?? [], timeout: '1500ms' } });
    expect(await measuring).toEqual({ problem: 'it did not end within 1500 ms' });
    expect(existsSync(file)).toBe(true);
    const pid = Number(readFileSync(file, 'utf8'));
    await ended(pid);
    expect(await measure(node('for (;;) process.stdout.write("x".repeat(65536))'))).toEqual({
      problem: 'its output is larger than 65536 bytes',
    });
    expect(await measure({ command: { command: ['no-such-program'] } })).toEqual({
      problem: 'there is no program "no-such-program" on the PATH',
    });
  });

  /** Resolves when the process is gone; the test's own time limit ends it otherwise. */
  async function ended(pid: number): Promise<void> {
    for (;;) {
      try {
        process.kill(pid, 0);
      } catch {
        return;
      }
      await new Promise((resolve) => {
        setTimeout(resolve, 20);
      });
    }
  }
});
