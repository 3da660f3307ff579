import { once } from 'node:events';
import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { assert } from '../base/assert.ts';
import { systemClock } from '../base/clock.ts';
import { seededRandom } from '../base/random.ts';
import type { Cluster, HealthCheck } from '../routing/table.ts';
import { HealthBoard, healthKey } from '../telemetry/health-board.ts';
import { HealthChecker } from './health-check.ts';
import type { EndpointHealth } from './health-check.ts';

const CHECK: HealthCheck = { path: '/healthz', intervalMs: 20, timeoutMs: 2000, unhealthyThreshold: 1, healthyThreshold: 1 };

const closers: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function serve(listener: RequestListener): Promise<{ port: number; server: Server }> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  assert(address !== null && typeof address === 'object', 'a TCP server has an address');
  return { port: address.port, server };
}

function cluster(port: number, check: Partial<HealthCheck> = {}, address = '127.0.0.1'): Cluster {
  return {
    name: `outbound|80||app-${port}`,
    host: 'app.default.svc.cluster.local',
    subset: '',
    port: 80,
    discovery: 'STATIC',
    endpoints: [{ address, port, weight: 1, labels: {} }],
    loadBalancer: 'ROUND_ROBIN',
    connectTimeoutMs: 1000,
    idleTimeoutMs: 1000,
    maxRequestsPerConnection: 0,
    retryLimit: { percent: 20, atLeast: 3 },
    healthCheck: { ...CHECK, ...check },
  };
}

interface Watched {
  readonly checker: HealthChecker;
  readonly board: HealthBoard;
  readonly changes: EndpointHealth[];
  /** Resolves with the first change after now. */
  readonly nextChange: () => Promise<EndpointHealth>;
}

function watch(...clusters: Cluster[]): Watched {
  const board = new HealthBoard();
  const changes: EndpointHealth[] = [];
  let waiting: ((change: EndpointHealth) => void)[] = [];
  const checker = new HealthChecker({
    board,
    clock: systemClock,
    random: seededRandom(1),
    secure: () => ({}),
    onChange: (change) => {
      changes.push(change);
      const notified = waiting;
      waiting = [];
      for (const notify of notified) notify(change);
    },
  });
  closers.push(() => checker.close());
  checker.apply(clusters);
  const nextChange = (): Promise<EndpointHealth> => new Promise((resolve) => void waiting.push(resolve));
  return { checker, board, changes, nextChange };
}

function isHealthy(board: HealthBoard, port: number): boolean {
  return board.isHealthy(board.slot(healthKey('127.0.0.1', port, CHECK.path)));
}

/** Resolves when the server has got this many more requests. */
async function requests(server: Server, count: number): Promise<void> {
  for (let seen = 0; seen < count; seen++) await once(server, 'request');
}

describe('thresholds', () => {
  test('an endpoint goes after so many failures in a row and comes back after so many passes', async () => {
    let status = 200;
    const answered: number[] = [];
    const { port, server } = await serve((_, response) => {
      answered.push(status);
      response.writeHead(status).end();
    });
    const { board, checker, nextChange } = watch(cluster(port, { unhealthyThreshold: 3, healthyThreshold: 2 }));
    await requests(server, 2);
    expect(isHealthy(board, port)).toBe(true);

    const gone = nextChange();
    status = 503;
    answered.length = 0;
    expect(await gone).toMatchObject({ healthy: false, detail: 'status 503' });
    expect(answered.filter((each) => each === 503).length).toBe(3);
    expect(isHealthy(board, port)).toBe(false);

    const back = nextChange();
    status = 204;
    answered.length = 0;
    expect(await back).toMatchObject({ healthy: true, detail: 'status 204' });
    expect(answered.filter((each) => each === 204).length).toBe(2);
    expect(isHealthy(board, port)).toBe(true);
    expect(checker.states()).toMatchObject([{ healthy: true, address: '127.0.0.1', port, path: '/healthz' }]);
  });

  test('a failure between passes does not add up', async () => {
    let turn = 0;
    const { port, server } = await serve((_, response) => {
      turn++;
      response.writeHead(turn % 2 === 0 ? 500 : 200).end();
    });
    const { changes } = watch(cluster(port, { unhealthyThreshold: 2 }));
    await requests(server, 8);
    expect(changes).toEqual([]);
  });

  test('the first result counts at once, whatever the threshold', async () => {
    const { port } = await serve((_, response) => response.writeHead(500).end());
    const { board, nextChange } = watch(cluster(port, { unhealthyThreshold: 5 }));
    expect(isHealthy(board, port)).toBe(true);
    expect(await nextChange()).toMatchObject({ healthy: false, checks: 1 });
  });
});

