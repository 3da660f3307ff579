/** Watching a running Serin: real traffic through the real proxy, read as server-sent events over sockets. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { MAX_STREAMS } from '../../src/admin/events.ts';
import { ConfigurationSummary, type LiveService, LiveUpdate, type LiveVersion } from '../../src/admin/live-types.ts';
import { askAdmin } from '../helpers/admin-api.ts';
import { EventReader } from '../helpers/event-reader.ts';
import { replaceFile } from '../helpers/replace-file.ts';
import { SerinProcess } from '../helpers/serin-process.ts';
import { ask, close, listen, startUpstream, type Upstream } from '../helpers/upstream.ts';

const LONG = { timeout: 60_000 };
const REVIEWS = 'reviews.default.svc.cluster.local';

let good: Upstream;
let broken: Server;
let brokenPort: number;
let directory: string;
let state: string;
let daemon: SerinProcess;
const readers: EventReader[] = [];

beforeAll(async () => {
  good = await startUpstream('v1');
  broken = createServer((_request, response) => response.writeHead(500).end('v2'));
  brokenPort = await listen(broken);
});

afterAll(() => Promise.all([good.close(), close(broken)]));

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'serin-live-'));
  state = join(directory, 'state');
  configure('{ split: { v1: 50, v2: 50 } }');
  const config = join(directory, 'config.yaml');
  daemon = await new SerinProcess(['up', '-f', config, '--state', state, '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0']).ready();
});

afterEach(async () => {
  for (const reader of readers.splice(0)) reader.close();
  await daemon.end();
  rmSync(directory, { recursive: true, force: true });
});

function configure(route: string, more = ''): void {
  replaceFile(
    join(directory, 'config.yaml'),
    `services:
  reviews:
    versions: { v1: http://127.0.0.1:${good.port}, v2: http://127.0.0.1:${brokenPort} }
    routes: [${route}]
  ratings:
    versions: { v1: http://127.0.0.1:${good.port} }
${more}`,
  );
}

const token = (): string => readFileSync(join(state, 'token'), 'utf8').trim();

async function watch(topics: string, headers: Record<string, string> = { authorization: `Bearer ${token()}` }): Promise<EventReader> {
  const reader = await EventReader.open(daemon.address('admin').port, `events?topics=${topics}`, headers);
  readers.push(reader);
  return reader;
}

async function send(requests: number): Promise<void> {
  const mesh = daemon.address('mesh');
  await Promise.all(Array.from({ length: requests }, () => ask(mesh, { headers: { host: 'reviews' } })));
}

const serviceIn = ({ services }: LiveUpdate, host = REVIEWS): LiveService | undefined => services.find((each) => each.host === host);

const versionIn = (update: LiveUpdate, subset: string): LiveVersion | undefined =>
  serviceIn(update)?.versions.find((each) => each.subset === subset);

test('everything first, then once a second what has changed; nothing of it after the traffic is over', LONG, async () => {
  const reader = await watch('live');
  expect(reader.headers['content-type']).toBe('text/event-stream; charset=utf-8');
  const first = LiveUpdate.parse(await reader.next('live'));
  expect(first).toMatchObject({ full: true, requestsPerSecond: 0 });
  expect(first.services.map(({ host }) => host)).toEqual([REVIEWS, 'ratings.default.svc.cluster.local']);
  expect(first.listeners).toMatchObject([{ name: 'mesh', scheme: 'http', hosts: expect.arrayContaining([REVIEWS]) }]);
  expect(versionIn(first, 'v1')).toMatchObject({
    weightPercent: 50,
    p50Ms: null,
    share: null,
    endpoints: { total: 1, healthy: 1, ejected: 0 },
  });

  await send(200);
  const hasAnswered = (update: LiveUpdate, subset: string): boolean => (versionIn(update, subset)?.requestsPerSecond ?? 0) > 0;
  const busy = LiveUpdate.parse(await reader.next('live', (update: LiveUpdate) => hasAnswered(update, 'v1') && hasAnswered(update, 'v2')));
  expect(busy.full).toBe(false);
  expect(busy.services.map(({ host }) => host)).toEqual([REVIEWS]);
  const [v1, v2] = [versionIn(busy, 'v1'), versionIn(busy, 'v2')];
  expect(v1?.errorsPerSecond).toBe(0);
  expect(v2?.errorsPerSecond).toBe(v2?.requestsPerSecond);
  expect((v1?.share ?? 0) + (v2?.share ?? 0)).toBeCloseTo(1);
  expect(v1?.p50Ms).toBeGreaterThan(0);
  expect(v1?.p99Ms).toBeGreaterThanOrEqual(v1?.p50Ms ?? 0);

  const still = LiveUpdate.parse(await reader.next('live', (update: LiveUpdate) => update.requestsPerSecond === 0));
  expect(still.activeRequests).toBe(0);
  const gone = await reader.next('live', (update: LiveUpdate) =>
    update.services.some(({ versions }) => versions.every(({ p50Ms }) => p50Ms === null)),
  );
  expect(serviceIn(LiveUpdate.parse(gone))).toMatchObject({ requestsPerSecond: 0, versions: [{ share: null }, { share: null }] });
  expect(LiveUpdate.parse(await reader.next('live')).services).toEqual([]);
});

test('a change of the files is seen: weights, services that come and go, errors of a refused one', LONG, async () => {
  const reader = await watch('live,configuration');
  const before = ConfigurationSummary.parse(await reader.next('configuration'));
  expect(before).toMatchObject({ reload: { successful: true }, errors: 0 });
  configure('{ split: { v1: 90, v2: 10 } }', `  details: { versions: { v1: http://127.0.0.1:${good.port} } }\n`);
  const came = LiveUpdate.parse(await reader.next('live', (update: LiveUpdate) => versionIn(update, 'v1')?.weightPercent === 90));
  expect(came.full).toBe(false);
  expect([versionIn(came, 'v1')?.weightPercent, versionIn(came, 'v2')?.weightPercent]).toEqual([90, 10]);
  expect(serviceIn(came, 'details.default.svc.cluster.local')).toBeDefined();
  expect(came.listeners?.[0]?.hosts).toContain('details.default.svc.cluster.local');
  configure('{ split: { v1: 90, v2: 10 } }');
  const went = LiveUpdate.parse(await reader.next('live', (update: LiveUpdate) => update.removed.length > 0));
  expect(went.removed).toEqual(['details.default.svc.cluster.local']);
  configure('{ split: { v1: 90, v3: 10 } }');
  const refused = await reader.next('configuration', (summary: ConfigurationSummary) => !summary.reload.successful);
  expect(ConfigurationSummary.parse(refused).errors).toBeGreaterThan(0);
});

test('GET /live is everything, with rates from the first answer on', LONG, async () => {
  const answered = new AbortController();
  const answer = askAdmin(daemon, state, { path: 'live' }).finally(() => answered.abort());
  while (!answered.signal.aborted) await send(10);
  const update = LiveUpdate.parse((await answer).json);
  expect(update.full).toBe(true);
  expect(update.windowSeconds).toBeGreaterThanOrEqual(1);
  expect(update.requestsPerSecond).toBeGreaterThan(0);
});

test('who may watch: nobody without a token, no page of another site, no topic there is not', LONG, async () => {
  expect((await watch('live', {})).status).toBe(401);
  expect((await watch('live', { authorization: 'Bearer wrong' })).status).toBe(401);
  expect((await watch('live', { authorization: `Bearer ${token()}`, origin: 'https://evil.example' })).status).toBe(403);
  expect((await watch('live', { authorization: `Bearer ${token()}`, 'sec-fetch-site': 'cross-site' })).status).toBe(403);
  const unknown = await watch('life');
  await unknown.ended;
  expect([unknown.status, unknown.text]).toEqual([400, expect.stringContaining('did you mean live?')]);
});

test('a hundred streams, and not one more; one that goes makes room', LONG, async () => {
  await Promise.all(Array.from({ length: MAX_STREAMS }, () => watch('configuration')));
  const refused = await watch('configuration');
  await refused.ended;
  expect([refused.status, refused.headers['retry-after'], refused.text]).toEqual([
    429,
    '5',
    expect.stringContaining('E_ADMIN_TOO_MANY_STREAMS'),
  ]);
  readers[0]?.close();
  for (;;) {
    const again = await watch('configuration');
    if (again.status === 200) break;
    await again.ended;
  }
});

test('a stream ends when its token is revoked, and others go on', LONG, async () => {
  const made = await askAdmin(daemon, state, { path: 'tokens', body: { name: 'ana' } });
  const { token: theirs } = made.json as { token: string };
  const reader = await watch('live', { authorization: `Bearer ${theirs}` });
  const other = await watch('live');
  await reader.next('live');
  await askAdmin(daemon, state, { method: 'DELETE', path: 'tokens/ana' });
  await reader.ended;
  await send(10);
  await other.next('live', (update: LiveUpdate) => !update.full && update.services.length > 0);
});

test('a stream ends when its token expires', LONG, async () => {
  const made = await askAdmin(daemon, state, { path: 'tokens', body: { name: 'ben', expiresInSeconds: 5 } });
  const { token: theirs } = made.json as { token: string };
  const reader = await watch('live', { authorization: `Bearer ${theirs}` });
  await reader.next('live');
  await reader.ended;
});

test('Serin stops while somebody watches', LONG, async () => {
  const reader = await watch('live');
  await reader.next('live');
  daemon.signal('SIGTERM');
  await reader.ended;
  expect(await daemon.finished).toMatchObject({ code: 0 });
});
