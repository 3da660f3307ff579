/** Documents, kinds, metadata, files: what is read, what is skipped, and where each problem is said to be. */
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadFiles, loadText } from './load.ts';
import { originOf } from './origins.ts';

const VIRTUAL_SERVICE = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts: [reviews]
  http:
    - route:
        - destination: { host: reviews }
`;

const SERVICE_ENTRY = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: reviews }
spec:
  hosts: [reviews]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1 }]
`;

const said = (text: string): string[] =>
  loadText('x.yaml', text).diagnostics.map(({ line, column, code, path }) => `${line}:${column} ${code} ${path}`);

describe('documents and kinds', () => {
  test('a resource is read with its defaults, its place and the places of its rules', () => {
    const { resources, snapshot, diagnostics } = loadText('x.yaml', `# first\n---\n${SERVICE_ENTRY}---\n${VIRTUAL_SERVICE}`);
    expect(diagnostics).toEqual([]);
    const [service] = snapshot.virtualServices;
    expect(service?.metadata).toEqual({ name: 'reviews', namespace: 'default' });
    expect(service?.origin).toEqual({ file: 'x.yaml', line: 12, column: 1 });
    expect(originOf(service?.spec.http?.[0] ?? {})).toEqual({ file: 'x.yaml', line: 19, column: 7 });
    expect(resources.map(({ kind }) => kind)).toEqual(['ServiceEntry', 'VirtualService']);
  });

  test.each(['v1', 'v1beta1', 'v1alpha3'])('networking.istio.io/%s', (version) => {
    expect(loadText('x', SERVICE_ENTRY.replace('/v1', `/${version}`)).snapshot.serviceEntries).toHaveLength(1);
  });

  test.each([
    ['unknown version', 'networking.istio.io/v1beta3', 'VirtualService', '1:13 E_API_VERSION apiVersion'],
    ['slip in the group', 'networking.istio.oi/v1', 'VirtualService', '1:13 E_API_VERSION apiVersion'],
    ['no group', 'v1', 'VirtualService', '1:13 E_API_VERSION apiVersion'],
    ['kind of somebody else', 'apps/v1', 'Deployment', '2:7 W_KIND_SKIPPED kind'],
    ['kind of the same name of somebody else', 'gateway.example.io/v1', 'Gateway', '2:7 W_KIND_SKIPPED kind'],
    ['kind of Istio that is not used', 'networking.istio.io/v1', 'Sidecar', '2:7 W_KIND_SKIPPED kind'],
  ])('%s', (_name, apiVersion, kind, expected) => {
    expect(said(`apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: x }\nspec: { nonsense: 1 }\n`)).toEqual([expected]);
  });

  test('a misspelt kind of the group is skipped with the nearest name', () => {
    expect(loadText('x', 'apiVersion: networking.istio.io/v1\nkind: VirtualServce\nmetadata: { name: x }\n').diagnostics[0]?.hint).toBe(
      'did you mean VirtualService?',
    );
  });

  test.each(['TCPRoute', 'UDPRoute'])('%s is a kind that nobody mistook for another', (kind) => {
    const text = `apiVersion: gateway.networking.k8s.io/v1alpha2\nkind: ${kind}\nmetadata: { name: x }\n`;
    expect(loadText('x', text).diagnostics).toMatchObject([{ code: 'W_KIND_SKIPPED', hint: `Serin does not carry ${kind}s` }]);
  });

  test.each([
    ['empty file (B-1)', '', ['0:0 E_CONFIG_EMPTY ']],
    ['comments only', '# nothing\n---\n', ['0:0 E_CONFIG_EMPTY ']],
    ['list at the top (B-17)', '- a\n- b\n', ['1:1 E_TYPE ']],
    ['text at the top (B-17)', 'hello\n', ['1:1 E_TYPE ']],
    ['no kind', 'apiVersion: v1\n', ['1:1 E_REQUIRED kind']],
    ['no apiVersion', 'kind: VirtualService\n', ['1:1 E_REQUIRED apiVersion']],
    ['kind is a number', 'apiVersion: v1\nkind: 5\n', ['2:7 E_TYPE kind']],
    ['no metadata', 'apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nspec: { address: 10.0.0.1 }\n', ['1:1 E_REQUIRED metadata']],
    ['no spec', 'apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: { name: x }\n', ['1:1 E_REQUIRED spec']],
    ['unknown key at the top', `${SERVICE_ENTRY}extra: 1\n`, ['9:1 E_UNKNOWN_KEY extra']],
    ['wrong case (B-19)', VIRTUAL_SERVICE.replace('hosts', 'Hosts'), ['6:3 E_UNKNOWN_KEY spec.Hosts']],
    [
      'unknown key (B-18), at the key',
      VIRTUAL_SERVICE.replace('destination', 'destnation'),
      ['9:11 E_REQUIRED spec.http[0].route[0].destination', '9:11 E_UNKNOWN_KEY spec.http[0].route[0].destnation'],
    ],
    ['wrong type, at the value', VIRTUAL_SERVICE.replace('[reviews]', 'reviews'), ['6:10 E_TYPE spec.hosts']],
  ])('%s', (_name, text, expected) => {
    expect(said(text)).toEqual(expected);
  });

  test('hints name the key that was meant', () => {
    const hint = (text: string): string | undefined => loadText('x', text).diagnostics.find(({ code }) => code === 'E_UNKNOWN_KEY')?.hint;
    expect(hint(VIRTUAL_SERVICE.replace('hosts', 'Hosts'))).toBe('did you mean hosts?');
    expect(hint(VIRTUAL_SERVICE.replace('destination', 'destnation'))).toBe('did you mean destination?');
    expect(hint(`${VIRTUAL_SERVICE}      mirror_percentage: { value: 1 }\n`)).toBe('did you mean mirrorPercentage?');
  });

  test('a Kubernetes List is taken apart', () => {
    const items = [SERVICE_ENTRY, VIRTUAL_SERVICE].map((text) => `  - ${text.trimEnd().replaceAll('\n', '\n    ')}\n`).join('');
    const { snapshot, diagnostics } = loadText('x', `apiVersion: v1\nkind: List\nitems:\n${items}`);
    expect(diagnostics).toEqual([]);
    expect([snapshot.serviceEntries.length, snapshot.virtualServices.length]).toEqual([1, 1]);
  });

  test('JSON is read like YAML', () => {
    const text = JSON.stringify(
      { apiVersion: 'networking.istio.io/v1', kind: 'WorkloadEntry', metadata: { name: 'x' }, spec: { address: '127.1' } },
      undefined,
      2,
    );
    expect(said(text)).toEqual(['8:16 E_ADDRESS spec.address']);
  });

  test('the same name twice is refused, naming the first place', () => {
    const { diagnostics } = loadText('x.yaml', `${SERVICE_ENTRY}---\n${SERVICE_ENTRY}`);
    expect(diagnostics.find(({ code }) => code === 'E_DUPLICATE')).toMatchObject({
      line: 12,
      message: expect.stringContaining('x.yaml:1'),
    });
  });

  test('an unquoted value that Kubernetes reads differently is warned about', () => {
    const text = VIRTUAL_SERVICE.replace('- route:', '- match: [{ headers: { debug: { exact: on } } }]\n      route:');
    expect(said(`${SERVICE_ENTRY}---\n${text}`)).toEqual(['17:44 W_AMBIGUOUS_SCALAR ']);
    expect(
      loadText('x', VIRTUAL_SERVICE.replace('- route:', '- match: [{ ignoreUriCase: on }]\n      route:')).diagnostics.find(
        ({ code }) => code === 'E_TYPE',
      )?.hint,
    ).toBe('write true');
  });
});

