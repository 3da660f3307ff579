/**
 * Secrets planted wherever people put them, in configuration, traffic and the admin API, then looked for in everything a running Serin shows or writes
 * (reliability S-13). Answers whose purpose is to give one once are not looked at; what is found is named with where it was found.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { RESOURCE_PLURALS } from '../../src/app/resource-kinds.ts';
import { authority } from '../helpers/certificates.ts';
import { EventReader } from '../helpers/event-reader.ts';
import { leaks, places, plant, planted, show } from '../helpers/planted.ts';
import { brokenManifests, BROKEN, configuration, PROGRAM, virtualService } from '../helpers/planted-configuration.ts';
import { serinHere } from '../helpers/serin-command.ts';
import { SerinProcess } from '../helpers/serin-process.ts';
import { ask, close, listen } from '../helpers/upstream.ts';

const LONG = { timeout: 300_000 };

let directory: string;
let state: string;
let daemon: SerinProcess;
let upstream: Server;
let receiver: Server;
let ports: { upstream: number; receiver: number };
let admin: string;
/** Header fields of requests that came to the version, and to receivers. */
const arrived: string[] = [];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'serin-planted-'));
  state = join(directory, 'state');
  upstream = createServer((request, response) => {
    arrived.push(request.rawHeaders.join('\n'));
    response.setHeader('set-cookie', `s=${plant('set-cookie of an upstream')}`).end('v1');
  });
  receiver = createServer((request, response) => {
    arrived.push(`${request.url}\n${request.rawHeaders.join('\n')}`);
    // Refused, and with what it was asked, as servers do that are helpful in the wrong place.
    let body = '';
    request.setEncoding('latin1').on('data', (text: string) => (body += text));
    // What leaves Serin by itself: spans, and what receivers are told.
    request.on('end', () => show(`the body of ${request.method} ${request.url?.split('?', 1)[0]}`, body));
    request.on('end', () => response.writeHead(request.url?.startsWith('/told') ? 400 : 403).end(request.url));
  });
  ports = { upstream: await listen(upstream), receiver: await listen(receiver) };
  const ca = await authority();
  const issued = await ca.issue(['front.example']);
  const [, line = ''] = issued.key.split('\n');
  planted.set('a private key', line.slice(20, 60));
  writeFileSync(join(directory, 'program.cjs'), PROGRAM);
  writeFileSync(join(directory, 'broken.cjs'), BROKEN);
  writeFileSync(join(directory, 'db-password'), `${plant('a file of a variable')}\n`, { mode: 0o600 });
  writeFileSync(join(directory, 'config.yaml'), configuration(ports, { ...issued, ca: ca.cert }));
  const addresses = ['--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--listen', '443=127.0.0.1:0', '--listen', '8443=127.0.0.1:0'];
  daemon = await new SerinProcess(
    [
      'up',
      '-f',
      join(directory, 'config.yaml'),
      '--state',
      state,
      ...addresses,
      '--access-log',
      'all',
      '--workers',
      '1',
      '--otlp',
      `http://127.0.0.1:${ports.receiver}`,
      '--trace-sampling',
      '100',
    ],
    {
      env: {
        SERIN_TEST_SECRET: plant('a variable of Serin'),
        SERIN_TEST_URL: `http://127.0.0.1:1/${plant('a path in a URL of a variable')}?x=1`,
      },
    },
  ).ready();
  admin = readFileSync(join(state, 'token'), 'utf8').trim();
  planted.set('the token of the state directory', admin);
}, 120_000);

afterAll(async () => {
  await (daemon as SerinProcess | undefined)?.end();
  await Promise.all([close(upstream), close(receiver)]);
  rmSync(directory, { recursive: true, force: true });
});

