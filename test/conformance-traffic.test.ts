/**
 * What the conformance suite of the Gateway API asks of connections: TLS that ends here or is passed on, WebSockets, listeners that come and go.
 * Requests over HTTP alone are in `test/contract/`, statuses in `conformance.test.ts`. The groups have the names of the suite's tests.
 */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { connect, createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { CredentialStore } from '../src/app/credentials.ts';
import { silentLogger } from '../src/app/logger.ts';
import { systemClock } from '../src/base/clock.ts';
import { loadText } from '../src/config/load.ts';
import { createProxy } from '../src/proxy/proxy.ts';
import { compile } from '../src/routing/compile.ts';
import { gateway, httpRoute, on, PASS, secret } from './helpers/attached.ts';
import { authority, type Issued } from './helpers/certificates.ts';
import { ask, listen, startUpstream, type Upstream } from './helpers/upstream.ts';

/** Requests whose share is measured. */
const ASKED = 400;

let ca: string;
let own: Issued;
let backends: readonly Upstream[];
let passed: readonly { readonly server: TlsServer; readonly port: number }[];

beforeAll(async () => {
  const issuer = await authority();
  ca = issuer.cert;
  own = await issuer.issue(['gateway.test']);
  backends = await Promise.all([startUpstream('v1'), startUpstream('v2'), startUpstream('v3')]);
  passed = await Promise.all(['tls1', 'tls2'].map((name) => startTls(name, issuer.issue([name]))));
});

afterAll(async () => {
  for (const backend of backends) await backend.close();
  for (const { server } of passed) server.close();
});

/** Ends TLS itself, whatever name is asked for, and says who it is. */
async function startTls(name: string, issued: Promise<Issued>): Promise<{ readonly server: TlsServer; readonly port: number }> {
  const server = createTlsServer(await issued, (socket) => socket.on('error', () => undefined).end(name));
  return { server, port: await listen(server) };
}

/** A Service at one port of this machine. @param more Of its port: `, appProtocol: kubernetes.io/ws`. @param spec Further fields of the Service. */
function serviceAt(name: string, port: number, more = '', spec = ''): string {
  return `
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { ports: [{ name: first, port: 80${more} }]${spec} }
---${sliceOf(name, 1, port)}`;
}

function sliceOf(name: string, nth: number, port: number): string {
  return `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${name}-${nth}, labels: { kubernetes.io/service-name: ${name} } }
addressType: IPv4
ports: [{ name: first, port: ${port} }]
endpoints: [{ addresses: [127.0.0.1] }]
---`;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

function services(): string {
  return (
    secret('shop', `{ tls.crt: ${base64(own.cert)}, tls.key: ${base64(own.key)} }`) +
    backends.map(({ port }, index) => serviceAt(`v${index + 1}`, port)).join('') +
    passed.map(({ port }, index) => serviceAt(`tls${index + 1}`, port)).join('')
  );
}

const ENDS = ', tls: { certificateRefs: [{ name: shop }] }';
const to = (name: string): string => `backendRefs: [{ name: ${name}, port: 80 }]`;
const tlsRoute = (name: string, spec: string): string => httpRoute(name, spec).replace('kind: HTTPRoute', 'kind: TLSRoute');

interface Serving {
  /** The port of this machine where a listener of the table is: `443`. */
  readonly portOf: (listener: string) => number | undefined;
  readonly change: (yaml: string) => Promise<void>;
}

async function serve(yaml: string): Promise<Serving> {
  const errors: unknown[] = [];
  const proxy = createProxy({ workers: 0, onInternalError: (error) => errors.push(error) });
  const store = new CredentialStore({ clock: systemClock, logger: silentLogger(), onChange: () => undefined });
  onTestFinished(async () => {
    store.close();
    await proxy.close();
    expect(errors).toEqual([]);
  });
  let bound: Awaited<ReturnType<typeof proxy.apply>> = [];
  const portOf = (listener: string): number | undefined => bound.find((each) => each.listener === listener)?.port;
  const change = async (text: string): Promise<void> => {
    const { snapshot, diagnostics } = loadText('conformance.yaml', services() + text);
    expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
    const { table } = compile(snapshot);
    const bindings = table.listeners.map(({ name }) => ({ listener: name, host: '127.0.0.1', port: 0 }));
    bound = await proxy.apply(table, bindings, store.read(table, snapshot));
  };
  await change(yaml);
  return { portOf, change };
}

interface HttpsAnswer {
  readonly status: number;
  readonly location: string | undefined;
  readonly body: string;
}

function askHttps(port: number | undefined, servername: string, host: string, path = '/'): Promise<HttpsAnswer> {
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port,
      servername,
      ca,
      agent: false,
      path,
      headers: { host },
      checkServerIdentity: () => undefined,
    };
    const asking = request(options, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (piece: string) => (body += piece));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, location: response.headers.location, body }));
    });
    asking.on('error', reject).end();
  });
}

