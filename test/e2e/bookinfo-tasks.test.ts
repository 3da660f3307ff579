/**
 * Istio's traffic-management tasks, in the order of its documentation, with `serin up` and Bookinfo as processes of their own. The YAML has the
 * tasks' shapes; what is asserted is what a reader of the page sees.
 */
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Child } from '../../examples/bookinfo/demo/child.ts';
import { WORKLOADS } from '../../examples/bookinfo/workloads.ts';
import { authority, type Authority, type Issued } from '../helpers/certificates.ts';
import { ROOT } from '../helpers/moved-clone.ts';
import { SerinProcess } from '../helpers/serin-process.ts';
import { ask, close, listen, startUpstream, tally, type Answer, type Upstream } from '../helpers/upstream.ts';

const BOOKINFO = join(ROOT, 'examples/bookinfo');
const SORRY = 'Sorry, nobody can tell us what readers think';

let directory: string;
let serin: SerinProcess;
const children: Child[] = [];
let httpbin: readonly [Upstream, Upstream];
/** Answers when it is told to. */
let slow: Server;
let slowPort: number;
let letGo: () => void;
let waiting = 0;
let ca: Authority;
let certificate: Issued;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'serin-tasks-'));
  mkdirSync(join(directory, 'config'));
  httpbin = await Promise.all([startUpstream('v1'), startUpstream('v2')]);
  const held: (() => void)[] = [];
  slow = createServer((_request, response) => {
    waiting++;
    held.push(() => response.end('slow'));
  });
  letGo = () => held.splice(0).forEach((answer) => answer());
  slowPort = await listen(slow);
  ca = await authority();
  certificate = await ca.issue(['bookinfo.example.com']);

  copy('gateway.yaml');
  copy('destination-rules.yaml');
  write('secure.yaml', secureGateway());
  const places = ['--state', join(directory, 'state'), '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
  const listeners = ['80', '443', '8080'].flatMap((declared) => ['--listen', `${declared}=127.0.0.1:0`]);
  serin = new SerinProcess(['up', '-f', join(directory, 'config'), ...places, ...listeners]);
  await serin.ready();
  // Serin first: what Bookinfo's services call is its mesh listener. Of reviews v4 nothing is asked; its port is one where nobody listens.
  const ports = await startBookinfo(`http://127.0.0.1:${serin.address('mesh').port}`);
  const services = readFileSync(join(BOOKINFO, 'istio/services.yaml'), 'utf8');
  await apply(
    'services.yaml',
    services.replaceAll(/http: (908\d)/g, (_all, port) => `http: ${ports.get(Number(port)) ?? 1}`) + httpbinServices(),
  );
}, 60_000);

afterAll(async () => {
  await Promise.all(children.map((child) => child.stop()));
  await serin.end();
  await Promise.all([...httpbin.map((upstream) => upstream.close()), close(slow)]);
  rmSync(directory, { recursive: true, force: true });
}, 60_000);

/** By its documented port, where each of Bookinfo's processes listens. */
async function startBookinfo(servicesUrl: string): Promise<ReadonlyMap<number, number>> {
  const ports = new Map<number, number>();
  const started = WORKLOADS.filter(({ version }) => version !== 'v4').map(({ service, version, port }) => {
    const child = new Child({
      name: `${service} ${version}`,
      args: [join(BOOKINFO, `${service}.ts`), '--version', version, '--port', '0'],
      cwd: ROOT,
      env: { PATH: process.env['PATH'], SERVICES_URL: servicesUrl },
      isReadyLine: (line) => {
        const [, actual] = /listens on http:\/\/127\.0\.0\.1:(\d+)/.exec(line) ?? [];
        if (actual !== undefined) ports.set(port, Number(actual));
        return actual !== undefined;
      },
    });
    children.push(child);
    return child.ready;
  });
  await Promise.all(started);
  return ports;
}

function httpbinServices(): string {
  const entry = (name: string, endpoints: string): string =>
    document(
      'ServiceEntry',
      name,
      `hosts: [${name}], ports: [{ number: 8000, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [${endpoints}]`,
    );
  const at = (port: number, version: string): string => `{ address: 127.0.0.1, ports: { http: ${port} }, labels: { version: ${version} } }`;
  return [
    entry('httpbin', `${at(httpbin[0].port, 'v1')}, ${at(httpbin[1].port, 'v2')}`),
    document(
      'DestinationRule',
      'httpbin',
      'host: httpbin, subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]',
    ),
    entry('slow', at(slowPort, 'v1')),
  ].join('');
}

