/**
 * What the conformance suite of the Gateway API asks of backends that speak TLS, and of sessions of calls: statuses, and requests to real servers. Cases have the
 * name of the suite's test; docs/conformance.md names them.
 */
import { once } from 'node:events';
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { CredentialStore } from '../src/app/credentials.ts';
import { silentLogger } from '../src/app/logger.ts';
import { systemClock } from '../src/base/clock.ts';
import { loadText } from '../src/config/load.ts';
import { createProxy } from '../src/proxy/proxy.ts';
import { compile } from '../src/routing/compile.ts';
import { connectClient, type Answer, type Client, type Protocol } from './contract/clients.ts';
import { CALL, grpcRoute, kubernetesGateway, parseField, refs } from './contract/contract.ts';
import { servicesYaml } from './contract/services.ts';
import { startVersions, type Versions } from './contract/versions.ts';
import { attached, configMap, gateway, https, httpRoute, on, type Said, secret } from './helpers/attached.ts';
import { authority, type Authority, type Issued } from './helpers/certificates.ts';

let ca: Authority;
let stranger: Authority;
let own: Issued;
let versions: Versions;
let backendPort: number;
let closeBackend: () => void;

beforeAll(async () => {
  [ca, stranger, versions] = await Promise.all([authority(), authority('another CA'), startVersions()]);
  own = await ca.issue(['abc.example.com', 'spiffe://abc.example.com/test-identity', 'contract.test']);
  ({ port: backendPort, close: closeBackend } = await startBackend(own));
});

afterAll(async () => {
  closeBackend();
  await versions.close();
});

