/** Bad requests to the admin API of a running Serin, while it carries traffic: what is refused, and that the traffic does not notice. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { createLogger } from '../../src/app/logger.ts';
import { type RunningServer, serve } from '../../src/index.ts';
import { ask, startUpstream, type Upstream } from '../helpers/upstream.ts';

let directory: string;
let v1: Upstream;
let server: RunningServer | undefined;
let log: string;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'serin-bad-admin-'));
  v1 = await startUpstream('v1');
  writeFileSync(
    join(directory, 'config.yaml'),
    `
services:
  reviews:
    versions: { v1: http://127.0.0.1:${v1.port}, v2: http://127.0.0.1:${v1.port} }
    routes: [{ to: v1 }]
  ratings:
    versions: { v1: http://127.0.0.1:${v1.port}, v2: http://127.0.0.1:${v1.port} }
    routes: [{ to: v1 }]
    rollout: { stable: v1, canary: v2, steps: [{ pause: {} }, { setWeight: 100 }] }
`,
  );
  log = '';
  server = await start();
});

afterEach(async () => {
  v1.release();
  await server?.stop();
  await v1.close();
  rmSync(directory, { recursive: true, force: true });
});

function start(): Promise<RunningServer> {
  const free = { host: '127.0.0.1', port: 0 };
  const logger = createLogger({ write: (text) => (log += text) }, 'json');
  return serve({
    paths: [join(directory, 'config.yaml')],
    stateDirectory: join(directory, 'state'),
    mesh: free,
    admin: { address: free },
    workers: 1,
    logger,
  });
}

const token = (): string => readFileSync(join(directory, 'state', 'token'), 'utf8').trim();
const adminPort = (): number => server?.admin.port ?? 0;
const meshPort = (): number => server?.listeners()[0]?.port ?? 0;

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: Record<string, unknown>;
}

async function api(method: string, path: string, body?: object | string, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${adminPort()}${path}`, {
    method,
    headers: { authorization: `Bearer ${token()}`, 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, json: (await response.json()) as Record<string, unknown> };
}

const reviews = (path = '/'): Promise<{ readonly status: number }> =>
  ask({ host: '127.0.0.1', port: meshPort() }, { path, headers: { host: 'reviews' } });

/** Asks until it is stopped or the test ends; resolves with the statuses that are not 200. */
function traffic(): { stop(): Promise<readonly number[]> } {
  const ended = new AbortController();
  onTestFinished(() => ended.abort());
  const carried = (async () => {
    const others: number[] = [];
    while (!ended.signal.aborted) {
      const { status } = await reviews();
      if (status !== 200) others.push(status);
    }
    return others;
  })();
  return {
    stop: () => {
      ended.abort();
      return carried;
    },
  };
}

