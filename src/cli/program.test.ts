/** The command line in-process: what is printed where, and the exit code. Verbs against a running Serin: test/e2e. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { runHere, type Ran } from '../../test/helpers/serin-command.ts';
import { writeDaemonInfo } from '../app/state-directory.ts';
import { ensureToken } from '../app/token.ts';
import { VERSION } from '../app/version.ts';

const CONFIG = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: reviews }
spec:
  hosts: [reviews.default.svc.cluster.local]
  ports: [{ number: 9080, name: http, protocol: HTTP }]
  resolution: STATIC
  location: MESH_INTERNAL
  endpoints:
    - { address: 127.0.0.1, ports: { http: 9081 }, labels: { version: v1 } }
    - { address: 127.0.0.1, ports: { http: 9082 }, labels: { version: v2 } }
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
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    - match: [{ headers: { end-user: { exact: jason } } }]
      route: [{ destination: { host: reviews, subset: v2 } }]
    - route:
        - { destination: { host: reviews, subset: v1 }, weight: 90 }
        - { destination: { host: reviews, subset: v2 }, weight: 10 }
`;

/** A problem on line 14 and one on line 32. */
const BROKEN = CONFIG.replace('host: reviews\n', 'hsot: reviews\n').replace('weight: 90', 'wieght: 90');

let directory: string;
let good: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-cli-'));
  good = join(directory, 'good.yaml');
  writeFileSync(good, CONFIG);
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const serin = (args: readonly string[], input = ''): Promise<Ran> => runHere(args, { input });