/** Who ends the TLS of a connection; undefined: it was closed before anybody did. */
async function whoEnds(port: number | undefined, servername: string): Promise<string | undefined> {
  const socket = connect({ host: '127.0.0.1', port: port ?? 0, servername, ca, checkServerIdentity: () => undefined });
  onTestFinished(() => void socket.destroy());
  try {
    await once(socket, 'secureConnect');
  } catch {
    return undefined;
  }
  return String(socket.getPeerCertificate().subject.CN);
}

const answered = async (asked: Promise<HttpsAnswer>): Promise<string> => {
  const { status, body } = await asked;
  return status === 200 ? body : String(status);
};

describe('HTTPRouteHTTPSListener', () => {
  test.each([
    ['example.org', 'example.org', 'v1'],
    ['second-example.org', 'second-example.org', 'v2'],
    ['unknown-example.org', 'unknown-example.org', '404'],
  ])('connected to %s, asked for %s', async (servername, host, wanted) => {
    const { portOf } = await serve(
      gateway('gw', [on('https', 443, 'HTTPS', undefined, ENDS), on('named', 443, 'HTTPS', 'second-example.org', ENDS)]) +
        httpRoute('one', `{ parentRefs: [{ name: gw }], hostnames: [example.org], rules: [{ ${to('v1')} }] }`) +
        httpRoute('two', `{ parentRefs: [{ name: gw, sectionName: named }], rules: [{ ${to('v2')} }] }`),
    );
    expect(await answered(askHttps(portOf('443'), servername, host))).toBe(wanted);
  });
});

describe('HTTPRouteHTTPSListenerDetectMisdirectedRequests', () => {
  test.each([
    ['example.org', 'example.org', 'v1'],
    ['example.org', 'second-example.org', '421'],
    ['example.org', 'unknown-example.org', '404'],
    ['second-example.org', 'second-example.org', 'v2'],
    ['second-example.org', 'example.org', '421'],
    ['second-example.org', 'unknown-example.org', '421'],
    ['third-example.wildcard.org', 'third-example.wildcard.org', 'v3'],
    ['third-example.wildcard.org', 'fifth-example.wildcard.org', 'v3'],
    ['third-example.wildcard.org', 'fourth-example.wildcard.org', '421'],
    ['third-example.wildcard.org', 'second-example.org', '421'],
    ['third-example.wildcard.org', 'unknown-example.org', '421'],
    ['fourth-example.wildcard.org', 'fourth-example.wildcard.org', 'v1'],
    ['fourth-example.wildcard.org', 'fifth-example.wildcard.org', '421'],
    ['unknown-example.org', 'example.org', 'v1'],
    ['unknown-example.org', 'unknown-example.org', '404'],
  ])('connected to %s, asked for %s', async (servername, host, wanted) => {
    const hostnames = [undefined, 'second-example.org', '*.wildcard.org', 'fourth-example.wildcard.org'];
    const routes = ['v1', 'v2', 'v3', 'v1'].map((backend, index) => {
      const stated = index === 0 ? ', hostnames: [example.org]' : '';
      return httpRoute(`r${index}`, `{ parentRefs: [{ name: gw, sectionName: l${index} }]${stated}, rules: [{ ${to(backend)} }] }`);
    });
    const listeners = hostnames.map((hostname, index) => on(`l${index}`, 443, 'HTTPS', hostname, ENDS));
    const { portOf } = await serve(gateway('gw', listeners) + routes.join(''));
    expect(await answered(askHttps(portOf('443'), servername, host))).toBe(wanted);
  });
});