describe('metadata', () => {
  const withMetadata = (metadata: string, kind = 'WorkloadEntry', spec = '{ address: 10.0.0.1 }'): string[] =>
    said(`apiVersion: networking.istio.io/v1\nkind: ${kind}\nmetadata: ${metadata}\nspec: ${spec}\n`).map((line) =>
      line.replace(/^\S+ /, ''),
    );
  test.each([
    ['{ name: a.b }', []],
    ['{ name: A }', ['E_NAME metadata.name']],
    ['{ name: "" }', ['E_NAME metadata.name']],
    [`{ name: ${'a'.repeat(64)} }`, ['E_NAME metadata.name']],
    ['{ name: 5 }', ['E_TYPE metadata.name']],
    ['{ namespace: a }', ['E_REQUIRED metadata.name']],
    ['{ name: a, namespace: A }', ['E_NAME metadata.namespace']],
    ['{ name: a, labels: , annotations: }', []],
    ['{ name: a, labels: { x: 1 } }', ['E_TYPE metadata.labels.x']],
    ['{ name: a, uid: u, resourceVersion: "1", generation: 2, managedFields: [{}], creationTimestamp: null }', []],
    ['{ name: a, creationTimestamp: yesterday }', ['E_TYPE metadata.creationTimestamp']],
    ['{ name: a, creationTimestamp: 2026-01-31T12:00:00Z }', []],
    ['{ name: a, nam: b }', ['E_UNKNOWN_KEY metadata.nam']],
  ])('%s', (metadata, expected) => {
    expect(withMetadata(metadata)).toEqual(expected);
  });

  test('a Gateway name has no dots', () => {
    const spec = '{ servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }';
    expect(withMetadata('{ name: a.b }', 'Gateway', spec)).toEqual(['E_NAME metadata.name']);
  });

  test.each([
    ['{"path":"/healthz","interval":"5s","timeout":"1s","unhealthyThreshold":2,"healthyThreshold":1}', []],
    ['{"path":"healthz"}', ['E_HEALTH_CHECK']],
    ['{"interval":"5s"}', ['E_HEALTH_CHECK']],
    ['{"path":"/x","interval":"5"}', ['E_HEALTH_CHECK']],
    ['{"path":"/x","unhealthyThreshold":0}', ['E_HEALTH_CHECK']],
    ['{"path":"/x","retries":1}', ['E_HEALTH_CHECK']],
    ['not json', ['E_HEALTH_CHECK']],
  ])('health-check annotation %s', (annotation, expected) => {
    const text = SERVICE_ENTRY.replace('{ name: reviews }', `{ name: reviews, annotations: { serin.dev/health-check: '${annotation}' } }`);
    expect(loadText('x', text).diagnostics.map(({ code }) => code)).toEqual(expected);
  });

  test('age decides the order: creationTimestamp where stated, else the order given', () => {
    const named = (name: string, created?: string): string =>
      `---\n${SERVICE_ENTRY.replace('{ name: reviews }', `{ name: ${name}${created === undefined ? '' : `, creationTimestamp: ${created}`} }`).replace('[reviews]', `[${name}]`)}`;
    const { snapshot } = loadText('x', named('c') + named('b', '2026-02-01T00:00:00Z') + named('d') + named('a', '2026-01-01T00:00:00Z'));
    expect(snapshot.serviceEntries.map(({ metadata }) => metadata.name)).toEqual(['a', 'b', 'c', 'd']);
  });

  test('equal content has an equal version, whatever the file and the comments', () => {
    const version = (file: string, text: string): string => loadText(file, text).snapshot.version;
    expect(version('a', SERVICE_ENTRY)).toBe(version('b', `# moved\n\n${SERVICE_ENTRY}`));
    expect(version('a', SERVICE_ENTRY)).not.toBe(version('a', SERVICE_ENTRY.replace('127.0.0.1', '127.0.0.2')));
  });
});

