/** The admin API over real sockets: what it refuses, and how it says so. */
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Weights } from './api-types.ts';
import type { AdminPorts } from './ports.ts';
import { ProblemError } from './problem.ts';
import { AdminListenError, type AdminServer, startAdmin } from './server.ts';

const TOKEN = 'test-token-0123456789';
const AUTH = { authorization: `Bearer ${TOKEN}` };
const JSON_TYPE = { 'content-type': 'application/json' };

let ready = true;
let admin: AdminServer;
const shifted: { namespace: string; host: string; weights: Weights }[] = [];
let holdShifts: Promise<void> | undefined;

const ports: AdminPorts = {
  version: '9.9.9',
  readiness: () => ({ ready, reasons: ready ? [] : ['listener 80 is not bound', 'draining'] }),
  metrics: () => Promise.resolve({ contentType: 'text/plain; version=0.0.4; charset=utf-8', text: 'serin_up 1\n' }),
  list: (kind) => {
    if (kind !== 'virtualservices') throw new ProblemError(404, 'E_NOT_FOUND', `no kind ${kind}`);
    return { apiVersion: 'v1', kind: 'List', items: [] };
  },
  get: (_kind, namespace, name) => ({ apiVersion: 'v1', kind: 'X', metadata: { namespace, name } }),
  listeners: () => ({ apiVersion: 'v1', kind: 'List', items: [] }),
  clusters: () => {
    throw new Error('secret detail');
  },
  endpoints: () => ({ apiVersion: 'v1', kind: 'List', items: [] }),
  processes: () => ({ apiVersion: 'v1', kind: 'List', items: [] }),
  explain: (request) => ({ url: request.url }),
  shifts: () => [],
  shift: async (namespace, host, weights) => {
    await holdShifts;
    shifted.push({ namespace, host, weights });
    return { host, before: {}, after: weights, version: '1', warnings: [] };
  },
  resetShift: (_namespace, host) => Promise.resolve({ host, before: {}, after: {}, version: '1', warnings: [] }),
  rollouts: () => ({ apiVersion: 'v1', kind: 'List', items: [] }),
  rollout: (namespace, name) => ({ apiVersion: 'v1', kind: 'Rollout', metadata: { namespace, name, resourceVersion: '7' } }),
  rolloutVerb: (namespace, name, verb, request, terms) =>
    Promise.resolve({
      apiVersion: 'v1',
      kind: 'Rollout',
      metadata: { namespace, name, resourceVersion: '8' },
      spec: { verb, ...request, ...terms },
    }),
  onError: () => undefined,
};

beforeAll(async () => {
  admin = await startAdmin(ports, TOKEN, { host: '127.0.0.1', port: 0 });
});

afterAll(() => admin.close());

interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: string;
  readonly json: () => Record<string, unknown>;
}

function send(method: string, path: string, headers: Record<string, string> = {}, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port: admin.address.port, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: text,
          json: () => JSON.parse(text) as Record<string, unknown>,
        });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** Literal bytes, for what `node:http` would not send; resolves with everything until the server closes. */
function sendRaw(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(admin.address.port, '127.0.0.1', () => socket.end(bytes));
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('close', () => resolve(Buffer.concat(chunks).toString()));
    socket.on('error', reject);
  });
}

const shiftPath = '/api/v1/shifts/default/reviews';
const shiftBody = '{"weights":{"v1":90,"v2":10}}';

describe('probes and metrics', () => {
  test('/livez, /readyz and /metrics need no token', async () => {
    expect((await send('GET', '/livez')).status).toBe(200);
    expect((await send('GET', '/readyz')).status).toBe(200);
    const metrics = await send('GET', '/metrics');
    expect(metrics.headers['content-type']).toContain('version=0.0.4');
    expect(metrics.body).toBe('serin_up 1\n');
    expect((await send('HEAD', '/livez')).body).toBe('');
  });

  test('/readyz says 503 and every reason', async () => {
    ready = false;
    const answer = await send('GET', '/readyz');
    ready = true;
    expect(answer.status).toBe(503);
    expect(answer.json()).toMatchObject({ code: 'E_NOT_READY', detail: 'listener 80 is not bound; draining' });
  });
});

