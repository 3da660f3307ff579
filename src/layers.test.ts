/**
 * The architecture rule of ARCHITECTURE.md, executable.
 *
 * Folders under src/ are ranked. An import (static, dynamic, re-export, `import type`, or a worker's file named by `new URL(…,
 * import.meta.url)`) may go to its own folder or to a strictly lower rank, so `proxy` and `workload` never see each other and only `app`
 * wires. Below `app/` nothing reads the environment, the wall clock or unseeded randomness by itself: those are handed in.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { describe, expect, test } from 'vitest';

const SRC = import.meta.dirname;

const RANK: Readonly<Record<string, number>> = {
  base: 0,
  stats: 1,
  http: 1,
  telemetry: 1,
  config: 2,
  routing: 3,
  rollout: 3,
  importers: 3,
  simulate: 4,
  workload: 4,
  proxy: 4,
  xds: 4,
  kubernetes: 4,
  admin: 5,
  app: 6,
  cli: 7,
};

/** Ambient inputs that are handed in below `app/`, and the one file each is allowed in. */
const AMBIENT: readonly { readonly pattern: RegExp; readonly allowedIn: string }[] = [
  { pattern: /\bprocess\s*(?:\?\.|\.)\s*env\b|\bprocess\s*\[\s*'env'/, allowedIn: '' },
  { pattern: /\bDate\s*\.\s*now\b|\bnew\s+Date\s*\(\s*\)/, allowedIn: 'base/clock.ts' },
  { pattern: /\bMath\s*\.\s*random\b/, allowedIn: '' },
];

interface SourceFile {
  /** Relative to src/, with `/`. */
  readonly path: string;
  readonly text: string;
}

function sourceFiles(): SourceFile[] {
  return readdirSync(SRC, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((file) => ({ path: relative(SRC, file).split(sep).join('/'), text: withoutComments(readFileSync(file, 'utf8')) }));
}

/** Comments on lines of their own are dropped, so that prose about an import is not taken for one. */
function withoutComments(text: string): string {
  return text.replace(/^\s*\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
}

const IMPORT_FORMS: readonly RegExp[] = [
  /\bfrom\s*(['"])(?<target>[^'"\n]+)\1/g,
  /\bimport\s*(['"])(?<target>[^'"\n]+)\1/g,
  /\b(?:import|require)\s*\(\s*(['"`])(?<target>[^'"`\n]+)\1/g,
  /\bnew\s+URL\s*\(\s*(['"`])(?<target>\.[^'"`\n]+)\1\s*,\s*import\.meta\.url/g,
];

function importsOf(text: string): string[] {
  return IMPORT_FORMS.flatMap((form) => [...text.matchAll(form)].map((found) => found.groups?.['target'] ?? ''));
}

/** Why `file` may not import `target`; undefined when it may. */
function breach(file: string, target: string): string | undefined {
  if (!target.startsWith('.')) return undefined;
  const resolved = relative(SRC, resolve(SRC, dirname(file), target))
    .split(sep)
    .join('/');
  const from = folderOf(file);
  if (resolved.startsWith('..')) {
    const mayLeave = file.endsWith('.test.ts') || resolved === '../package.json';
    return mayLeave ? undefined : `${file} imports ${target}: product code stays inside src/`;
  }
  // Files directly in src/ (the package's entry, this test) stand above every folder.
  if (from === '') return undefined;
  const to = folderOf(resolved);
  if (to === '') return `${file} imports ${target}: nothing in a folder imports the package's entry`;
  const fromRank = RANK[from];
  const toRank = RANK[to];
  if (toRank === undefined) return `${file} imports ${target}: ${to}/ has no rank`;
  if (fromRank === undefined || from === to || toRank < fromRank) return undefined;
  return `${file} imports ${target}: ${from}/ (rank ${fromRank}) may not import ${to}/ (rank ${toRank})`;
}

function folderOf(path: string): string {
  const slash = path.indexOf('/');
  return slash === -1 ? '' : path.slice(0, slash);
}

const FILES = sourceFiles();

describe('ranked folders', () => {
  test('every folder under src has a rank', () => {
    const unranked = FILES.map((file) => folderOf(file.path)).filter((folder) => folder !== '' && RANK[folder] === undefined);
    expect([...new Set(unranked)]).toEqual([]);
  });

  test('an import goes to its own folder or to a strictly lower rank', () => {
    expect(FILES.length).toBeGreaterThan(0);
    const breaches = FILES.flatMap((file) => importsOf(file.text).map((target) => breach(file.path, target)));
    expect(breaches.filter((found) => found !== undefined)).toEqual([]);
  });

  test('below app/ nothing reads the environment, the wall clock or randomness by itself', () => {
    const breaches = FILES.filter(({ path }) => (RANK[folderOf(path)] ?? 99) < 6 && !path.endsWith('.test.ts')).flatMap(({ path, text }) =>
      AMBIENT.filter(({ pattern, allowedIn }) => path !== allowedIn && pattern.test(text)).map(
        ({ pattern }) => `${path} has ${pattern.source}`,
      ),
    );
    expect(breaches).toEqual([]);
  });
});

describe('the checker itself', () => {
  test.each([
    ['static', "import { a } from '../app/serve.ts';"],
    ['several lines', "import {\n  a,\n  b,\n} from '../app/serve.ts';"],
    ['type', "import type { A } from '../app/serve.ts';"],
    ['inline type', "type A = import('../app/serve.ts').A;"],
    ['dynamic', "await import('../app/serve.ts');"],
    ['side effect', "import '../app/serve.ts';"],
    ['re-export', "export * from '../app/serve.ts';"],
    ['worker', "new Worker(new URL('../app/serve.ts', import.meta.url));"],
  ])('sees a %s import upwards', (_form, text) => {
    const found = importsOf(withoutComments(text)).map((target) => breach('proxy/proxy.ts', target));
    expect(found).toEqual(['proxy/proxy.ts imports ../app/serve.ts: proxy/ (rank 4) may not import app/ (rank 6)']);
  });

  test('siblings of one rank do not see each other, lower ranks and the own folder are fine', () => {
    expect(breach('proxy/proxy.ts', '../workload/dns.ts')).toContain('rank 4');
    expect(breach('proxy/proxy.ts', './request.ts')).toBeUndefined();
    expect(breach('proxy/proxy.ts', '../routing/table.ts')).toBeUndefined();
    expect(breach('proxy/proxy.ts', 'node:net')).toBeUndefined();
    expect(breach('proxy/proxy.ts', '../../test/helpers/x.ts')).toContain('stays inside src/');
    expect(breach('proxy/proxy.test.ts', '../../test/helpers/x.ts')).toBeUndefined();
  });

  test('prose about an import is not an import', () => {
    expect(importsOf(withoutComments("/** see import '../app/serve.ts' */\n// from '../app/serve.ts'\nconst a = 1;"))).toEqual([]);
  });
});
