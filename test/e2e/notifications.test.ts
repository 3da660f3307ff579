/** Notifications of a real Serin to real receivers: one that fails first, one that never answers. */
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { replaceFile } from '../helpers/replace-file.ts';
import { serin, SerinProcess } from '../helpers/serin-process.ts';
import { startUpstream, type Upstream } from '../helpers/upstream.ts';

interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let directory: string;
let state: string;
let config: string;
let upstreams: Upstream[];
let receiver: Server;
let port: number;
let received: Received[];
/** Statuses of the next answers; then 200. */
let statuses: number[];
let daemon: SerinProcess;

beforeEach(async () => {
  received = [];
  statuses = [503, 429];
  receiver = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (piece: string) => (body += piece));
    request.on('end', () => {
      received.push({ path: request.url ?? '', headers: request.headers, body });
      if (request.url !== '/deaf') response.writeHead(request.url === '/json' ? (statuses.shift() ?? 200) : 200).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const address = receiver.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
  upstreams = await Promise.all([startUpstream('v1'), startUpstream('v2')]);
  directory = mkdtempSync(join(tmpdir(), 'serin-notifications-'));
  state = join(directory, 'state');
  config = join(directory, 'config.yaml');
  replaceFile(config, files());
  daemon = new SerinProcess(['up', '-f', config, '--state', state, '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0'], {
    env: { HOOK_SECRET: 's3cret', CHAT_URL: `http://127.0.0.1:${port}/chat` },
  });
  await daemon.ready();
});

afterEach(async () => {
  await daemon.end();
  receiver.closeAllConnections();
  await Promise.all([...upstreams.map((upstream) => upstream.close()), new Promise((resolve) => receiver.close(resolve))]);
  rmSync(directory, { recursive: true, force: true });
});

function files(): string {
  const [v1, v2] = upstreams.map((upstream) => upstream.port);
  return `
services:
  reviews:
    versions: { v1: http://127.0.0.1:${v1}, v2: http://127.0.0.1:${v2} }
    routes: [{ to: v1 }]
    rollout: { stable: v1, canary: v2, paused: true, steps: [{ pause: {} }, { setWeight: 100 }] }
---
apiVersion: serin.dev/v1alpha1
kind: Notification
metadata: { name: machine }
spec: { url: 'http://127.0.0.1:${port}/json', secret: '\${HOOK_SECRET}' }
---
apiVersion: serin.dev/v1alpha1
kind: Notification
metadata: { name: chat, namespace: other }
spec: { url: '\${CHAT_URL}', format: slack, namespaces: [default], events: [rolloutPromoted] }
---
apiVersion: serin.dev/v1alpha1
kind: Notification
metadata: { name: elsewhere, namespace: other }
spec: { url: 'http://127.0.0.1:${port}/elsewhere', events: [rolloutStarted, rolloutPromoted] }
---
apiVersion: serin.dev/v1alpha1
kind: Notification
metadata: { name: deaf }
spec: { url: 'http://127.0.0.1:${port}/deaf', timeout: 300s }
`;
}

const at = (path: string): Received[] => received.filter((found) => found.path === path);

/** Events that came to /json, each once, in order. */
function events(): string[] {
  const seen = new Map(at('/json').map(({ body, headers }) => [headers['idempotency-key'], (JSON.parse(body) as { event: string }).event]));
  return [...seen.values()];
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(50);
}

test('a release is told from start to end, in order, signed, and again to a receiver that failed; one that is deaf hinders nobody', async () => {
  await serin(['rollout', 'start', 'reviews', '--state', state]);
  await until(() => events().includes('rolloutWaiting'));
  const { code } = await serin(['rollout', 'promote', 'reviews', '--state', state]);
  expect(code).toBe(0);
  await serin(['rollout', 'wait', 'reviews', '--state', state]);
  await until(() => events().includes('rolloutPromoted') && at('/chat').length > 0);
  expect(events()).toEqual(['rolloutStarted', 'rolloutWaiting', 'rolloutPromoted']);

  const [first, second, third] = at('/json');
  expect(first?.body).toBe(third?.body);
  expect(new Set([first, second, third].map((found) => found?.headers['idempotency-key'])).size).toBe(1);
  const [, seconds = '', signature = ''] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(third?.headers['x-serin-signature'])) ?? [];
  expect(createHmac('sha256', 's3cret').update(`${seconds}.${third?.body}`).digest('hex')).toBe(signature);
  expect(JSON.parse(third?.body ?? '')).toMatchObject({
    id: third?.headers['idempotency-key'],
    event: 'rolloutStarted',
    severity: 'info',
    namespace: 'default',
    name: 'reviews',
    details: { host: 'reviews.default.svc.cluster.local', stable: 'v1', canaries: ['v2'], action: 'start', canaryPercent: 0 },
  });

  expect(at('/chat')).toHaveLength(1);
  expect(JSON.parse(at('/chat')[0]?.body ?? '')).toMatchObject({
    text: '*default/reviews promoted*',
    attachments: [{ color: 'good', text: expect.stringContaining('v2 is promoted') as string }],
  });
  expect(at('/elsewhere')).toEqual([]);
  expect(at('/deaf')).toHaveLength(1);
  expect((await serin(['get', 'notifications', '-A', '--state', state])).out).toMatch(/^other +chat +slack +rolloutPromoted +default/m);
});

test('a configuration that is refused, and the one that puts it right; what an answer says is final is not tried again', async () => {
  statuses = [400];
  replaceFile(config, files().replace('stable: v1', 'stabel: v1'));
  await until(() => events().length === 1);
  expect(JSON.parse(at('/json')[0]?.body ?? '')).toMatchObject({
    event: 'configurationRefused',
    severity: 'error',
    summary: expect.stringMatching(/config\.yaml:6:.*stable is required/) as string,
  });
  await daemon.logged(/notification is given up: the receiver answered 400/);
  replaceFile(config, files());
  await until(() => events().length === 2);
  expect(events()).toEqual(['configurationRefused', 'configurationAccepted']);
  expect(at('/json')).toHaveLength(2);
});