test.each([
  ['', 'https://example.org/x'],
  ['port: 443', 'https://example.org/x'],
  ['port: 8443', 'https://example.org:8443/x'],
  ['scheme: http', 'http://example.org/x'],
  ['scheme: http, port: 80', 'http://example.org/x'],
  ['scheme: http, port: 8080', 'http://example.org:8080/x'],
])('HTTPRouteRedirectPortAndScheme on a listener for HTTPS: {%s}', async (stated, wanted) => {
  const filter = `filters: [{ type: RequestRedirect, requestRedirect: { hostname: example.org, ${stated} } }]`;
  const { portOf } = await serve(
    gateway('gw', [on('https', 443, 'HTTPS', undefined, ENDS)]) +
      httpRoute('r', `{ parentRefs: [{ name: gw }], rules: [{ ${filter.replace(', }', ' }')} }] }`),
  );
  expect(await askHttps(portOf('443'), 'example.org', 'example.org', '/x')).toMatchObject({ status: 302, location: wanted });
});

test('HTTPRouteBackendProtocolWebSocket: texts and bytes come back', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => server.close());
  server.on('connection', (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })));
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const { portOf } = await serve(
    serviceAt('echo', address.port, ', appProtocol: kubernetes.io/ws') +
      gateway('gw', [on('http', 80, 'HTTP')]) +
      httpRoute('r', `{ parentRefs: [{ name: gw }], rules: [{ matches: [{ path: { value: /ws } }], ${to('echo')} }] }`),
  );
  const socket = new WebSocket(`ws://127.0.0.1:${portOf('80')}/ws`);
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  for (const sent of ['Hello', Buffer.from([1, 2, 3])]) {
    socket.send(sent);
    const [data, isBinary] = await once(socket, 'message');
    expect([String(data), isBinary]).toEqual([String(sent), typeof sent !== 'string']);
  }
});

test.each([
  ['other.example.com', 'gateway.test'],
  ['abc.example.com', 'tls1'],
])('GatewayHTTPSAndTLSPassthroughSamePort: the TLS of %s ends at %s', async (servername, wanted) => {
  const { portOf } = await serve(
    gateway('gw', [on('ends', 443, 'HTTPS', '*.example.com', ENDS), on('passes', 443, 'TLS', 'abc.example.com', PASS)]) +
      httpRoute('r', `{ parentRefs: [{ name: gw, sectionName: ends }], rules: [{ ${to('v1')} }] }`) +
      tlsRoute('t', `{ parentRefs: [{ name: gw, sectionName: passes }], hostnames: [abc.example.com], rules: [{ ${to('tls1')} }] }`),
  );
  expect(await whoEnds(portOf('443'), servername)).toBe(wanted);
});

describe('TLSRouteHostnameIntersection', () => {
  test.each<readonly [string | undefined, readonly string[], string, string | undefined]>([
    ['abc.example.com', ['*.example.com'], 'abc.example.com', 'tls1'],
    ['abc.example.com', ['*.example.com'], 'non.matching.com', undefined],
    ['*.example.com', ['abc.example.com', '*.com'], 'abc.example.com', 'tls1'],
    ['*.example.com', ['abc.example.com', '*.com'], 'other.example.com', 'tls2'],
    ['*.example.com', ['abc.example.com', '*.com'], 'non.matching.com', undefined],
    ['*.com', ['abc.example.com', '*.example.com'], 'abc.example.com', 'tls1'],
    ['*.com', ['abc.example.com', '*.example.com'], 'other.example.com', 'tls2'],
    ['*.com', ['abc.example.com', '*.example.com'], 'non.matching.com', undefined],
    [undefined, ['abc.example.com', '*.com'], 'abc.example.com', 'tls1'],
    [undefined, ['abc.example.com', '*.com'], 'other.example.com', 'tls2'],
    [undefined, ['abc.example.com', '*.com'], 'non.matching.org', undefined],
  ])('a listener for %s and routes for %j: %s', async (hostname, routes, servername, wanted) => {
    const { portOf } = await serve(
      gateway('gw', [on('tls', 443, 'TLS', hostname, PASS)]) +
        routes
          .map((host, index) =>
            tlsRoute(`r${index}`, `{ parentRefs: [{ name: gw }], hostnames: ['${host}'], rules: [{ ${to(`tls${index + 1}`)} }] }`),
          )
          .join(''),
    );
    expect(await whoEnds(portOf('443'), servername)).toBe(wanted);
  });
});

