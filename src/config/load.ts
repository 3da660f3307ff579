/**
 * Files to a Snapshot: read, parse, check, expand the short form, look across resources. Every problem is collected, none is thrown.
 *
 * A directory stands for the `*.yaml`, `*.yml` and `*.json` files directly in it, by name, as kubectl takes it; names that begin with a dot
 * are left out (editors' swap files, the `..data` of a mounted ConfigMap).
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Diagnostic } from '../base/diagnostic.ts';
import { analyze } from './analyze.ts';
import { readDocument, type LoadedResource } from './document.ts';
import type { AnyResource, ResourceKind } from './resources.ts';
import { EMPTY_SNAPSHOT, type Snapshot } from './snapshot.ts';
import { parseYaml } from './yaml.ts';

export interface LoadResult {
  /** To be used only when no diagnostic is an error. */
  readonly snapshot: Snapshot;
  /** In the order of the files; the short form already expanded. */
  readonly resources: readonly AnyResource[];
  /** Sorted by file, line and column. */
  readonly diagnostics: readonly Diagnostic[];
  /** The files that were read, directories resolved. */
  readonly files: readonly string[];
}

interface Source {
  readonly file: string;
  readonly content: string | Uint8Array;
}

const CONFIG_FILE = /^[^.].*\.(?:yaml|yml|json)$/;

export async function loadFiles(paths: readonly string[]): Promise<LoadResult> {
  const diagnostics: Diagnostic[] = [];
  const sources: Source[] = [];
  const seen = new Set<string>();
  for (const path of paths) {
    for (const file of await listFiles(path, diagnostics)) {
      if (seen.has(file)) continue;
      seen.add(file);
      try {
        sources.push({ file, content: await readFile(file) });
      } catch (error) {
        diagnostics.push(readProblem(file, error));
      }
    }
  }
  return loadSources(sources, diagnostics);
}

/** What a text holds, under the name `file` in diagnostics (`-` for standard input, `api`). */
export function loadText(file: string, text: string | Uint8Array): LoadResult {
  return loadSources([{ file, content: text }], []);
}

async function listFiles(path: string, diagnostics: Diagnostic[]): Promise<readonly string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const names = (await readdir(path)).filter((name) => CONFIG_FILE.test(name)).sort();
    const files: string[] = [];
    for (const name of names) {
      const file = join(path, name);
      if ((await stat(file)).isFile()) files.push(file);
    }
    return files;
  } catch (error) {
    diagnostics.push(readProblem(path, error));
    return [];
  }
}

const READ_HINTS: Readonly<Record<string, string>> = {
  ENOENT: 'check the path',
  EACCES: 'give this user the right to read it',
  EISDIR: 'name the files or the directory itself',
};

function readProblem(file: string, error: unknown): Diagnostic {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const reason = error instanceof Error ? error.message : String(error);
  const hint = READ_HINTS[code];
  return {
    ...nowhere(file),
    code: 'E_CONFIG_READ',
    severity: 'error',
    message: `cannot be read: ${reason}`,
    ...(hint === undefined ? {} : { hint }),
  };
}

function nowhere(file: string): Pick<Diagnostic, 'file' | 'line' | 'column' | 'kind' | 'namespace' | 'name' | 'path'> {
  return { file, line: 0, column: 0, kind: '', namespace: '', name: '', path: '' };
}

function loadSources(sources: readonly Source[], diagnostics: Diagnostic[]): LoadResult {
  const loaded: LoadedResource[] = [];
  let documents = 0;
  for (const { file, content } of sources) {
    const parsed = parseYaml(content);
    for (const { offset, severity, code, message, hint } of parsed.problems) {
      const hasPlace = code !== 'E_CONFIG_ENCODING' && code !== 'E_CONFIG_TOO_LARGE';
      const place = hasPlace ? parsed.lines.position(offset) : { line: 0, column: 0 };
      diagnostics.push({ ...nowhere(file), ...place, code, severity, message, ...(hint === undefined ? {} : { hint }) });
    }
    documents += parsed.documents.length;
    for (const document of parsed.documents) readDocument(file, document, parsed.lines, loaded, diagnostics);
  }
  const hasProblem = diagnostics.some((diagnostic) => diagnostic.severity === 'error');
  if (documents === 0 && !hasProblem) {
    diagnostics.push({
      ...nowhere(sources[0]?.file ?? ''),
      code: 'E_CONFIG_EMPTY',
      severity: 'error',
      message: 'configuration is empty: there is no resource in the files given',
      hint: 'write a VirtualService, or services: in the short form',
    });
  }
  const resources = loaded.map(({ resource }) => resource);
  const snapshot = buildSnapshot(resources);
  analyze(snapshot, loaded, diagnostics);
  diagnostics.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line || a.column - b.column));
  return { snapshot, resources, diagnostics, files: sources.map(({ file }) => file) };
}

/** A Snapshot of `resources`, oldest first: those with a `creationTimestamp` by it, then the others as given. */
export function buildSnapshot(resources: readonly AnyResource[]): Snapshot {
  if (resources.length === 0) return EMPTY_SNAPSHOT;
  const aged = resources.toSorted((a, b) => age(a) - age(b) || 0);
  return {
    version: contentHash(aged),
    virtualServices: ofKind(aged, 'VirtualService'),
    destinationRules: ofKind(aged, 'DestinationRule'),
    gateways: ofKind(aged, 'Gateway'),
    serviceEntries: ofKind(aged, 'ServiceEntry'),
    workloadEntries: ofKind(aged, 'WorkloadEntry'),
  };
}

/** Epoch ms; without a timestamp as young as can be. */
function age(resource: AnyResource): number {
  const stated = resource.metadata.creationTimestamp;
  return stated === undefined ? Number.MAX_SAFE_INTEGER : Date.parse(stated);
}

function ofKind<K extends ResourceKind>(resources: readonly AnyResource[], kind: K): Extract<AnyResource, { kind: K }>[] {
  return resources.filter((resource): resource is Extract<AnyResource, { kind: K }> => resource.kind === kind);
}

/** Where resources stand in files is no part of what they say. */
function contentHash(resources: readonly AnyResource[]): string {
  const hash = createHash('sha256');
  for (const { apiVersion, kind, metadata, spec } of resources) hash.update(JSON.stringify([apiVersion, kind, metadata, spec]));
  return hash.digest('hex').slice(0, 16);
}