/** Sends, never reads, and resolves with what had come when the server closed. */
function held(head: string, more?: () => string): Promise<{ readonly sent: number; readonly text: string }> {
  return new Promise((resolve) => {
    const socket = connect(adminPort(), '127.0.0.1');
    let [sent, text] = [0, ''];
    socket.write(head);
    const send = (): void => {
      if (more === undefined || socket.destroyed) return;
      const chunk = more();
      sent += chunk.length;
      if (socket.write(chunk)) setImmediate(send);
      else socket.once('drain', send);
    };
    send();
    socket.on('data', (data) => (text += data.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve({ sent, text }));
  });
}

const head = (method: string, path: string, fields: string): string =>
  `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token()}\r\n${fields}\r\n`;

describe('names', () => {
  test.each(['UPPER', 'a_b', '-a', 'a-', 'a%20b', 'caf%C3%A9', '%E2%80%AE', 'x'.repeat(254), '%3Cimg%20src=x%20onerror=alert(1)%3E'])(
    'B-78 a release called %s: 422',
    async (name) => {
      for (const [method, path] of [
        ['GET', `/api/v1/rollouts/default/${name}`],
        ['POST', `/api/v1/rollouts/default/${name}/start`],
        ['GET', `/api/v1/resources/rollouts/default/${name}`],
      ] as const) {
        const { status, json } = await api(method, path, method === 'GET' ? undefined : {});
        expect([status, json['code']]).toEqual([422, 'E_NAME']);
        expect(JSON.stringify(json)).not.toContain('<img');
      }
    },
  );

  test.each(['..%2fx', 'a%2Fb', '%00', '%2e%2e', 'a%5cb', '%c0%af'])(
    'B-78 a release called %s: 404 or 422, as a path that is none',
    async (name) => {
      const { status } = await api('GET', `/api/v1/rollouts/default/${name}`);
      expect([400, 404, 422]).toContain(status);
    },
  );

  test.each([
    ['/api/v1/rollouts/default/rating', 'did you mean ratings?'],
    ['/api/v1/resources/rollout', 'did you mean rollouts?'],
    ['/api/v1/resources/virtualservices/default/review', 'did you mean reviews?'],
  ])('B-84 %s: 404 with the nearest name', async (path, hint) => {
    expect(await api('GET', path)).toMatchObject({ status: 404, json: { code: 'E_NOT_FOUND', hint } });
  });

  test.each([
    '/api/v1/rolloutsX',
    '/api/v1/rolloutsX/default/ratings',
    '/api/v1/tokensX',
    '/api/v1/tokens/',
    '/api/v1',
    '/api',
    '/api/v2/rollouts',
  ])('S-10 %s is not below what it begins as: 404', async (path) => {
    expect(await api('GET', path)).toMatchObject({ status: 404, json: { code: 'E_ADMIN_PATH' } });
  });
});

test('B-79 a token of a name there is: 409', async () => {
  await api('POST', '/api/v1/tokens', { name: 'ci' });
  expect(await api('POST', '/api/v1/tokens', { name: 'ci' })).toMatchObject({ status: 409, json: { code: 'E_CONFLICT' } });
});

test(
  'B-89 two hundred changes at once: made, or refused with 429 and when to come back, and the traffic does not notice',
  { timeout: 60_000 },
  async () => {
    const carried = traffic();
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) => api('PUT', '/api/v1/shifts/default/reviews', { weights: { v1: 1 + index, v2: 1 } })),
    );
    expect(await carried.stop()).toEqual([]);
    const refused = answers.filter(({ status }) => status !== 200);
    expect(answers.length - refused.length).toBeGreaterThanOrEqual(32);
    for (const { status, headers, json } of refused)
      expect([status, headers.get('retry-after'), json['code']]).toEqual([429, '1', 'E_ADMIN_BUSY']);
  },
);

test('B-90 while Serin shuts down: looking works, changing and signing in are 503', { timeout: 60_000 }, async () => {
  const slow = reviews('/slow');
  await v1.held;
  const stopped = server?.stop();
  const whileDraining: readonly (readonly [method: string, path: string, body: object | undefined])[] = [
    ['PUT', '/api/v1/shifts/default/reviews', { weights: { v1: 1 } }],
    ['POST', '/api/v1/rollouts/default/ratings/promote', {}],
    ['POST', '/api/v1/tokens', { name: 'ci' }],
    ['POST', '/api/v1/session', { token: token() }],
  ];
  for (const [method, path, body] of whileDraining)
    expect([path, await api(method, path, body)]).toMatchObject([path, { status: 503, json: { code: 'E_SHUTTING_DOWN' } }]);
  expect((await api('GET', '/api/v1/rollouts')).status).toBe(200);
  v1.release();
  expect((await slow).status).toBe(200);
  await stopped;
  server = undefined;
});