describe('who may ask', () => {
  test.each([
    ['no token', {}],
    ['a wrong token', { authorization: 'Bearer wrong' }],
    ['another scheme', { authorization: `Basic ${TOKEN}` }],
  ])('%s: 401, always the same answer', async (_what, headers) => {
    const answer = await send('GET', '/api/v1/listeners', headers);
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
    expect(answer.body).toBe((await send('GET', '/api/v1/nothing')).body);
    expect(answer.body).not.toContain(TOKEN);
  });

  test('a token in the query is no token', async () => {
    expect((await send('GET', `/api/v1/listeners?access_token=${TOKEN}`)).status).toBe(401);
  });

  test('/apix is not under /api', async () => {
    expect((await send('GET', '/apix')).status).toBe(404);
  });

  test.each(['evil.example', 'evil.example:80', '127.0.0.1.evil.example', '192.168.1.1', 'localhost@evil.example', 'localhost:x'])(
    'Host %j: 403',
    async (host) => {
      const answer = await send('GET', '/livez', { host });
      expect(answer.status).toBe(403);
      expect(answer.json()).toMatchObject({ code: 'E_ADMIN_HOST' });
    },
  );

  test.each(['localhost:15000', 'LOCALHOST', '127.0.0.1:1', '[::1]:15000'])('Host %j: served', async (host) => {
    expect((await send('GET', '/livez', { host })).status).toBe(200);
  });

  test.each([
    ['another origin', { origin: 'https://evil.example' }],
    ['a null origin', { origin: 'null' }],
    ['another port', { origin: 'http://127.0.0.1:1' }],
    ['a cross-site fetch', { 'sec-fetch-site': 'cross-site' }],
    ['a same-site fetch', { 'sec-fetch-site': 'same-site' }],
    ['a no-cors fetch', { 'sec-fetch-mode': 'no-cors' }],
  ])('a change from %s: 403, nothing changed', async (_what, headers: Record<string, string>) => {
    const before = shifted.length;
    const answer = await send('PUT', shiftPath, { ...AUTH, ...JSON_TYPE, ...headers }, shiftBody);
    expect(answer.status).toBe(403);
    expect(answer.json()).toMatchObject({ code: 'E_ADMIN_CROSS_SITE' });
    expect(shifted).toHaveLength(before);
  });

  test('a change from the own origin is taken', async () => {
    const origin = `http://127.0.0.1:${admin.address.port}`;
    expect((await send('PUT', shiftPath, { ...AUTH, ...JSON_TYPE, origin, 'sec-fetch-site': 'same-origin' }, shiftBody)).status).toBe(200);
  });
});

