/**
 * Files to a Snapshot: read, parse, check, expand the short form, look across resources. Every problem is collected, none is thrown.
 * Which files a directory stands for is in config-files.ts.
 */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Diagnostic } from '../base/diagnostic.ts';
import { analyze } from './analyze.ts';
import { buildSnapshot } from './build-snapshot.ts';
import { listConfigFiles } from './config-files.ts';
import { readDocument } from './document.ts';
import type { LoadedResource } from './loaded.ts';
import type { AnyResource } from './resources.ts';
import { checkRunsOnHost, type HostEnv } from './run-host.ts';
import type { Snapshot } from './snapshot.ts';
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

/** @param hostEnv Serin's own environment: then what versions that are run need of this machine is checked as well. */
export async function loadFiles(paths: readonly string[], hostEnv?: HostEnv): Promise<LoadResult> {
  const diagnostics: Diagnostic[] = [];
  const sources: Source[] = [];
  const seen = new Set<string>();
  for (const path of paths) {
    for (const file of await listFiles(path, diagnostics)) {
      const place = resolve(file);
      if (seen.has(place)) continue;
      seen.add(place);
      try {
        sources.push({ file, content: await readFile(file) });
      } catch (error) {
        diagnostics.push(readProblem(file, error));
      }
    }
  }
  return loadSources(sources, diagnostics, hostEnv, paths[0]);
}

/** What a text holds, under the name `file` in diagnostics (`-` for standard input, `api`). */
export function loadText(file: string, text: string | Uint8Array, hostEnv?: HostEnv): LoadResult {
  return loadSources([{ file, content: text }], [], hostEnv);
}

async function listFiles(path: string, diagnostics: Diagnostic[]): Promise<readonly string[]> {
  try {
    return await listConfigFiles(path);
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

/** @param asked What the user named first, to blame where nothing at all was found. */
function loadSources(sources: readonly Source[], diagnostics: Diagnostic[], hostEnv: HostEnv | undefined, asked = ''): LoadResult {
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
      ...nowhere(sources[0]?.file ?? asked),
      code: 'E_CONFIG_EMPTY',
      severity: 'error',
      message: `configuration is empty: ${sources.length === 0 ? 'no file ends in .yaml, .yml or .json' : 'there is no resource in the files given'}`,
      hint:
        sources.length === 0
          ? 'of a directory the files directly in it are read, not those in its directories'
          : 'write a VirtualService, or services: in the short form',
    });
  }
  const resources = loaded.map(({ resource }) => resource);
  const snapshot = buildSnapshot(resources);
  analyze(snapshot, loaded, diagnostics);
  if (hostEnv !== undefined) checkRunsOnHost(loaded, hostEnv, diagnostics);
  diagnostics.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line || a.column - b.column));
  return { snapshot, resources, diagnostics, files: sources.map(({ file }) => file) };
}