/** Answers over TLS, in HTTP/1.1 and HTTP/2, with the server name it was asked for. */
async function startBackend({ cert, key }: Issued): Promise<{ readonly port: number; readonly close: () => void }> {
  const sockets = new Set<TLSSocket>();
  const server = createSecureServer({ cert, key, allowHTTP1: true }, (request: Http2ServerRequest, response: Http2ServerResponse) => {
    const socket = (request.httpVersion === '2.0' ? request.stream.session?.socket : request.socket) as TLSSocket & { servername?: string };
    response.setHeader('x-server-name', socket.servername ?? '');
    if (request.headers['content-type'] === 'application/grpc') {
      response.setHeader('content-type', 'application/grpc');
      response.addTrailers({ 'grpc-status': '0' });
    }
    request.resume();
    response.end('hello');
  });
  server.on('secureConnection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { port: (server.address() as AddressInfo).port, close };
}

/** Serves a configuration. @returns Connects a client to a listener, by its port. */
async function serve(yaml: string): Promise<(listener: number, protocol: Protocol) => Promise<Client>> {
  const { snapshot, diagnostics } = loadText('conformance.yaml', yaml);
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  const { table } = compile(snapshot, {});
  const store = new CredentialStore({ clock: systemClock, logger: silentLogger(), onChange: () => undefined });
  const proxy = createProxy({ workers: 0, onInternalError: (error) => expect.unreachable(String(error)) });
  onTestFinished(async () => {
    await proxy.close();
    store.close();
  });
  const bindings = table.listeners.map(({ name }) => ({ listener: name, host: '127.0.0.1', port: 0 }));
  const bound = await proxy.apply(table, bindings, store.read(table, snapshot));
  return async (listener, protocol) => {
    const client = await connectClient(protocol, bound.find((each) => each.listener === String(listener))?.port ?? 0, ca.cert);
    onTestFinished(() => client.close());
    return client;
  };
}

const fieldOf = ({ list }: Answer, name: string): string | undefined => list[list.findIndex((each) => each.toLowerCase() === name) + 1];

const grpcCall = (client: Client, target: string, headers: readonly string[] = []): Promise<Answer> =>
  client.ask({
    method: 'POST',
    authority: 'abc.example.com',
    target,
    headers: [...CALL.with, ...headers].map(parseField),
    body: CALL.body,
  });

/** A Service whose two ports, `https-1` (443) and `https-2` (8443), are the backend's. */
const service = (name: string): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default }
spec: { ports: [{ name: https-1, port: 443 }, { name: https-2, port: 8443 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${name}-1, namespace: default, labels: { kubernetes.io/service-name: ${name} } }
addressType: IPv4
ports: [{ name: https-1, port: ${backendPort} }, { name: https-2, port: ${backendPort} }]
endpoints: [{ addresses: [127.0.0.1] }]
---`;

const policy = (name: string, validation: string, { section = '', generation = 1 } = {}): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: { name: ${name}, namespace: default, generation: ${generation} }
spec:
  targetRefs: [{ group: '', kind: Service, name: secure${section === '' ? '' : `, sectionName: ${section}`} }]
  validation: { ${validation} }
---`;

const TRUSTING = (name: string, kind = 'ConfigMap'): string => `caCertificateRefs: [{ group: '', kind: ${kind}, name: ${name} }]`;
const VALID = `hostname: abc.example.com, ${TRUSTING('trusted')}`;
const WRONG = `hostname: other.example.com, ${TRUSTING('trusted')}`;
const names = (...list: readonly string[]): string => `${WRONG}, subjectAltNames: [${list.map((each) => `{ ${each} }`).join(', ')}]`;
const DNS = 'type: Hostname, hostname: abc.example.com';
const DNS_MISMATCH = 'type: Hostname, hostname: mismatch.example.com';
const URI = 'type: URI, uri: "spiffe://abc.example.com/test-identity"';
const URI_MISMATCH = 'type: URI, uri: "spiffe://mismatch.example.com/test-identity"';

const RULES =
  '[{ matches: [{ path: { value: /second } }], backendRefs: [{ name: secure, port: 8443 }] }, { backendRefs: [{ name: secure, port: 443 }] }]';
const ROUTE = httpRoute('route', `{ parentRefs: [{ name: front }], rules: ${RULES} }`);
const CAS = (): string =>
  configMap('trusted', 'ca.crt', ca.cert) + configMap('strange', 'ca.crt', stranger.cert) + configMap('junk', 'ca.crt', 'junk');
const HTTP = (): string => gateway('front', [on('http', 80, 'HTTP')]) + service('secure') + ROUTE + CAS();

const GOOD: Said = { Accepted: 'True Accepted', ResolvedRefs: 'True ResolvedRefs' };
const CONFLICTED: Said = { Accepted: 'False Conflicted' };
const INVALID = (reason: string): Said => ({ Accepted: 'False NoValidCACertificate', ResolvedRefs: `False ${reason}` });
const FIRST = 'BackendTLSPolicy default/a 0';
const SECOND = 'BackendTLSPolicy default/b 0';

interface TlsCase {
  /** `ShortName` of the suite's test, and which of its cases. */
  readonly name: string;
  readonly policies: string;
  readonly said: Readonly<Record<string, Said>>;
  /** What `/` and `/second`, the ports 443 and 8443, are answered with: the server name the backend was asked for, or a status. */
  readonly gets: readonly [first: string | number, second: string | number];
}

const both = (what: string | number): readonly [string | number, string | number] => [what, what];

const CASES: readonly TlsCase[] = [
  { name: 'BackendTLSPolicy', policies: policy('a', VALID), said: { [FIRST]: GOOD }, gets: both('abc.example.com') },
  { name: 'BackendTLSPolicy, hostname mismatch', policies: policy('a', WRONG), said: { [FIRST]: GOOD }, gets: both(503) },
  {
    name: 'BackendTLSPolicy, certificate mismatch',
    policies: policy('a', `hostname: abc.example.com, ${TRUSTING('strange')}`),
    said: { [FIRST]: GOOD },
    gets: both(503),
  },
  {
    name: 'BackendTLSPolicySANValidation, DNS',
    policies: policy('a', names(DNS)),
    said: { [FIRST]: GOOD },
    gets: both('other.example.com'),
  },
  {
    name: 'BackendTLSPolicySANValidation, DNS mismatch',
    policies: policy('a', names(DNS_MISMATCH)),
    said: { [FIRST]: GOOD },
    gets: both(503),
  },
  {
    name: 'BackendTLSPolicySANValidation, URI',
    policies: policy('a', names(URI)),
    said: { [FIRST]: GOOD },
    gets: both('other.example.com'),
  },
  {
    name: 'BackendTLSPolicySANValidation, URI mismatch',
    policies: policy('a', names(URI_MISMATCH)),
    said: { [FIRST]: GOOD },
    gets: both(503),
  },
  {
    name: 'BackendTLSPolicySANValidation, several',
    policies: policy('a', names(DNS_MISMATCH, URI)),
    said: { [FIRST]: GOOD },
    gets: both('other.example.com'),
  },
  {
    name: 'BackendTLSPolicySANValidation, several mismatches',
    policies: policy('a', names(DNS_MISMATCH, URI_MISMATCH)),
    said: { [FIRST]: GOOD },
    gets: both(503),
  },
  {
    name: 'BackendTLSPolicyInvalidCACertificateRef, not there',
    policies: policy('a', `hostname: abc.example.com, ${TRUSTING('none')}`),
    said: { [FIRST]: INVALID('InvalidCACertificateRef') },
    gets: both(500),
  },
  {
    name: 'BackendTLSPolicyInvalidCACertificateRef, malformed',
    policies: policy('a', `hostname: abc.example.com, ${TRUSTING('junk')}`),
    said: { [FIRST]: INVALID('InvalidCACertificateRef') },
    gets: both(500),
  },
  {
    name: 'BackendTLSPolicyInvalidKind',
    policies: policy('a', `hostname: abc.example.com, ${TRUSTING('trusted', 'Service')}`),
    said: { [FIRST]: INVALID('InvalidKind') },
    gets: both(500),
  },
  {
    name: 'BackendTLSPolicyConflictResolution, without a section',
    policies: policy('b', WRONG) + policy('a', VALID),
    said: { [FIRST]: GOOD, [SECOND]: CONFLICTED },
    gets: both('abc.example.com'),
  },
  {
    name: 'BackendTLSPolicyConflictResolution, of one section',
    policies:
      policy('b', WRONG, { section: 'https-2' }) + policy('a', VALID, { section: 'https-2' }) + policy('c', VALID, { section: 'https-1' }),
    said: { [FIRST]: GOOD, [SECOND]: CONFLICTED },
    gets: both('abc.example.com'),
  },
  {
    name: 'BackendTLSPolicyConflictResolution, with a section and without',
    policies: policy('a', VALID) + policy('b', names(DNS), { section: 'https-2' }),
    said: { [FIRST]: GOOD, [SECOND]: GOOD },
    gets: ['abc.example.com', 'other.example.com'],
  },
];

describe('backends of HTTPRoutes that speak TLS', () => {
  test.each(CASES.map((each) => [each.name, each] as const))('%s', async (_name, { policies, said, gets }) => {
    const yaml = HTTP() + policies;
    expect(attached(yaml).said).toMatchObject(said);
    const client = await (await serve(yaml))(80, 'HTTP/1.1');
    const answers = await Promise.all(
      ['/', '/second'].map((target) => client.ask({ method: 'GET', authority: 'abc.example.com', target, headers: [] })),
    );
    expect(answers.map((answer) => (answer.status === 200 ? fieldOf(answer, 'x-server-name') : answer.status))).toEqual(gets);
  });
});

describe('what a Gateway has decrypted', () => {
  const pem = (text: string): string => Buffer.from(text).toString('base64');
  const decrypting = (listener: string, route: string): string =>
    gateway('front', [listener]) +
    secret('shop', `{ tls.crt: ${pem(own.cert)}, tls.key: ${pem(own.key)} }`) +
    service('secure') +
    CAS() +
    policy('a', VALID) +
    route;
  const TLS_ROUTE = `
apiVersion: gateway.networking.k8s.io/v1
kind: TLSRoute
metadata: { name: route, namespace: default }
spec: { parentRefs: [{ name: front }], hostnames: [contract.test], rules: [{ backendRefs: [{ name: secure, port: 443 }] }] }
---`;

  test.each([
    ['of an HTTPRoute', https('{ name: shop }'), ROUTE],
    ['of a TLSRoute', on('tls', 443, 'TLS', 'contract.test', ', tls: { mode: Terminate, certificateRefs: [{ name: shop }] }'), TLS_ROUTE],
  ])('%s is encrypted for the backend, under its own name', async (_what, listener, route) => {
    const yaml = decrypting(listener, route);
    expect(attached(yaml).said[FIRST]).toEqual(GOOD);
    const client = await (await serve(yaml))(443, 'HTTP/1.1 over TLS');
    const answer = await client.ask({ method: 'GET', authority: 'contract.test', target: '/', headers: [] });
    expect([answer.status, fieldOf(answer, 'x-server-name')]).toEqual([200, 'abc.example.com']);
  });
});

test.each([
  ['a valid policy', VALID, '0', 'abc.example.com'],
  ['another hostname', WRONG, '14', undefined],
  ['another CA', `hostname: abc.example.com, ${TRUSTING('strange')}`, '14', undefined],
])('calls of a GRPCRoute to a backend that speaks TLS: %s', async (_what, validation, status, serverName) => {
  const yaml =
    gateway('front', [on('http', 80, 'HTTP')]) +
    service('secure') +
    CAS() +
    policy('a', validation) +
    '\n' +
    grpcRoute('route', '', ['backendRefs: [{ name: secure, port: 443 }]']);
  expect(attached(yaml).said[FIRST]).toEqual(GOOD);
  const answer = await grpcCall(await (await serve(yaml))(80, 'HTTP/2 in plain text'), '/echo.Echo/Echo');
  expect([answer.status, fieldOf(answer, 'grpc-status')]).toEqual([200, status]);
  if (serverName !== undefined) expect(fieldOf(answer, 'x-server-name')).toBe(serverName);
});

test('an updated BackendTLSPolicy is accepted under its new generation', () => {
  const generations = [1, 2].map((generation) => {
    const { attachments } = attached(HTTP() + policy('a', generation === 1 ? WRONG : VALID, { generation }));
    const status = attachments.statuses.get('BackendTLSPolicy default/a');
    return status !== undefined && 'ancestors' in status
      ? status.ancestors.flatMap(({ conditions }) => conditions.map((each) => `${each.type} ${each.status} ${each.observedGeneration}`))
      : [];
  });
  expect(generations).toEqual([1, 2].map((generation) => [`Accepted True ${generation}`, `ResolvedRefs True ${generation}`]));
});

describe('sessions of calls', () => {
  const calls = (session: string): string =>
    servicesYaml(versions.ports) +
    kubernetesGateway() +
    grpcRoute('route', '', [`sessionPersistence: { ${session} }, ${refs({ v1: 1, v2: 1, v3: 1 })}`]);

  test('a GRPCRoute gives a cookie without an end, and calls that show it stay with one backend', async () => {
    const connect = await serve(calls('type: Cookie, cookie: { name: sticky }'));
    const first = await grpcCall(await connect(80, 'HTTP/2 in plain text'), '/echo.Echo/Echo');
    const cookie = fieldOf(first, 'set-cookie') ?? '';
    expect(cookie).toMatch(/^[^=]+=[^;]+;/);
    expect(cookie).not.toMatch(/expires|max-age/i);
    const [shown = ''] = cookie.split(';');
    for (let asked = 0; asked < 10; asked += 1) {
      const next = await grpcCall(await connect(80, 'HTTP/2 in plain text'), '/echo.Echo/Echo', [`cookie: ${shown}`]);
      expect([fieldOf(next, 'grpc-status'), fieldOf(next, 'x-who')]).toEqual(['0', fieldOf(first, 'x-who')]);
    }
  });

  test('a permanent cookie of a GRPCRoute says when it ends', async () => {
    const connect = await serve(calls('type: Cookie, absoluteTimeout: 1h, cookie: { lifetimeType: Permanent }'));
    const answer = await grpcCall(await connect(80, 'HTTP/2 in plain text'), '/echo.Echo/Echo');
    expect(fieldOf(answer, 'set-cookie')).toMatch(/; Max-Age=3600(?:;|$)/);
  });
});