describe('help and usage', () => {
  test('without arguments: help on stderr, exit 2', async () => {
    const { code, out, err } = await serin([]);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain('Usage: serin');
  });

  test.each([[['--help']], [['help']], [['help', 'foo']], [['help', 'up']], [['up', '--help']]])(
    '%j: help on stdout, exit 0',
    async (args) => {
      const { code, out, err } = await serin(args);
      expect([code, err]).toEqual([0, '']);
      expect(out).toContain('Usage: serin');
    },
  );

  test('--version is that of the package', async () => {
    expect(await serin(['--version'])).toEqual({ code: 0, out: `${VERSION}\n`, err: '' });
  });

  test.each([
    [['valdate'], /Did you mean validate/],
    [['validate', '-f', 'x', '--otput', 'json'], /--otput.*\n.*Did you mean --output/],
    [['validate', '-f'], /-f, --file/],
    [['validate', '-f', 'x', '-o', 'json', '-o', 'json'], /-o, --output.*given twice/],
    [['validate', '-f', 'x', '-o', 'xml'], /-o, --output.*json/],
    [['get', 'vs', '-o', 'jsno'], /'jsno' is invalid.*\n\(Did you mean json\?\)/],
    [['completion', 'fishh'], /Did you mean fish/],
    [['rollout', 'wacth'], /Did you mean watch/],
    [['logs', 'a', '--flolow'], /Did you mean --follow/],
    [['validate'], /-f PATH/],
    [['validate', 'x.yaml'], /say -f x\.yaml/],
    [['validate', '-f', '-', '-f', 'x'], /standard input/],
    [['render', '-f', 'x'], /--to/],
    [['render', '-f', 'x', '--to', 'nginx'], /'nginx'.*istio/],
    [['up'], /-f PATH/],
    [['up', '-f', '-'], /cannot be watched/],
    [['up', '-f', 'x', '--mesh='], /--mesh.*ADDR:PORT/],
    [['up', '-f', 'x', '--mesh', '127.0.0.1'], /--mesh.*127\.0\.0\.1/],
    [['up', '-f', 'x', '--listen', '80'], /--listen.*80=127\.0\.0\.1:8080/],
    [['up', '-f', 'x', '--workers', '0'], /--workers.*1 to 64/],
    [['up', '-f', 'x', '--workers', '1e1'], /--workers.*1 to 64/],
    [['up', '-f', 'x', '--drain-timeout', '30'], /--drain-timeout.*30s/],
    [['up', '-f', 'x', '--upgrade', 'h2c'], /'h2c' is not passed on/],
    [['up', '-f', 'x', '--upgrade', 'a b'], /name of a protocol/],
    [['up', '-f', 'x', '--trusted-proxy', '10.0.0.0/33'], /--trusted-proxy.*10\.0\.0\.0\/8, found '10\.0\.0\.0\/33'/],
    [['up', '-f', 'x', '--trusted-proxy', 'proxy.local'], /an IP address or a block/],
    [['up', '-f', 'x', '--trusted-proxy', '::1/'], /an IP address or a block/],
    [['up', '-f', 'x', '--mesh', '127.0.0.1:9', '--admin', '127.0.0.1:9'], /--mesh and --admin both say 127\.0\.0\.1:9/],
    [['up', '-f', 'x', '--listen', '80=127.0.0.1:8', '--listen', '80=127.0.0.1:9'], /twice where port 80 is bound/],
    [['get'], /KIND/],
    [['get', 'virtualservces'], /did you mean virtualservices/],
    [['get', 'vs', 'a', '-A'], /exclude each other/],
    [['get', 'vs', 'a', 'b'], /too many arguments/],
    [['explain', '-f', 'x'], /URL/],
    [['explain', 'http://a/', 'http://b/'], /expected one URL/],
    [['explain', '--istio-compat', 'http://a/'], /belongs to -f/],
    [['explain', '-H', 'no colon', 'http://a/'], /name: value/],
    [['explain', '-H', 'a: b\r\nc: d', 'http://a/'], /name: value/],
    [['simulate'], /-f PATH/],
    [['simulate', 'x.yaml'], /say -f x\.yaml/],
    [['simulate', '-f', 'x', '--rate', '0/s'], /--rate.*nothing can be decided.*above 0/],
    [['simulate', '-f', 'x', '--rate', '100'], /--rate.*100\/s.*found '100'/],
    [['simulate', '-f', 'x', '--rate', '-1/s'], /--rate.*found '-1\/s'/],
    [['simulate', '-f', 'x', '--rate', '20000/s'], /--rate.*at most 10000\/s/],
    [['simulate', '-f', 'x', '--errors', '100%'], /--errors.*below 100/],
    [['simulate', '-f', 'x', '--errors', '0.01'], /--errors.*0\.1%/],
    [['simulate', '-f', 'x', '--latency', '80ms'], /--latency.*p50=80ms,p99=256ms/],
    [['simulate', '-f', 'x', '--latency', 'p50=80ms,p99=80ms'], /--latency.*p99 above p50/],
    [['simulate', '-f', 'x', '--latency', 'p50=0.2ms,p99=1ms'], /--latency.*from 1ms to 30s/],
    [['simulate', '-f', 'x', '--regression', 'errors'], /--regression.*errors=\+2%/],
    [['simulate', '-f', 'x', '--regression', 'errors=+2%,errors=+3%'], /--regression.*errors=\+2%/],
    [['simulate', '-f', 'x', '--regression', 'errors=120%'], /--regression.*errors=5%/],
    [['simulate', '-f', 'x', '--regression', 'errors=x2', '--regression', 'errors=x2'], /--regression.*given twice/],
    [['simulate', '-f', 'x', '--runs', '0'], /--runs.*1 to 100000/],
    [['simulate', '-f', 'x', '--seed', '1e3'], /--seed.*whole number/],
    [['simulate', '-f', 'x', '--within', '10s'], /--within.*from 1m to 168h/],
    [['simulate', '-f', 'x', 'a', 'b'], /expected one Rollout, found a and b/],
    [['rollout', 'preview', 'reviews', '--expires', '32d'], /--expires.*at most 31d.*32d/],
    [['token', 'create', 'ana', '--expires', '9999d'], /--expires.*at most 3660d/],
    [['shift', 'reviews'], /no weights/],
    [['shift', 'reviews', 'v1'], /SUBSET=WEIGHT/],
    [['shift', 'reviews', 'v1=abc'], /weight of v1.*0 to 1000000.*abc/],
    [['shift', 'reviews', 'v1=-1'], /weight of v1/],
    [['shift', 'reviews', 'v1=1e2'], /weight of v1/],
    [['shift', 'reviews', 'v1='], /weight of v1/],
    [['shift', 'reviews', 'v1=1000001'], /weight of v1/],
    [['shift', 'reviews', 'v1=1', 'v1=2'], /v1 is given twice/],
    [['shift', 'reviews', '--reset', 'v1=1'], /--reset takes no weights/],
    [['shift', '../x', 'v1=1'], /not a name/],
    [['shift', 'tlsroute/x', 'v1=1'], /not a name: expected a service, httproute\/NAME or grpcroute\/NAME/],
    [['shift', 'httproute/a/b/c', 'v1=1'], /not a name/],
    [['shift', 'httproute/', 'v1=1'], /not a name/],
    [['shift', 'reviews', 'v1=1', '--admin', '192.168.0.1:15000'], /loopback/],
  ])('%j: exit 2 and says what is wrong', async (args, message) => {
    const { code, out, err } = await serin(args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(message);
  });

  test('what a user typed cannot speak to the terminal', async () => {
    const { code, err } = await serin(['\u001b[31mred\u0007']);
    expect(code).toBe(2);
    expect(err).toContain('\\x1b[31mred\\x07');
    expect((await serin(['shift', 'a\u001b[2Jb', 'v1=1'])).err).not.toContain('\u001b');
  });
});

describe('validate', () => {
  test('a good file: summary, exit 0', async () => {
    const { code, out } = await serin(['validate', '-f', good]);
    expect(code).toBe(0);
    expect(out).toBe('1 file, 3 resources: valid, 0 warnings\n');
  });

  test('JSON is an array of objects with exactly the promised members', async () => {
    const bad = join(directory, 'bad.yaml');
    writeFileSync(bad, BROKEN);
    const { code, out, err } = await serin(['validate', '-f', bad, '-o', 'json']);
    expect([code, err]).toEqual([3, '']);
    const diagnostics: unknown = JSON.parse(out);
    expect(Array.isArray(diagnostics) && diagnostics.length >= 2).toBe(true);
    const members = ['code', 'column', 'file', 'hint', 'kind', 'line', 'message', 'name', 'namespace', 'path', 'severity'];
    for (const diagnostic of diagnostics as object[]) expect(Object.keys(diagnostic).sort()).toEqual(members);
    expect(diagnostics).toContainEqual(
      expect.objectContaining({ file: bad, severity: 'error', kind: 'VirtualService', namespace: 'default', name: 'reviews', line: 32 }),
    );
  });

  test('text names file, line, column and code of every problem, and counts them', async () => {
    const bad = join(directory, 'bad.yaml');
    writeFileSync(bad, BROKEN);
    const { code, out } = await serin(['validate', '-f', bad]);
    expect(code).toBe(3);
    expect(out).toMatch(new RegExp(`^${bad}:32:\\d+: error: .*\\[E_\\w+\\]`, 'm'));
    expect(out).toMatch(/1 file, .*: invalid, \d+ errors?, \d+ warnings?\n$/);
  });

  test('standard input', async () => {
    expect((await serin(['validate', '-f', '-'], CONFIG)).code).toBe(0);
    const empty = await serin(['validate', '-f', '-']);
    expect(empty.code).toBe(3);
    expect(empty.out).toContain('E_CONFIG_EMPTY');
  });

  test('a missing file, and a directory without configuration: exit 3', async () => {
    expect((await serin(['validate', '-f', join(directory, 'missing.yaml')])).out).toContain('missing.yaml');
    mkdirSync(join(directory, 'empty'));
    expect((await serin(['validate', '-f', join(directory, 'empty')])).code).toBe(3);
  });

  test('several paths after one -f, as a shell expands a pattern', async () => {
    const second = join(directory, 'second.yaml');
    writeFileSync(second, CONFIG.replaceAll('reviews', 'ratings'));
    expect((await serin(['validate', '-f', good, second])).out).toContain('2 files, 6 resources: valid');
  });

  test('more than 50 problems are counted, not printed', async () => {
    const bad = join(directory, 'bad.yaml');
    writeFileSync(
      bad,
      CONFIG.replace('http:\n', `http:\n${'    - { timeout: never, route: [{ destination: { host: reviews } }] }\n'.repeat(60)}`),
    );
    const { out } = await serin(['validate', '-f', bad]);
    expect(out).toMatch(/^and \d+ more$/m);
    expect(out.match(/\[[EW]_\w+\]$/gm)).toHaveLength(50);
  });

  test('text of a file cannot speak to the terminal', async () => {
    const bad = join(directory, 'bad.yaml');
    writeFileSync(bad, CONFIG.replace('timeout', 'x').replace('hosts: [reviews]', 'hosts: ["\\e[31m"]'));
    const { out } = await serin(['validate', '-f', bad]);
    expect(out).not.toContain('\u001b');
  });
});

describe('render', () => {
  test('prints standard resources that are as good as the files', async () => {
    const { code, out } = await serin(['render', '-f', good, '--to', 'istio']);
    expect(code).toBe(0);
    expect(parseAllDocuments(out).map((document) => document.get('kind'))).toEqual(
      expect.arrayContaining(['VirtualService', 'DestinationRule', 'ServiceEntry']),
    );
    expect((await serin(['validate', '-f', '-'], out)).code).toBe(0);
  });

  test('an invalid file prints nothing but its problems', async () => {
    const { code, out, err } = await serin(['render', '-f', '-', '--to', 'istio'], 'a: [');
    expect([code, out]).toEqual([3, '']);
    expect(err).toContain('E_YAML_SYNTAX');
  });
});

describe('explain from files', () => {
  test('says which rule takes the request, and why others do not', async () => {
    const { code, out } = await serin(['explain', '-f', good, 'http://reviews/reviews/0']);
    expect(code).toBe(0);
    expect(out).toContain('90 % to outbound|9080|v1|reviews.default.svc.cluster.local');
    expect(out).toMatch(/no: .*spec\.http\[0\]/);
  });

  test('looks at method and headers', async () => {
    const { out } = await serin(['explain', '-f', good, '-X', 'POST', '-H', 'End-User: jason', 'reviews:9080/reviews/0', '-o', 'json']);
    expect(JSON.parse(out)).toMatchObject({
      considered: [{ listener: 'mesh', servesHost: true }],
      explanation: {
        outcome: 'forward',
        request: { method: 'POST', authority: 'reviews:9080', path: '/reviews/0' },
        forward: { clusters: [{ subset: 'v2', share: 1 }] },
      },
    });
  });

  test('where copies go, and with which Host', async () => {
    const mirrored = `
services: { reviews: { versions: { v1: http://127.0.0.1:1, v2: http://127.0.0.1:2 } } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http: [{ route: [{ destination: { host: reviews, subset: v1 } }], mirror: { host: reviews, subset: v2 }, mirrorPercentage: { value: 12.5 } }]
`;
    const copied = async (...more: string[]): Promise<string | undefined> =>
      /a copy of .*/.exec((await serin(['explain', '-f', '-', ...more, 'http://reviews/'], mirrored)).out)?.[0];
    const to = 'a copy of 12.5 % to outbound|80|v2|reviews.default.svc.cluster.local, Host';
    expect(await copied()).toBe(`${to} reviews-shadow; its answers are dropped`);
    expect(await copied('--istio-compat')).toBe(`${to} reviews; its answers are dropped`);
  });

  test.each([
    ['not a URL', ['http://']],
    ['userinfo', ['http://u:p@reviews/']],
    ['another scheme', ['ftp://reviews/']],
    ['a path nobody may send', ['http://reviews/%zz']],
    ['a path above the root', ['http://reviews/../x']],
    ['a bad method', ['-X', 'G T', 'http://reviews/']],
  ])('%s: exit 2', async (_what, args) => {
    expect((await serin(['explain', '-f', good, ...args])).code).toBe(2);
  });

  test('an unknown listener: exit 5 with the nearest', async () => {
    const { code, err } = await serin(['explain', '-f', good, '--listener', 'mash', 'http://reviews/']);
    expect(code).toBe(5);
    expect(err).toContain('did you mean mesh?');
  });

  test('invalid files: exit 3', async () => {
    expect((await serin(['explain', '-f', '-', 'http://reviews/'], 'a: [')).code).toBe(3);
  });
});

describe('asking a Serin that is not there', () => {
  let server: Server;
  let port = 0;
  let answer: { status: number; headers: Record<string, string>; body: string };

  beforeAll(async () => {
    server = createServer((_request, response) => response.writeHead(answer.status, answer.headers).end(answer.body));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    port = typeof address === 'object' && address !== null ? address.port : 0;
  });

  afterAll(() => new Promise((resolve) => server.close(resolve)));

  const ask = (...more: string[]): Promise<Ran> => serin(['get', 'vs', '--state', join(directory, 'state'), ...more]);

  test('no state directory: exit 4 and what to do', async () => {
    const { code, err } = await ask();
    expect(code).toBe(4);
    expect(err).toContain('serin up -f');
  });

  test('a closed port: exit 4', async () => {
    const probe = createTcpServer();
    await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
    const address = probe.address();
    const free = typeof address === 'object' && address !== null ? address.port : 0;
    await new Promise((resolve) => probe.close(resolve));
    const { code, err } = await ask('--admin', `127.0.0.1:${free}`);
    expect(code).toBe(4);
    expect(err).toContain(`cannot reach serin at 127.0.0.1:${free}`);
  });

  test('a daemon that died without saying so: exit 4', async () => {
    mkdirSync(join(directory, 'state'));
    writeDaemonInfo(join(directory, 'state'), { pid: 1, version: VERSION, admin: { host: '127.0.0.1', port: 1 } });
    expect((await ask()).code).toBe(4);
  });

  test.each([
    ['HTML', { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' }],
    ['JSON of something else', { status: 200, headers: { 'content-type': 'application/json' }, body: '{}' }],
    ['an error page', { status: 404, headers: {}, body: 'not found' }],
  ])('another program on the port (%s): exit 4', async (_what, found) => {
    answer = found;
    const { code, err } = await ask('--admin', `127.0.0.1:${port}`);
    expect(code).toBe(4);
    expect(err).toContain('not a Serin API');
  });

  test('a program that speaks no HTTP: exit 4', async () => {
    const tcp = createTcpServer((socket) => void socket.resume().end('SSH-2.0-x\r\n'));
    await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
    const address = tcp.address();
    const { code, err } = await ask('--admin', `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`);
    await new Promise((resolve) => tcp.close(resolve));
    expect(code).toBe(4);
    expect(err).toContain('not a Serin API');
  });

  test('a token it does not take: exit 1 unauthorized; the token is not printed', async () => {
    answer = { status: 401, headers: { 'serin-version': VERSION }, body: '{}' };
    mkdirSync(join(directory, 'state'));
    const token = ensureToken(join(directory, 'state'), () => undefined);
    const { code, err } = await ask('--admin', `127.0.0.1:${port}`);
    expect(code).toBe(1);
    expect(err).toMatch(/unauthorized[\s\S]*--state DIR/);
    expect(err).not.toContain(token);
  });

  test('a Serin of another version that does not know the path: says to upgrade', async () => {
    const body = JSON.stringify({ type: '', title: '', status: 404, code: 'E_ADMIN_PATH', detail: 'there is nothing at this path' });
    answer = { status: 404, headers: { 'serin-version': '99.0.0' }, body };
    const { code, err } = await ask('--admin', `127.0.0.1:${port}`);
    expect(code).toBe(1);
    expect(err).toMatch(/99\.0\.0; upgrade/);
  });

  test('a Serin of another version with an answer nobody expected: no crash', async () => {
    answer = { status: 200, headers: { 'serin-version': '99.0.0' }, body: '{"items":3}' };
    const { code, err } = await ask('--admin', `127.0.0.1:${port}`);
    expect(code).toBe(1);
    expect(err).toMatch(/99\.0\.0; upgrade/);
  });

  test.each([
    [409, 6],
    [412, 6],
    [422, 3],
    [404, 5],
    [507, 1],
  ])('a problem with status %d: exit %d with its detail and hint', async (status, exit) => {
    const body = JSON.stringify({ type: '', title: '', status, code: 'E_X', detail: 'the \u001b[31mdetail', hint: 'the hint' });
    answer = { status, headers: { 'serin-version': VERSION }, body };
    const { code, err } = await ask('--admin', `127.0.0.1:${port}`);
    expect(code).toBe(exit);
    expect(err).toBe('serin: the \\x1b[31mdetail\n    hint: the hint\n');
  });
});
