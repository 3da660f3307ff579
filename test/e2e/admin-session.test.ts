/** The admin API as browsers have it, attacked: sessions, codes, cookies, other sites, the dashboard's files, and looking without a token. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type RunningServer, serve } from '../../src/index.ts';

const CONFIG = `
services:
  reviews:
    versions: { v1: http://127.0.0.1:1, v2: http://127.0.0.1:2 }
    routes: [{ to: v1 }]
`;
const PAGE = '<!doctype html><script type="module" src="/assets/app-1.js"></script>';
const SHIFT = '/api/v1/shifts/default/reviews';
const WEIGHTS = { weights: { v1: 50, v2: 50 } };

let directory: string;
let server: RunningServer | undefined;
let open: RunningServer | undefined;
let origin: string;
let token: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'serin-session-'));
  const dashboard = join(directory, 'web');
  mkdirSync(join(dashboard, 'assets', 'folder'), { recursive: true });
  writeFileSync(join(dashboard, 'index.html'), PAGE);
  writeFileSync(join(dashboard, 'secret.txt'), 'not to be served');
  writeFileSync(join(dashboard, 'assets', 'app-1.js'), 'console.log("ok")');
  writeFileSync(join(dashboard, 'assets', 'app-1.css'), 'body{}');
  writeFileSync(join(dashboard, 'assets', 'logo.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>');
  writeFileSync(join(dashboard, 'assets', 'run.sh'), 'not to be served');
  writeFileSync(join(dashboard, 'assets', 'folder', 'app.js'), 'not to be served');
  symlinkSync(join(dashboard, 'secret.txt'), join(dashboard, 'assets', 'link.js'));
  writeFileSync(join(directory, 'config.yaml'), CONFIG);
  const free = { host: '127.0.0.1', port: 0 };
  const common = { paths: [join(directory, 'config.yaml')], mesh: free, workers: 0 };
  server = await serve({ ...common, stateDirectory: join(directory, 'state'), admin: { address: free, dashboard } });
  open = await serve({
    ...common,
    stateDirectory: join(directory, 'open'),
    admin: { address: free, dashboard: join(directory, 'nothing'), anonymousRead: true },
  });
  origin = `http://127.0.0.1:${server.admin.port}`;
  token = readFileSync(join(directory, 'state', 'token'), 'utf8').trim();
});

afterAll(async () => {
  await server?.stop();
  await open?.stop();
  rmSync(directory, { recursive: true, force: true });
});

interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
  readonly to?: RunningServer | undefined;
}

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
  json(): Record<string, unknown>;
}

function ask({ method = 'GET', path, headers = {}, body, to = server }: Asked): Promise<Answer> {
  const type = method === 'GET' || method === 'HEAD' ? {} : { 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const asked = request(
      { host: '127.0.0.1', port: to?.admin.port, method, path, headers: { ...type, ...headers }, agent: false },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            json: () => z.record(z.string(), z.unknown()).parse(JSON.parse(text)),
          }),
        );
      },
    );
    asked.on('error', reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const bearer = (shown = token): Record<string, string> => ({ authorization: `Bearer ${shown}` });
/** What the dashboard sends with a change. */
const own = (): Record<string, string> => ({ origin, 'sec-fetch-site': 'same-origin', 'x-serin-csrf': '1' });

/** @returns The Cookie header of the session. */
async function signIn(body: object = { token }, headers: Record<string, string> = {}): Promise<string> {
  const answer = await patiently({ method: 'POST', path: '/api/v1/session', body, headers });
  expect(answer.status).toBe(201);
  return String(answer.headers['set-cookie']).split(';', 1)[0] ?? '';
}

/** Not beyond the failures an address may have in a second. */
async function patiently(asked: Asked): Promise<Answer> {
  for (;;) {
    const answer = await ask(asked);
    if (answer.status !== 429) return answer;
    await sleep(100);
  }
}

async function makeToken(name: string, scope: string): Promise<string> {
  const made = await ask({ method: 'POST', path: '/api/v1/tokens', headers: bearer(), body: { name, scope } });
  return z.string().parse(made.json()['token']);
}

const newest = async (count: number): Promise<unknown> =>
  (await ask({ path: `/api/v1/audit?limit=${count}`, headers: bearer() })).json()['items'];

