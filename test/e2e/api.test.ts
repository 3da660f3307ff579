/**
 * The OpenAPI document of a running Serin, held against OpenAPI 3.1 and against what that Serin answers: every operation is called, and every answer
 * is one of those the document promises.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { type RunningServer, serve } from '../../src/index.ts';
import { startUpstream, type Upstream } from '../helpers/upstream.ts';

const Described = z.looseObject({
  operationId: z.string(),
  security: z.array(z.unknown()),
  'x-serin-scope': z.enum(['read', 'operate', 'admin']).optional(),
  responses: z.record(z.string(), z.looseObject({ content: z.record(z.string(), z.looseObject({})).optional() })),
});
const Document = z.looseObject({ openapi: z.string(), paths: z.record(z.string(), z.record(z.string(), Described)) });

interface Known {
  readonly method: string;
  readonly path: string;
  readonly described: z.infer<typeof Described>;
}

let directory: string;
let upstreams: readonly Upstream[];
let server: RunningServer | undefined;
let origin: string;
let token: string;
let operations: Map<string, Known>;
let document: z.infer<typeof Document>;
let matches: (pointer: string, value: unknown) => string | undefined;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'serin-api-'));
  const config = join(directory, 'config.yaml');
  upstreams = await Promise.all([startUpstream('v1'), startUpstream('v2')]);
  const [v1, v2] = upstreams.map(({ port }) => `http://127.0.0.1:${port}`);
  writeFileSync(
    join(directory, 'cats.cjs'),
    "console.log('cats'); require('node:http').createServer((_, response) => response.end()).listen(process.env.PORT, '127.0.0.1')",
  );
  writeFileSync(
    config,
    `
services:
  reviews:
    versions: { v1: ${v1}, v2: ${v2} }
    routes: [{ to: v1 }]
    rollout: { stable: v1, canary: v2, steps: [{ pause: {} }, { setWeight: 50 }, { pause: {} }, { setWeight: 100 }] }
  ratings:
    versions: { v1: ${v1}, v2: ${v2} }
    routes: [{ to: v1 }]
  cats:
    versions: { v1: { run: ["${process.execPath}", cats.cjs] } }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: shop }
spec: { parentRefs: [{ name: edge }], rules: [{ backendRefs: [{ name: shop-v1, port: 80 }] }] }
---
apiVersion: v1
kind: Service
metadata: { name: shop-v1 }
spec: { ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: shop-v2 }
spec: { ports: [{ port: 80 }] }
`,
  );
  const free = { host: '127.0.0.1', port: 0 };
  const running = await serve({
    paths: [config],
    stateDirectory: join(directory, 'state'),
    mesh: free,
    admin: { address: free },
    workers: 0,
  });
  server = running;
  origin = `http://127.0.0.1:${running.admin.port}`;
  token = readFileSync(join(directory, 'state', 'token'), 'utf8').trim();

  const fetched: unknown = await (await fetch(`${origin}/openapi.json`)).json();
  document = Document.parse(fetched);
  operations = new Map(
    Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, described]) => [described.operationId, { method: method.toUpperCase(), path, described }]),
    ),
  );
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema(document, 'api');
  matches = (pointer, value) => {
    const validate = ajv.getSchema(`api#${pointer}`);
    if (validate === undefined) return `no schema at ${pointer}`;
    return validate(value) === true ? undefined : ajv.errorsText(validate.errors);
  };
});

afterAll(async () => {
  await server?.stop();
  await Promise.all(upstreams.map((upstream) => upstream.close()));
  rmSync(directory, { recursive: true, force: true });
});

interface Call {
  readonly id: string;
  /** In the order of the path. */
  readonly params?: readonly string[];
  readonly query?: string;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  readonly token?: string | null;
}

interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly value: unknown;
}

