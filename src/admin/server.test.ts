/** The admin API over real sockets: what it refuses, and how it says so. */
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Access, type Caller, type Scope, SCOPES, type TokenAccess } from './access.ts';
import type { Weights } from './api-types.ts';
import { EventHub } from './events.ts';
import type { AdminPorts } from './ports.ts';
import { ProblemError } from './problem.ts';
import { Sessions } from './sessions.ts';
import { AdminListenError, type AdminServer, startAdmin } from './server.ts';

const TOKEN = 'test-token-0123456789';
const AUTH = { authorization: `Bearer ${TOKEN}` };
const REVOKED = new Set<Caller>();
const known = new Map<string, Caller>([[TOKEN, { name: 'admin', scope: 'admin' }]]);
for (const name of ['ana', 'ben', 'cleo']) for (const scope of SCOPES) known.set(`${name}-${scope}`, { name, scope });
let nowMs = Date.parse('2026-01-02T03:04:05Z');
const tokens: TokenAccess = {
  identify: (token) => known.get(token),
  isGood: (caller) => !REVOKED.has(caller) && [...known.values()].includes(caller),
  mayFail: (address) => address !== '' && mayFail,
};
const accessOf = (anonymousRead = false): Access => ({ tokens, sessions: new Sessions(tokens, () => nowMs), anonymousRead });
const access = accessOf();
let mayFail = true;
const JSON_TYPE = { 'content-type': 'application/json' };

let ready = true;
let metricsText = 'serin_up 1\n';
let admin: AdminServer;
const shifted: { namespace: string; host: string; weights: Weights; by: string }[] = [];
const applied: string[] = [];
let holdShifts: Promise<void> | undefined;

const silent = { open: () => undefined, close: () => undefined, greeting: () => [] };
const refused: object[] = [];
const signedIn: object[] = [];
const audited = [7, 6, 5, 4, 3, 2, 1].map((sequence) => ({
  sequence,
  at: '2026-01-02T03:04:05Z',
  actor: 'ana',
  action: 'shift',
  target: 'reviews',
  result: 'done',
  beforeSha256: '',
  afterSha256: '',
}));

