/** Preview links with a real daemon and two workers: who has one sees the new version at weight 0, nobody else does, and no upstream sees the token. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { signPreview } from '../../src/config/preview.ts';
import { type AdminAnswer, askAdmin, untilReviews } from '../helpers/admin-api.ts';
import { type Finished, serin, SerinProcess } from '../helpers/serin-process.ts';
import { ask, close, listen, tally } from '../helpers/upstream.ts';

/** What the upstreams were asked since the test began: first line and fields, as text. */
let seen: string[] = [];
const servers: Server[] = [];
const ports: number[] = [];
let directory: string;
let state: string;
let daemon: SerinProcess;

beforeAll(async () => {
  for (const name of ['v1', 'v2']) {
    const server = createServer((request: IncomingMessage, response) => {
      seen.push(`${name} ${request.method ?? ''} ${request.url ?? ''}\n${request.rawHeaders.join('\n')}`);
      request.resume().on('end', () => response.end(name));
    });
    ports.push(await listen(server));
    servers.push(server);
  }
});

afterAll(() => Promise.all(servers.map(close)));

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-preview-'));
  state = join(directory, 'state');
  seen = [];
});

afterEach(async () => {
  await daemon.end();
  rmSync(directory, { recursive: true, force: true });
});

async function up(rollout: string, more = ''): Promise<void> {
  const config = join(directory, 'config.yaml');
  writeFileSync(
    config,
    `
services:
  reviews:
    versions: { v1: http://127.0.0.1:${ports[0]}, v2: http://127.0.0.1:${ports[1]} }
    routes: [{ to: v1 }]
    rollout: { stable: v1, canary: v2, ${rollout} }
${more}`,
  );
  const args = ['up', '-f', config, '--state', state, '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--workers', '2'];
  daemon = await new SerinProcess(args).ready();
}

const cli = (...args: readonly string[]): Promise<Finished> => serin([...args, '--state', state]);

const Made = z.object({ token: z.string() });

/** A token for v2. */
async function preview(name = 'reviews'): Promise<string> {
  return Made.parse((await askAdmin(daemon, state, { path: `rollouts/default/${name}/preview`, body: {} })).json).token;
}

const untilStatus = (pattern: RegExp): Promise<void> => untilReviews(daemon, state, pattern);

const act = (verb: string): Promise<AdminAnswer> => askAdmin(daemon, state, { path: `rollouts/default/reviews/${verb}`, body: {} });

const host = { host: 'reviews' };
const withCookie = (token: string, more = ''): Record<string, string> => ({ ...host, cookie: `theme=dark; serin-preview=${token}${more}` });

const CANARY = 'steps: [{ pause: {} }, { setWeight: 1 }, { pause: {} }, { setWeight: 100 }]';
const BLUE_GREEN = 'strategy: { blueGreen: { scaleDownDelay: 1h } }';

describe.each([
  ['canary', CANARY],
  ['blueGreen', BLUE_GREEN],
])('%s, at weight 0', (_strategy, rollout) => {
  test(
    'whoever follows the link sees v2 from then on, nobody else ever does, no upstream sees the token',
    { timeout: 120_000 },
    async () => {
      await up(rollout);
      await untilStatus(/pause until promoted: waits/);
      const token = await preview();
      const mesh = daemon.address('mesh');

      const first = await ask(mesh, { path: `/cart?item=1&serin-preview=${token}&q=%20`, headers: host });
      expect(first).toMatchObject({ status: 302, headers: { location: '/cart?item=1&q=%20', 'cache-control': 'no-store' } });
      const [cookie = ''] = first.headers['set-cookie'] ?? [];
      expect(cookie).toMatch(/^serin-preview=[\w.-]+; Path=\/; Max-Age=287\d\d|28800; HttpOnly; SameSite=Lax$/);
      expect(seen).toEqual([]);

      expect(await tally(mesh, 40, { path: '/cart?item=1', headers: withCookie(token, '; lang=en') })).toEqual({ v2: 40 });
      expect(await tally(mesh, 200, { headers: host })).toEqual({ v1: 200 });
      expect(await tally(mesh, 20, { headers: { ...host, 'x-serin-preview': token } })).toEqual({ v2: 20 });
      const all = seen.join('\n');
      expect(all).not.toContain(token);
      expect(all).not.toContain('serin-preview');
      expect(seen.filter((request) => request.includes('theme=dark; lang=en'))).toHaveLength(40);
    },
  );
});

