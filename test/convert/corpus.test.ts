/**
 * What Serin's other tests use, converted: it loads again without an error, the requests of golden cases meet nothing unsaid, and where nothing differs nothing is
 * listed.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { formatDiagnostic, hasErrors } from '../../src/base/diagnostic.ts';
import { loadText } from '../../src/config/load.ts';
import { renderResources } from '../../src/config/render.ts';
import { compile } from '../../src/routing/compile.ts';
import { toGatewayApi } from '../../src/routing/convert/to-gateway-api.ts';
import { toIstio } from '../../src/routing/convert/to-istio.ts';
import { TITLED } from '../contract/cases.ts';
import { servicesYaml } from '../contract/services.ts';
import { decide } from '../helpers/decision.ts';
import { parseRequest } from '../helpers/golden-requests.ts';

const ROOT = join(import.meta.dirname, '../..');
const WAYS = [
  ['the Gateway API', toGatewayApi],
  ['Istio', toIstio],
] as const;

const goldens = readdirSync(join(ROOT, 'test/golden'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => [name, readFileSync(join(ROOT, 'test/golden', name, 'input.yaml'), 'utf8')] as const);
const contract = TITLED.map(([title, each]) => [title, servicesYaml({ v1: 9081, v2: 9082, v3: 9083 }) + each.config] as const);
const examples = ['examples/bookinfo/serin.yaml', ...yamlIn('examples/bookinfo/istio'), ...yamlIn('examples/bookinfo/adopt')].map(
  (file) => [file, readFileSync(join(ROOT, file), 'utf8')] as const,
);

function yamlIn(directory: string): readonly string[] {
  return readdirSync(join(ROOT, directory), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => `${directory}/${file}`);
}

describe.each(WAYS)('to %s', (_name, convert) => {
  test.each([...goldens, ...contract, ...examples])('%s loads again', (_title, text) => {
    const loaded = loadText('input.yaml', text);
    if (hasErrors(loaded.diagnostics)) return;
    const yaml = renderResources(convert(loaded.resources).resources);
    if (yaml === '') return;
    const errors = loadText('output.yaml', yaml).diagnostics.filter(({ severity }) => severity === 'error');
    if (errors.length > 0) expect.fail(`${errors.map(formatDiagnostic).join('\n')}\n${yaml}`);
  });
});

describe.each(WAYS)('requests of golden cases, asked again in %s', (_name, convert) => {
  test.each(goldens.filter(([name]) => existsSync(join(ROOT, 'test/golden', name, 'requests.http'))))('%s', (name, text) => {
    const loaded = loadText('input.yaml', text);
    const { resources, changes } = convert(loaded.resources);
    const before = compile(loaded.snapshot).table;
    const after = compile(loadText('output.yaml', renderResources(resources)).snapshot).table;
    for (const block of readFileSync(join(ROOT, 'test/golden', name, 'requests.http'), 'utf8').split(/\n###\n/)) {
      const { listener, view, text: asked } = parseRequest(block);
      const [was, is] = [before, after].map((table) => decide(table, listener, view));
      if (JSON.stringify(was?.facets) === JSON.stringify(is?.facets)) continue;
      const owners = new Set([was?.source?.name, is?.source?.name]);
      const said = changes.filter((change) => owners.has(change.name));
      expect(said, `${asked}\n${JSON.stringify(was)}\n${JSON.stringify(is)}\n${changes.map(formatDiagnostic).join('\n')}`).not.toEqual([]);
    }
  });
});

describe('where nothing differs nothing is listed', () => {
  const rule = (text: string): string => `services:
  shop: { port: 9080, versions: { v1: http://127.0.0.1:9081, v2: http://127.0.0.1:9082 } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shop }
spec: { hosts: [shop], http: [${text}] }
`;
  const to = (subset: string): string => `route: [{ destination: { host: shop, subset: ${subset} } }]`;
  test.each([
    [
      'a split',
      '{ route: [{ destination: { host: shop, subset: v1 }, weight: 90 }, { destination: { host: shop, subset: v2 }, weight: 10 }] }',
    ],
    ['a header, and the rest', `{ match: [{ headers: { user: { exact: x } } }], ${to('v2')} }, { ${to('v1')} }`],
    ['the more specific first', `{ match: [{ uri: { exact: /a/b } }], ${to('v2')} }, { match: [{ uri: { exact: /a } }], ${to('v1')} }`],
    [
      'rules that exclude each other',
      `{ match: [{ method: { exact: GET } }], ${to('v2')} }, { match: [{ uri: { exact: /a }, method: { exact: POST } }], ${to('v1')} }`,
    ],
    [
      'either order, and the same is done',
      `{ match: [{ method: { exact: GET } }], ${to('v2')} }, { match: [{ uri: { exact: /a } }], ${to('v2')} }`,
    ],
    ['an exact path, rewritten', `{ match: [{ uri: { exact: /a } }], rewrite: { uri: /b }, ${to('v1')} }`],
    ['literal headers and a time', `{ headers: { request: { set: { x-a: "100%%" } } }, timeout: 1500ms, ${to('v1')} }`],
    ['a redirect to another host', '{ redirect: { authority: other.example } }'],
    ['retries of stated failures', `{ retries: { attempts: 2, retryOn: "reset,connect-failure,refused-stream,503" }, ${to('v1')} }`],
    ['answers with 404 at the end', `{ match: [{ uri: { exact: /a } }], ${to('v1')} }, { directResponse: { status: 404 } }`],
  ])('%s', (_title, rules) => {
    const loaded = loadText('input.yaml', rule(rules));
    expect(hasErrors(loaded.diagnostics)).toBe(false);
    expect(toGatewayApi(loaded.resources).changes.map(formatDiagnostic)).toEqual([]);
  });

  test.each([
    ['a split', '{ backendRefs: [{ name: v1, port: 80, weight: 9 }, { name: v2, port: 80 }] }'],
    [
      'element prefixes and what replaces them',
      '{ matches: [{ path: { value: /a } }], filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: /b } } }], backendRefs: [{ name: v1, port: 80 }] }',
    ],
    ['a redirect', '{ filters: [{ type: RequestRedirect, requestRedirect: { scheme: https } }] }'],
    ['nowhere to go', '{ backendRefs: [{ name: v1, port: 80, weight: 0 }] }'],
  ])('to Istio: %s', (_title, rules) => {
    const service = (name: string): string =>
      `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { ports: [{ port: 80 }] }\n---\n`;
    const loaded = loadText(
      'input.yaml',
      `${service('v1')}${service('v2')}apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: shop }
spec: { parentRefs: [{ group: "", kind: Service, name: v1 }], rules: [${rules}] }
`,
    );
    expect(loaded.diagnostics.filter(({ severity }) => severity === 'error').map(formatDiagnostic)).toEqual([]);
    const { changes, resources } = toIstio(loaded.resources);
    expect(changes.map(formatDiagnostic)).toEqual([]);
    expect(resources.map(({ kind }) => kind)).toContain('VirtualService');
  });
});