const ports: AdminPorts = {
  version: '9.9.9',
  readiness: () => ({ ready, reasons: ready ? [] : ['listener 80 is not bound', 'draining'] }),
  metrics: () => Promise.resolve({ contentType: 'text/plain; version=0.0.4; charset=utf-8', text: metricsText }),
  list: (kind) => {
    if (kind !== 'virtualservices') throw new ProblemError(404, 'E_NOT_FOUND', `no kind ${kind}`);
    return { apiVersion: 'v1', kind: 'List', items: [] };
  },
  get: (_kind, namespace, name) => ({ apiVersion: 'v1', kind: 'X', metadata: { namespace, name } }),
  apply: (manifests, { by, dryRun, ifMatch }) => {
    if (manifests === 'stale') throw new ProblemError(412, 'E_STALE', `not ${ifMatch}`);
    applied.push(manifests);
    return Promise.resolve({
      results: [{ kind: by.name, namespace: String(dryRun), name: ifMatch ?? '', result: 'created' }],
      diagnostics: [],
      version: '7',
    });
  },
  delete: (kind, namespace, name) =>
    Promise.resolve({ results: [{ kind, namespace, name, result: 'deleted' }], diagnostics: [], version: '8' }),
  diffManifests: (manifests) => ({ items: [{ kind: 'a', namespace: 'b', name: 'c', change: 'added', diff: manifests }] }),
  configuration: () => ({
    version: '7',
    at: 'now',
    reload: { successful: true, at: 'now' },
    diagnostics: [],
    refused: null,
    resources: [],
  }),
  configurationHistory: () => [],
  source: () => ({ file: 'a', line: 1, text: '', declared: null, effective: null, differences: [], conditions: [], diagnostics: [] }),
  listeners: () => ({ apiVersion: 'v1', kind: 'List', items: [] }),
  clusters: () => {
    throw new Error('secret detail');
  },
  endpoints: () => ({ apiVersion: 'v1', kind: 'List', items: [] }),
  processes: () => ({ apiVersion: 'v1', kind: 'List', items: [] }),
  explain: (request) => ({ url: request.url }),
  diff: ({ sources }) => ({ version: '1', resources: [], overlay: [], routing: [], warnings: sources.map(({ file }) => file) }),
  shifts: () => [],
  shift: async (namespace, host, weights, by) => {
    await holdShifts;
    shifted.push({ namespace, host, weights, by: by.name });
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
  preview: (namespace, name, { to = 'v2', expiresInSeconds }, by) => {
    const token = `${by.name} ${expiresInSeconds}`;
    return {
      rollout: `${namespace}/${name}`,
      to,
      expiresAt: 'then',
      token,
      query: `serin-preview=${token}`,
      header: `x-serin-preview: ${token}`,
    };
  },
  tokens: () => [],
  createToken: ({ name, scope }, by) => ({ name, scope, createdAt: 'now', createdBy: by.name, isExpired: false, token: 'secret' }),
  revokeToken: (name, by) => ({ name, scope: 'read', createdAt: 'now', createdBy: by.name, isExpired: false }),
  audit: (limit, before = 8) => audited.filter(({ sequence }) => sequence < before).slice(0, limit),
  refused: (by, action, target, code) => refused.push({ by, action, target, code }),
  session: (by, action) => {
    signedIn.push({ by, action });
  },
  events: new EventHub({ live: silent, rollouts: silent, configuration: silent, audit: silent }, access.sessions, '9.9.9'),
  evidence: () => ({ run: 0, margins: {}, points: [] }),
  processLog: () => Promise.resolve({ lines: [], follow: () => silent }),
  live: () => Promise.resolve('{}'),
  onError: () => undefined,
};

beforeAll(async () => {
  admin = await startAdmin(ports, access, { host: '127.0.0.1', port: 0 }, { nowMs: () => nowMs });
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

describe('scopes', () => {
  const asks = (token: string, method: string, path: string, body?: string): Promise<Answer> =>
    send(method, path, { authorization: `Bearer ${token}`, ...JSON_TYPE }, body);
  const verb = '/api/v1/rollouts/default/reviews/promote';

  test.each<[method: string, path: string, body: string | undefined, allowed: readonly Scope[]]>([
    ['GET', '/api/v1/listeners', undefined, ['read', 'operate', 'admin']],
    ['HEAD', '/api/v1/rollouts/default/reviews', undefined, ['read', 'operate', 'admin']],
    ['POST', '/api/v1/explain', '{"url":"http://a/"}', ['read', 'operate', 'admin']],
    ['POST', '/api/v1/diff', '{"sources":[{"file":"a.yaml","content":""}]}', ['read', 'operate', 'admin']],
    ['GET', '/api/v1/configuration', undefined, ['read', 'operate', 'admin']],
    ['GET', '/api/v1/configuration/history', undefined, ['read', 'operate', 'admin']],
    ['GET', '/api/v1/resources/virtualservices/default/reviews/source', undefined, ['read', 'operate', 'admin']],
    ['POST', '/api/v1/resources/diff', '{"manifests":"a"}', ['read', 'operate', 'admin']],
    // Resources name programs to run.
    ['POST', '/api/v1/resources', '{"manifests":"a"}', ['admin']],
    ['POST', '/api/v1/resources?dryRun=true', '{"manifests":"a"}', ['admin']],
    ['DELETE', '/api/v1/resources/virtualservices/default/reviews', undefined, ['admin']],
    ['POST', '/api/v1/%72esources', '{"manifests":"a"}', ['admin']],
    ['POST', verb, '{}', ['operate', 'admin']],
    ['POST', '/api/v1/rollouts/default/reviews/preview', '{}', ['operate', 'admin']],
    ['PUT', shiftPath, shiftBody, ['operate', 'admin']],
    ['DELETE', shiftPath, undefined, ['operate', 'admin']],
    ['PUT', '/api/v1/shifts/default/httproute/shop', shiftBody, ['operate', 'admin']],
    ['DELETE', '/api/v1/shifts/default/grpcroute/shop', undefined, ['operate', 'admin']],
    ['GET', '/api/v1/tokens', undefined, ['admin']],
    ['POST', '/api/v1/tokens', '{"name":"ci"}', ['admin']],
    ['DELETE', '/api/v1/tokens/ci', undefined, ['admin']],
    // Other spellings of the same paths.
    ['GET', '/api/v1/%74okens', undefined, ['admin']],
    ['POST', '/api/v1/%74okens', '{"name":"ci"}', ['admin']],
    ['DELETE', '/api/v1/%74okens/%63i', undefined, ['admin']],
    ['PUT', shiftPath.replace('shifts', '%73hifts'), shiftBody, ['operate', 'admin']],
  ])('%s %s', async (method, path, body, allowed) => {
    for (const scope of ['read', 'operate', 'admin'] as const) {
      const answer = await asks(`ana-${scope}`, method, path, body);
      if (allowed.includes(scope)) expect(answer.status).toBeLessThan(300);
      else if (method === 'HEAD') expect(answer.status).toBe(403);
      else expect([answer.status, answer.json()['code']]).toEqual([403, 'E_ADMIN_FORBIDDEN']);
    }
  });

  test.each(['/%61pi/v1/listeners', '/ap%69/v1/tokens'])('%s, another spelling of /api, needs a token', async (path) => {
    expect((await send('GET', path)).status).toBe(401);
  });

  test('who asks is handed on by the name of the token', async () => {
    expect((await asks('ben-operate', 'POST', verb, '{}')).json()['spec']).toMatchObject({
      verb: 'promote',
      by: { name: 'ben', from: '127.0.0.1' },
    });
    await asks('cleo-operate', 'PUT', shiftPath, shiftBody);
    expect(shifted.at(-1)).toMatchObject({ by: 'cleo' });
    expect((await asks('ana-admin', 'POST', '/api/v1/tokens', '{"name":"ci","scope":"operate"}')).json()).toMatchObject({
      createdBy: 'ana',
    });
  });

  test('too many wrong tokens: 429, and a right one is still taken', async () => {
    mayFail = false;
    const wrong = await asks('wrong', 'GET', '/api/v1/listeners');
    const right = await asks(TOKEN, 'GET', '/api/v1/listeners');
    mayFail = true;
    expect([wrong.status, wrong.headers['retry-after'], wrong.json()['code']]).toEqual([429, '1', 'E_ADMIN_TOO_MANY_FAILURES']);
    expect(right.status).toBe(200);
  });

  test.each([
    ['{"name":"ci","scope":"root"}', '/scope'],
    ['{"name":""}', '/name'],
    ['{"scope":"read"}', '/name'],
    ['{"name":"ci","expiresInSeconds":0}', '/expiresInSeconds'],
    ['{"name":"ci","expiresInSeconds":1e12}', '/expiresInSeconds'],
    ['{"name":"ci","expires":"30d"}', '/expires'],
  ])('a token asked for as %s: 422', async (body, pointer) => {
    const answer = await asks(TOKEN, 'POST', '/api/v1/tokens', body);
    expect(answer.json()).toMatchObject({ code: 'E_REQUEST_INVALID', errors: [{ pointer }] });
  });
});

describe('paths and methods', () => {
  test.each([
    '/index.html',
    '/assets/',
    '/assets/x.js',
    '/assets/../livez',
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
    ['GET', '/api/v1/diff', 'POST'],
    ['GET', '/api/v1/resources', 'POST'],
    ['GET', '/api/v1/resources/diff', 'POST'],
    ['PUT', '/api/v1/resources/secrets/default/a', 'GET, HEAD, DELETE'],
    ['DELETE', '/api/v1/configuration', 'GET, HEAD'],
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
  expect(shifted.at(-1)).toEqual({ namespace: 'books', host: 'reviews.books.svc.cluster.local', weights: { v1: 90, v2: 10 }, by: 'admin' });
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

test('B-91 a client that does not read a long answer is closed, and so is one that asks without end', { timeout: 90_000 }, async () => {
  metricsText = 'x'.repeat(32 * 1024 * 1024);
  const closed = (asks: number): Promise<void> =>
    new Promise((resolve) => {
      const socket = connect(admin.address.port, '127.0.0.1').pause();
      socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(asks));
      // Paused it does not see the end: what it sends is refused.
      const knock = setInterval(() => socket.write('\r\n'), 500);
      socket
        .on('error', () => undefined)
        .on('close', () => {
          clearInterval(knock);
          resolve();
        });
    });
  await Promise.all([closed(1), closed(9)]);
  metricsText = 'serin_up 1\n';
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
    expect(promoted.json()['spec']).toEqual({
      verb: 'promote',
      full: true,
      by: { name: 'admin', from: '127.0.0.1' },
      ifMatch: '"7"',
      idempotencyKey: 'k',
    });
  });

  test.each<[what: string, answer: () => Promise<Answer>, status: number, code: string]>([
    ['an unknown verb', () => post('promot'), 404, 'E_ADMIN_PATH'],
    ['an unknown query parameter', () => send('GET', '/api/v1/rollouts?namespce=x', AUTH), 400, 'E_QUERY'],
    ['a namespace in capitals', () => send('GET', '/api/v1/rollouts?namespace=X', AUTH), 400, 'E_QUERY'],
    ['a query parameter twice', () => send('GET', '/api/v1/rollouts?namespace=x&namespace=y', AUTH), 400, 'E_QUERY'],
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

describe('the audit log', () => {
  test('page by page, newest first, until there is nothing more', async () => {
    const sequences: number[][] = [];
    for (let query = '?limit=3'; query !== '';) {
      const { items, nextCursor } = (await send('GET', `/api/v1/audit${query}`, AUTH)).json() as {
        items: { sequence: number }[];
        nextCursor?: string;
      };
      sequences.push(items.map(({ sequence }) => sequence));
      query = nextCursor === undefined ? '' : `?limit=3&cursor=${nextCursor}`;
    }
    expect(sequences).toEqual([[7, 6, 5], [4, 3, 2], [1]]);
    expect((await send('GET', '/api/v1/audit', AUTH)).json()).not.toHaveProperty('nextCursor');
  });

  test.each([
    'limit=0',
    'limit=-1',
    'limit=1000000000',
    'limit=501',
    'limit=01',
    'limit=+1',
    'limit=1e2',
    'limit=',
    'cursor=x',
    'cursor=c01',
    'cursor=',
  ])('?%s: 400', async (query) => {
    const answer = await send('GET', `/api/v1/audit?${query}`, AUTH);
    expect([answer.status, answer.json()['code']]).toEqual([400, 'E_QUERY']);
  });

  test('a change that is refused to somebody who may make changes is handed on, with its code; one without that right is not', async () => {
    const before = refused.length;
    const asks = (token: string, body: string): Promise<Answer> =>
      send('PUT', shiftPath, { authorization: `Bearer ${token}`, ...JSON_TYPE }, body);
    await asks('ana-operate', '{}');
    await asks('ana-read', '{}');
    await asks('wrong', '{}');
    expect(refused.slice(before)).toEqual([
      { by: { name: 'ana', from: '127.0.0.1' }, action: 'shift', target: 'default/reviews', code: 'E_REQUEST_INVALID' },
    ]);
  });

  test('a reason goes with the change', async () => {
    await send('PUT', shiftPath, { ...AUTH, ...JSON_TYPE }, '{"weights":{"v1":1},"reason":" the database moves "}');
    const answer = await send('POST', '/api/v1/rollouts/default/reviews/pause', { ...AUTH, ...JSON_TYPE }, '{"reason":"lunch"}');
    expect(answer.json()['spec']).toMatchObject({ by: { name: 'admin', from: '127.0.0.1', reason: 'lunch' } });
    expect((await send('PUT', shiftPath, { ...AUTH, ...JSON_TYPE }, `{"weights":{"v1":1},"reason":"${'x'.repeat(501)}"}`)).status).toBe(
      422,
    );
  });
});

describe('listening', () => {
  test.each(['0.0.0.0', '::', '192.168.0.1', 'example.com'])('refuses %s', async (host) => {
    await expect(startAdmin(ports, access, { host, port: 0 }, { nowMs: () => nowMs })).rejects.toMatchObject({ code: 'E_ADMIN_EXPOSED' });
  });

  test.each<[what: string, host: string, anonymousRead: boolean, names: string[]]>([
    ['without a token to look', '192.0.2.1', true, []],
    ['without a name', '0.0.0.0', false, []],
  ])('refuses to be reached with TLS but %s', async (_what, host, anonymousRead, names) => {
    const options = { nowMs: () => nowMs, names, tls: { certificate: '', privateKey: '' } };
    await expect(startAdmin(ports, accessOf(anonymousRead), { host, port: 0 }, options)).rejects.toMatchObject({ code: 'E_ADMIN_EXPOSED' });
  });

  test('a certificate that is none is refused', async () => {
    const options = { nowMs: () => nowMs, tls: { certificate: 'x', privateKey: 'y' } };
    await expect(startAdmin(ports, access, { host: '127.0.0.1', port: 0 }, options)).rejects.toMatchObject({ code: 'E_ADMIN_TLS' });
  });

  test('an address in use is named', async () => {
    const second = startAdmin(ports, access, admin.address, { nowMs: () => nowMs });
    await expect(second).rejects.toBeInstanceOf(AdminListenError);
    await expect(second).rejects.toMatchObject({
      code: 'E_LISTEN_EADDRINUSE',
      message: expect.stringContaining(`127.0.0.1:${admin.address.port}`),
    });
  });
});

describe('resources', () => {
  const path = '/api/v1/resources';
  const ask = (body: string, url = path, headers: Record<string, string> = {}): Promise<Answer> =>
    send('POST', url, { ...AUTH, ...JSON_TYPE, ...headers }, body);

  test('the version is the ETag; If-Match and dryRun are handed on', async () => {
    const answer = await ask('{"manifests":"a: 1"}', `${path}?dryRun=true`, { 'if-match': '"6"' });
    expect([answer.status, answer.headers['etag']]).toEqual([200, '"7"']);
    expect(answer.json()['results']).toMatchObject([{ namespace: 'true', name: '"6"' }]);
    const stale = await ask('{"manifests":"stale"}', path, { 'if-match': '"6"' });
    expect([stale.status, stale.json()['code']]).toEqual([412, 'E_STALE']);
    const configuration = await send('GET', '/api/v1/configuration', AUTH);
    expect(configuration.headers['etag']).toBe('"7"');
  });

  test.each([
    ['declared', { 'content-length': '9000000' }],
    ['chunked', {}],
  ])('more than 8 MiB, %s: 413', async (_how, headers: Record<string, string>) => {
    expect((await ask(' '.repeat(9_000_000), path, headers)).status).toBe(413);
  });

  test.each([path, `${path}/diff`])('%s: a body that is wrong changes nothing', async (url) => {
    const before = applied.length;
    const cases: readonly (readonly [string, number, string])[] = [
      ['', 400, 'E_JSON_SYNTAX'],
      ['{"manifests":"a",}', 400, 'E_JSON_SYNTAX'],
      ['{"manifests":"a"} {}', 400, 'E_JSON_SYNTAX'],
      ['\ufeff{"manifests":"a"}', 400, 'E_JSON_SYNTAX'],
      ['kind: VirtualService', 400, 'E_JSON_SYNTAX'],
      [`{"manifests":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`, 400, 'E_JSON_DEPTH'],
      ['{"manifests":"a","manifests":"b"}', 400, 'E_JSON_DUPLICATE_KEY'],
      ['{"manifests":"a","__proto__":{}}', 400, 'E_JSON_RESERVED_KEY'],
      ['{"manifests":1}', 422, 'E_REQUEST_INVALID'],
      ['{"manifests":1e400}', 422, 'E_REQUEST_INVALID'],
      ['{"manifests":["a"]}', 422, 'E_REQUEST_INVALID'],
      ['{"manifests":""}', 422, 'E_REQUEST_INVALID'],
      ['{}', 422, 'E_REQUEST_INVALID'],
    ];
    for (const [body, status, code] of cases) {
      const answer = await ask(body, url);
      expect([answer.status, answer.json()['code'], answer.json()['detail']]).toEqual([status, code, expect.any(String)]);
    }
    const unknown = await ask('{"manifest":"a","manifests":"a"}', url);
    expect(unknown.json()['errors']).toEqual([{ pointer: '/manifest', message: 'unknown field; did you mean manifests?' }]);
    expect(applied).toHaveLength(before);
  });

  test('dryRun is true or false', async () => {
    const answer = await ask('{"manifests":"a"}', `${path}?dryRun=maybe`);
    expect([answer.status, answer.json()['code']]).toEqual([400, 'E_QUERY']);
  });
});