function secureGateway(): string {
  const indented = (text: string): string => text.trim().replaceAll(/^/gm, '    ');
  return `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: secure }
spec:
  selector: { istio: ingressgateway }
  servers:
    - port: { number: 443, name: https, protocol: HTTPS }
      hosts: [bookinfo.example.com]
      tls: { mode: SIMPLE, credentialName: bookinfo }
    - port: { number: 8080, name: http, protocol: HTTP }
      hosts: [bookinfo.example.com]
      tls: { httpsRedirect: true }
---
apiVersion: v1
kind: Secret
metadata: { name: bookinfo }
type: kubernetes.io/tls
stringData:
  tls.crt: |
${indented(certificate.cert)}
  tls.key: |
${indented(certificate.key)}
`;
}

function document(kind: string, name: string, spec: string): string {
  return `---\napiVersion: networking.istio.io/v1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: { ${spec} }\n`;
}

function virtualService(host: string, ...http: readonly string[]): string {
  return document('VirtualService', host.replaceAll('.', '-'), `hosts: [${host}], http: [${http.map((rule) => `{ ${rule} }`).join(', ')}]`);
}

const FOR_JASON = 'match: [{ headers: { end-user: { exact: jason } } }]';
const to = (host: string, version: string): string => `route: [{ destination: { host: ${host}, subset: ${version} } }]`;
const jasonTo = (version: string): string => virtualService('reviews', `${FOR_JASON}, ${to('reviews', version)}`, to('reviews', 'v1'));

function copy(name: string): void {
  write(name, readFileSync(join(BOOKINFO, 'istio', name), 'utf8'));
}

/** At once, so that nobody reads half a file. */
function write(name: string, text: string): void {
  writeFileSync(join(directory, name), text);
  renameSync(join(directory, name), join(directory, 'config', name));
}

/** Resolves when it is in force. */
async function apply(name: string, text: string): Promise<void> {
  const from = serin.err.length;
  write(name, text);
  await serin.logged(/configuration changed|new configuration refused/, from);
  expect(serin.err.slice(from)).not.toContain('refused');
}

function page(user?: string): Promise<Answer> {
  return ask(serin.address('80'), {
    path: '/productpage',
    headers: { host: 'localhost', ...(user === undefined ? {} : { 'end-user': user }) },
  });
}

/** Which version of reviews made a page; empty where none did. */
async function servedBy(user?: string): Promise<string> {
  const answer = await page(user);
  expect(answer.status).toBe(200);
  return /^reviews-(v\d)-/.exec(String(answer.headers['reviews-served-by'] ?? ''))?.[1] ?? '';
}

const servedByMany = (count: number, user?: string): Promise<string[]> => Promise.all(Array.from({ length: count }, () => servedBy(user)));

/** Sum of the samples of a metric that match. */
async function metric(pattern: RegExp): Promise<number> {
  const { body } = await ask(serin.address('admin'), { path: '/metrics' });
  return body.split('\n').reduce((sum, line) => (pattern.test(line) ? sum + Number(line.split(' ').at(-1)) : sum), 0);
}

test('request routing: everybody to v1, then jason to v2', async () => {
  await apply('routing.yaml', virtualService('reviews', to('reviews', 'v1')));
  expect(new Set(await servedByMany(12))).toEqual(new Set(['v1']));
  await apply('routing.yaml', jasonTo('v2'));
  expect(new Set(await servedByMany(6, 'jason'))).toEqual(new Set(['v2']));
  expect(new Set(await servedByMany(6, 'ana'))).toEqual(new Set(['v1']));
  const { body } = await page('jason');
  expect(body).toMatch(/black/);
});