interface Told {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

async function api(path: string, body?: object, { token = admin, method }: { token?: string; method?: string } = {}): Promise<Told> {
  const { host, port } = daemon.address('admin');
  const response = await fetch(`http://${host}:${port}${path}`, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** Asks, and looks at the answer. */
async function look(path: string, body?: object, options: { token?: string; method?: string } = {}): Promise<Told> {
  const answer = await api(path, body, options);
  show(
    `${options.method ?? (body === undefined ? 'GET' : 'POST')} ${path} (${answer.status})`,
    `${answer.text}${JSON.stringify([...answer.headers])}`,
  );
  return answer;
}

async function cli(...args: readonly string[]): Promise<void> {
  const { out, err } = await serinHere([...args, '--state', state], { SERIN_TEST_SECRET: plant('a variable of Serin') });
  show(`serin ${args.join(' ')}`, out + err);
}

const Given = z.object({ token: z.string().optional(), code: z.string().optional() });

/** What an answer gives once. */
async function give(what: string, path: string, body: object): Promise<string> {
  const answer = await api(path, body);
  expect([path, answer.status]).toEqual([path, 201]);
  const { token, code } = Given.parse(JSON.parse(answer.text));
  const value = token ?? code ?? '';
  planted.set(what, value);
  return value;
}

const Items = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string(), namespace: z.string().optional() }) })) });
const KINDS = RESOURCE_PLURALS;
const COMPILED = ['listeners', 'clusters', 'endpoints', 'processes'];

/** Every path of a GET operation, with parameters of everything there is. */
async function paths(): Promise<string[]> {
  const document = z
    .object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) })
    .parse(JSON.parse((await api('/openapi.json')).text));
  const gets = Object.entries(document.paths).flatMap(([path, methods]) => ('get' in methods && path !== '/api/v1/events' ? [path] : []));
  const resources = await Promise.all(
    KINDS.map(async (kind) => {
      const { items } = Items.parse(JSON.parse((await api(`/api/v1/resources/${kind}`)).text));
      return items.map(({ metadata: { name, namespace } }) => ({ kind, namespace: namespace ?? '-', name }));
    }),
  );
  return gets.flatMap((path) => {
    if (path.startsWith('/api/v1/resources/{kind}/{namespace}')) return resources.flat().map((id) => fill(path, id));
    if (path.includes('{kind}')) return KINDS.map((kind) => fill(path, { kind }));
    const filled = fill(path, { namespace: 'default', name: 'shop', process: 'shop-v2', host: 'shop' });
    expect(filled, 'a parameter this test does not know').not.toContain('{');
    return [filled];
  });
}

function fill(path: string, values: Readonly<Record<string, string>>): string {
  return path.replaceAll(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}

function filesBelow(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path).flatMap((name) => filesBelow(join(path, name)));
}