describe('a session', () => {
  test('is a cookie no script can read, of this host only, for twelve hours at most; the answer has no token', async () => {
    const answer = await ask({ method: 'POST', path: '/api/v1/session', body: { token } });
    expect(answer.status).toBe(201);
    const cookie = String(answer.headers['set-cookie']);
    expect(cookie).toMatch(
      new RegExp(`^serin-session-${server?.admin.port}=[\\w-]{43}; Path=/; HttpOnly; SameSite=Strict; Max-Age=(43200|43199)$`),
    );
    expect(answer.json()).toEqual({ name: 'admin', scope: 'admin', expiresAt: expect.stringMatching(/Z$/) });
    expect(answer.text).not.toContain(token);
    expect(cookie).not.toContain(token);
  });

  test('looks and changes with what the token may; who signed in and out is in the audit log', async () => {
    const cookie = await signIn();
    expect((await ask({ path: '/api/v1/session', headers: { cookie } })).json()).toMatchObject({ name: 'admin', scope: 'admin' });
    expect((await ask({ path: '/api/v1/listeners', headers: { cookie } })).status).toBe(200);
    const shifted = await ask({
      method: 'PUT',
      path: SHIFT,
      headers: { cookie, ...own() },
      body: { ...WEIGHTS, reason: 'by the dashboard' },
    });
    expect(shifted.status).toBe(200);
    const out = await ask({ method: 'DELETE', path: '/api/v1/session', headers: { cookie, ...own() } });
    expect([out.status, String(out.headers['set-cookie'])]).toEqual([
      204,
      expect.stringMatching(/=; Path=\/; HttpOnly; SameSite=Strict; Max-Age=0$/),
    ]);
    expect((await patiently({ path: '/api/v1/session', headers: { cookie } })).status).toBe(401);
    expect(await newest(3)).toMatchObject([
      { actor: 'admin', from: '127.0.0.1', action: 'session logout', result: 'done' },
      { actor: 'admin', action: 'shift', target: 'reviews.default.svc.cluster.local', reason: 'by the dashboard' },
      { actor: 'admin', action: 'session login', target: 'admin' },
    ]);
  });

  test('changes with every sign-in: the one before is good no more', async () => {
    const before = await signIn();
    const after = await signIn({ token }, { cookie: before });
    expect(after).not.toBe(before);
    expect((await patiently({ path: '/api/v1/session', headers: { cookie: before } })).status).toBe(401);
    expect((await ask({ path: '/api/v1/session', headers: { cookie: after } })).status).toBe(200);
  });

  test('has the scope of its token, and ends when that is revoked', async () => {
    const cookie = await signIn({ token: await makeToken('grace', 'read') });
    const refused = await ask({ method: 'PUT', path: SHIFT, headers: { cookie, ...own() }, body: WEIGHTS });
    expect([refused.status, refused.json()['code']]).toEqual([403, 'E_ADMIN_FORBIDDEN']);
    await ask({ method: 'DELETE', path: '/api/v1/tokens/grace', headers: bearer() });
    expect((await patiently({ path: '/api/v1/session', headers: { cookie } })).status).toBe(401);
  });

  test('ends when its token expires', async () => {
    const made = await ask({ method: 'POST', path: '/api/v1/tokens', headers: bearer(), body: { name: 'brief', expiresInSeconds: 2 } });
    const cookie = await signIn({ token: made.json()['token'] });
    const session = { path: '/api/v1/session', headers: { cookie } };
    expect((await ask(session)).json()['expiresAt']).toBe(made.json()['expiresAt']);
    while ((await patiently(session)).status === 200) await sleep(100);
    expect((await patiently(session)).status).toBe(401);
  });

  test.each([
    ['a wrong token', { token: 'wrong' }],
    ['a code that never was', { code: 'wrong' }],
  ])('is not opened with %s: the same 401 as everywhere, and no cookie', async (_what, body) => {
    const answer = await patiently({ method: 'POST', path: '/api/v1/session', body });
    expect(answer.status).toBe(401);
    expect(answer.headers['set-cookie']).toBeUndefined();
    expect(answer.text).toBe((await patiently({ path: '/api/v1/listeners' })).text);
  });

  test.each([
    ['both', { token: 'a', code: 'b' }],
    ['neither', {}],
    ['something else', { password: 'x' }],
  ])('is not opened with %s: 422', async (_what, body) => {
    expect((await ask({ method: 'POST', path: '/api/v1/session', body })).status).toBe(422);
  });

  test('cannot be tried for often: 429 beyond five failures a second, and a right token still opens one', async () => {
    const failures = await Promise.all(
      Array.from({ length: 20 }, () => ask({ method: 'POST', path: '/api/v1/session', body: { token: 'wrong' } })),
    );
    expect(failures.filter(({ status }) => status === 429).length).toBeGreaterThan(0);
    expect(failures.filter(({ status }) => status === 201)).toEqual([]);
    expect((await ask({ method: 'POST', path: '/api/v1/session', body: { token } })).status).toBe(201);
  });

  test('a cookie that somebody else has set is none, nor is a token as a cookie', async () => {
    const name = `serin-session-${server?.admin.port}`;
    for (const cookie of [`${name}=x`, `${name}=`, `${name}=${token}`, `x=${token}`, `${name}=__proto__`])
      expect((await patiently({ path: '/api/v1/session', headers: { cookie } })).status).toBe(401);
  });

  test('a wrong token is not made good by a session', async () => {
    const cookie = await signIn();
    expect((await patiently({ path: '/api/v1/session', headers: { cookie, ...bearer('wrong') } })).status).toBe(401);
  });
});