test.each([
  ['abc.example.com', '*.example.com', 'abc.example.com'],
  ['abc.example.com', '*.com', '*.example.com'],
])('TLSRouteMultipleRoutesAttachmentSameHostnameIntersection: of %s and %s', async (asked, older, younger) => {
  const route = (name: string, host: string, day: number, backend: string): string =>
    tlsRoute(name, `{ parentRefs: [{ name: gw }], hostnames: ['${host}'], rules: [{ ${to(backend)} }] }`).replace(
      'namespace: default',
      `namespace: default, creationTimestamp: '2026-01-0${day}T00:00:00Z'`,
    );
  const { portOf } = await serve(
    gateway('gw', [on('tls', 443, 'TLS', undefined, PASS)]) + route('old', older, 1, 'tls1') + route('young', younger, 2, 'tls2'),
  );
  expect(await whoEnds(portOf('443'), asked)).toBe('tls2');
});

test.each([
  ['ends.example.com', 'gateway.test', 'plain'],
  ['passes.example.com', 'tls1', 'tls1'],
])('TLSRouteMixedTerminationSameNamespace: the TLS of %s ends at %s', async (servername, ender, sayer) => {
  const plain = createServer((socket) => void socket.on('error', () => undefined).end('plain'));
  const port = await listen(plain);
  onTestFinished(() => void plain.close());
  const { portOf } = await serve(
    serviceAt('plain', port) +
      gateway('gw', [on('ends', 443, 'TLS', 'ends.example.com', ENDS), on('passes', 443, 'TLS', 'passes.example.com', PASS)]) +
      tlsRoute('e', `{ parentRefs: [{ name: gw, sectionName: ends }], hostnames: [ends.example.com], rules: [{ ${to('plain')} }] }`) +
      tlsRoute('p', `{ parentRefs: [{ name: gw, sectionName: passes }], hostnames: [passes.example.com], rules: [{ ${to('tls1')} }] }`),
  );
  const socket = connect({ host: '127.0.0.1', port: portOf('443') ?? 0, servername, ca, checkServerIdentity: () => undefined });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'secureConnect');
  expect(socket.getPeerCertificate().subject.CN).toBe(ender);
  expect(await text(socket)).toBe(sayer);
});

/** Asks port 80 of the Gateway. */
async function askHttp({ portOf }: Serving, path: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  const { status, body } = await ask({ host: '127.0.0.1', port: portOf('80') ?? 0 }, { path, headers });
  return status === 200 ? body : String(status);
}

const matching = (path: string): string => `matches: [{ path: { value: ${path} } }]`;

test('HTTPRouteServiceTypes: headless or not, with and without a selector, in one slice or several', async () => {
  const [one = 0, two = 0] = backends.map(({ port }) => port);
  const types = { manual: '', headless: ', clusterIP: None', selected: ', clusterIP: None, selector: { app: v1 }' };
  const declared = Object.entries(types).map(([name, spec]) => serviceAt(name, one, '', spec));
  const names = [...Object.keys(types), 'sliced'];
  const serving = await serve(
    declared.join('') +
      serviceAt('sliced', one, '', ', clusterIP: None') +
      sliceOf('sliced', 2, two) +
      gateway('gw', [on('http', 80, 'HTTP')]) +
      httpRoute(
        'r',
        `{ parentRefs: [{ name: gw }], rules: [${names.map((name) => `{ ${matching(`/${name}`)}, ${to(name)} }`).join(', ')}] }`,
      ),
  );
  for (const name of Object.keys(types)) expect([name, await askHttp(serving, `/${name}`)]).toEqual([name, 'v1']);
  const answers = await Promise.all(Array.from({ length: 60 }, () => askHttp(serving, '/sliced')));
  expect([...new Set(answers)].toSorted()).toEqual(['v1', 'v2']);
});

test('HTTPRouteRetryConnectionError: of two endpoints only the one that is there answers', async () => {
  const serving = await serve(
    serviceAt('half', backends[0]?.port ?? 0) +
      // Reserved for tcpmux, which nobody runs: connections are refused.
      sliceOf('half', 2, 1) +
      gateway('gw', [on('http', 80, 'HTTP')]) +
      httpRoute('r', `{ parentRefs: [{ name: gw }], rules: [{ retry: { attempts: 100 }, ${to('half')} }] }`),
  );
  const answers = await Promise.all(Array.from({ length: 40 }, () => askHttp(serving, '/')));
  expect(new Set(answers)).toEqual(new Set(['v1']));
});