describe('fault injection', () => {
  const delayed = (delay: string): string =>
    virtualService(
      'ratings',
      `${FOR_JASON}, fault: { delay: { percentage: { value: 100 }, fixedDelay: ${delay} } }, ${to('ratings', 'v1')}`,
      to('ratings', 'v1'),
    );

  test('a delay of 7 s: reviews v2 would wait for ratings, but the page does not wait for reviews', async () => {
    await apply('routing.yaml', jasonTo('v2') + delayed('7s'));
    const [jason, ana] = await Promise.all([page('jason'), page('ana')]);
    expect(jason.body).toContain(SORRY);
    expect(ana.body).not.toContain(SORRY);
    // v3 has the bug mended: it gives up on ratings before the page gives up on it.
    await apply('routing.yaml', jasonTo('v3') + delayed('7s'));
    const mended = await page('jason');
    expect(mended.body).not.toContain(SORRY);
    expect(mended.body).toContain('The ratings are unavailable');
  }, 60_000);

  test('an abort with 500: the reviews are there, the ratings are not', async () => {
    const aborted = virtualService(
      'ratings',
      `${FOR_JASON}, fault: { abort: { percentage: { value: 100 }, httpStatus: 500 } }, ${to('ratings', 'v1')}`,
      to('ratings', 'v1'),
    );
    await apply('routing.yaml', jasonTo('v2') + aborted);
    expect((await page('jason')).body).toContain('The ratings are unavailable');
    expect((await page('ana')).body).not.toContain('The ratings are unavailable');
    expect(await metric(/^istio_requests_total\{.*response_code="500",response_flags="FI"\}/)).toBeGreaterThan(0);
  });
});

test('traffic shifting: v1, half and half, v3', async () => {
  const shares = (v1: number, v3: number): string =>
    virtualService(
      'reviews',
      `route: [{ destination: { host: reviews, subset: v1 }, weight: ${v1} }, { destination: { host: reviews, subset: v3 }, weight: ${v3} }]`,
    );
  await apply('routing.yaml', shares(100, 0));
  expect(new Set(await servedByMany(10))).toEqual(new Set(['v1']));
  await apply('routing.yaml', shares(50, 50));
  const half = (await servedByMany(100)).filter((version) => version === 'v3').length;
  // Five standard deviations.
  expect(Math.abs(half - 50)).toBeLessThanOrEqual(25);
  await apply('routing.yaml', shares(0, 100));
  expect(new Set(await servedByMany(10))).toEqual(new Set(['v3']));
}, 60_000);

test('request timeouts: half a second for reviews whose ratings take two', async () => {
  const slowRatings = virtualService('ratings', `fault: { delay: { percentage: { value: 100 }, fixedDelay: 2s } }, ${to('ratings', 'v1')}`);
  await apply('routing.yaml', virtualService('reviews', to('reviews', 'v2')) + slowRatings);
  expect((await page()).body).not.toContain(SORRY);
  await apply('routing.yaml', virtualService('reviews', `${to('reviews', 'v2')}, timeout: 500ms`) + slowRatings);
  expect((await page()).body).toContain(SORRY);
  expect(await metric(/^istio_requests_total\{.*reviews.*response_code="504",response_flags="UT"\}/)).toBeGreaterThan(0);
}, 60_000);

test('circuit breaking: one connection, one that waits, and eighteen who are refused', async () => {
  const limits = 'tcp: { maxConnections: 1 }, http: { http1MaxPendingRequests: 1, maxRequestsPerConnection: 1 }';
  await apply('circuit-breaker.yaml', document('DestinationRule', 'slow', `host: slow, trafficPolicy: { connectionPool: { ${limits} } }`));
  const refused: Answer[] = [];
  const askSlow = async (): Promise<number> => {
    const answer = await ask(serin.address('mesh'), { headers: { host: 'slow' } });
    if (answer.status === 503) refused.push(answer);
    return answer.status;
  };
  // As in Envoy, the first waits, too, until its connection is made: the others come after that.
  const asked = [askSlow()];
  await expect.poll(() => waiting).toBe(1);
  asked.push(...Array.from({ length: 19 }, askSlow));
  await expect.poll(() => refused.length).toBe(18);
  expect(refused.map(({ headers }) => headers['x-envoy-overloaded'])).toEqual(Array.from({ length: 18 }, () => 'true'));
  expect(waiting).toBe(1);
  letGo();
  // The one that waited has a connection of its own now: the first may carry no more than one request.
  await expect.poll(() => waiting).toBe(2);
  letGo();
  expect((await Promise.all(asked)).filter((status) => status === 200)).toHaveLength(2);
  expect(await metric(/^istio_requests_total\{.*slow.*response_flags="UO"\}/)).toBe(18);
});