test('S-6 a stream of events takes a session of this site, tells of every entry of the audit log, and ends when the session does', async () => {
  const path = '/api/v1/events?topics=audit';
  expect((await patiently({ path })).status).toBe(401);
  const cookie = await signIn();
  expect((await ask({ path, headers: { cookie, origin: 'https://evil.example' } })).status).toBe(403);
  // With the head of its answer it is open.
  const stream = await fetch(`${origin}${path}`, { headers: { cookie } });
  expect(stream.status).toBe(200);
  await makeToken('seen', 'read');
  await ask({ method: 'DELETE', path: '/api/v1/session', headers: { cookie, ...own() } });
  const text = await stream.text();
  const told = [...text.matchAll(/^event: audit\ndata: (.*)$/gm)].map(([, data = '']) => JSON.parse(data) as unknown);
  expect(told).toMatchObject([
    { actor: 'admin', action: 'token create read', target: 'seen', result: 'done' },
    { actor: 'admin', action: 'session logout' },
  ]);
});

describe('a code', () => {
  const code = async (headers: Record<string, string>): Promise<string> => {
    const answer = await ask({ method: 'POST', path: '/api/v1/session/codes', headers });
    expect(answer.json()).toEqual({ code: expect.stringMatching(/^[\w-]{43}$/), expiresInSeconds: 60 });
    return z.string().parse(answer.json()['code']);
  };

  test('opens one session with the scope of the token it was made with', async () => {
    const made = await code(bearer(await makeToken('ben', 'operate')));
    const cookie = await signIn({ code: made });
    expect((await ask({ path: '/api/v1/session', headers: { cookie } })).json()).toMatchObject({ name: 'ben', scope: 'operate' });
    expect((await patiently({ method: 'POST', path: '/api/v1/session', body: { code: made } })).status).toBe(401);
    expect(await newest(2)).toMatchObject([
      { actor: 'ben', action: 'session login' },
      { actor: 'ben', action: 'session code' },
    ]);
    await ask({ method: 'DELETE', path: '/api/v1/tokens/ben', headers: bearer() });
    expect((await patiently({ path: '/api/v1/session', headers: { cookie } })).status).toBe(401);
  });

  test('of a token that was revoked meanwhile opens none', async () => {
    const made = await code(bearer(await makeToken('cleo', 'operate')));
    await ask({ method: 'DELETE', path: '/api/v1/tokens/cleo', headers: bearer() });
    expect((await patiently({ method: 'POST', path: '/api/v1/session', body: { code: made } })).status).toBe(401);
  });

  test('can be made with a session', async () => {
    const cookie = await signIn();
    const second = await signIn({ code: await code({ cookie, ...own() }) });
    expect((await ask({ path: '/api/v1/session', headers: { cookie: second } })).json()).toMatchObject({ name: 'admin' });
  });
});

describe('another site', () => {
  test.each<[string, Record<string, string>]>([
    ['nothing but the cookie', {}],
    ['no header of the dashboard', { 'sec-fetch-site': 'same-origin' }],
    ['the header alone', { 'x-serin-csrf': '1' }],
    ['the header with another value', { 'sec-fetch-site': 'same-origin', 'x-serin-csrf': 'true' }],
    ['an address that was typed', { 'sec-fetch-site': 'none', 'x-serin-csrf': '1' }],
    ['another origin', { origin: 'https://evil.example', 'x-serin-csrf': '1' }],
    ['a null origin', { origin: 'null', 'x-serin-csrf': '1' }],
    ['another port', { origin: 'http://127.0.0.1:1', 'x-serin-csrf': '1' }],
    ['a cross-site fetch', { 'sec-fetch-site': 'cross-site', 'x-serin-csrf': '1' }],
    ['a same-site fetch', { 'sec-fetch-site': 'same-site', 'x-serin-csrf': '1' }],
  ])('a change with a session and %s: 403', async (_what, headers) => {
    const cookie = await signIn();
    for (const [method, path, body] of [
      ['PUT', SHIFT, WEIGHTS],
      ['DELETE', '/api/v1/session', undefined],
      ['POST', '/api/v1/session/codes', undefined],
    ] as const) {
      const answer = await ask({ method, path, headers: { cookie, ...headers }, ...(body === undefined ? {} : { body }) });
      expect(answer.status).toBe(403);
      expect(['E_ADMIN_CSRF', 'E_ADMIN_CROSS_SITE']).toContain(answer.json()['code']);
    }
    expect((await ask({ path: '/api/v1/session', headers: { cookie } })).status).toBe(200);
  });

  test('cannot look with a session, nor sign somebody in', async () => {
    const cookie = await signIn();
    for (const headers of [{ 'sec-fetch-site': 'cross-site' }, { origin: 'https://evil.example' }, { 'sec-fetch-mode': 'no-cors' }]) {
      expect((await ask({ path: '/api/v1/listeners', headers: { cookie, ...headers } })).status).toBe(403);
      expect((await ask({ method: 'POST', path: '/api/v1/session', headers, body: { token } })).status).toBe(403);
    }
  });
});