describe('planted secrets', () => {
  test('appear in no answer, log, event, metric or file they are not made for', LONG, async () => {
    const { port } = daemon.address('admin');
    const events = await EventReader.open(port, 'events', { authorization: `Bearer ${admin}` });
    const follow = await EventReader.open(port, 'processes/shop-v2/log?follow=true', { authorization: `Bearer ${admin}` });
    await trafficWithSecrets();
    const kept = await secretsOfTheApi();
    await mistakes();
    await cli('rollout', 'abort', 'shop', '--reason', 'enough');
    for (const path of await paths()) await look(path);
    await questions();
    await asCommands();
    const isTold = (): boolean => ['traces', 'told'].every((path) => places().some((where) => where.includes(path)));
    await expect.poll(() => isTold() && events.events.length > 3 && follow.text.includes('last line'), LONG).toBe(true);
    daemon.signal('SIGTERM');
    await daemon.finished;
    await Promise.all([events.ended, follow.ended]);
    show('the event stream', events.text);
    show('the stream of a log', follow.text);
    show('stdout of serin', daemon.out);
    show('stderr of serin', daemon.err);
    const access = readFileSync(join(state, 'logs', 'access.log'), 'latin1');
    expect(access).toContain('/asked');
    show('the access log', access);

    expect(planted.size).toBeGreaterThan(40);
    expect(leaks()).toEqual([]);
    // Of what the API gives, the state keeps hashes.
    const files = filesBelow(state).filter((path) => !path.endsWith('/token') && !path.endsWith('/preview-key'));
    const inFiles = kept.flatMap((what) =>
      files.filter((path) => readFileSync(path, 'latin1').includes(planted.get(what) ?? '?')).map((path) => `${what} in ${path}`),
    );
    expect(inFiles).toEqual([]);
    // Of what a process was handed, nothing is in its log, whatever way it printed that.
    const logs = files.filter((path) => /\.log(?:\.\d)?$/.test(path) && !path.includes('access.log'));
    expect(logs.length).toBeGreaterThan(1);
    const handed = [
      'a variable API_TOKEN',
      'the password of a DSN',
      'a file of a variable',
      'a variable of Serin',
      'a variable of a version that ends',
    ];
    const printed = handed.filter((what) => logs.some((path) => readFileSync(path, 'utf8').includes(planted.get(what) ?? '?')));
    expect(printed).toEqual([]);
    const stored = readFileSync(join(state, 'state.db'), 'latin1');
    const declared = [...planted].filter(([what, value]) => !what.endsWith('that is applied') && stored.includes(value));
    expect(declared.map(([what]) => what)).toEqual([]);
    for (const name of ['state.db', 'logs/access.log', 'token'])
      expect([name, statSync(join(state, name)).mode & 0o077]).toEqual([name, 0]);
  });
});

/** Requests that carry secrets. They have to arrive: what is never sent cannot leak. */
async function trafficWithSecrets(): Promise<void> {
  const query = ['token', 'key', 'secret', 'password', 'sig', 'X-Amz-Signature', 't%6Fken']
    .map((name) => `${name}=${plant(`${name} in a query`)}`)
    .join('&');
  const headers = {
    authorization: `Bearer ${plant('Authorization of a request')}`,
    cookie: `session=${plant('Cookie of a request')}`,
    'x-api-key': plant('X-Api-Key of a request'),
    'proxy-authorization': `Basic ${Buffer.from(`u:${plant('Proxy-Authorization of a request')}`).toString('base64')}`,
  };
  const mesh = daemon.address('mesh');
  for (const [host, path] of [
    ['shop', '/asked'],
    ['shop', '/v2'],
    ['plain.example', '/asked'],
    ['nobody.example', '/asked'],
  ] as const)
    await ask(mesh, { path: `${path}?${query}`, headers: { ...headers, host } });
  await ask(mesh, {
    path: `http://user:${plant('the password in an absolute target')}@shop/asked?${query}`,
    headers: { ...headers, host: 'shop' },
  });
  // Every second one goes to the version that Serin runs.
  while (!arrived.some((fields) => fields.includes(headers.authorization)))
    await ask(mesh, { path: `/asked?${query}`, headers: { ...headers, host: 'shop' } });
  const all = arrived.join('\n');
  for (const what of ['Authorization of a request', 'Cookie of a request', 'authorization plain sets', 'a key plain adds'])
    expect([what, all.includes(planted.get(what) ?? '?')]).toEqual([what, true]);
}

/** @returns What of the secrets the API has given may be in no file of the state. */
async function secretsOfTheApi(): Promise<readonly string[]> {
  const token = await give('a token made by the API', '/api/v1/tokens', { name: 'ana', scope: 'operate' });
  await give('a preview token', '/api/v1/rollouts/default/shop/preview', {});
  await give('a login code', '/api/v1/session/codes', {});
  const used = await give('a login code that is used', '/api/v1/session/codes', {});
  const opened = await api('/api/v1/session', { code: used });
  const cookie = /=([^;]+)/.exec(opened.headers.get('set-cookie') ?? '')?.[1] ?? '';
  expect(cookie.length).toBeGreaterThan(20);
  planted.set('the secret of a session', cookie);
  await look('/api/v1/rollouts/default/shop/pause', { reason: 'lunch' }, { token });
  return [
    'a token made by the API',
    'a preview token',
    'a login code',
    'a login code that is used',
    'the secret of a session',
    'the token of the state directory',
  ];
}