test('mirroring: v1 answers, v2 gets a copy of everything, then of half', async () => {
  const mirrored = (rest: string): string =>
    virtualService('httpbin', `${to('httpbin', 'v1')}, mirror: { host: httpbin, subset: v2 }${rest}`);
  const headers = { host: 'httpbin' };
  await apply('mirror.yaml', mirrored(''));
  const before = httpbin[1].requests();
  expect(await tally(serin.address('mesh'), 20, { headers })).toEqual({ v1: 20 });
  await expect.poll(() => httpbin[1].requests() - before).toBe(20);
  await apply('mirror.yaml', mirrored(', mirrorPercentage: { value: 50 }'));
  const between = await metric(/^serin_mirrored_requests_total\{.*httpbin/);
  expect(await tally(serin.address('mesh'), 100, { headers })).toEqual({ v1: 100 });
  // Five standard deviations; all the copies have been answered when the metric says so.
  await expect
    .poll(async () => Math.abs((await metric(/^serin_mirrored_requests_total\{.*httpbin/)) - between - 50))
    .toBeLessThanOrEqual(25);
});

test('ingress gateways: by host and path, and nothing else', async () => {
  const route = 'route: [{ destination: { host: httpbin, subset: v1, port: { number: 8000 } } }]';
  await apply(
    'ingress.yaml',
    document(
      'Gateway',
      'httpbin',
      'selector: { istio: ingressgateway }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: [httpbin.example.com] }]',
    ) +
      document(
        'VirtualService',
        'ingress',
        `hosts: [httpbin.example.com], gateways: [httpbin], http: [{ match: [{ uri: { prefix: /status } }, { uri: { prefix: /delay } }], ${route} }]`,
      ),
  );
  const at = async (path: string, host = 'httpbin.example.com'): Promise<string> => {
    const { status, body } = await ask(serin.address('80'), { path, headers: { host } });
    return status === 200 ? body : String(status);
  };
  expect([await at('/status/200'), await at('/delay/5'), await at('/headers'), await at('/status/200', 'other.example.com')]).toEqual([
    'v1',
    'v1',
    '404',
    '404',
  ]);
});

test('egress: a service outside is there once a ServiceEntry says so, and obeys rules', async () => {
  const HOST = 'edition.example.org';
  const outside = (host: string): Promise<Answer> => ask(serin.address('mesh'), { path: `http://${host}/`, headers: { host } });
  expect((await outside(HOST)).status).toBe(404);
  const entry = document(
    'ServiceEntry',
    'edition',
    `hosts: [${HOST}], location: MESH_EXTERNAL, ports: [{ number: 80, name: http, protocol: HTTP }], resolution: DNS, endpoints: [{ address: localhost, ports: { http: ${slowPort} } }]`,
  );
  await apply('egress.yaml', entry + virtualService(HOST, `timeout: 300ms, route: [{ destination: { host: ${HOST} } }]`));
  expect((await outside(HOST)).status).toBe(504);
  await apply('egress.yaml', entry.replace(`http: ${slowPort}`, `http: ${httpbin[0].port}`));
  const answer = await outside(HOST);
  expect([answer.status, answer.body]).toEqual([200, 'v1']);
});

test('TLS: plain requests are sent to https, where the page is', async () => {
  await apply(
    'secure-routes.yaml',
    document(
      'VirtualService',
      'secure',
      'hosts: [bookinfo.example.com], gateways: [secure], http: [{ route: [{ destination: { host: productpage } }] }]',
    ),
  );
  const plain = await ask(serin.address('8080'), { path: '/productpage?x=1', headers: { host: 'bookinfo.example.com' } });
  expect([plain.status, plain.headers.location]).toEqual([301, 'https://bookinfo.example.com/productpage?x=1']);
  const { host, port } = serin.address('443');
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const options = {
      host,
      port,
      path: '/productpage',
      ca: ca.cert,
      servername: 'bookinfo.example.com',
      headers: { host: 'bookinfo.example.com' },
      agent: false,
    };
    httpsRequest(options, (response) => resolve(response.resume().statusCode))
      .on('error', reject)
      .end();
  });
  expect(status).toBe(200);
});
