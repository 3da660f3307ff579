/**
 * Configuration through the admin API of a real daemon, with real requests through it: what was answered is in force and survives `kill -9`, what
 * files declare is theirs, what is wrong changes nothing, and no secret comes out again.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ApplyResult, Configuration, ConfigurationHistory, ManifestsDiff, ResourceSource } from '../../src/admin/resource-types.ts';
import { askAdmin, type AdminAnswer } from '../helpers/admin-api.ts';
import { codeBlocks } from '../helpers/markdown.ts';
import { writeProgram } from '../helpers/process-program.ts';
import { serinHere } from '../helpers/serin-command.ts';
import { SerinProcess } from '../helpers/serin-process.ts';
import { startUpstream, type Upstream } from '../helpers/upstream.ts';

let directory = '';
let daemon: SerinProcess | undefined;
let upstreams: Upstream[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-resources-'));
});

afterEach(async () => {
  await daemon?.end();
  await Promise.all(upstreams.splice(0).map((upstream) => upstream.close()));
  rmSync(directory, { recursive: true, force: true });
});

const file = (): string => join(directory, 'config.yaml');
const state = (): string => join(directory, 'state');

async function up(command?: readonly string[]): Promise<SerinProcess> {
  const args = ['up', '-f', file(), '--state', state(), '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
  daemon = new SerinProcess(args, command === undefined ? {} : { command });
  return daemon.ready();
}

async function start(config?: string): Promise<void> {
  upstreams = [await startUpstream('v1'), await startUpstream('v2')];
  const [v1, v2] = upstreams.map(({ port }) => port);
  writeFileSync(file(), config ?? services(`http://127.0.0.1:${v1}`, `http://127.0.0.1:${v2}`));
  await up();
}

const services = (v1: string, v2: string): string => `
services:
  reviews:
    versions: { v1: "${v1}", v2: "${v2}" }
    routes: [{ split: { v1: 100, v2: 0 } }]
`;

function api(asked: Omit<Parameters<typeof askAdmin>[2], 'token'>): Promise<AdminAnswer> {
  if (daemon === undefined) throw new Error('no daemon');
  return askAdmin(daemon, state(), asked);
}

const ENTRY = (name: string, port: number): string => `# ${name}, for a while
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name} }
spec:
  hosts: [${name}.default.svc.cluster.local]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1, ports: { http: ${port} } }]
`;

async function applied(manifests: string): Promise<ApplyResult> {
  const { status, json } = await api({ path: 'resources', body: { manifests } });
  if (status !== 200) throw new Error(JSON.stringify(json));
  return ApplyResult.parse(json);
}

async function configuration(): Promise<Configuration> {
  return Configuration.parse((await api({ path: 'configuration' })).json);
}

async function bodyOf(host: string): Promise<string> {
  const { host: address, port } = daemon?.address('mesh') ?? { host: '', port: 0 };
  return new Promise((resolve, reject) => {
    request({ host: address, port, headers: { host }, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve(`${response.statusCode} ${text}`));
    })
      .on('error', reject)
      .end();
  });
}

test('what is applied serves requests, survives kill -9 right after the answer, and goes when it is deleted', async () => {
  await start();
  const port = upstreams[1]?.port ?? 0;
  expect(await bodyOf('ratings')).toMatch(/^404/);
  const result = await applied(ENTRY('ratings', port));
  daemon?.signal('SIGKILL');
  expect(result.results).toEqual([{ kind: 'ServiceEntry', namespace: 'default', name: 'ratings', result: 'created' }]);
  await daemon?.finished;
  await up();
  expect(await bodyOf('ratings')).toMatch(/^200[\s\S]*v2/);
  expect((await configuration()).version).toBe(result.version);
  expect((await configuration()).resources.find(({ name }) => name === 'ratings')).toMatchObject({
    kind: 'serviceentries',
    apiKind: 'networking.istio.io/v1 ServiceEntry',
    origin: { api: true, by: expect.any(String), at: expect.any(String) },
  });
  expect((await applied(ENTRY('ratings', port))).results[0]?.result).toBe('unchanged');
  expect((await applied(ENTRY('ratings', upstreams[0]?.port ?? 0))).results[0]?.result).toBe('configured');
  expect(await bodyOf('ratings')).toMatch(/^200[\s\S]*v1/);
  const gone = await api({ method: 'DELETE', path: 'resources/serviceentries/default/ratings' });
  expect([gone.status, ApplyResult.parse(gone.json).results[0]?.result]).toEqual([200, 'deleted']);
  expect(await bodyOf('ratings')).toMatch(/^404/);
  expect((await api({ method: 'DELETE', path: 'resources/serviceentries/default/ratings' })).status).toBe(404);
  const { items } = ConfigurationHistory.parse((await api({ path: 'configuration/history' })).json);
  expect(items.map(({ cause, changes }) => `${cause}: ${changes.join(', ')}`)).toEqual([
    'api: removed ServiceEntry default/ratings',
    'api: changed ServiceEntry default/ratings',
    'api: added ServiceEntry default/ratings',
    'files: start',
  ]);
}, 60_000);

test('what is wrong, stale, a dry run or declared by a file changes nothing and says why', async () => {
  await start();
  const before = await configuration();
  const refusals: readonly (readonly [string, string, number, string, RegExp])[] = [
    ['a broken document', 'kind: [', 422, 'E_CONFIG_INVALID', /api:1:/],
    ['nothing', '# nothing', 422, 'E_CONFIG_INVALID', /no resource/],
    ['a wrong field', ENTRY('a', 1).replace('hosts', 'hots'), 422, 'E_CONFIG_INVALID', /"line":6,.*did you mean hosts/],
    ['one of two', `${ENTRY('a', 1)}---\n${ENTRY('b', 1).replace('STATIC', 'STATISCH')}`, 422, 'E_CONFIG_INVALID', /api:1\d:/],
    ['the same twice', `${ENTRY('a', 1)}---\n${ENTRY('a', 2)}`, 422, 'E_CONFIG_INVALID', /given twice/],
    ['a reference to nothing', ROLLOUT('a', 'requires: [gone]'), 422, 'E_CONFIG_INVALID', /no Rollout/],
    ['a resource of a file', ENTRY('reviews', 1), 409, 'E_FILE_OWNED', /config\.yaml:\d+/],
  ];
  for (const [what, manifests, status, code, detail] of refusals) {
    const answer = await api({ path: 'resources', body: { manifests } });
    expect([what, answer.status, answer.json]).toEqual([what, status, expect.objectContaining({ code })]);
    expect(JSON.stringify(answer.json)).toMatch(detail);
  }
  const dry = await api({ path: 'resources?dryRun=true', body: { manifests: ENTRY('a', 1) } });
  expect(ApplyResult.parse(dry.json).results).toMatchObject([{ name: 'a', result: 'created' }]);
  expect((await api({ method: 'DELETE', path: 'resources/serviceentries/default/reviews' })).json).toMatchObject({ code: 'E_FILE_OWNED' });
  expect(await configuration()).toEqual(before);
}, 60_000);

const ROLLOUT = (name: string, more: string): string => `
apiVersion: serin.dev/v1alpha1
kind: Rollout
metadata: { name: ${name} }
spec: { host: reviews, stable: v1, canary: v2, paused: true, ${more}, strategy: { canary: { steps: [{ setWeight: 100 }] } } }
`;

test('If-Match with another version is 412', async () => {
  await start();
  const { version } = await configuration();
  const ask = async (ifMatch: string): Promise<number> => {
    const { host, port } = daemon?.address('admin') ?? { host: '', port: 0 };
    const response = await fetch(`http://${host}:${port}/api/v1/resources`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${readFileSync(join(state(), 'token'), 'utf8').trim()}`,
        'content-type': 'application/json',
        'if-match': ifMatch,
      },
      body: JSON.stringify({ manifests: ENTRY('a', 1) }),
    });
    return response.status;
  };
  expect(await ask('"other"')).toBe(412);
  expect(await ask(`"${version}"`)).toBe(200);
  expect(await ask(`"${version}"`)).toBe(412);
}, 60_000);

test('a file that comes to declare it wins with a warning; without the file the other counts again', async () => {
  await start();
  const [one, two] = upstreams.map(({ port }) => port);
  await applied(ENTRY('ratings', two ?? 0));
  const before = readFileSync(file(), 'utf8');
  writeFileSync(file(), `${before}---\n${ENTRY('ratings', one ?? 0)}`);
  await until(async () => (await bodyOf('ratings')).includes('v1'));
  const { diagnostics, resources } = await configuration();
  expect(diagnostics).toMatchObject([{ code: 'W_FILE_OWNED', file: file(), name: 'ratings', line: expect.any(Number) }]);
  expect(resources.find(({ name }) => name === 'ratings')?.origin).toMatchObject({ file: file() });
  expect((await api({ path: 'resources', body: { manifests: ENTRY('ratings', 1) } })).json).toMatchObject({ code: 'E_FILE_OWNED' });
  writeFileSync(file(), before);
  await until(async () => (await bodyOf('ratings')).includes('v2'));
  writeFileSync(file(), `${before}---\n${ENTRY('ratings', one ?? 0)}`);
  await until(async () => (await bodyOf('ratings')).includes('v1'));
  expect((await api({ method: 'DELETE', path: 'resources/serviceentries/default/ratings' })).status).toBe(200);
  expect((await configuration()).diagnostics).toEqual([]);
}, 60_000);

test('a refused reload is shown until a good one follows, and resources can be applied meanwhile', async () => {
  await start();
  const before = readFileSync(file(), 'utf8');
  writeFileSync(file(), before.replace('split', 'splti'));
  await until(async () => (await configuration()).refused !== null);
  expect(await configuration()).toMatchObject({
    reload: { successful: false },
    diagnostics: [],
    refused: { diagnostics: [{ severity: 'error', file: file(), line: 5, hint: expect.stringContaining('split') }] },
  });
  await applied(ENTRY('ratings', upstreams[1]?.port ?? 0));
  expect(await bodyOf('ratings')).toMatch(/v2/);
  expect(await configuration()).toMatchObject({ reload: { successful: false }, refused: { diagnostics: [{}] } });
  writeFileSync(file(), before);
  await until(async () => (await configuration()).refused === null);
  expect((await configuration()).reload.successful).toBe(true);
  expect(await bodyOf('ratings')).toMatch(/v2/);
}, 60_000);

test('what cannot be used with the files at a start is left out with a warning, and can be deleted', async () => {
  await start(
    `${services('http://127.0.0.1:1', 'http://127.0.0.1:2')}---${ROLLOUT('first', 'autoPromote: false')}`.replace(
      'autoPromote: false, ',
      '',
    ),
  );
  await applied(
    `${services('http://127.0.0.1:3', 'http://127.0.0.1:4').replace('reviews', 'details')}---${ROLLOUT('second', 'requires: [first]').replace('reviews', 'details')}`,
  );
  daemon?.signal('SIGKILL');
  await daemon?.finished;
  writeFileSync(file(), services('http://127.0.0.1:1', 'http://127.0.0.1:2'));
  await up();
  expect((await configuration()).diagnostics).toContainEqual(
    expect.objectContaining({ code: 'W_API_LEFT_OUT', name: 'second', message: expect.stringContaining('E_REQUIRES') }),
  );
  expect((await configuration()).resources.map(({ kind, name }) => `${kind}/${name}`)).not.toContain('rollouts/second');
  expect((await api({ method: 'DELETE', path: 'resources/rollouts/default/second' })).status).toBe(200);
  expect((await configuration()).diagnostics).toEqual([]);
}, 60_000);

test('source: as it was written, as it is in force, and what a shift or a release has changed', async () => {
  await start();
  const written = ResourceSource.parse((await api({ path: 'resources/virtualservices/default/reviews/source' })).json);
  expect(written.file).toBe(file());
  expect(written.text).toBe(readFileSync(file(), 'utf8').trimStart());
  expect([written.line, written.differences]).toEqual([2, []]);
  await serinHere(['shift', 'reviews', 'v1=30', 'v2=70', '--state', state()]);
  const shifted = ResourceSource.parse((await api({ path: 'resources/virtualservices/default/reviews/source' })).json);
  expect(shifted.differences).toEqual([
    { path: 'spec.http[0].route[0].weight', declared: 100, effective: 30, by: 'shift' },
    { path: 'spec.http[0].route[1].weight', declared: 0, effective: 70, by: 'shift' },
  ]);
  expect((await configuration()).resources.filter(({ overlaid }) => overlaid)).toMatchObject([
    { kind: 'virtualservices', name: 'reviews' },
  ]);
  const { items } = ConfigurationHistory.parse((await api({ path: 'configuration/history' })).json);
  expect(items[0]).toMatchObject({ cause: 'shift', changes: ['reviews.default.svc.cluster.local v1=30 v2=70'] });
  await applied(ENTRY('ratings', 1));
  const entry = ResourceSource.parse((await api({ path: 'resources/serviceentries/default/ratings/source' })).json);
  expect([entry.file, entry.line, entry.text]).toEqual(['api:ServiceEntry:default:ratings', 1, ENTRY('ratings', 1)]);
  expect((await api({ path: 'resources/serviceentries/default/ratigns/source' })).json).toMatchObject({ hint: 'did you mean ratings?' });
}, 60_000);

test('a release shows as a difference, and in the history by its name', async () => {
  await start();
  await applied(
    ROLLOUT('reviews', 'analysis: {}')
      .replace('analysis: {}, ', '')
      .replace('paused: true', 'paused: false')
      .replace('[{ setWeight: 100 }]', '[{ setWeight: 20 }, { pause: {} }, { setWeight: 100 }]'),
  );
  const source = async (): Promise<ResourceSource> =>
    ResourceSource.parse((await api({ path: 'resources/virtualservices/default/reviews/source' })).json);
  await until(async () => JSON.stringify((await source()).differences).includes('2000'));
  expect((await source()).differences).toContainEqual(expect.objectContaining({ by: 'rollout default/reviews' }));
  const { items } = ConfigurationHistory.parse((await api({ path: 'configuration/history' })).json);
  expect(items[0]).toMatchObject({ cause: 'rollout', by: 'default/reviews', changes: [expect.stringContaining('v2=20%')] });
}, 60_000);

const SECRETS = `
apiVersion: v1
kind: Secret
metadata: { name: front } # hunter2-hunter2
stringData: { tls.crt: hunter2-hunter2, other: hunter2-hunter2 }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: bought
  annotations: { serin.dev/run: '{"v1":{"command":["node","-e","setInterval(()=>{},1e3)"],"env":{"DB_PASSWORD":"hunter2-hunter2"}}}' }
spec: { hosts: [bought.default.svc.cluster.local], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: bought }
spec:
  hosts: [bought]
  http: [{ route: [{ destination: { host: bought } }], headers: { request: { set: { authorization: Bearer hunter2-hunter2 } } } }]
`;

test('no answer has a secret in it', async () => {
  await start(
    `${services('http://127.0.0.1:1', 'http://127.0.0.1:2')}---${SECRETS.replace(/---\napiVersion: networking[\s\S]*?---/, '---')}`,
  );
  const said: AdminAnswer[] = [];
  const own = SECRETS.replaceAll(/name: (front|bought)/g, 'name: $1-api').replace(/---\n[\s\S]*?---/, '---');
  said.push(await api({ path: 'resources/diff', body: { manifests: SECRETS } }));
  said.push(await api({ path: 'resources?dryRun=true', body: { manifests: own } }));
  said.push(await api({ path: 'resources', body: { manifests: own } }));
  expect(said.map(({ status }) => status)).toEqual([200, 200, 200]);
  said.push(await api({ path: 'resources/diff', body: { manifests: own.replaceAll('hunter2-hunter2', 'hunter2-hunter3') } }));
  for (const [kind, names] of [
    ['secrets', ['front', 'front-api']],
    ['virtualservices', ['bought', 'bought-api']],
  ] as const)
    for (const name of names) {
      said.push(await api({ path: `resources/${kind}/default/${name}` }));
      const source = await api({ path: `resources/${kind}/default/${name}/source` });
      expect(ResourceSource.parse(source.json).text).toContain('***');
      said.push(source);
    }
  said.push(await api({ path: 'configuration' }), await api({ path: 'configuration/history' }));
  const wrong = SECRETS.replace('tls.crt: hunter2-hunter2', 'pin: [hunter2-hunter2]').replace(
    '"DB_PASSWORD":"hunter2',
    '"DB_PASSWORD":"${hunter2',
  );
  said.push(await api({ path: 'resources', body: { manifests: wrong } }));
  expect(said.at(-1)?.json).toMatchObject({ diagnostics: [{ kind: 'Secret' }, { kind: 'ServiceEntry', code: 'E_CONFIG_ENV' }, {}] });
  const all = JSON.stringify(said.map(({ json }) => json));
  const base64 = (text: string): string => Buffer.from(text).toString('base64').replace(/=+$/, '');
  for (const secret of ['hunter2', 'hunter3', base64('hunter2-hunter2'), base64('hunter2-hunter3')]) expect(all).not.toContain(secret);
  const { items } = ManifestsDiff.parse(said[3]?.json);
  expect(items.map(({ diff }) => diff).join('')).toMatch(/-.*\*\*\* \(before\)[\s\S]*\+.*\*\*\* \(after\)/);
}, 60_000);

test('where there is no space for it nothing is changed, and 507 says so', async () => {
  upstreams = [await startUpstream('v1'), await startUpstream('v2')];
  const [v1, v2] = upstreams.map(({ port }) => port);
  writeFileSync(file(), services(`http://127.0.0.1:${v1}`, `http://127.0.0.1:${v2}`));
  // A limit of the shell on the size of files stands for a full disk.
  await up(['sh', '-c', 'ulimit -f 400; exec "$0" "$@"', process.execPath, join(import.meta.dirname, '../../src/cli/main.ts')]);
  await applied(ENTRY('small', v1 ?? 0));
  const before = await configuration();
  const answer = await api({
    path: 'resources',
    body: { manifests: ENTRY('large', v1 ?? 0).replace('spec:', `# ${'x'.repeat(400_000)}\nspec:`) },
  });
  expect([answer.status, answer.json]).toMatchObject([507, { code: 'E_STATE_WRITE' }]);
  expect(await configuration()).toEqual(before);
  expect(await bodyOf('small')).toMatch(/^200/);
}, 60_000);

test('the commands: apply with positions in files, a dry run, delete', async () => {
  await start();
  const [one, two] = ['a.yaml', 'b.yaml'].map((name) => join(directory, name));
  writeFileSync(one ?? '', ENTRY('a', 1));
  writeFileSync(two ?? '', `${ENTRY('b', 1)}---\n${ENTRY('c', 1).replace('hosts', 'hots')}`);
  const run = (...args: readonly string[]): ReturnType<typeof serinHere> => serinHere([...args, '--state', state()]);
  const wrong = await run('apply', '-f', one ?? '', '-f', two ?? '');
  expect([wrong.code, wrong.out]).toEqual([3, '']);
  expect(wrong.err).toContain(`${two}:16:`);
  writeFileSync(two ?? '', ENTRY('b', 1));
  expect(await run('apply', '-f', one ?? '', two ?? '', '--dry-run')).toMatchObject({
    code: 0,
    out: 'ServiceEntry default/a created (dry run)\nServiceEntry default/b created (dry run)\n',
  });
  expect(await run('apply', '-f', one ?? '', two ?? '')).toMatchObject({ code: 0, out: /a created\n.*b created\n/ });
  expect(await run('delete', 'se', 'a')).toMatchObject({ code: 0, out: 'ServiceEntry default/a deleted\n' });
  expect((await run('delete', 'se', 'a')).code).toBe(5);
  const owned = await run('delete', 'virtualservice', 'reviews');
  expect([owned.code, owned.err]).toEqual([6, expect.stringContaining('E_FILE_OWNED')]);
  expect((await run('delete', 'listeners', 'mesh')).code).toBe(2);
}, 60_000);

test('docs/resources.md: its commands say what it says they do', async () => {
  await start();
  const blocks = codeBlocks(readFileSync(join(import.meta.dirname, '../../docs/resources.md'), 'utf8'));
  const text = (mark: string): string => blocks.find(({ marks }) => marks.has(mark))?.text ?? '';
  writeFileSync(join(directory, 'ratings.yaml'), text('ratings'));
  const asked = text('session')
    .split(/^\$ serin /m)
    .slice(1);
  expect(asked).toHaveLength(4);
  for (const one of asked) {
    const [command = '', ...lines] = one.split('\n');
    const args = command.replace('ratings.yaml', join(directory, 'ratings.yaml')).split(' ');
    expect(await serinHere([...args, '--state', state()])).toMatchObject({ code: 0, err: '', out: lines.join('\n') });
  }
}, 60_000);

const RUN = (env: Readonly<Record<string, string>>, timeout: string): string => `
services:
  ratings:
    versions: { v1: { run: [node, ${JSON.stringify(join(directory, 'program.cjs'))}], env: ${JSON.stringify(env)}, ready: { path: /ready, timeout: ${timeout} } } }
    routes: [{ to: v1 }]
`;

test('a version that is run is ready when the answer comes; one that is not changes nothing', async () => {
  await start();
  writeProgram(directory);
  const before = await configuration();
  const refused = await api({ path: 'resources', body: { manifests: RUN({ NAME: 'one', CRASH: 'yes' }, '1s') } });
  expect([refused.status, refused.json]).toMatchObject([422, { code: 'E_TARGET_UNHEALTHY' }]);
  expect(await configuration()).toEqual(before);
  const { results } = await applied(RUN({ NAME: 'one' }, '60s'));
  expect(results.map(({ kind, result }) => `${kind} ${result}`)).toEqual([
    'ServiceEntry created',
    'DestinationRule created',
    'VirtualService created',
  ]);
  expect(await bodyOf('ratings')).toBe('200 one');
  await applied(RUN({ NAME: 'two' }, '60s'));
  // A version that serves already is replaced when the new process is ready.
  await until(async () => (await bodyOf('ratings')) === '200 two');
}, 120_000);

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(50);
}
