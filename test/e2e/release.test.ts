/**
 * What a release does to traffic, through compile and the data plane: users keep their side while the weight grows, the arms are counted apart, and a
 * canary can be switched off between two requests.
 */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { loadText } from '../../src/config/load.ts';
import { EMPTY_OVERLAY, applyOverlay } from '../../src/config/overlay.ts';
import type { ReleaseOverlay } from '../../src/config/release.ts';
import { createProxy } from '../../src/proxy/proxy.ts';
import type { Proxy } from '../../src/proxy/proxy.ts';
import { compile } from '../../src/routing/compile.ts';
import { ask, close, listen } from '../helpers/upstream.ts';

const HOST = 'app.default.svc.cluster.local';
const servers: Server[] = [];
let ports: readonly [v1: number, v2: number];
let proxy: Proxy;

beforeAll(async () => {
  const start = async (name: string, status: number): Promise<number> => {
    const server = createServer((_request, response) => response.writeHead(status).end(name));
    servers.push(server);
    return listen(server);
  };
  ports = [await start('v1', 200), await start('v2', 503)];
});
afterAll(() => Promise.all(servers.map((server) => close(server))));
afterEach(() => proxy.close());

function release(canary: number, epoch: number, more: Partial<ReleaseOverlay> = {}): ReleaseOverlay {
  const weights = { v2: canary, v1: 10_000 - canary };
  return { rollout: 'default/app', stable: 'v1', canaries: ['v2'], weights, headerRoutes: [], epoch, ...more };
}

async function apply(overlay: ReleaseOverlay): Promise<number> {
  const { snapshot } = loadText(
    'app.yaml',
    `services: { app: { versions: { v1: 'http://127.0.0.1:${ports[0]}', v2: 'http://127.0.0.1:${ports[1]}' } } }`,
  );
  const effective = applyOverlay(snapshot, { ...EMPTY_OVERLAY, releases: { [HOST]: overlay } });
  expect(effective.diagnostics).toEqual([]);
  const [bound] = await proxy.apply(compile(effective.snapshot).table, [{ listener: 'mesh', host: '127.0.0.1', port: 0 }]);
  return bound?.port ?? 0;
}

/** The bodies answered to one pipelined batch, in order. */
function batch(port: number, headers: readonly string[]): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.setEncoding('latin1');
    socket.on('data', (piece: string) => (text += piece));
    socket.on('error', reject);
    socket.on('close', () =>
      resolve(
        text
          .split('HTTP/1.1 ')
          .slice(1)
          .map((answer) => answer.slice(answer.indexOf('\r\n\r\n') + 4)),
      ),
    );
    socket.end(headers.map((header) => `GET / HTTP/1.1\r\nHost: app\r\n${header}\r\n`).join(''));
  });
}

async function versions(port: number, headers: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (let at = 0; at < headers.length; at += 500) found.push(...(await batch(port, headers.slice(at, at + 500))));
  return found.map((body) => body.match(/v\d/)?.[0] ?? body);
}

const users = Array.from({ length: 10_000 }, (_, user) => `end-user: user-${user}\r\n`);
const assignment = { salt: 'app-1', keys: [{ kind: 'header', name: 'end-user' }] } as const;

describe('assignment by user', () => {
  test('the share is exact, growing only adds users, a rollback moves everyone', { timeout: 120_000 }, async () => {
    proxy = createProxy({ workers: 0 });
    let before = new Set<number>();
    for (const [epoch, weight] of [1000, 2500, 5000, 10_000].entries()) {
      const answers = await versions(await apply(release(weight, epoch, { assignment })), users);
      expect(answers).toHaveLength(users.length);
      const canary = new Set(answers.flatMap((version, user) => (version === 'v2' ? [user] : [])));
      expect(Math.abs(canary.size / users.length - weight / 10_000)).toBeLessThan(0.01);
      expect([...before].filter((user) => !canary.has(user))).toEqual([]);
      before = canary;
    }
    const back = await versions(await apply(release(0, 9, { assignment })), users.slice(0, 1000));
    expect(new Set(back)).toEqual(new Set(['v1']));
  });

  test('somebody without a key gets a cookie that keeps the side, where it is asked for', async () => {
    proxy = createProxy({ workers: 0 });
    const keys = [{ kind: 'cookie', name: 'serin-user', maxAgeSeconds: 3600 }] as const;
    const port = await apply(release(5000, 1, { assignment: { salt: 's', keys } }));
    for (let visitor = 0; visitor < 20; visitor++) {
      const first = await fetchVersion(port, undefined);
      const cookie = first.cookie ?? '';
      expect(cookie).toMatch(/^serin-user=[0-9a-f-]{36}; Path=\/; Max-Age=3600; HttpOnly; SameSite=Lax$/);
      const again = await fetchVersion(port, cookie.split(';')[0]);
      expect(again).toEqual({ version: first.version, cookie: undefined });
    }
  });
});

describe('the arms of a release', () => {
  test('attempts are counted by arm, and bad apart from good', async () => {
    proxy = createProxy({ workers: 0 });
    const port = await apply(release(5000, 3));
    const answers = await versions(
      port,
      Array.from({ length: 400 }, () => ''),
    );
    const canary = answers.filter((version) => version === 'v2').length;
    const count = (key: string): number => proxy.stats.totals(`release|default/app|3|${key}`).requests;
    expect([count('v1|good'), count('v1|bad'), count('v2|good'), count('v2|bad')]).toEqual([400 - canary, 0, 0, canary]);
  });

  test('switched off, the canary gets nothing from the next request on, its cohort neither, and nobody is counted for it', async () => {
    proxy = createProxy({ workers: 0 });
    const headerRoutes = [{ name: 'internal', match: [{ headers: { 'end-user': { exact: 'jason' } } }], to: 'v2' }];
    const port = await apply(release(5000, 4, { headerRoutes }));
    const jason = 'end-user: jason\r\n';
    expect(await versions(port, [jason, jason])).toEqual(['v2', 'v2']);
    proxy.health.set(proxy.health.slot('kill|default/app|4'), false);
    const before = proxy.stats.totals('release|default/app|4|v1|good').requests;
    const answers = await versions(port, [jason, ...Array.from({ length: 200 }, () => '')]);
    expect(new Set(answers)).toEqual(new Set(['v1']));
    // Those drawn for stable still are; those drawn for the canary are nobody's evidence.
    const counted = proxy.stats.totals('release|default/app|4|v1|good').requests - before;
    expect(counted).toBeGreaterThan(60);
    expect(counted).toBeLessThan(140);
    expect(proxy.stats.totals('release|default/app|4|v2|bad').requests).toBe(0);
  });
});

async function fetchVersion(port: number, cookie: string | undefined): Promise<{ version: string; cookie: string | undefined }> {
  const { body, headers } = await ask(
    { host: '127.0.0.1', port },
    { headers: { host: 'app', ...(cookie === undefined ? {} : { cookie }) } },
  );
  return { version: body, cookie: headers['set-cookie']?.[0] };
}
