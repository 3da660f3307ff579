/** Kinds of the Gateway API as a user of the command line and of the admin API meets them, with a real daemon that carries real requests. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { askAdmin, type AdminAnswer } from '../helpers/admin-api.ts';
import { freePort } from '../helpers/free-port.ts';
import { replaceFile } from '../helpers/replace-file.ts';
import { serinHere } from '../helpers/serin-command.ts';
import { type Finished, serin, SerinProcess } from '../helpers/serin-process.ts';
import { startUpstream, type Upstream } from '../helpers/upstream.ts';

let directory = '';
let daemon: SerinProcess | undefined;
let upstream: Upstream;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'serin-gateway-api-'));
  mkdirSync(join(directory, 'config'));
  upstream = await startUpstream('v1');
});

afterEach(async () => {
  await daemon?.end();
  await upstream.close();
  rmSync(directory, { recursive: true, force: true });
});

const config = (): string => join(directory, 'config');
const state = (): string => join(directory, 'state');

function write(name: string, text: string): void {
  replaceFile(join(config(), name), text);
}

async function up(...more: readonly string[]): Promise<SerinProcess> {
  daemon = new SerinProcess(['up', '-f', config(), '--state', state(), '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0', ...more]);
  return daemon.ready();
}

const run = (...args: readonly string[]): Promise<Finished> => serinHere([...args, '--state', state()]);

async function object(...args: readonly string[]): Promise<unknown> {
  const { out, err } = await run(...args, '-o', 'json');
  return out === '' ? expect.fail(err) : JSON.parse(out);
}

function api(asked: Omit<Parameters<typeof askAdmin>[2], 'token'>): Promise<AdminAnswer> {
  return askAdmin(daemon ?? expect.fail('no daemon'), state(), asked);
}

const gateway = (name: string, port: number, more = ''): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: ${name} }
spec:
  gatewayClassName: serin
  listeners: [{ name: web, port: ${port}, protocol: HTTP }]
  ${more}
---`;

const istioGateway = (name: string, port: number): string => `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: ${name} }
spec: { servers: [{ port: { number: ${port}, name: http, protocol: HTTP }, hosts: ['*.example.org'] }] }
---`;

const service = (name: string): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { ports: [{ name: http, port: 80 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${name}-1, labels: { kubernetes.io/service-name: ${name} } }
addressType: IPv4
endpoints: [{ addresses: [127.0.0.1] }]
ports: [{ name: http, port: ${upstream.port} }]
---`;

const route = (name: string, parent: string, backend: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name} }
spec:
  parentRefs: [{ name: ${parent} }]
  rules: [{ backendRefs: [{ name: ${backend}, port: 80 }] }]
---`;

/** `200 text`. */
function answer(at: { readonly host: string; readonly port: number }): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ ...at, agent: false, headers: { host: 'shop.example.com' } }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve(`${response.statusCode} ${text}`));
    })
      .on('error', reject)
      .end();
  });
}

const Conditioned = z.object({
  status: z.object({
    parents: z.array(
      z.object({
        conditions: z.array(z.object({ type: z.string(), status: z.string(), reason: z.string(), lastTransitionTime: z.string() })),
      }),
    ),
  }),
});

/** By type. */
async function conditionsOf(
  name: string,
): Promise<Readonly<Record<string, { readonly reason: string; readonly lastTransitionTime: string }>>> {
  const { status } = Conditioned.parse(await object('get', 'httproute', name));
  return Object.fromEntries(status.parents.flatMap(({ conditions }) => conditions).map((condition) => [condition.type, condition]));
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(100);
}