/** Calls, and checks that the document promises what is answered. */
async function call({ id, params = [], query = '', body, headers, token: shown = token }: Call): Promise<Answered> {
  const known = operations.get(id);
  if (known === undefined) throw new Error(`the document has no operation ${id}`);
  const { method, path, described } = known;
  const rest = [...params];
  const response = await fetch(`${origin}${path.replaceAll(/\{\w+\}/g, () => rest.shift() ?? 'x')}${query}`, {
    method,
    headers: {
      ...(shown === null ? {} : { authorization: `Bearer ${shown}` }),
      ...(method === 'GET' ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = isStream(response) ? await firstOf(response) : await response.text();
  const [type = ''] = (response.headers.get('content-type') ?? '').split(';');
  const promised = described.responses[String(response.status)];
  if (promised === undefined) throw new Error(`${id}: the document has no ${response.status}: ${text}`);
  const types = Object.keys(promised.content ?? {});
  if (text === '' ? types.length > 0 : !types.includes(type)) throw new Error(`${id}: expected ${types.join(' or ')}, found '${type}'`);
  const value: unknown = type.endsWith('json') ? JSON.parse(text) : text;
  if (text !== '') {
    const place = ['paths', path, method.toLowerCase(), 'responses', String(response.status), 'content', type, 'schema'];
    const difference = matches(`/${place.map(escaped).join('/')}`, value);
    if (difference !== undefined) throw new Error(`${id}: ${difference}: ${text}`);
  }
  return { status: response.status, headers: response.headers, value };
}

function isStream(response: Response): boolean {
  return response.headers.get('content-type')?.startsWith('text/event-stream') === true;
}

/** The beginning of what does not end by itself. */
async function firstOf({ body }: Response): Promise<string> {
  const reader = body?.getReader();
  const read = await reader?.read();
  await reader?.cancel();
  return Buffer.from(read?.value ?? []).toString();
}

function escaped(segment: string): string {
  return encodeURIComponent(segment.replaceAll('~', '~0').replaceAll('/', '~1'));
}

test('it is OpenAPI 3.1, and every reference in it leads somewhere', async () => {
  const validator = new Validator();
  const result = await validator.validate(structuredClone(document));
  expect(result).toMatchObject({ valid: true });
  expect(validator.version).toBe('3.1');
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"(?<to>[^"]*)"/g)].map((found) => found.groups?.['to'] ?? '');
  expect(references.length).toBeGreaterThan(0);
  const isMissing = (reference: string): boolean => {
    const segments = reference.slice('#/'.length).split('/');
    return segments.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], document) === undefined;
  };
  expect(references.filter(isMissing)).toEqual([]);
});

const REVIEWS = ['default', 'reviews'];
const RATINGS = ['default', 'ratings'];
const SHOP = ['default', 'httproute', 'shop'];