describe('paths and methods', () => {
  test.each([
    '/',
    '/nothing',
    '//livez',
    '/livez/',
    '/api/../livez',
    '/x/..%2flivez',
    '/%2e%2e/livez',
    '/livez%00',
    '/./livez',
    '/livez%zz',
    '/Livez',
  ])('GET %s: 404', async (path) => {
    const answer = await send('GET', path, AUTH);
    expect(answer.status).toBe(404);
    expect(answer.headers['content-type']).toBe('application/problem+json');
  });

  test('a path the parser would resolve is taken as written', async () => {
    expect(await sendRaw('GET /x/../livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 404 /);
    expect(await sendRaw('GET /x\\..\\livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 40[04] /);
    expect(await sendRaw('GET http://localhost/livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')).toMatch(
      /^HTTP\/1\.1 404 /,
    );
  });

  test('a Host that is empty or missing: not served', async () => {
    expect(await sendRaw('GET /livez HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 403 /);
    expect(await sendRaw('GET /livez HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 403 /);
  });

  test('two Host lines or two tokens are refused', async () => {
    expect(await sendRaw('GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n')).toMatch(
      /^HTTP\/1\.1 40[03] /,
    );
    const twice = `Authorization: Bearer ${TOKEN}\r\n`.repeat(2);
    expect(await sendRaw(`GET /api/v1/shifts HTTP/1.1\r\nHost: localhost\r\n${twice}Connection: close\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 401 /,
    );
  });

  test.each([
    ['GET', shiftPath, 'PUT, DELETE'],
    ['HEAD', shiftPath, 'PUT, DELETE'],
    ['GET', '/api/v1/explain', 'POST'],
    ['DELETE', '/livez', 'GET, HEAD'],
    ['PROPFIND', '/api/v1/listeners', 'GET, HEAD'],
  ])('%s %s: 405 with Allow, nothing changed', async (method, path, allow) => {
    const before = shifted.length;
    const answer = await send(method, path, { ...AUTH, ...JSON_TYPE });
    expect([answer.status, answer.headers['allow']]).toEqual([405, allow]);
    expect(shifted).toHaveLength(before);
  });
});

describe('bodies', () => {
  const put = (body: string, headers: Record<string, string> = JSON_TYPE): Promise<Answer> =>
    send('PUT', shiftPath, { ...AUTH, ...headers }, body);

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonx',
    'application/json; charset=utf-16',
  ])('Content-Type %s: 415', async (type) => {
    expect((await put(shiftBody, { 'content-type': type })).status).toBe(415);
  });

  test('no Content-Type: 415', async () => {
    expect((await put(shiftBody, {})).status).toBe(415);
  });

  test.each([
    ['', /empty/],
    ['{', /line 1, column 2/],
    ['{"weights":{"v1":1},}', /line 1, column 21/],
    ['{"weights":\n {"v1" 1}}', /line 2, column 8/],
    ['{} {}', /line 1, column 4/],
    ['{"weights":{"v1":1}]', /line 1, column 20/],
    [`{"weights":${'[1,'.repeat(50)}xyz`, /line 1, column 162/],
    ['\ufeff{}', /line 1, column 1/],
  ])('%j: 400 with the place', async (body, detail) => {
    const answer = await put(body);
    expect(answer.status).toBe(400);
    expect(answer.json()['detail']).toMatch(detail);
  });

  test.each([
    ['{"weights":{"v1":1,"v1":2}}', 'E_JSON_DUPLICATE_KEY'],
    ['{"weights":{"v1":1,"\\u00761":2}}', 'E_JSON_DUPLICATE_KEY'],
    ['{"weights":{"__proto__":1}}', 'E_JSON_RESERVED_KEY'],
    ['{"weights":{"\\u005f_proto__" :1}}', 'E_JSON_RESERVED_KEY'],
    ['{"constructor":{}}', 'E_JSON_RESERVED_KEY'],
    [`{"weights":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`, 'E_JSON_DEPTH'],
  ])('%.60s: 400', async (body, code) => {
    const answer = await put(body);
    expect(answer.status).toBe(400);
    expect(answer.json()).toMatchObject({ code });
  });

  test('a string that contains braces and colons is not taken for keys', async () => {
    const answer = await send(
      'POST',
      '/api/v1/explain',
      { ...AUTH, ...JSON_TYPE },
      '{"url":"{\\"url\\":1,\\"url\\":2}","headers":[["a","\\\\"]]}',
    );
    expect(answer.status).toBe(200);
  });

  test.each([
    ['{"weights":{"v1":"10"}}', '/weights/v1'],
    ['{"weights":{"v1":-1}}', '/weights/v1'],
    ['{"weights":{"v1":1.5}}', '/weights/v1'],
    ['{"weights":{"v1":1e400}}', '/weights/v1'],
    ['{"weights":{"v1":9007199254740993}}', '/weights/v1'],
    ['{"weights":{"a/b":-1}}', '/weights/a~1b'],
    ['{}', '/weights'],
  ])('%s: 422 with a pointer to %s', async (body, pointer) => {
    const answer = await put(body);
    expect(answer.status).toBe(422);
    expect(answer.json()).toMatchObject({ code: 'E_REQUEST_INVALID', errors: [{ pointer }] });
  });

  test('an unknown field: 422 with the nearest one', async () => {
    const answer = await put('{"wieghts":{"v1":1}}');
    expect(answer.status).toBe(422);
    expect(answer.json()['errors']).toContainEqual({ pointer: '/wieghts', message: 'unknown field; did you mean weights?' });
  });

  test.each([
    ['declared', { 'content-length': '9000000' }],
    ['chunked', {}],
  ])('more than 8 MiB, %s: 413', async (_how, headers) => {
    const answer = await put(' '.repeat(9_000_000), { ...JSON_TYPE, ...headers });
    expect(answer.status).toBe(413);
  });

  test.each(['../x', 'a%2fb', 'UPPER', '-a', 'x'.repeat(254), 'caf%C3%A9', '%20'])('a host named %s is refused', async (host) => {
    const answer = await send('PUT', `/api/v1/shifts/default/${host}`, { ...AUTH, ...JSON_TYPE }, shiftBody);
    expect([404, 422]).toContain(answer.status);
  });
});

test('a change that was taken carries what was asked', async () => {
  const answer = await send('PUT', '/api/v1/shifts/books/reviews.books.svc.cluster.local', { ...AUTH, ...JSON_TYPE }, shiftBody);
  expect(answer.status).toBe(200);
  expect(shifted.at(-1)).toEqual({ namespace: 'books', host: 'reviews.books.svc.cluster.local', weights: { v1: 90, v2: 10 } });
});

test('more than 32 changes at once: 429 with Retry-After for the rest, and the others are made', async () => {
  let release = (): void => undefined;
  holdShifts = new Promise((resolve) => {
    release = resolve;
  });
  const before = shifted.length;
  const answers = Array.from({ length: 40 }, () => send('PUT', shiftPath, { ...AUTH, ...JSON_TYPE }, shiftBody));
  const refused = await Promise.race(answers);
  expect(refused.status).toBe(429);
  expect(refused.headers['retry-after']).toBe('1');
  // Whoever is refused answers while the others are still held; only then are they let go.
  await new Promise<void>((resolve) => {
    let done = 0;
    for (const answer of answers) void answer.then(() => (++done === 8 ? resolve() : undefined));
  });
  release();
  holdShifts = undefined;
  const statuses = (await Promise.all(answers)).map((answer) => answer.status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(32);
  expect(shifted).toHaveLength(before + 32);
});

test('an exception inside is a 500 that tells nothing', async () => {
  const answer = await send('GET', '/api/v1/clusters', AUTH);
  expect(answer.status).toBe(500);
  expect(answer.body).not.toContain('secret detail');
});

test('every answer carries the security headers and no CORS header', async () => {
  for (const answer of [await send('GET', '/livez'), await send('GET', '/nothing'), await send('GET', '/api/v1/listeners')]) {
    expect(answer.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
      'serin-version': '9.9.9',
    });
    expect(answer.headers['content-security-policy']).toContain("default-src 'none'");
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  }
});

describe('rollouts', () => {
  const path = '/api/v1/rollouts/default/reviews';
  const post = (verb: string, body = '{}', headers: Record<string, string> = {}): Promise<Answer> =>
    send('POST', `${path}/${verb}`, { ...AUTH, ...JSON_TYPE, ...headers }, body);

  test('a Rollout has its revision as ETag; a verb hands on what it was asked, and on which terms', async () => {
    const found = await send('GET', path, AUTH);
    expect(found).toMatchObject({ status: 200, headers: { etag: '"7"' } });
    const promoted = await post('promote', '{"full":true}', { 'if-match': '"7"', 'idempotency-key': 'k' });
    expect(promoted).toMatchObject({ status: 200, headers: { etag: '"8"' } });
    expect(promoted.json()['spec']).toEqual({ verb: 'promote', full: true, ifMatch: '"7"', idempotencyKey: 'k' });
  });

  test.each<[what: string, answer: () => Promise<Answer>, status: number, code: string]>([
    ['an unknown verb', () => post('promot'), 404, 'E_NOT_FOUND'],
    ['a GET of a verb', () => send('GET', `${path}/promote`, AUTH), 405, 'E_ADMIN_METHOD'],
    ['a field nobody knows', () => post('start', '{"too":"v2"}'), 422, 'E_REQUEST_INVALID'],
    ['an empty subset', () => post('start', '{"to":""}'), 422, 'E_REQUEST_INVALID'],
    ['a key with a space', () => post('start', '{}', { 'idempotency-key': 'a b' }), 422, 'E_REQUEST_INVALID'],
    ['a name in capitals', () => send('GET', '/api/v1/rollouts/default/Reviews', AUTH), 422, 'E_NAME'],
    ['a name that is a path', () => send('GET', '/api/v1/rollouts/default/..%2fx', AUTH), 404, 'E_ADMIN_PATH'],
    ['no token', () => send('POST', `${path}/abort`, { 'content-type': 'application/json' }, '{}'), 401, 'E_ADMIN_UNAUTHORIZED'],
  ])('%s is refused', async (_what, answer, status, code) => {
    const refused = await answer();
    expect(refused.status).toBe(status);
    expect(refused.json()['code']).toBe(code);
  });
});

describe('listening', () => {
  test.each(['0.0.0.0', '::', '192.168.0.1', 'example.com'])('refuses %s', async (host) => {
    await expect(startAdmin(ports, TOKEN, { host, port: 0 })).rejects.toMatchObject({ code: 'E_ADMIN_EXPOSED' });
  });

  test('an address in use is named', async () => {
    const second = startAdmin(ports, TOKEN, admin.address);
    await expect(second).rejects.toBeInstanceOf(AdminListenError);
    await expect(second).rejects.toMatchObject({
      code: 'E_LISTEN_EADDRINUSE',
      message: expect.stringContaining(`127.0.0.1:${admin.address.port}`),
    });
  });
});