test('gateways are those of both groups; one that both have is asked for with its group', async () => {
  write(
    'all.yaml',
    istioGateway('front', 80) +
      istioGateway('back', 81) +
      gateway('front', 8000) +
      service('reviews') +
      route('reviews', 'front', 'reviews'),
  );
  await up('--listen', '80=127.0.0.1:0', '--listen', '81=127.0.0.1:0', '--listen', '8000=127.0.0.1:0');
  const rows = (await run('get', 'gw')).out.split('\n').map((line) => line.split(/ {2,}/).slice(0, 3).join(' '));
  expect(rows).toEqual(['NAME CLASS PORTS', 'front - 80', 'back - 81', 'front serin 8000', '']);
  expect((await run('get', 'gateways.gateway.networking.k8s.io')).out.split('\n')).toHaveLength(3);
  expect((await run('get', 'gateway', 'back')).code).toBe(0);
  const both = await run('get', 'gateways', 'front');
  expect([both.code, both.err]).toEqual([6, expect.stringContaining('gateways.networking.istio.io or gateways.gateway.networking.k8s.io')]);
  const { host, port } = daemon?.address('8000') ?? expect.fail('no daemon');
  expect(await object('get', 'gateway.gateway.networking.k8s.io', 'front')).toMatchObject({
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name: 'front', generation: 1, annotations: { 'serin.dev/addresses': `8000=${host}:${port}` } },
    status: {
      addresses: [{ type: 'IPAddress', value: '127.0.0.1' }],
      conditions: [
        {
          type: 'Accepted',
          status: 'True',
          observedGeneration: 1,
          lastTransitionTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:]{8}Z$/),
        },
        { type: 'Programmed', status: 'True' },
      ],
      listeners: [{ name: 'web', attachedRoutes: 1 }],
    },
  });
  expect(await object('get', 'gateway.networking.istio.io', 'front')).toMatchObject({ apiVersion: 'networking.istio.io/v1' });
  expect(await object('get', 'gc', 'serin')).toMatchObject({
    kind: 'GatewayClass',
    spec: { controllerName: 'serin.dev/gateway-controller' },
    status: { conditions: [{ type: 'Accepted', status: 'True' }] },
  });
  expect((await run('get', 'gatewayclasses', '-A')).out).toMatch(
    /^NAME +CONTROLLER +ACCEPTED +AGE\nserin +serin\.dev\/gateway-controller +True/,
  );
  expect(await answer({ host, port })).toMatch(/^200 .*v1/s);
  expect((await run('explain', `http://${host}:${port}/`)).out).toMatch(
    /takes it: .*HTTPRoute default\/reviews spec\.rules\[0\], .*all\.yaml:\d+\)/,
  );
}, 60_000);

test('a condition keeps its time over reloads until its status changes, and `-w` tells of it', async () => {
  write('all.yaml', gateway('front', 8000) + service('reviews') + route('reviews', 'front', 'reviews'));
  const { err } = await up('--listen', '8000=127.0.0.1:0');
  expect(err).not.toContain('W_GATEWAY_API');
  const watching = new SerinProcess(['get', 'httproutes', '-w', '--state', state()]);
  try {
    await watching.printed(/^reviews .*True +True/m);
    const first = await conditionsOf('reviews');
    // Times are in whole seconds.
    await sleep(1100);
    write('all.yaml', gateway('front', 8000) + service('reviews') + route('reviews', 'front', 'gone'));
    await watching.printed(/^reviews .*True +False +BackendNotFound/m);
    const second = await conditionsOf('reviews');
    expect(second['ResolvedRefs']?.reason).toBe('BackendNotFound');
    expect(second['Accepted']?.lastTransitionTime).toBe(first['Accepted']?.lastTransitionTime);
    expect(second['ResolvedRefs']?.lastTransitionTime).not.toBe(first['ResolvedRefs']?.lastTransitionTime);
    expect(await answer(daemon?.address('8000') ?? expect.fail('no daemon'))).toMatch(/^500/);
    expect(daemon?.err).toMatch(/all\.yaml:\d+:\d+: warning: spec\.rules\[0\]\.backendRefs\[0\]: BackendNotFound/);
    // Another reason of the same status is no transition.
    write('all.yaml', gateway('front', 8000) + service('reviews') + route('reviews', 'front', 'reviews, namespace: other'));
    await until(async () => (await conditionsOf('reviews'))['ResolvedRefs']?.reason === 'RefNotPermitted');
    expect((await conditionsOf('reviews'))['ResolvedRefs']?.lastTransitionTime).toBe(second['ResolvedRefs']?.lastTransitionTime);
  } finally {
    await watching.end();
  }
}, 60_000);