async function mistakes(): Promise<void> {
  await look('/api/v1/live', undefined, { token: `serin_${plant('a wrong token')}` });
  await look('/api/v1/session', { token: plant('a wrong token to sign in') });
  await look('/api/v1/session', { code: plant('a wrong code') });
  await look(`/api/v1/nothing?token=${plant('a token in a query of the API')}`);
  await look(`/api/v1/live?token=${plant('a token in a query of the API')}`);
  const broken = brokenManifests();
  for (const manifests of broken) {
    await look('/api/v1/resources?dryRun=true', { manifests });
    await look('/api/v1/resources/diff', { manifests });
    await look('/api/v1/diff', { sources: [{ file: '/x.yaml', content: manifests }] });
  }
  const file = join(directory, 'config.yaml');
  const good = readFileSync(file, 'utf8');
  for (const [at, wrong] of broken.entries()) {
    const from = daemon.err.length;
    writeFileSync(file, `${good}---\n# ${at}\n${wrong}\n`);
    await daemon.logged(/refused|reload|in force|W_|E_/, from);
    await look('/api/v1/configuration');
  }
  const from = daemon.err.length;
  writeFileSync(file, good);
  await daemon.logged(/./, from);
}

async function questions(): Promise<void> {
  const applied = `${virtualService('plain2', ' that is applied')}---\nkind: Secret\napiVersion: v1\nmetadata: { name: other }\nstringData: { a: ${plant('a Secret that is applied')} }\n`;
  for (const path of ['/api/v1/resources/diff', '/api/v1/resources?dryRun=true', '/api/v1/resources'])
    await look(path, { manifests: applied });
  await look('/api/v1/resources/secrets/default/other/source');
  await look('/api/v1/resources/virtualservices/default/plain2/source');
  const content = `${readFileSync(join(directory, 'config.yaml'), 'utf8').replaceAll('authorization: Bearer ', 'authorization: Bearer x')}---\n${virtualService('other')}`;
  await look('/api/v1/diff', { sources: [{ file: join(directory, 'config.yaml'), content }] });
  await look('/api/v1/explain', { url: 'http://shop/asked' });
  await look('/api/v1/explain', { url: 'http://plain.example/asked' });
  const key = planted.get('a header plain asks for') ?? '';
  const token = planted.get('a query parameter plain asks for') ?? '';
  const headers = [
    ['x-api-key', key],
    ['cookie', `s=${planted.get('Cookie of a request')}`],
  ];
  await look('/api/v1/explain', { url: `http://plain.example/asked?token=${token}`, headers });
  await look('/api/v1/explain', { url: `http://nobody.example/asked?token=${token}`, headers });
  await look('/api/v1/explain', {
    url: `http://user:${planted.get('the password in an absolute target')}@plain.example/?token=${token}`,
    headers,
  });
}

async function asCommands(): Promise<void> {
  const file = join(directory, 'config.yaml');
  const other = join(directory, 'other.yaml');
  writeFileSync(other, readFileSync(file, 'utf8').replaceAll('authorization: Bearer ', 'authorization: Bearer x'));
  for (const kind of [...KINDS, ...COMPILED]) await cli('get', kind, '-o', 'yaml');
  await cli('get', 'processes', '-o', 'wide');
  for (const args of [['status'], ['top'], ['rollout', 'status', 'shop'], ['rollout', 'history'], ['token', 'list'], ['logs', 'shop-v2']])
    await cli(...args);
  await cli('explain', 'http://plain.example/asked');
  await cli('diff', '-f', other);
  await cli('apply', '-f', other, '--dry-run');
  writeFileSync(other, virtualService('plain2', ' that is applied').replace('Bearer ', 'Bearer x'));
  await cli('apply', '-f', other);
  const { out, err } = await serinHere(['validate', '-f', other]);
  show('serin validate', out + err);
}
