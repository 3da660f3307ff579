/** What the data plane counts of users, with real sockets: each once, on the side it was drawn for. */
import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ask, close, listen } from '../../test/helpers/upstream.ts';
import { bucketOf } from '../base/bucket.ts';
import { loadText } from '../config/load.ts';
import { applyOverlay, EMPTY_OVERLAY } from '../config/overlay.ts';
import { compile } from '../routing/compile.ts';
import { LEDGER_BYTES, REQUESTS_PER_USER, UserLedger } from '../rollout/user-ledger.ts';
import { createProxy, type Proxy } from './proxy.ts';

const SALT = 'default/reviews#1';
const USERS = Array.from({ length: 40 }, (_, index) => `user-${index}`);
/** At 50 %. */
const ON_CANARY = USERS.filter((user) => bucketOf(SALT, user) < 5000);

let upstream: Server;
let proxy: Proxy;
let port: number;

beforeEach(async () => {
  upstream = createServer((request, response) => response.writeHead(request.url === '/fail' ? 500 : 200).end());
  const at = `http://127.0.0.1:${await listen(upstream)}`;
  const { snapshot } = loadText('a.yaml', `services:\n  reviews: { versions: { v1: ${at}, v2: ${at} }, routes: [{ to: v1 }] }\n`);
  const release = {
    rollout: 'default/reviews',
    stable: 'v1',
    canaries: ['v2'],
    weights: { v2: 5000, v1: 5000 },
    headerRoutes: [],
    assignment: { salt: SALT, keys: [{ kind: 'header', name: 'end-user' }] },
    epoch: 1,
  } as const;
  const overlay = { ...EMPTY_OVERLAY, releases: { 'reviews.default.svc.cluster.local': release } };
  proxy = createProxy({ workers: 2 });
  const { table } = compile(applyOverlay(snapshot, overlay).snapshot);
  const [bound] = await proxy.apply(table, [{ listener: 'mesh', host: '127.0.0.1', port: 0 }]);
  port = bound?.port ?? 0;
});

afterEach(async () => {
  await proxy.close();
  await close(upstream);
});

/** A new connection each, so that both workers get some. */
async function askAs(users: readonly string[], path = '/'): Promise<void> {
  const headers = (user: string): Record<string, string> => ({ host: 'reviews', ...(user === '' ? {} : { 'end-user': user }) });
  await Promise.all(users.map((user) => ask({ host: '127.0.0.1', port }, { path, headers: headers(user) })));
}

const counted = (subset: string, counter: string): number => proxy.stats.totals(`release|default/reviews|1|${subset}|${counter}`).requests;

/** An answer is there before it is accounted for. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(setImmediate);
}

test('a user is seen once and fails once, whichever worker it comes to, and takes part up to the cap', async () => {
  for (let round = 0; round < 30; round++) await askAs(USERS, round % 2 === 0 ? '/fail' : '/');
  await until(() => counted('v1', 'good') + counted('v1', 'bad') + counted('v2', 'good') + counted('v2', 'bad') === 30 * USERS.length);
  expect(counted('v2', 'bad')).toBe(15 * ON_CANARY.length);
  expect(counted('v2', 'first-seen')).toBe(ON_CANARY.length);
  expect(counted('v2', 'first-failed')).toBe(ON_CANARY.length);
  expect(counted('v1', 'first-failed')).toBe(USERS.length - ON_CANARY.length);
  expect(counted('v2', 'capped-good') + counted('v2', 'capped-bad')).toBe(REQUESTS_PER_USER * ON_CANARY.length);
  expect(counted('v2', 'first-timed')).toBe(0);
});

test('latencies count from when the control plane says so', async () => {
  await askAs(USERS);
  await until(() => counted('v1', 'good') + counted('v2', 'good') === USERS.length);
  expect(counted('v2', 'first-timed')).toBe(0);
  new UserLedger(proxy.stats.blocks.block(`users|default/reviews|${SALT}`, LEDGER_BYTES)).isWarm = true;
  await askAs(USERS);
  await askAs(USERS);
  await until(() => counted('v1', 'good') + counted('v2', 'good') === 3 * USERS.length);
  expect(counted('v2', 'first-timed')).toBe(ON_CANARY.length);
});

test('requests that name nobody were drawn one by one, and count one by one', async () => {
  await askAs(
    Array.from({ length: 50 }, () => ''),
    '/fail',
  );
  await until(() => counted('v1', 'bad') + counted('v2', 'bad') === 50);
  expect(counted('v1', 'first-failed') + counted('v2', 'first-failed')).toBe(50);
});
