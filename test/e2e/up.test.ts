/** `serin up` as a process in front of real upstreams: what a user sees, through changes, mistakes and crashes. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { freePort } from '../helpers/free-port.ts';
import { replaceFile } from '../helpers/replace-file.ts';
import { serinHere } from '../helpers/serin-command.ts';
import { type Finished, MAIN, SerinProcess } from '../helpers/serin-process.ts';
import { ask, close, listen, startUpstream, tally, type Upstream } from '../helpers/upstream.ts';

let v1: Upstream;
let v2: Upstream;
let directory: string;
let config: string;
let state: string;
const started: SerinProcess[] = [];

beforeAll(async () => {
  [v1, v2] = await Promise.all([startUpstream('v1'), startUpstream('v2')]);
});

afterAll(() => Promise.all([v1.close(), v2.close()]));

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-up-'));
  config = join(directory, 'config.yaml');
  state = join(directory, 'state');
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((process) => process.end()));
  rmSync(directory, { recursive: true, force: true });
});

interface Shares {
  readonly v1: number;
  readonly v2: number;
}

function yaml(split: Shares, gatewayPort = 80, upstreamPorts: Shares = { v1: v1.port, v2: v2.port }): string {
  return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: reviews }
spec:
  hosts: [reviews.default.svc.cluster.local]
  ports: [{ number: 9080, name: http, protocol: HTTP }]
  resolution: STATIC
  location: MESH_INTERNAL
  endpoints:
    - { address: 127.0.0.1, ports: { http: ${upstreamPorts.v1} }, labels: { version: v1 } }
    - { address: 127.0.0.1, ports: { http: ${upstreamPorts.v2} }, labels: { version: v2 } }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec:
  host: reviews
  subsets:
    - { name: v1, labels: { version: v1 } }
    - { name: v2, labels: { version: v2 } }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: front }
spec:
  servers: [{ port: { number: ${gatewayPort}, name: http, protocol: HTTP }, hosts: ['books.example'] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews, books.example]
  gateways: [mesh, front]
  http:
    - match: [{ headers: { end-user: { exact: jason } } }]
      route: [{ destination: { host: reviews, subset: v2 } }]
    - route:
        - { destination: { host: reviews, subset: v1 }, weight: ${split.v1} }
        - { destination: { host: reviews, subset: v2 }, weight: ${split.v2} }
`;
}

function save(text: string): void {
  replaceFile(config, text);
}

const ADDRESSES = ['--listen', '80=127.0.0.1:0', '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0'];

function start(args: readonly string[] = ADDRESSES, command?: readonly string[]): SerinProcess {
  const process = new SerinProcess(['up', '-f', config, '--state', state, ...args], command === undefined ? {} : { command });
  started.push(process);
  return process;
}

async function up(split: Shares = { v1: 100, v2: 0 }, args: readonly string[] = ADDRESSES): Promise<SerinProcess> {
  save(yaml(split));
  return start(args).ready();
}

const cli = (...args: string[]): Promise<Finished> => serinHere([...args, '--state', state]);

const REVIEWS = { headers: { host: 'reviews' } };

async function metric(process: SerinProcess, name: string): Promise<number> {
  const { body } = await ask(process.address('admin'), { path: '/metrics' });
  const line = body.split('\n').find((candidate) => candidate.startsWith(`${name} `) || candidate.startsWith(`${name}{`));
  return Number(line?.split(' ').at(-1));
}

describe('starting', () => {
  test('prints a line for each listener and the admin API, then ready; the probes say so', async () => {
    const process = await up();
    expect(process.out).toMatch(
      /^mesh +http:\/\/127\.0\.0\.1:\d+ .*\n80 +http:\/\/127\.0\.0\.1:\d+ +Gateway default\/front\nadmin +http:\/\/127\.0\.0\.1:\d+.*\nready\n$/,
    );
    const columns = process.out
      .split('\n')
      .slice(0, 3)
      .map((line) => line.indexOf('http://'));
    expect(new Set(columns).size).toBe(1);
    for (const path of ['/readyz', '/livez']) expect((await ask(process.address('admin'), { path })).status).toBe(200);
  });

  test('routes by service name on the mesh listener and by host on the Gateway, jason to v2', async () => {
    const process = await up({ v1: 100, v2: 0 });
    expect((await ask(process.address('mesh'), REVIEWS)).body).toBe('v1');
    expect((await ask(process.address('mesh'), { headers: { host: 'reviews:9080', 'end-user': 'jason' } })).body).toBe('v2');
    expect((await ask(process.address('80'), { headers: { host: 'books.example' } })).body).toBe('v1');
    expect((await ask(process.address('80'), { headers: { host: 'other.example' } })).status).toBe(404);
    const { body } = await ask(process.address('admin'), { path: '/metrics' });
    expect(body).toMatch(
      /istio_requests_total\{[^}]*destination_service="reviews\.default\.svc\.cluster\.local"[^}]*destination_version="v1"[^}]*response_code="200"[^}]*\} 2/,
    );
  });

  test('a Gateway port without --listen is bound as declared', async () => {
    const port = await freePort();
    save(yaml({ v1: 100, v2: 0 }, port));
    const process = await start(['--mesh', 'off', '--admin', '127.0.0.1:0']).ready();
    expect(process.out).toContain(`http://0.0.0.0:${port} `);
    expect(process.out).not.toContain('mesh');
    expect((await ask({ host: '127.0.0.1', port }, { headers: { host: 'books.example' } })).body).toBe('v1');
  });

  test('an invalid configuration: every problem with its place, exit 3', async () => {
    save(yaml({ v1: -1, v2: -2 }));
    const { code, out, err } = await start().finished;
    expect([code, out]).toEqual([3, '']);
    expect(err.match(/config\.yaml:\d+:\d+: error: .*weight.*\[E_\w+\]/g)?.length).toBeGreaterThanOrEqual(2);
  });

  test('an address in use: exit 1, says which and what to do', async () => {
    const taken = createServer();
    const port = await listen(taken);
    save(yaml({ v1: 1, v2: 1 }));
    const gateway = await start(['--listen', `80=127.0.0.1:${port}`, '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0']).finished;
    expect(gateway.code).toBe(1);
    expect(gateway.err).toMatch(new RegExp(`listener 80: 127\\.0\\.0\\.1:${port} is in use.*--listen`));
    const admin = await start(['--listen', '80=127.0.0.1:0', '--mesh', '127.0.0.1:0', '--admin', `127.0.0.1:${port}`]).finished;
    expect(admin.code).toBe(1);
    expect(admin.err).toMatch(new RegExp(`127\\.0\\.0\\.1:${port} for the admin API.*in use.*--admin`));
    await close(taken);
  });

  test('a port that another Serin shares among its workers is in use, too', async () => {
    const first = await up({ v1: 100, v2: 0 }, [...ADDRESSES, '--workers', '2']);
    const { host, port } = first.address('mesh');
    state = join(directory, 'other-state');
    const second = await start(['--mesh', `${host}:${port}`, '--listen', '80=127.0.0.1:0', '--admin', '127.0.0.1:0', '--workers', '2'])
      .finished;
    expect(second.code).toBe(1);
    expect(second.err).toContain(`${host}:${port} is in use`);
    save(yaml({ v1: 0, v2: 100 }));
    await first.logged(/configuration changed/);
    expect(await tally(first.address('mesh'), 20, REVIEWS)).toEqual({ v2: 20 });
  });

  test('an admin address that other machines can reach: exit 1', async () => {
    save(yaml({ v1: 1, v2: 1 }));
    const { code, err } = await start(['--mesh', '127.0.0.1:0', '--listen', '80=127.0.0.1:0', '--admin', '0.0.0.0:0']).finished;
    expect(code).toBe(1);
    expect(err).toContain('E_ADMIN_EXPOSED');
  });

  test('a second one on the same state directory: exit 1, names the pid of the first, which goes on', async () => {
    const first = await up();
    const { code, err } = await start().finished;
    expect(code).toBe(1);
    expect(err).toContain(`locked by pid ${first.child.pid}`);
    expect((await cli('get', 'listeners')).code).toBe(0);
  });
});

describe('a changed file', () => {
  test('takes effect without losing a request', async () => {
    const process = await up({ v1: 100, v2: 0 });
    const agent = new Agent({ keepAlive: true, maxSockets: 4 });
    const stop = new AbortController();
    let asked = 0;
    const load = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (!stop.signal.aborted) {
          const { status } = await ask(process.address('mesh'), { ...REVIEWS, agent });
          expect(status).toBe(200);
          asked++;
        }
      }),
    );
    for (const [split, expected] of [
      [{ v1: 0, v2: 100 }, 'v2'],
      [{ v1: 100, v2: 0 }, 'v1'],
      [{ v1: 0, v2: 100 }, 'v2'],
    ] as const) {
      const from = process.err.length;
      save(yaml(split));
      await process.logged(/configuration changed: changed VirtualService default\/reviews; now/, from);
      expect(await tally(process.address('mesh'), 20, REVIEWS)).toEqual({ [expected]: 20 });
    }
    stop.abort();
    await load;
    agent.destroy();
    expect(asked).toBeGreaterThan(0);
  });

  test('that is bad is refused with its problems; the last good one serves; the next good one is taken', async () => {
    const process = await up({ v1: 100, v2: 0 });
    save(yaml({ v1: 0, v2: 100 }).replace('weight: 100', 'wieght: 100'));
    await process.logged(/new configuration refused, the last good one stays[\s\S]*wieght.*\[E_UNKNOWN_KEY\]/);
    expect(await tally(process.address('mesh'), 10, REVIEWS)).toEqual({ v1: 10 });
    expect(await metric(process, 'serin_config_last_reload_successful')).toBe(0);
    expect((await ask(process.address('admin'), { path: '/readyz' })).status).toBe(200);
    save(yaml({ v1: 0, v2: 100 }));
    await process.logged(/configuration changed/);
    expect(await tally(process.address('mesh'), 10, REVIEWS)).toEqual({ v2: 10 });
    expect(await metric(process, 'serin_config_last_reload_successful')).toBe(1);
  });

  test('that goes away for a while never empties the routing', async () => {
    const process = await up({ v1: 100, v2: 0 });
    rmSync(config);
    await process.logged(/refused, the last good one stays[\s\S]*E_CONFIG_READ/);
    expect(await tally(process.address('mesh'), 10, REVIEWS)).toEqual({ v1: 10 });
    save(yaml({ v1: 100, v2: 0 }));
    await process.logged(/good again/);
  });

  test('whose listener cannot be bound is refused, the old listeners stay, and it is tried again', async () => {
    const taken = createServer();
    const port = await listen(taken);
    const process = await up({ v1: 100, v2: 0 });
    save(yaml({ v1: 0, v2: 100 }, port));
    await process.logged(new RegExp(`refused, the last good one stays: listener ${port}: 0\\.0\\.0\\.0:${port} is in use`));
    expect((await ask(process.address('80'), { headers: { host: 'books.example' } })).body).toBe('v1');
    expect(await tally(process.address('mesh'), 10, REVIEWS)).toEqual({ v1: 10 });
    // The file does not change again, but the address becomes free.
    await close(taken);
    await process.logged(/configuration changed/);
    expect((await ask({ host: '127.0.0.1', port }, { headers: { host: 'books.example' } })).body).toBe('v2');
  });

  test('SIGHUP reads it again now', async () => {
    const process = await up();
    const name = 'serin_config_last_reload_success_timestamp_seconds';
    const before = await metric(process, name);
    process.signal('SIGHUP');
    await expect.poll(() => metric(process, name)).toBeGreaterThan(before);
  });
});

describe('shift', () => {
  test('moves traffic, leaves particular requests and the file alone, and survives kill -9', async () => {
    const first = await up({ v1: 90, v2: 10 });
    const text = readFileSync(config, 'utf8');
    const shifted = await cli('shift', 'reviews', 'v1=1', 'v2=0');
    expect(shifted).toMatchObject({ code: 0, out: 'reviews.default.svc.cluster.local: v1 90%, v2 10% -> v1 100%, v2 0%\n' });
    expect(await tally(first.address('mesh'), 50, REVIEWS)).toEqual({ v1: 50 });
    expect((await ask(first.address('mesh'), { headers: { host: 'reviews', 'end-user': 'jason' } })).body).toBe('v2');
    first.signal('SIGKILL');
    await first.finished;

    const second = await start().ready();
    expect(await tally(second.address('mesh'), 50, REVIEWS)).toEqual({ v1: 50 });
    expect(readFileSync(config, 'utf8')).toBe(text);
    const { out } = await cli('get', 'vs', 'reviews', '-o', 'json');
    expect(JSON.parse(out)).toMatchObject({ metadata: { annotations: { 'serin.dev/overlay': 'shift' } } });

    const back = await cli('shift', 'reviews', '--reset');
    expect(back).toMatchObject({ code: 0, out: expect.stringContaining('-> v1 90%, v2 10%') });
    expect((await cli('shift', 'reviews', '--reset')).code).toBe(5);
  });

  test('stays in force when the file changes', async () => {
    const process = await up({ v1: 90, v2: 10 });
    expect((await cli('shift', 'reviews', 'v1=0', 'v2=1')).code).toBe(0);
    save(
      `${yaml({ v1: 100, v2: 0 })}---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: other }\nspec: { hosts: [other], http: [{ directResponse: { status: 204 } }] }\n`,
    );
    await process.logged(/configuration changed: .*added VirtualService default\/other/);
    expect(await tally(process.address('mesh'), 20, REVIEWS)).toEqual({ v2: 20 });
  });

  test('an unknown subset or host: exit 5 with the nearest name; weights that send nothing anywhere: exit 3; nothing changes', async () => {
    const process = await up({ v1: 100, v2: 0 });
    const subset = await cli('shift', 'reviews', 'v1=1', 'vv2=1');
    expect(subset.code).toBe(5);
    expect(subset.err).toMatch(/vv2[\s\S]*v2/);
    const host = await cli('shift', 'reviewz', 'v1=1');
    expect(host.code).toBe(5);
    expect(host.err).toMatch(/reviewz[\s\S]*reviews/);
    expect((await cli('shift', 'reviews', 'v1=0', 'v2=0')).code).toBe(3);
    expect(await tally(process.address('mesh'), 20, REVIEWS)).toEqual({ v1: 20 });
  });

  test('on a full disk: refused, nothing changes, traffic goes on', async () => {
    save(yaml({ v1: 100, v2: 0 }));
    // The file size limit stands in for a full disk; it is reached after a few changes.
    const process = await start(ADDRESSES, ['sh', '-c', 'ulimit -f 128; exec "$@"', 'sh', globalThis.process.execPath, MAIN]).ready();
    let last = await cli('shift', 'reviews', 'v1=1', 'v2=0');
    expect(last.code).toBe(0);
    for (let n = 0; last.code === 0 && n < 40; n++) last = await cli('shift', 'reviews', `v1=${n + 2}`, 'v2=0');
    expect(last.code).toBe(1);
    expect(last.err).toContain('nothing was changed');
    const before = await cli('get', 'vs', 'reviews', '-o', 'json');
    expect((await cli('shift', 'reviews', 'v1=0', 'v2=1')).code).toBe(1);
    expect(JSON.parse((await cli('get', 'vs', 'reviews', '-o', 'json')).out)).toEqual(JSON.parse(before.out));
    expect(await tally(process.address('mesh'), 20, REVIEWS)).toEqual({ v1: 20 });
  }, 60_000);

  test('a damaged state is said, moved aside, and Serin starts', async () => {
    const first = await up({ v1: 100, v2: 0 });
    expect((await cli('shift', 'reviews', 'v1=0', 'v2=1')).code).toBe(0);
    first.signal('SIGKILL');
    await first.finished;
    for (const name of ['state.db', 'state.backup.db']) writeFileSync(join(state, name), 'not a database '.repeat(1000));
    for (const suffix of ['-wal', '-shm']) rmSync(join(state, `state.db${suffix}`), { force: true });
    const second = await start().ready();
    expect(second.err).toMatch(/state\.db was damaged.*W_STATE_LOST/);
    expect(await tally(second.address('mesh'), 20, REVIEWS)).toEqual({ v1: 20 });
  });
});

describe('the other verbs against a running Serin', () => {
  test('get shows what is in force as a Kubernetes List or a table', async () => {
    await up();
    const list: unknown = JSON.parse((await cli('get', 'virtualservices', '-o', 'json')).out);
    expect(list).toMatchObject({
      apiVersion: 'v1',
      kind: 'List',
      items: [
        {
          apiVersion: 'networking.istio.io/v1',
          kind: 'VirtualService',
          metadata: { name: 'reviews', namespace: 'default' },
          spec: { hosts: ['reviews', 'books.example'] },
        },
      ],
    });
    expect((await cli('get', 'dr')).out).toBe('NAME      HOST      SUBSETS\nreviews   reviews   v1,v2\n');
    expect((await cli('get', 'gw', '-o', 'json')).out).toContain('"addresses"');
    expect((await cli('get', 'endpoints')).out).toContain(`127.0.0.1:${v1.port}`);
    expect((await cli('get', 'clusters')).out).toContain('outbound|9080|v1|reviews.default.svc.cluster.local');
    const none = await cli('get', 'vs', '-n', 'elsewhere');
    expect([none.code, none.out]).toEqual([0, '']);
  });

  test('a name that is not there: exit 5 with the nearest', async () => {
    await up();
    const { code, err } = await cli('get', 'vs', 'reviws');
    expect(code).toBe(5);
    expect(err).toContain('did you mean reviews?');
    expect((await cli('get', 'clusters', 'outbound|9080|v3|reviews.default.svc.cluster.local')).code).toBe(5);
  });

  test('explain asks the running one, also by the address of a listener', async () => {
    const process = await up();
    expect((await cli('explain', 'http://reviews/x')).out).toContain('100 % to outbound|9080|v1|');
    const { port } = process.address('80');
    const { out } = await cli('explain', '-H', 'Host: books.example', `http://127.0.0.1:${port}/x`, '-o', 'json');
    expect(JSON.parse(out)).toMatchObject({ explanation: { listener: '80', outcome: 'forward' } });
    expect((await cli('explain', '--listener', '81', 'http://reviews/')).code).toBe(5);
  });
});

test('an exception nobody caught is counted and logged, and ends nothing', async () => {
  save(yaml({ v1: 100, v2: 0 }));
  const trap = join(directory, 'trap.mjs');
  writeFileSync(trap, "process.on('SIGUSR2', () => { throw new Error('boom') });");
  const process = await start(ADDRESSES, [globalThis.process.execPath, '--import', trap, MAIN]).ready();
  process.signal('SIGUSR2');
  await process.logged(/an exception nobody caught.*boom/);
  expect((await ask(process.address('mesh'), REVIEWS)).body).toBe('v1');
  expect(await metric(process, 'serin_uncaught_exceptions_total')).toBe(1);
});

test('a log nobody reads any more, or on a full disk, does not end it', async () => {
  const unread = await up();
  unread.child.stdout?.destroy();
  unread.child.stderr?.destroy();
  const full = new SerinProcess(['up', '-f', config, '--state', join(directory, 'full'), ...ADDRESSES], {
    command: ['sh', '-c', 'exec "$@" 2>/dev/full', 'sh', globalThis.process.execPath, MAIN],
  });
  started.push(full);
  await full.ready();
  save(yaml({ v1: 0, v2: 100 }));
  for (const process of [unread, full]) {
    await expect.poll(async () => (await ask(process.address('mesh'), REVIEWS)).body).toBe('v2');
    process.signal('SIGTERM');
    expect(await process.finished).toMatchObject({ code: 0 });
  }
});

describe('ending', () => {
  test('SIGTERM: not ready at once, the request in flight is answered, exit 0', async () => {
    const slow = await startUpstream('slow');
    save(yaml({ v1: 100, v2: 0 }, 80, { v1: slow.port, v2: v2.port }));
    const process = await start().ready();
    const answer = ask(process.address('mesh'), { ...REVIEWS, path: '/slow' });
    await slow.held;
    process.signal('SIGTERM');
    await process.logged(/draining/);
    const readyz = await ask(process.address('admin'), { path: '/readyz' });
    expect([readyz.status, readyz.body]).toEqual([503, expect.stringContaining('draining')]);
    const refused = await cli('shift', 'reviews', 'v1=1', 'v2=0');
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('shutting down')]);
    slow.release();
    expect(await answer).toMatchObject({ status: 200, body: 'slow' });
    expect(await process.finished).toMatchObject({ code: 0, signal: null });
    await slow.close();
  });

  test('Ctrl-C ends it with 0, and the state directory is free again', async () => {
    const process = await up();
    process.signal('SIGINT');
    expect(await process.finished).toMatchObject({ code: 0, signal: null });
    expect((await cli('get', 'vs')).code).toBe(4);
    const again = await start().ready();
    expect(again.err).not.toContain('locked');
  });

  test('a second signal ends it although a request is still in flight', async () => {
    const slow = await startUpstream('slow');
    save(yaml({ v1: 100, v2: 0 }, 80, { v1: slow.port, v2: v2.port }));
    const process = await start([...ADDRESSES, '--drain-timeout', '1h']).ready();
    const answer = ask(process.address('mesh'), { ...REVIEWS, path: '/slow' }).catch(() => 'cut');
    await slow.held;
    process.signal('SIGTERM');
    await process.logged(/draining/);
    process.signal('SIGTERM');
    expect(await process.finished).toMatchObject({ code: 143 });
    expect(await answer).toBe('cut');
    slow.release();
    await slow.close();
  });
});

test('--trusted-proxy: whoever is believed sets timeouts, nobody else; to believe everybody is warned about', async () => {
  const slow = await startUpstream('slow');
  save(yaml({ v1: 100, v2: 0 }, 80, { v1: slow.port, v2: v2.port }));
  const hasty = { headers: { ...REVIEWS.headers, 'x-envoy-upstream-rq-timeout-ms': '100' }, path: '/slow' };
  const trusting = await start([...ADDRESSES, '--trusted-proxy', '192.0.2.1', '--trusted-proxy', '0.0.0.0/0']).ready();
  expect((await ask(trusting.address('mesh'), hasty)).status).toBe(504);
  expect(trusting.err).toMatch(/--trusted-proxy 0\.0\.0\.0\/0 believes everybody/);
  await trusting.end();
  const other = await start([...ADDRESSES, '--trusted-proxy', '192.0.2.1']).ready();
  const answer = ask(other.address('mesh'), hasty);
  await expect.poll(() => slow.requests()).toBe(2);
  slow.release();
  expect((await answer).status).toBe(200);
  await slow.close();
});
