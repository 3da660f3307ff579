/**
 * Files to a Snapshot: read, parse, check, expand the short form, look across resources. Every problem is collected, none is thrown.
 * Which files a directory stands for is in config-files.ts.
 */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Diagnostic } from '../base/diagnostic.ts';
import { analyze } from './analyze.ts';
import { buildSnapshot } from './build-snapshot.ts';
import { checkCredentials } from './check-credentials.ts';
import { listConfigFiles } from './config-files.ts';
import type { LoadedResource } from './loaded.ts';
import { identityOf, identityText, type Manifest, manifestFile } from './manifest.ts';
import { nowhere, readSource, type Source } from './read-source.ts';
import type { AnyResource } from './resources.ts';
import { checkRunsOnHost, type HostEnv } from './run-host.ts';
import { checkMetricsOnHost } from './serin/metric-host.ts';
import type { Snapshot } from './snapshot.ts';

export interface LoadResult {
  /** To be used only when no diagnostic is an error. */
  readonly snapshot: Snapshot;
  /** In the order of the files; the short form already expanded. */
  readonly resources: readonly AnyResource[];
  /** Sorted by file, line and column. */
  readonly diagnostics: readonly Diagnostic[];
  /** The files that were read, directories resolved. */
  readonly files: readonly string[];
  /** The same with what was in them. */
  readonly sources: readonly Source[];
}

interface Machine {
  readonly hostEnv: HostEnv | undefined;
  readonly nowMs: number | undefined;
}

/**
 * @param hostEnv Serin's own environment: then what versions that are run need of this machine is checked as well, and the certificates that are named.
 * @param nowMs   Wall time, which certificates have to be valid at.
 */
export async function loadFiles(paths: readonly string[], hostEnv?: HostEnv, nowMs?: number): Promise<LoadResult> {
  return loadConfiguration(await readFiles(paths), [], hostEnv, nowMs);
}

/** Files as they were read at one moment. */
export interface FilesRead {
  readonly sources: readonly Source[];
  /** Of those that could not be read. */
  readonly problems: readonly Diagnostic[];
  /** What the user named first, to blame where nothing at all was found. */
  readonly asked: string;
}

export const NO_FILES: FilesRead = { sources: [], problems: [], asked: '' };

export async function readFiles(paths: readonly string[]): Promise<FilesRead> {
  const problems: Diagnostic[] = [];
  const sources: Source[] = [];
  const seen = new Set<string>();
  for (const path of paths) {
    for (const file of await listFiles(path, problems)) {
      const place = resolve(file);
      if (seen.has(place)) continue;
      seen.add(place);
      try {
        sources.push({ file, content: await readFile(file) });
      } catch (error) {
        problems.push(readProblem(file, error));
      }
    }
  }
  return { sources, problems, asked: paths[0] ?? '' };
}

/** Files, and beside them what came over the admin API: of a resource that both have the file's counts, and a warning says so. */
export function loadConfiguration(files: FilesRead, manifests: readonly Manifest[], hostEnv?: HostEnv, nowMs?: number): LoadResult {
  return loadSources(files.sources, [...files.problems], { hostEnv, nowMs }, files.asked, manifests);
}

/** What a text holds, under the name `file` in diagnostics (`-` for standard input, `api`). */
export function loadText(file: string, text: string | Uint8Array, hostEnv?: HostEnv, nowMs?: number): LoadResult {
  return loadSources([{ file, content: text }], [], { hostEnv, nowMs });
}

/** Texts that somebody else has read. What they say of this machine is not checked; their names are where relative paths in them begin. */
export function loadTexts(sources: readonly Source[], manifests: readonly Manifest[] = []): LoadResult {
  return loadSources(sources, [], { hostEnv: undefined, nowMs: undefined }, '', manifests);
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

function ownedByFile({ origin }: AnyResource, manifest: Manifest): Diagnostic {
  const { kind, namespace, name, by, at } = manifest;
  return {
    ...origin,
    code: 'W_FILE_OWNED',
    severity: 'warning',
    kind,
    namespace,
    name,
    path: '',
    message: `${identityText(manifest)} was applied by ${by} at ${at} too; what the file says counts`,
    hint: `drop the other with serin delete ${kind} ${name} -n ${namespace}, or it counts again when the file has it no more`,
  };
}

function loadSources(
  sources: readonly Source[],
  diagnostics: Diagnostic[],
  { hostEnv, nowMs }: Machine,
  asked = '',
  manifests: readonly Manifest[] = [],
): LoadResult {
  const loaded: LoadedResource[] = [];
  let documents = 0;
  for (const source of sources) documents += readSource(source, loaded, diagnostics);
  const owned = new Map(loaded.map(({ resource }) => [identityText(identityOf(resource)), resource]));
  for (const manifest of manifests) {
    const owner = owned.get(identityText(manifest));
    if (owner === undefined) documents += readSource({ file: manifestFile(manifest), content: manifest.text }, loaded, diagnostics);
    else diagnostics.push(ownedByFile(owner, manifest));
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
  if (hostEnv !== undefined) {
    checkRunsOnHost(loaded, hostEnv, diagnostics);
    checkMetricsOnHost(loaded, hostEnv, diagnostics);
    checkCredentials(loaded, snapshot.secrets, nowMs, diagnostics);
  }
  diagnostics.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line || a.column - b.column));
  return { snapshot, resources, diagnostics, files: sources.map(({ file }) => file), sources };
}