describe('two Gateways with one port', () => {
  const both = (): string => gateway('front', 8000) + gateway('office', 8000) + service('reviews') + route('reviews', 'office', 'reviews');

  test('are in each other`s way until one has an address of its own', async () => {
    write('all.yaml', both());
    await up('--listen', '8000=127.0.0.1:0');
    expect((await run('get', 'gateways')).out).toMatch(/^front +serin .*True[\s\S]*^office +serin .* - +False .*HostnameConflict/m);
    expect((await serinHere(['validate', '-f', config()])).out).toMatch(/HostnameConflict: .*--listen default\/office:8000=/);
    const problems: unknown = JSON.parse((await serinHere(['validate', '-f', config(), '-o', 'json'])).out);
    expect(problems).toContainEqual(expect.objectContaining({ kind: 'Gateway', name: 'office', path: 'spec.listeners[0]' }));
    await daemon?.end();
    const secure = gateway('secure', 8443).replace('protocol: HTTP', 'protocol: HTTPS, tls: { certificateRefs: [{ name: gone }] }');
    write('secure.yaml', secure);
    const apart = await up(
      '--listen',
      '8000=127.0.0.1:0',
      '--listen',
      'default/office:8000=127.0.0.1:0',
      '--listen',
      'default/gone:1=127.0.0.1:0',
      '--listen',
      '8443=127.0.0.1:0',
    );
    expect(apart.out).toMatch(/^8000 +http:\/\/127\.0\.0\.1:\d+ +Gateway default\/front$/m);
    expect(apart.out).toMatch(/^default\/office:8000 +http:\/\/127\.0\.0\.1:\d+ +Gateway default\/office$/m);
    expect(apart.err).toMatch(/--listen default\/gone:1=127\.0\.0\.1:0: no Gateway declares it/);
    expect(apart.err).toMatch(/--listen 8443=127\.0\.0\.1:0: no listener of a Gateway that declares it can be served/);
    expect(apart.err).not.toMatch(/default\/office:8000=127\.0\.0\.1:0: no Gateway/);
    expect(await answer(apart.address('default/office:8000'))).toMatch(/^200/);
    expect(await answer(apart.address('8000'))).toMatch(/^404/);
    expect((await run('get', 'gateways')).out).not.toMatch(/Conflict/);
  }, 60_000);

  test('are served beside each other where one states an address of this machine', async () => {
    const port = await freePort();
    const address = 'addresses: [{ type: IPAddress, value: 127.0.0.2 }]';
    write(
      'all.yaml',
      gateway('front', port) + gateway('office', port, address) + service('reviews') + route('reviews', 'office', 'reviews'),
    );
    const { out } = await up('--listen', `${port}=127.0.0.1:${port}`);
    expect(out).toMatch(new RegExp(`^default/office:${port} +http://127\\.0\\.0\\.2:${port} `, 'm'));
    expect(await answer({ host: '127.0.0.2', port })).toMatch(/^200/);
    expect(await object('get', 'gateway', 'office')).toMatchObject({ status: { addresses: [{ type: 'IPAddress', value: '127.0.0.2' }] } });
  }, 60_000);
});

