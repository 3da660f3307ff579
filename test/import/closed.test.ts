/**
 * Any mixture of Ingresses on one host: whatever nginx would have kept somebody out of gets to no backend after the import. What nginx does is written
 * down here once more, by its own rules: exact locations, then either the longest prefix or, where any Ingress of the host has expressions, the
 * longest expression, without looking at case.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseRequest } from '../helpers/golden-requests.ts';
import { loadText } from '../../src/config/load.ts';
import { compile } from '../../src/routing/compile.ts';
import { Matcher } from '../../src/routing/matcher.ts';
import { importText } from '../../src/importers/import.ts';

interface Part {
  readonly path: string;
  readonly type: 'Exact' | 'Prefix' | 'ImplementationSpecific';
  readonly isClosed: boolean;
  /** Of the Ingress: nothing, use-regex, or a rewrite of the usual form. */
  readonly style: 'plain' | 'regex' | 'rewrite';
}

const LITERALS = ['/', '/a', '/a/', '/a/b', '/ab', '/a/bc', '/b', '/B/c', '/a/b/c', '/a.b'];
const EXPRESSIONS = ['/a[0-9]', '/(a|b)/c', '/a/.*/x', '/b(?=c)'];
const REQUESTS = LITERALS.concat([
  '/A',
  '/a/B',
  '/AB',
  '/abc',
  '/a/bcd',
  '/a/b/c/d',
  '/a1',
  '/A1/x',
  '/b/c',
  '/a/q/x',
  '/bc',
  '/axb',
  '/none',
  '/a/b/',
  '/B',
]);

const part: fc.Arbitrary<Part> = fc.record({
  path: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...LITERALS) }, { weight: 1, arbitrary: fc.constantFrom(...EXPRESSIONS) }),
  type: fc.constantFrom('Exact', 'Prefix', 'ImplementationSpecific'),
  isClosed: fc.boolean(),
  style: fc.constantFrom('plain', 'plain', 'regex', 'rewrite'),
});

/** Expressions stand where they may: not in exact or prefix paths, and only with use-regex. */
function sound({ path, type, isClosed, style }: Part): Part {
  if (EXPRESSIONS.includes(path)) return { path, type: 'ImplementationSpecific', isClosed, style: 'regex' };
  if (style === 'rewrite' && path !== '/')
    return { path: `${path.replace(/\/$/, '')}(/|$)(.*)`, type: 'ImplementationSpecific', isClosed, style };
  return { path, type, isClosed, style: style === 'rewrite' ? 'plain' : style };
}

/** The part whose location nginx takes. */
function nginx(parts: readonly Part[], request: string): Part | undefined {
  const isRegex = parts.some(({ style }) => style !== 'plain');
  const exact = parts.find(({ type, path }) => type === 'Exact' && path === request);
  if (exact !== undefined) return exact;
  const itself = parts.find(({ type, path }) => type === 'Prefix' && path !== '/' && path.replace(/\/$/, '') === request);
  if (itself !== undefined) return itself;
  const locations = parts
    .filter(({ type }) => type !== 'Exact')
    .map((found) => ({ found, text: found.type === 'Prefix' ? `${found.path.replace(/\/$/, '')}/` : found.path }))
    .sort((a, b) => b.text.length - a.text.length);
  return locations.find(({ text }) => (isRegex ? new RegExp(`^${text}`, 'i').test(request) : request.startsWith(text)))?.found;
}

function ingress({ path, type, isClosed, style }: Part, index: number): string {
  const annotations = {
    ...(isClosed ? { 'nginx.ingress.kubernetes.io/auth-type': 'basic' } : {}),
    ...(style === 'plain' ? {} : { 'nginx.ingress.kubernetes.io/use-regex': 'true' }),
    ...(style === 'rewrite' ? { 'nginx.ingress.kubernetes.io/rewrite-target': '/$2' } : {}),
  };
  return JSON.stringify({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: `i${index}`, annotations },
    spec: {
      rules: [
        {
          host: 'a.example',
          http: { paths: [{ path, pathType: type, backend: { service: { name: `s${index}`, port: { number: 80 } } } }] },
        },
      ],
    },
  });
}

function ask(parts: readonly Part[]): (request: string) => string {
  const { text } = importText('ingress-nginx', [{ file: 'in.yaml', content: parts.map(ingress).join('\n---\n') }]);
  const services = parts.map(
    (_part, index) =>
      `---\n${JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name: `s${index}` }, spec: { ports: [{ port: 80 }] } })}\n`,
  );
  const loaded = loadText('out.yaml', text + services.join(''));
  expect(loaded.diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  const { table } = compile(loaded.snapshot);
  const listener = new Matcher(table).listener('80');
  return (request) => {
    const action = listener?.match(parseRequest(`GET http://a.example${request}`).view)?.route.action;
    if (action === undefined) return 'nobody';
    return action.kind === 'forward' ? (table.clusters[action.clusters[0]?.cluster ?? -1]?.host.split('.')[0] ?? '') : 'nobody';
  };
}

const mixture = fc.uniqueArray(part.map(sound), {
  minLength: 1,
  maxLength: 6,
  selector: ({ path }) => path.replace(/\/$/, '').toLowerCase(),
});

test('what was closed is open to nobody', () => {
  fc.assert(
    fc.property(mixture, (parts) => {
      const asked = ask(parts);
      for (const request of REQUESTS) {
        if (nginx(parts, request)?.isClosed === true) expect([request, asked(request)]).toEqual([request, 'nobody']);
      }
    }),
    { numRuns: 300 },
  );
});

test('without expressions and prefixes of letters every request gets to the backend that nginx sends it to', () => {
  fc.assert(
    fc.property(
      mixture
        .map((parts) => parts.filter(({ type, style }) => type !== 'ImplementationSpecific' && style === 'plain'))
        .filter((parts) => parts.length > 0),
      (parts) => {
        const asked = ask(parts);
        for (const request of REQUESTS) {
          const found = nginx(parts, request);
          const expected = found === undefined || found.isClosed ? 'nobody' : `s${parts.indexOf(found)}`;
          expect([request, asked(request)]).toEqual([request, expected]);
        }
      },
    ),
    { numRuns: 200 },
  );
});