describe('files', () => {
  let directory = '';
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'serin-load-'));
    await mkdir(join(directory, 'all/nested.yaml'), { recursive: true });
    await writeFile(join(directory, 'all/b.yaml'), SERVICE_ENTRY);
    await writeFile(join(directory, 'all/a.yml'), VIRTUAL_SERVICE);
    await writeFile(join(directory, 'all/c.json'), JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [] }));
    await writeFile(join(directory, 'all/notes.txt'), 'not yaml: [');
    await writeFile(join(directory, 'all/.b.yaml.swp.yaml'), 'not yaml: [');
    await symlink(join(directory, 'all/b.yaml'), join(directory, 'link.yaml'));
    await mkdir(join(directory, 'none'));
  });
  afterAll(() => rm(directory, { recursive: true }));

  test('a directory stands for its YAML and JSON files by name, without hidden ones and directories', async () => {
    const { files, diagnostics, snapshot } = await loadFiles([join(directory, 'all')]);
    expect(diagnostics).toEqual([]);
    expect(files.map((file) => file.slice(directory.length + 5))).toEqual(['a.yml', 'b.yaml', 'c.json']);
    expect(snapshot.virtualServices).toHaveLength(1);
  });

  test('a file named twice is read once; a symlink is followed', async () => {
    const file = join(directory, 'all/b.yaml');
    expect((await loadFiles([file, file])).files).toEqual([file]);
    expect((await loadFiles([join(directory, 'link.yaml')])).diagnostics).toEqual([]);
  });

  test('what cannot be read is said with its path, next to the problems of the rest (B-2)', async () => {
    const missing = join(directory, 'missing.yaml');
    const { diagnostics } = await loadFiles([missing, join(directory, 'all/b.yaml')]);
    expect(diagnostics).toMatchObject([{ file: missing, code: 'E_CONFIG_READ', message: expect.stringContaining('ENOENT') }]);
  });

  test.skipIf(process.getuid?.() === 0)('a file without permission', async () => {
    const file = join(directory, 'secret.yaml');
    await writeFile(file, SERVICE_ENTRY);
    await chmod(file, 0);
    expect((await loadFiles([file])).diagnostics).toMatchObject([{ code: 'E_CONFIG_READ', message: expect.stringContaining('EACCES') }]);
  });

  test('an empty directory is an empty configuration', async () => {
    const none = join(directory, 'none');
    expect((await loadFiles([none])).diagnostics).toMatchObject([{ file: none, code: 'E_CONFIG_EMPTY' }]);
  });

  test('a file named in two ways is read once', async () => {
    const file = join(directory, 'named.yaml');
    await writeFile(file, SERVICE_ENTRY);
    expect(await loadFiles([file, `${directory}/none/../named.yaml`])).toMatchObject({ diagnostics: [], files: [file] });
  });
});