test('HTTPRouteRequestHeaderModifierBackendWeights: each backend gets the headers that are for it', async () => {
  const echoes = await Promise.all(
    ['e1', 'e2', 'e3'].map(async (name) => {
      const server = createHttpServer((asked, response) => void response.end(`${name} ${String(asked.headers['backend'])}`));
      onTestFinished(() => void server.close());
      return serviceAt(name, await listen(server));
    }),
  );
  const references = ['e1', 'e2', 'e3'].map((name) => {
    const modifier = `{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: Backend, value: ${name} }] } }`;
    return `{ name: ${name}, port: 80, weight: 1, filters: [${modifier}] }`;
  });
  const serving = await serve(
    echoes.join('') +
      gateway('gw', [on('http', 80, 'HTTP')]) +
      httpRoute('r', `{ parentRefs: [{ name: gw }], rules: [{ backendRefs: [${references.join(', ')}] }] }`),
  );
  const answers = await Promise.all(Array.from({ length: 100 }, () => askHttp(serving, '/')));
  // Of 100 draws one of three is left out less than once in 10^17.
  expect([...new Set(answers)].toSorted()).toEqual(['e1 e1', 'e2 e2', 'e3 e3']);
});

describe('HTTPRouteRequestPercentageMirror', () => {
  const mirror = (to_: string, share: string): string =>
    `{ type: RequestMirror, requestMirror: { backendRef: { name: ${to_}, port: 80 }, ${share} } }`;

  test.each<readonly [string, string, readonly number[]]>([
    ['a percentage', mirror('v2', 'percent: 20'), [0.2, 0]],
    ['a fraction', mirror('v2', 'fraction: { numerator: 25, denominator: 50 }'), [0.5, 0]],
    ['two of them', `${mirror('v2', 'percent: 35')}, ${mirror('v3', 'percent: 50')}`, [0.35, 0.5]],
  ])('%s', async (_what, filters, shares) => {
    const serving = await serve(
      gateway('gw', [on('http', 80, 'HTTP')]) +
        httpRoute('r', `{ parentRefs: [{ name: gw }], rules: [{ filters: [${filters}], ${to('v1')} }] }`),
    );
    const before = backends.map((backend) => backend.requests());
    const copies = (index: number): number => (backends[index + 1]?.requests() ?? 0) - (before[index + 1] ?? 0);
    for (let done = 0; done < ASKED; done += 10) {
      const answers = await Promise.all(Array.from({ length: 10 }, () => askHttp(serving, '/')));
      expect(new Set(answers)).toEqual(new Set(['v1']));
    }
    for (const [index, share] of shares.entries()) {
      // Beyond five standard deviations once in more than a million runs.
      const slack = 5 * Math.sqrt((share * (1 - share)) / ASKED);
      await expect.poll(() => Math.abs(copies(index) / ASKED - share)).toBeLessThanOrEqual(slack);
    }
  });
});

describe('GatewayModifyListeners', () => {
  const SECURE = on('https', 443, 'HTTPS', 'secure.test.com', ENDS);
  const DATA = on('http', 80, 'HTTP', 'data.test.com');
  const ROUTE = httpRoute('r', `{ parentRefs: [{ name: gw }], rules: [{ ${to('v1')} }] }`);
  const over = async (port = 0): Promise<string> => (await ask({ host: '127.0.0.1', port }, { headers: { host: 'data.test.com' } })).body;

  test('a listener that is added serves, and the one that was there goes on', async () => {
    const { portOf, change } = await serve(gateway('gw', [SECURE]) + ROUTE);
    expect(portOf('80')).toBeUndefined();
    await change(gateway('gw', [SECURE, DATA]) + ROUTE);
    expect(await over(portOf('80'))).toBe('v1');
    expect(await answered(askHttps(portOf('443'), 'secure.test.com', 'secure.test.com'))).toBe('v1');
  });

  test('a listener that is removed serves no longer, and the other goes on', async () => {
    const { portOf, change } = await serve(gateway('gw', [SECURE, DATA]) + ROUTE);
    const before = portOf('443');
    expect(await answered(askHttps(before, 'secure.test.com', 'secure.test.com'))).toBe('v1');
    await change(gateway('gw', [DATA]) + ROUTE);
    expect(await whoEnds(before, 'secure.test.com')).toBeUndefined();
    expect(await over(portOf('80'))).toBe('v1');
  });
});
