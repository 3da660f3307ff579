/**
 * A version's process on this machine: the program behind its command, its environment with everything filled in, and what is missing for that.
 *
 * The environment is made, not inherited: a few variables every program expects, those that are declared, and PORT. `${NAME}` in a word or a value
 * is what NAME is in Serin's own environment (`${PORT}`: the port chosen). A value `{ file: PATH }` is the content of a file, without its last line
 * break; a relative path is inside the directory of the configuration file, links followed.
 */
import { accessSync, constants, readFileSync, realpathSync, statSync } from 'node:fs';
import { delimiter, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { Diagnostic, Severity } from '../base/diagnostic.ts';
import type { Code } from './codes.ts';
import type { LoadedResource } from './loaded.ts';
import { Place, Report, show } from './report.ts';
import { RUN_ANNOTATION, type EnvValue, type RunSpec } from './resources.ts';
import { looksSecret, runSpecsOf, URL_PASSWORD } from './run.ts';

/** Serin's own environment. */
export type HostEnv = Readonly<Record<string, string | undefined>>;

/** Ready to be started. */
export interface Program {
  /** Absolute. */
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
  /** What it is handed and may print, but nobody is to read in logs; the longest first. */
  readonly secrets: readonly string[];
}

export interface HostProblem {
  readonly severity: Severity;
  readonly code: Code;
  /** From the RunSpec on: `['env', 'STARS']`. */
  readonly field: readonly string[];
  readonly message: string;
  readonly hint?: string;
}

/** Handed on to every process where Serin has them. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'TZ', 'USER', 'TMPDIR'] as const;
const MAX_FILE_BYTES = 64 * 1024;
/** Shorter ones stand in other words by chance. */
const MIN_SECRET_CHARS = 6;
const REFERENCE = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

interface Planned {
  /** Absent when there is an error among the problems. */
  readonly program?: Program;
  readonly problems: readonly HostProblem[];
}

/**
 * @param directory Of the file that holds the configuration: the process starts there.
 * @param port      Undefined while only checking.
 */
export function planProgram(spec: RunSpec, directory: string, hostEnv: HostEnv, port: number | undefined): Planned {
  const own = { PORT: String(port ?? 0) };
  return planCommand(spec, directory, { ...hostEnv, ...own }, own);
}

/** @param own Variables that are neither declared nor inherited. */
export function planCommand(
  spec: Pick<RunSpec, 'command' | 'env'>,
  directory: string,
  hostEnv: HostEnv,
  own: Readonly<Record<string, string>> = {},
): Planned {
  const problems: HostProblem[] = [];
  const env: Record<string, string> = {};
  for (const name of INHERITED) {
    const value = hostEnv[name];
    if (value !== undefined) env[name] = value;
  }
  for (const [name, value] of Object.entries(spec.env ?? {})) {
    env[name] = envValue(value, directory, hostEnv, ['env', name], problems);
  }
  Object.assign(env, own);
  const [name = '', ...args] = spec.command.map((word) => expand(word, hostEnv, ['command'], problems));
  const found = findProgram(name, directory, env['PATH'] ?? '');
  if ('problem' in found)
    problems.push({ severity: 'error', code: 'E_PROC_COMMAND', field: ['command'], message: found.problem, hint: found.hint });
  if ('problem' in found || problems.some(({ severity }) => severity === 'error')) return { problems };
  return { program: { file: found.file, args, env, directory, secrets: secretsOf(spec, env, hostEnv) }, problems };
}

/** As far as names, places and files tell. */
function secretsOf({ command, env = {} }: Pick<RunSpec, 'command' | 'env'>, filled: HostEnv, hostEnv: HostEnv): readonly string[] {
  const own = Object.entries(env).flatMap(([name, declared]) => {
    const value = filled[name] ?? '';
    return typeof declared !== 'string' || looksSecret(name, value) ? [value, URL_PASSWORD.exec(value)?.[1] ?? ''] : [];
  });
  const texts = [...command, ...Object.values(env).filter((value) => typeof value === 'string')];
  const referred = texts.flatMap((text) => [...text.matchAll(REFERENCE)].map(([, name = '']) => name));
  const handedOn = referred.flatMap((name) => (looksSecret(name, hostEnv[name] ?? '') ? [hostEnv[name] ?? ''] : []));
  // What is printed is looked at line by line.
  const lines = [...own, ...handedOn].flatMap((value) => value.split('\n')).map((line) => line.trim());
  return [...new Set(lines)].filter(({ length }) => length >= MIN_SECRET_CHARS).sort((a, b) => b.length - a.length);
}

/** A value with everything filled in; empty where there is an error, which is then among the problems. */
export function envValue(value: EnvValue, directory: string, hostEnv: HostEnv, field: readonly string[], problems: HostProblem[]): string {
  return typeof value === 'string' ? expand(value, hostEnv, field, problems) : fileValue(value, directory, field, problems);
}

function expand(text: string, values: HostEnv, field: readonly string[], problems: HostProblem[]): string {
  return text.replace(REFERENCE, (whole, name: string | undefined) => {
    if (name === undefined) return '${';
    const value = values[name];
    if (value !== undefined) return value;
    problems.push({
      severity: 'error',
      code: 'E_CONFIG_ENV',
      field,
      message: `${whole} is not set in the environment of Serin`,
      hint: `set ${name} where Serin is started, or write $\${ for a literal \${`,
    });
    return '';
  });
}

function fileValue({ file }: Exclude<EnvValue, string>, directory: string, field: readonly string[], problems: HostProblem[]): string {
  const add = (severity: Severity, code: Code, message: string, hint?: string): string => {
    problems.push({ severity, code, field, message, ...(hint === undefined ? {} : { hint }) });
    return '';
  };
  try {
    const path = realpathSync(resolve(directory, file));
    if (!isAbsolute(file) && !isInside(path, realpathSync(directory)))
      return add(
        'error',
        'E_SECRET_PATH',
        `${show(file)} leads out of the directory of the configuration, to ${path}`,
        'write the absolute path',
      );
    const status = statSync(path);
    if (!status.isFile()) return add('error', 'E_SECRET_PATH', `${show(file)} is not a plain file`);
    if (status.size > MAX_FILE_BYTES)
      return add('error', 'E_SECRET_PATH', `${show(file)} is ${status.size} bytes, ${MAX_FILE_BYTES} are allowed`);
    if (process.platform !== 'win32' && (status.mode & 0o077) !== 0) {
      const mode = (status.mode & 0o777).toString(8);
      add('warning', 'W_SECRET_PERMS', `${show(file)} can be read by other users (mode 0${mode})`, `chmod 600 ${path}`);
    }
    const text = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
    return text.includes('\0') ? add('error', 'E_SECRET_PATH', `${show(file)} has a NUL byte in it`) : text;
  } catch (error) {
    return add('error', 'E_SECRET_PATH', `${show(file)} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function isInside(path: string, directory: string): boolean {
  const way = relative(directory, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** The executable file a shell would start, as an absolute path. */
function findProgram(
  name: string,
  directory: string,
  path: string,
): { readonly file: string } | { readonly problem: string; readonly hint: string } {
  const isPath = name.includes('/') || name.includes(sep);
  // An empty part of PATH would mean wherever Serin was started.
  const candidates = isPath
    ? [resolve(directory, name)]
    : path
        .split(delimiter)
        .filter(isAbsolute)
        .map((part) => join(part, name));
  let unfit: string | undefined;
  for (const file of candidates) {
    if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) continue;
    try {
      accessSync(file, constants.X_OK);
      return { file };
    } catch {
      unfit ??= file;
    }
  }
  if (unfit !== undefined)
    return { problem: `${show(unfit)} is not executable`, hint: `chmod +x ${unfit}, or name the program that runs it: [node, ${name}]` };
  if (isPath)
    return { problem: `there is no program ${show(candidates[0] ?? name)}`, hint: 'a relative path begins at the directory of this file' };
  return { problem: `there is no program ${show(name)} on the PATH`, hint: 'install it, or write its path' };
}

/** The directory a version's process starts in: that of the file the resource stands in. */
export function runDirectory(file: string): string {
  return dirname(resolve(file));
}

/** Reports what the versions that Serin runs lack on this machine, each at its line. */
export function checkRunsOnHost(loaded: readonly LoadedResource[], hostEnv: HostEnv, diagnostics: Diagnostic[]): void {
  for (const { resource, locate } of loaded) {
    if (resource.kind !== 'ServiceEntry') continue;
    const { kind, metadata, origin } = resource;
    const id = { kind, namespace: metadata.namespace, name: metadata.name };
    const place = Place.root(new Report(id, locate, diagnostics))
      .at('metadata')
      .at('annotations')
      .at(RUN_ANNOTATION);
    for (const [version, spec] of runSpecsOf(metadata)) {
      for (const { severity, code, field, message, hint } of planProgram(spec, runDirectory(origin.file), hostEnv, undefined).problems) {
        let at = place.at(version);
        for (const step of field) at = at.at(step);
        if (severity === 'error') at.error(code, message, hint);
        else at.warn(code, message, hint);
      }
    }
  }
}