test('every kind is applied, compared, shown and deleted by its own name', async () => {
  write('all.yaml', gateway('front', 8000));
  await up('--listen', '8000=127.0.0.1:0', '--listen', '8001=127.0.0.1:0');
  const extra = join(directory, 'extra.yaml');
  const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata: { name: books, labels: { team: books } }\n---';
  const grant = `
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: { name: grant }
spec: { from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: books }], to: [{ group: '', kind: Service }] }
---`;
  const ca = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ca }\ndata: { note: nothing }\n';
  writeFileSync(
    extra,
    `${gateway('office', 8001)}${service('reviews')}${route('reviews', 'front', 'reviews')}${grant}\n${namespace}\n${ca}`,
  );
  const diff = await run('diff', '-f', config(), extra);
  expect([diff.code, diff.out]).toEqual([1, expect.stringContaining('Gateway default/office')]);
  expect(diff.out).not.toContain('GatewayApiGateway');
  const applied = await run('apply', '-f', extra);
  expect(applied.out.split('\n')).toEqual([
    'Gateway default/office created',
    'Service default/reviews created',
    'EndpointSlice default/reviews-1 created',
    'HTTPRoute default/reviews created',
    'ReferenceGrant default/grant created',
    'Namespace books created',
    'ConfigMap default/ca created',
    '',
  ]);
  expect((await run('apply', '-f', extra)).out).not.toMatch(/created|configured/);
  expect(await answer(daemon?.address('8000') ?? expect.fail('no daemon'))).toMatch(/^200/);
  for (const [kind, row] of [
    ['svc', /^reviews +ClusterIP +http:80/m],
    ['endpointslices', new RegExp(`^reviews-1 +IPv4 +${upstream.port} +127\\.0\\.0\\.1`, 'm')],
    ['refgrant', /^grant +HTTPRoute +books +Service/m],
    ['ns', /^books +team=books/m],
    ['cm', /^ca +1/m],
  ] as const)
    expect((await run('get', kind)).out).toMatch(row);
  // What is shown can be applied: it is the document.
  const shown = join(directory, 'shown.yaml');
  writeFileSync(shown, (await run('get', 'endpointslice', 'reviews-1', '-o', 'yaml')).out);
  expect((await run('apply', '-f', shown)).code).toBe(0);
  const names = await serin(['__names', 'resources', 'get', 'httproutes', '--state', state()]);
  expect(names.out).toBe('reviews\n');
  const owned = await run('delete', 'gateway', 'front');
  expect([owned.code, owned.err]).toEqual([
    6,
    expect.stringMatching(/Gateway\.gateway\.networking\.k8s\.io default\/front is declared at .*all\.yaml:\d+/),
  ]);
  const gone = await Promise.all(
    [
      ['gw', 'office'],
      ['httproute.gateway.networking.k8s.io', 'reviews'],
      ['namespace', 'books'],
      ['cm', 'ca'],
    ].map((words) => run('delete', ...words)),
  );
  expect(gone.map(({ out }) => out)).toEqual([
    'Gateway default/office deleted\n',
    'HTTPRoute default/reviews deleted\n',
    'Namespace books deleted\n',
    'ConfigMap default/ca deleted\n',
  ]);
  expect(await answer(daemon?.address('8000') ?? expect.fail('no daemon'))).toMatch(/^404/);
}, 90_000);

test('an applied Gateway is told from a file`s of the other group, also over the admin API', async () => {
  write('all.yaml', istioGateway('front', 80) + service('reviews') + route('reviews', 'front', 'gone'));
  await up('--listen', '80=127.0.0.1:0', '--listen', '8000=127.0.0.1:0');
  const manifests = gateway('front', 8000);
  expect((await api({ path: 'resources', body: { manifests } })).json).toMatchObject({
    results: [{ kind: 'Gateway', name: 'front', result: 'created' }],
  });
  expect((await api({ path: 'resources/gateways/default/front' })).json).toMatchObject({ code: 'E_AMBIGUOUS' });
  expect((await api({ path: 'resources/namespaces/-/gone' })).status).toBe(404);
  const source = await api({ path: 'resources/httproutes/default/reviews/source' });
  expect(source.json).toMatchObject({
    conditions: [
      { about: 'parent Gateway front', type: 'Accepted', status: 'True', isTrouble: false },
      { about: 'parent Gateway front', type: 'ResolvedRefs', status: 'False', reason: 'BackendNotFound', isTrouble: true },
    ],
    diagnostics: [{ kind: 'HTTPRoute' }],
  });
  const configuration = z
    .object({ resources: z.array(z.object({ kind: z.string(), name: z.string(), origin: z.looseObject({}) })) })
    .parse((await api({ path: 'configuration' })).json);
  expect(configuration.resources.filter(({ name }) => name === 'front')).toMatchObject([
    { kind: 'gateways.networking.istio.io', origin: { file: expect.stringContaining('all.yaml') } },
    { kind: 'gateways.gateway.networking.k8s.io', origin: { api: true } },
  ]);
  // Only one of the two was applied: it is that one that can be deleted.
  expect((await api({ method: 'DELETE', path: 'resources/gateways/default/front' })).json).toMatchObject({
    results: [{ result: 'deleted' }],
  });
  expect(await object('get', 'gateways', 'front')).toMatchObject({ apiVersion: 'networking.istio.io/v1' });
}, 60_000);