describe('the dashboard', () => {
  test.each([
    ['/', 'text/html; charset=utf-8', PAGE],
    ['/assets/app-1.js', 'text/javascript; charset=utf-8', 'console.log("ok")'],
    ['/assets/app-1.css', 'text/css; charset=utf-8', 'body{}'],
    ['/assets/logo.svg', 'image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg"/>'],
  ])('%s is %s, without a token, and may load nothing from elsewhere', async (path, type, text) => {
    const answer = await ask({ path });
    expect([answer.status, answer.headers['content-type'], answer.text]).toEqual([200, type, text]);
    expect(answer.headers['content-security-policy']).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    );
    expect(answer.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
    });
    const head = await ask({ method: 'HEAD', path });
    expect([head.status, head.text, head.headers['content-type']]).toEqual([200, '', type]);
    const changed = await ask({ method: 'POST', path, body: {} });
    expect([changed.status, changed.headers['allow']]).toEqual([405, 'GET, HEAD']);
  });

  test.each([
    '/index.html',
    '/secret.txt',
    '/assets',
    '/assets/',
    '/assets/secret.txt',
    '/assets/../secret.txt',
    '/assets/..%2fsecret.txt',
    '/assets/%2e%2e/secret.txt',
    '/assets//app-1.js',
    '/assets/app-1.js/',
    '/assets/app-1.js%00',
    '/assets/folder/app.js',
    '/assets/link.js',
    '/assets/run.sh',
    '/assets/__proto__',
    '//',
    '/rollouts/default/reviews',
  ])('%s: 404', async (path) => {
    const answer = await ask({ path });
    expect([answer.status, answer.headers['content-type']]).toEqual([404, 'application/problem+json']);
    expect(answer.text).not.toContain('not to be served');
  });

  test('that is not built says how to build it', async () => {
    const answer = await ask({ path: '/', to: open });
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'text/plain; charset=utf-8']);
    expect(answer.text).toContain('npm run build:web');
  });
});

describe('looking without a token, where that is allowed', () => {
  test('is looking only: whoever wants more is asked for a token', async () => {
    expect((await ask({ path: '/api/v1/session', to: open })).json()).toEqual({ name: 'anonymous', scope: 'read' });
    expect((await ask({ path: '/api/v1/listeners', to: open })).status).toBe(200);
    expect((await ask({ method: 'POST', path: '/api/v1/explain', body: { url: 'http://reviews/' }, to: open })).status).toBe(200);
    for (const [method, path, body] of [
      ['PUT', SHIFT, WEIGHTS],
      ['GET', '/api/v1/tokens', undefined],
      ['POST', '/api/v1/tokens', { name: 'x', scope: 'admin' }],
      ['POST', '/api/v1/session/codes', undefined],
    ] as const) {
      const answer = await ask({ method, path, to: open, ...(body === undefined ? {} : { body }) });
      expect([method, path, answer.status]).toEqual([method, path, 401]);
    }
    expect((await patiently({ path: '/api/v1/listeners', headers: bearer('wrong'), to: open })).status).toBe(401);
  });

  test.each<[string, Record<string, string>]>([
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['another port', { origin: 'http://127.0.0.1:1' }],
    ['another name', { host: 'evil.example' }],
  ])('is not for %s: 403', async (_what, headers) => {
    expect((await ask({ path: '/api/v1/listeners', headers, to: open })).status).toBe(403);
  });

  test('no token can be called so', async () => {
    const shown = readFileSync(join(directory, 'open', 'token'), 'utf8').trim();
    const made = await ask({ method: 'POST', path: '/api/v1/tokens', headers: bearer(shown), body: { name: 'anonymous' }, to: open });
    expect([made.status, made.json()['code']]).toEqual([422, 'E_NAME']);
  });
});