describe('what counts as a failure', () => {
  test('a redirect, which is not followed', async () => {
    const paths: (string | undefined)[] = [];
    const { port } = await serve((request, response) => {
      paths.push(request.url);
      response.writeHead(request.url === '/ok' ? 200 : 302, { location: '/ok' }).end();
    });
    const { nextChange } = watch(cluster(port));
    expect(await nextChange()).toMatchObject({ healthy: false, detail: 'status 302' });
    expect(new Set(paths)).toEqual(new Set(['/healthz']));
  });

  test('silence beyond the timeout', async () => {
    const { port } = await serve(() => {});
    const { nextChange } = watch(cluster(port, { timeoutMs: 50 }));
    expect(await nextChange()).toMatchObject({ healthy: false, detail: 'no answer within 50 ms' });
  });

  test('a refused connection', async () => {
    const { port, server } = await serve((_, response) => response.end());
    server.close();
    await once(server, 'close');
    const { nextChange } = watch(cluster(port));
    expect(await nextChange()).toMatchObject({ healthy: false, detail: 'ECONNREFUSED' });
  });

  test('an answer that is not HTTP', async () => {
    const { port, server } = await serve(() => {});
    server.on('connection', (socket) => socket.end('220 mail.example ESMTP\r\n'));
    const { nextChange } = watch(cluster(port));
    expect(await nextChange()).toMatchObject({ healthy: false });
  });
});

test('an endless body is cut off and does not keep the check from passing', async () => {
  let sentBytes = 0;
  const cut = Promise.withResolvers<void>();
  const { port, server } = await serve((_, response) => {
    const chunk = Buffer.alloc(16 * 1024);
    const send = (): void => {
      while (!response.destroyed && response.write(chunk)) sentBytes += chunk.length;
    };
    response.on('drain', send);
    response.on('close', () => cut.resolve());
    send();
  });
  const { checker, changes } = watch(cluster(port));
  await cut.promise;
  // 64 KiB are read; the rest is what the kernel's buffers took.
  expect(sentBytes).toBeLessThan(16 * 1024 * 1024);
  await requests(server, 2);
  expect(changes).toEqual([]);
  expect(checker.states()[0]).toMatchObject({ healthy: true, detail: 'status 200' });
});

describe('when this process stands still', () => {
  test('a check that got no answer meanwhile is not held against the endpoint (F-29)', async () => {
    let turn = 0;
    const { port, server } = await serve((_, response) => {
      turn++;
      // The loop is blocked while the check is out, well beyond its timeout: the late timer runs before the answer is read.
      if (turn === 3) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 700);
      response.end();
    });
    const { changes, board } = watch(cluster(port, { timeoutMs: 100 }));
    await requests(server, 6);
    expect(changes).toEqual([]);
    expect(isHealthy(board, port)).toBe(true);
  });

  test('an endpoint that is as late by itself is still found out', async () => {
    let turn = 0;
    const { port } = await serve((_, response) => {
      turn++;
      if (turn >= 3) setTimeout(() => response.end(), 700);
      else response.end();
    });
    const { nextChange } = watch(cluster(port, { timeoutMs: 100 }));
    expect(await nextChange()).toMatchObject({ healthy: false, detail: 'no answer within 100 ms' });
  });
});

describe('a changed configuration', () => {
  test('keeps what is known of an endpoint, even with other settings', async () => {
    const { port, server } = await serve((_, response) => response.writeHead(500).end());
    const { checker, board, nextChange, changes } = watch(cluster(port));
    await nextChange();
    checker.apply([cluster(port, { intervalMs: 30, unhealthyThreshold: 2 })]);
    expect(isHealthy(board, port)).toBe(false);
    await requests(server, 3);
    expect(isHealthy(board, port)).toBe(false);
    expect(changes).toHaveLength(1);
  });

  test('ends the checks of endpoints that are gone', async () => {
    const kept = await serve((_, response) => response.end());
    const gone = await serve((_, response) => response.end());
    const { checker } = watch(cluster(kept.port), cluster(gone.port));
    await Promise.all([once(kept.server, 'request'), once(gone.server, 'request')]);
    checker.apply([cluster(kept.port)]);
    let asked = 0;
    gone.server.on('connection', () => asked++);
    await requests(kept.server, 5);
    expect(asked).toBe(0);
    expect(checker.states().map(({ port }) => port)).toEqual([kept.port]);
  });

  test('an endpoint in several clusters is checked once, a name or a cluster without a check not at all', async () => {
    const { port } = await serve((_, response) => response.end());
    const { healthCheck: _, ...unchecked } = cluster(port + 1);
    const { checker } = watch(cluster(port), cluster(port), cluster(port, {}, 'app.example'), unchecked);
    expect(checker.states().map(({ key }) => key)).toEqual([`127.0.0.1:${port}/healthz`]);
  });
});
