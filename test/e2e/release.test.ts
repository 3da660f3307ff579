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
import { bucketRanges, inRace, sharesOf } from '../../src/rollout/race.ts';
import { compile } from '../../src/routing/compile.ts';
import { ask, close, listen } from '../helpers/upstream.ts';

const HOST = 'app.default.svc.cluster.local';
const servers: Server[] = [];
let ports: readonly [v1: number, v2: number, v3: number];
let proxy: Proxy;

beforeAll(async () => {
  const start = async (name: string, status: number): Promise<number> => {
    const server = createServer((_request, response) => response.writeHead(status).end(name));
    servers.push(server);
    return listen(server);
  };
  ports = [await start('v1', 200), await start('v2', 503), await start('v3', 200)];
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
    `services: { app: { versions: { v1: 'http://127.0.0.1:${ports[0]}', v2: 'http://127.0.0.1:${ports[1]}', v3: 'http://127.0.0.1:${ports[2]}' } } }`,
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

  test('of several canaries each keeps its users while it grows; those of one that leaves go to stable', { timeout: 120_000 }, async () => {
    proxy = createProxy({ workers: 0 });
    const steps: readonly (readonly [weight: number, gone: readonly string[]])[] = [
      [1000, []],
      [3000, []],
      [1500, ['v2']],
      [8000, ['v2']],
      [10_000, ['v2']],
    ];
    let before: readonly string[] = users.map(() => 'v1');
    const lost = new Set<number>();
    for (const [epoch, [weight, gone]] of steps.entries()) {
      const race = { canaries: ['v2', 'v3'], left: gone.map((subset) => ({ subset, fate: 'dropped' as const, reason: '', share: 1500 })) };
      const shares = sharesOf(race, weight);
      const overlay: ReleaseOverlay = {
        ...release(0, epoch, { assignment, canaries: inRace(race), ranges: bucketRanges(race, 'v1', weight) }),
        weights: { ...Object.fromEntries(inRace(race).map((subset) => [subset, shares[subset] ?? 0])), v1: 10_000 - weight },
      };
      const counted = (arm: string): number =>
        proxy.stats.totals(`release|default/app|${epoch}|${arm}|good`).requests +
        proxy.stats.totals(`release|default/app|${epoch}|${arm}|bad`).requests;
      const answers = await versions(await apply(overlay), users);
      // Those whom the version had that has left are counted for nobody.
      const arms = ['v1', ...inRace(race)].filter((arm) => (overlay.weights[arm] ?? 0) > 0);
      const former = gone.length === 0 ? 0 : lost.size;
      const isSplit = arms.length > 1;
      expect(arms.reduce((sum, arm) => sum + counted(arm), 0)).toBe(isSplit ? users.length - former : 0);
      for (const [user, version] of answers.entries()) if (version === 'v2') lost.add(user);
      for (const [subset, share] of Object.entries(shares)) {
        const found = answers.filter((version) => version === subset).length;
        expect(Math.abs(found / users.length - share / 10_000)).toBeLessThan(0.01);
      }
      const flips = answers.filter((version, user) => {
        const was = before[user] ?? '';
        return was !== version && (gone.includes(was) ? version !== 'v1' : was !== 'v1');
      });
      expect(flips).toEqual([]);
      before = answers;
    }
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

  test('of several canaries one is switched off by itself', async () => {
    proxy = createProxy({ workers: 0 });
    const race = { canaries: ['v2', 'v3'], left: [] };
    const several = { canaries: ['v2', 'v3'], weights: { v2: 3000, v3: 3000, v1: 4000 } };
    for (const [epoch, by] of [{}, { assignment, ranges: bucketRanges(race, 'v1', 6000) }].entries()) {
      const port = await apply({ ...release(0, epoch), ...several, ...by });
      expect(new Set(await versions(port, users.slice(0, 300)))).toEqual(new Set(['v1', 'v2', 'v3']));
      proxy.health.set(proxy.health.slot(`kill|default/app|${epoch}|v2`), false);
      expect(new Set(await versions(port, users.slice(0, 300)))).toEqual(new Set(['v1', 'v3']));
    }
  });

  test('switched off, the canary gets nothing from the next request on, its cohort neither, and nobody is counted for it', async () => {
    proxy = createProxy({ workers: 0 });
    const headerRoutes = [{ name: 'internal', match: [{ headers: { 'end-user': { exact: 'jason' } } }], to: 'v2' }];
    const port = await apply(release(5000, 4, { headerRoutes }));
    const jason = 'end-user: jason\r\n';
    expect(await versions(port, [jason, jason])).toEqual(['v2', 'v2']);
    proxy.health.set(proxy.health.slot('kill|default/app|4|v2'), false);
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

describe('the mirror of a release', () => {
  test('the canary gets copies, which neither arm counts', async () => {
    proxy = createProxy({ workers: 0 });
    const port = await apply(release(1000, 5, { mirror: { to: 'v2', percentage: 100 } }));
    const answers = await versions(
      port,
      Array.from({ length: 100 }, () => ''),
    );
    const canary = answers.filter((version) => version === 'v2').length;
    const copies = (): unknown => [...proxy.stats.totals(`mirror|outbound|80|v2|${HOST}`).statuses];
    await expect.poll(copies).toEqual([[503, 100]]);
    const count = (key: string): number => proxy.stats.totals(`release|default/app|5|${key}`).requests;
    expect([count('v1|good'), count('v1|bad'), count('v2|good'), count('v2|bad')]).toEqual([100 - canary, 0, 0, canary]);
  });
});

async function fetchVersion(port: number, cookie: string | undefined): Promise<{ version: string; cookie: string | undefined }> {
  const { body, headers } = await ask(
    { host: '127.0.0.1', port },
    { headers: { host: 'app', ...(cookie === undefined ? {} : { cookie }) } },
  );
  return { version: body, cookie: headers['set-cookie']?.[0] };
}