const SPARE = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: spare }
spec: { hosts: [spare], resolution: STATIC, ports: [{ number: 80, name: http, protocol: HTTP }], endpoints: [{ address: 127.0.0.1 }] }
`;

/** In this order: what one leaves behind is what the next one needs. */
const CALLS: readonly Call[] = [
  { id: 'live' },
  { id: 'ready' },
  { id: 'metrics' },
  { id: 'listResources', params: ['virtualservices'], query: '?namespace=default' },
  { id: 'getResource', params: ['rollouts', ...REVIEWS] },
  { id: 'listListeners' },
  { id: 'listClusters' },
  { id: 'listEndpoints' },
  { id: 'listProcesses' },
  { id: 'explain', body: { url: 'http://reviews/' } },
  { id: 'diff', body: { sources: [{ file: 'a.yaml', content: 'services: { ratings: { versions: { v1: http://127.0.0.1:1 } } }' }] } },
  { id: 'configuration' },
  { id: 'resourceSource', params: ['rollouts', ...REVIEWS] },
  { id: 'diffResources', body: { manifests: SPARE } },
  { id: 'applyResources', query: '?dryRun=true', body: { manifests: SPARE } },
  { id: 'applyResources', body: { manifests: SPARE } },
  { id: 'deleteResource', params: ['serviceentries', 'default', 'spare'] },
  { id: 'configurationHistory' },
  { id: 'shift', params: RATINGS, body: { weights: { v1: 90, v2: 10 } } },
  { id: 'listShifts' },
  { id: 'resetShift', params: RATINGS },
  { id: 'shiftRoute', params: SHOP, body: { weights: { 'shop-v1': 1, 'shop-v2': 1 } } },
  { id: 'resetRouteShift', params: SHOP },
  { id: 'listRollouts' },
  { id: 'getRollout', params: REVIEWS },
  { id: 'previewRollout', params: REVIEWS, body: {} },
  { id: 'pauseRollout', params: REVIEWS, body: {} },
  { id: 'resumeRollout', params: REVIEWS, body: {} },
  { id: 'promoteRollout', params: REVIEWS, body: {}, headers: { 'idempotency-key': 'once' } },
  { id: 'abortRollout', params: REVIEWS, body: { full: true } },
  { id: 'retryRollout', params: REVIEWS, body: {} },
  { id: 'promoteRollout', params: REVIEWS, body: { full: true } },
  { id: 'undoRollout', params: REVIEWS, body: { full: true } },
  { id: 'startRollout', params: REVIEWS, body: {} },
  { id: 'getLive' },
  { id: 'watchEvents', query: '?topics=live,rollouts' },
  { id: 'getEvidence', params: REVIEWS },
  { id: 'getProcessLog', params: ['cats-v1'], query: '?lines=5' },
  { id: 'getProcessLog', params: ['cats-v1-1'], query: '?follow=true' },
  { id: 'getSession' },
  { id: 'createLoginCode' },
  { id: 'createToken', body: { name: 'ci', scope: 'read' } },
  { id: 'listTokens' },
  { id: 'revokeToken', params: ['ci'] },
  { id: 'listAudit', query: '?limit=2' },
];

test('every operation is called, and answers as the document says', async () => {
  const opened = await call({ id: 'openSession', body: { token }, token: null });
  const [cookie = ''] = (opened.headers.get('set-cookie') ?? '').split(';');
  const closed = await call({ id: 'closeSession', token: null, headers: { cookie, origin, 'x-serin-csrf': '1' } });
  expect([opened.status, closed.status]).toEqual([201, 204]);
  for (const each of CALLS) {
    let answered = await call(each);
    // A release takes its steps in its own time.
    while (answered.status === 409) {
      await sleep(50);
      answered = await call(each);
    }
    if (answered.status >= 300) throw new Error(`${each.id}: ${JSON.stringify(answered.value)}`);
  }
  expect([...new Set(['openSession', 'closeSession', ...CALLS.map(({ id }) => id)])].sort()).toEqual([...operations.keys()].sort());
});

test('what needs a token is refused without one, and with one whose scope is too small', async () => {
  const reader = z.looseObject({ token: z.string() }).parse((await call({ id: 'createToken', body: { name: 'reader' } })).value);
  for (const [id, { described }] of operations) {
    const scope = described['x-serin-scope'];
    if (scope === undefined) continue;
    let stranger = await call({ id, token: null });
    // More than five a second are too many; both answers are in the document.
    while (stranger.status === 429) {
      await sleep(200);
      stranger = await call({ id, token: null });
    }
    expect({ id, status: stranger.status }).toEqual({ id, status: 401 });
    if (scope === 'read') continue;
    const refused = await call({ id, token: reader.token });
    expect({ id, ...refused }).toMatchObject({ status: 403, value: { code: 'E_ADMIN_FORBIDDEN' } });
  }
});

test('what is not as the document says is refused as it says', async () => {
  const wrong: readonly (readonly [call: Call, status: number, code: string])[] = [
    [{ id: 'listResources', params: ['virtualservice'] }, 404, 'E_NOT_FOUND'],
    [{ id: 'getRollout', params: ['default', 'review'] }, 404, 'E_NOT_FOUND'],
    [{ id: 'getRollout', params: ['default', '-'] }, 422, 'E_NAME'],
    [{ id: 'listRollouts', query: '?namespace=-' }, 400, 'E_QUERY'],
    [{ id: 'watchEvents', query: '?topics=life' }, 400, 'E_QUERY'],
    [{ id: 'watchEvents', headers: { origin: 'https://evil.example' } }, 403, 'E_ADMIN_CROSS_SITE'],
    [{ id: 'getEvidence', params: ['default', 'review'] }, 404, 'E_NOT_FOUND'],
    [{ id: 'getProcessLog', params: ['cats-v2'] }, 404, 'E_NOT_FOUND'],
    [{ id: 'getProcessLog', params: ['cats-v1'], query: '?lines=5001' }, 400, 'E_QUERY'],
    [{ id: 'explain', body: { ulr: 'http://a/' } }, 422, 'E_REQUEST_INVALID'],
    [{ id: 'diff', body: { sources: [{ file: 'a.yaml', content: 'kind: Nothing' }] } }, 422, 'E_CONFIG_INVALID'],
    [{ id: 'pauseRollout', params: REVIEWS, body: {}, headers: { 'if-match': '"0"' } }, 412, 'E_STALE'],
    [{ id: 'shift', params: RATINGS, body: { weights: { v9: 1 } } }, 404, 'E_NOT_FOUND'],
    [{ id: 'shift', params: REVIEWS, body: { weights: { v1: 1 } } }, 409, 'E_CONFLICT'],
    [{ id: 'resetShift', params: RATINGS }, 404, 'E_NOT_FOUND'],
    [{ id: 'shiftRoute', params: SHOP, body: { weights: { 'shop-v9': 1 } } }, 404, 'E_NOT_FOUND'],
    [{ id: 'shiftRoute', params: ['default', 'tlsroute', 'shop'], body: { weights: { 'shop-v1': 1 } } }, 422, 'E_NAME'],
    [{ id: 'resetRouteShift', params: SHOP }, 404, 'E_NOT_FOUND'],
    [{ id: 'revokeToken', params: ['nobody'] }, 404, 'E_NOT_FOUND'],
  ];
  for (const [each, status, code] of wrong) {
    expect({ id: each.id, ...(await call(each)) }).toMatchObject({ status, value: { code, status } });
  }
});

test('docs/api.md names only paths there are', () => {
  const text = readFileSync(join(import.meta.dirname, '../../docs/api.md'), 'utf8');
  const known = new Set(Object.keys(document.paths).map((path) => path.replaceAll(/\{\w+\}/g, 'X')));
  const named = [...text.matchAll(/(?<=[` 0])\/(?:api\/v1|livez|readyz|metrics)(?:\/[\w-]+)*/g)].map(([path]) =>
    path.replaceAll(/(?<=\/)(?:[A-Z]+(?=\/|$)|default|reviews)/g, 'X'),
  );
  expect(named.length).toBeGreaterThan(15);
  expect(named.filter((path) => !known.has(path))).toEqual([]);
});