test('what is forged, expired, of another rollout, or of an earlier run is ignored and taken off', { timeout: 120_000 }, async () => {
  await up(
    CANARY,
    `  ratings:
    versions: { v1: http://127.0.0.1:${ports[0]}, v2: http://127.0.0.1:${ports[1]} }
    routes: [{ to: v1 }]
    rollout: { stable: v1, canary: v2, ${CANARY} }
`,
  );
  await untilStatus(/waits for serin rollout promote/);
  const good = await preview();
  const other = await preview('ratings');
  const key = Buffer.from(readFileSync(join(state, 'preview-key'), 'utf8').trim(), 'base64url');
  expect(statSync(join(state, 'preview-key')).mode & 0o777).toBe(0o600);
  const soon = Math.floor(Date.now() / 1000) + 1000;
  const bad = {
    plain: 'default/reviews#1/v2',
    forged: signPreview(new Uint8Array(32), 'default/reviews#1/v2', soon),
    changed: `${good.slice(0, 10)}y${good.slice(11)}`,
    expired: signPreview(key, 'default/reviews#1/v2', Math.floor(Date.now() / 1000) - 1),
    other,
    laterRun: signPreview(key, 'default/reviews#2/v2', soon),
    otherSubset: signPreview(key, 'default/reviews#1/v3', soon),
  };
  const mesh = daemon.address('mesh');
  for (const [what, token] of Object.entries(bad)) {
    const asked = await Promise.all([
      ask(mesh, { headers: withCookie(token) }),
      ask(mesh, { path: `/?serin-preview=${encodeURIComponent(token)}`, headers: host }),
      ask(mesh, { headers: { ...host, 'x-serin-preview': token } }),
    ]);
    const answers = asked.map(({ status, body, headers }) => [status, body, headers['set-cookie']]);
    expect({ what, answers }).toEqual({ what, answers: [200, 200, 200].map((status) => [status, 'v1', undefined]) });
  }
  expect(seen.join('\n')).not.toContain('serin-preview');
  // The other's own token is good there.
  expect((await ask(mesh, { headers: { host: 'ratings', 'x-serin-preview': other } })).body).toBe('v2');

  // It ends with its run, though its time is not over.
  expect((await ask(mesh, { headers: withCookie(good) })).body).toBe('v2');
  expect(await act('abort')).toMatchObject({ status: 200 });
  expect((await ask(mesh, { headers: withCookie(good) })).body).toBe('v1');
  expect(await act('retry')).toMatchObject({ status: 200 });
  expect((await ask(mesh, { headers: withCookie(good) })).body).toBe('v1');
  expect((await ask(mesh, { headers: withCookie(await preview()) })).body).toBe('v2');
});

test('it is on record, in explain and in what is in force; requests with it are no evidence', { timeout: 120_000 }, async () => {
  await up(CANARY);
  await untilStatus(/waits for serin rollout promote/);
  const made = await cli('rollout', 'preview', 'reviews', '--expires', '3d', '--url', 'http://shop.example/cart?item=1&q=%20#top');
  expect(made).toMatchObject({ code: 0, err: expect.stringContaining('shows v2 of default/reviews until') });
  const { token = '' } = /^http:\/\/shop\.example\/cart\?item=1&q=%20&serin-preview=(?<token>[\w.-]+)\n$/.exec(made.out)?.groups ?? {};
  expect(token).not.toBe('');
  expect((await cli('rollout', 'history')).out).toMatch(/admin +preview +0 % +preview link to v2, valid until/);
  const plain = await cli('explain', 'http://reviews/cart');
  expect(plain.out).toContain('header x-serin-preview exact "default/reviews#1/v2": no, the request has none');
  for (const more of [['http://reviews/cart', '-H', `cookie: serin-preview=${token}`], [`http://reviews/cart?serin-preview=${token}`]]) {
    const { out } = await cli('explain', ...more);
    expect(out).toMatch(/takes it: serin-preview-v2/);
    expect(out).toMatch(/100 % to outbound\|\d+\|v2\|reviews/);
    expect(out).not.toContain(token);
  }
  expect((await cli('explain', 'http://reviews/', '-H', 'x-serin-preview: default/reviews#1/v2')).out).not.toMatch(
    /takes it: serin-preview/,
  );
  expect((await cli('get', 'virtualservices', '-o', 'yaml')).out).toContain('name: serin-preview-v2');

  expect(await act('promote')).toMatchObject({ status: 200 });
  await untilStatus(/step 3 of 4/);
  const mesh = daemon.address('mesh');
  expect(await tally(mesh, 300, { headers: withCookie(token) })).toEqual({ v2: 300 });
  const { out } = await cli('rollout', 'status', 'reviews', '-o', 'json');
  expect(JSON.parse(out)).toMatchObject({ status: { weights: { v1: 99, v2: 1 } } });
  // Nothing was drawn by lot, so there is nothing to compare, and no share that could be wrong.
  expect(out).not.toMatch(/"requests": 300/);
});

test('usage: nothing under way, an unknown version, a life that is none', { timeout: 120_000 }, async () => {
  await up(`paused: true, ${CANARY}`);
  expect(await cli('rollout', 'preview', 'reviews')).toMatchObject({ code: 6, err: expect.stringContaining('for a release under way') });
  expect(await act('start')).toMatchObject({ status: 200 });
  expect(await cli('rollout', 'preview', 'reviews', '--to', 'v1')).toMatchObject({
    code: 3,
    err: expect.stringContaining('v1 is not released here, v2 is'),
  });
  expect(await cli('rollout', 'preview', 'reviews', '--expires', '8')).toMatchObject({ code: 2 });
  expect(await cli('rollout', 'preview', 'reviews', '--expires', '90d')).toMatchObject({
    code: 2,
    err: expect.stringContaining('at most 31d'),
  });
  expect(await cli('rollout', 'preview', 'reviews', '--url', 'ftp://x/')).toMatchObject({ code: 2 });
  expect(await cli('rollout', 'preview', 'reviws')).toMatchObject({ code: 5, err: expect.stringContaining('did you mean reviews?') });
  expect(await cli('rollout', 'preview', 'reviews')).toMatchObject({ code: 0, out: expect.stringMatching(/^\?serin-preview=[\w.-]+\n$/) });
});