test('B-90 where the state cannot be written: every change is 507, looking works', async () => {
  await server?.stop();
  const database = new DatabaseSync(join(directory, 'state', 'state.db'));
  database.exec('PRAGMA user_version = 999');
  database.close();
  server = await start();
  for (const [method, path, body] of [
    ['PUT', '/api/v1/shifts/default/reviews', { weights: { v1: 1, v2: 1 } }],
    ['POST', '/api/v1/tokens', { name: 'ci' }],
    ['POST', '/api/v1/session', { token: token() }],
    ['POST', '/api/v1/session/codes', undefined],
  ] as const)
    expect([path, await api(method, path, body)]).toMatchObject([path, { status: 507, json: { code: 'E_STATE_WRITE' } }]);
  expect((await api('GET', '/api/v1/audit')).json).toEqual({ items: [] });
});

test(
  'B-91, B-92 clients that never read, never end or send without end are closed, and the traffic does not notice',
  { timeout: 120_000 },
  async () => {
    const carried = traffic();
    const json = 'Content-Type: application/json\r\n';
    const path = '/api/v1/shifts/default/reviews';
    const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`;
    const neverReads = new Promise<void>((resolve) => {
      const socket = connect(adminPort(), '127.0.0.1').pause();
      const asks = head('GET', '/metrics', '').repeat(200);
      const send = (): void => {
        while (!socket.destroyed && socket.write(asks)) continue;
      };
      send();
      socket.on('drain', send);
      socket.on('error', () => undefined).on('close', () => resolve());
    });
    const [declared, endless, slowHead, slowBody] = await Promise.all([
      held(head('PUT', path, `${json}Content-Length: 1000000000\r\n`)),
      held(head('PUT', path, `${json}Transfer-Encoding: chunked\r\n`), () => chunk),
      held('GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: '),
      held(head('PUT', path, `${json}Content-Length: 10\r\n`)),
    ]);
    expect(declared.text).toMatch(/^HTTP\/1\.1 413 /);
    expect(endless.text).toMatch(/^(?:HTTP\/1\.1 413 |$)/);
    // What the kernel holds on both sides comes on top of the 8 MiB that are read.
    expect(endless.sent).toBeLessThan(64 * 1024 * 1024);
    expect(slowHead.text).toMatch(/^HTTP\/1\.1 408 /);
    expect(slowBody.text).toMatch(/^(?:HTTP\/1\.1 40[08] |$)/);
    await neverReads;
    expect(await carried.stop()).toEqual([]);
  },
);

test('S-14 what somebody gives as a reason adds no line to the log and speaks to no terminal', async () => {
  const reason = 'x\r\n{"level":"error","msg":"forged"}\u001b[31m\u2028\u202e';
  // It starts by itself, a moment after Serin.
  while ((await api('POST', '/api/v1/rollouts/default/ratings/pause', { reason })).status !== 200) await sleep(50);
  const lines = log.split('\n').filter((line) => line !== '');
  for (const line of lines) expect(() => JSON.parse(line) as unknown).not.toThrow();
  const told = lines.filter((line) => line.includes('forged'));
  expect(told).toHaveLength(1);
  expect(told[0]).not.toMatch(/[\u0000-\u001f\u2028\u202e]/);
  const { items } = (await api('GET', '/api/v1/audit?limit=50')).json as { items: { reason?: string }[] };
  expect(items.some((entry) => entry.reason === reason)).toBe(true);
});

test('S-3, S-12 no file of the state directory but its own holds a token, a session or a code', async () => {
  const made = (await api('POST', '/api/v1/tokens', { name: 'ci', scope: 'operate' })).json['token'] as string;
  const session = await fetch(`http://127.0.0.1:${adminPort()}/api/v1/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token: made }),
  });
  const secret = /=([\w-]{43});/.exec(session.headers.get('set-cookie') ?? '')?.[1] ?? '';
  const code = (await api('POST', '/api/v1/session/codes')).json['code'] as string;
  const audit = JSON.stringify((await api('GET', '/api/v1/audit')).json);
  const files = readdirSync(join(directory, 'state'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const shown of [made, secret, code]) {
    expect(shown.length).toBeGreaterThan(40);
    expect(audit + log).not.toContain(shown);
    for (const file of files)
      expect([file.name, readFileSync(join(file.parentPath, file.name)).includes(shown)]).toEqual([file.name, false]);
  }
});
