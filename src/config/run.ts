/**
 * `serin.dev/run`, the annotation of a ServiceEntry that says which of its versions Serin runs as processes: JSON, `RunSpec` by the value of the
 * label `version`. The short form's `run:` expands to it. What this machine has to do with it (programs, environment) is in run-host.ts.
 */
import { z } from 'zod';
import { parseDuration } from '../base/duration.ts';
import { insideAnnotation, parseJson } from './annotation.ts';
import { checkShape } from './istio/shape.ts';
import { show, type Place } from './report.ts';
import { RUN_ANNOTATION, type EnvValue, type ObjectMeta, type RunSpec } from './resources.ts';

const optional = z.exactOptional;

/** Instances of one version; more is a slip on one machine. */
export const MAX_INSTANCES = 64;
const MAX_WORDS = 256;
const MAX_WORD_CHARS = 32 * 1024;
const MAX_TIMEOUT_MS = 3_600_000;

export const envSchema = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.boolean(), z.strictObject({ file: z.string() })], {
    error: 'expected a text, or { file: PATH } for the content of a file',
  }),
);

export const readySchema = z.strictObject({ path: optional(z.string()), timeout: optional(z.string()) });

const runSchema = z.strictObject({
  command: z.array(z.string()).min(1).max(MAX_WORDS),
  env: optional(z.record(z.string(), z.union([z.string(), z.strictObject({ file: z.string() })]))),
  instances: optional(z.int().min(1).max(MAX_INSTANCES)),
  weight: optional(z.int().min(1)),
  ready: optional(readySchema),
  stopTimeout: optional(z.string()),
});

const annotationSchema = z.record(z.string(), runSchema);

/** What a label value can be, and so what can stand in the name of a log file. */
const VERSION = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** A `${` that begins no reference; `$${` stands for `${` itself. */
const BROKEN_REFERENCE = /(?<!\$)\$\{(?![A-Za-z_][A-Za-z0-9_]*\})/;
const SECRET_NAME = /(?:^|_)(?:SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY)(?:_|$)/i;
/** Beginnings that keys of widely used services have, and PEM. */
const SECRET_VALUE = /^(?:-----BEGIN |gh[pousr]_|github_pat_|glpat-|xox[abprs]-|AKIA[0-9A-Z]{12}|sk_live_|eyJ[A-Za-z0-9_-]+\.eyJ)/;
/** The password in `scheme://user:password@host`. */
export const URL_PASSWORD = /^[a-z][a-z0-9+.-]*:\/\/[^/@:\s]*:(?!\$\{)([^/@\s]+)@/i;

/** True when the annotation's text is what it has to be; problems are reported at `place`. */
export function checkRunAnnotation(text: string, place: Place): boolean {
  const inner = insideAnnotation(place);
  const value = parseJson(text);
  if (value === undefined) {
    place.error('E_RUN', 'expected JSON', 'such as {"v2":{"command":["node","reviews.js"],"env":{"STARS":"black"}}}');
    return false;
  }
  if (!checkShape(annotationSchema, value, inner)) return false;
  let isGood = true;
  for (const [version, spec] of Object.entries(value)) {
    const at = inner.at(version);
    if (!VERSION.test(version)) {
      isGood = false;
      at.error('E_NAME', `version ${show(version)} is no label value`, 'at most 63 letters, digits, -, _ and ., such as v1');
    }
    isGood = checkRun(spec, at) && isGood;
  }
  return isGood;
}

/** What the shape cannot say. Used for the annotation and, field by field the same, for a version of the short form. */
export function checkRun(spec: RunSpec, place: Place): boolean {
  const { command, env = {}, ready, stopTimeout } = spec;
  const isCommand = checkCommand(command, place.at('command'));
  let isGood = isCommand;
  for (const [name, value] of Object.entries(env)) isGood = checkEnv(name, value, place.at('env').at(name)) && isGood;
  if (ready?.path !== undefined && (!/^\/[\x21-\x7e]*$/.test(ready.path) || ready.path.includes('#'))) {
    isGood = false;
    place
      .at('ready')
      .at('path')
      .error('E_PATH', `expected a path that begins with / and has no space or fragment, found ${show(ready.path)}`);
  }
  isGood = checkTimeout(ready?.timeout, place.at('ready').at('timeout')) && isGood;
  return checkTimeout(stopTimeout, place.at('stopTimeout')) && isGood;
}

export function checkCommand(words: readonly string[], place: Place): boolean {
  const [program = ''] = words;
  const problem = commandProblem(words);
  if (problem === undefined) return true;
  const hint = /^[A-Za-z_][A-Za-z0-9_]*=/.test(program) ? `put it under env: ${program.replace('=', ': ')}` : undefined;
  place.error('E_PROC_COMMAND', problem, hint);
  return false;
}

function commandProblem(words: readonly string[]): string | undefined {
  const [program = ''] = words;
  if (program.trim() === '') return 'the command names no program';
  if (/^[A-Za-z_][A-Za-z0-9_]*=/.test(program)) return `${show(program)} is no program; a variable is not set this way without a shell`;
  for (const word of words) {
    if (word.includes('\0')) return 'a word has a NUL byte in it';
    if (word.length > MAX_WORD_CHARS) return `a word is ${word.length} characters long, ${MAX_WORD_CHARS} are allowed`;
    if (BROKEN_REFERENCE.test(word)) return `expected \${NAME} in ${show(word)}; write $\${ for a literal \${`;
  }
  return undefined;
}

/** @param isServed The process is told its port as PORT. */
export function checkEnv(name: string, value: EnvValue, place: Place, isServed = true): boolean {
  const problem = envProblem(name, value, isServed);
  if (problem !== undefined) {
    place.error('E_CONFIG_ENV', problem);
    return false;
  }
  if (typeof value === 'string' && looksSecret(name, value)) {
    place.warn(
      'W_INLINE_SECRET',
      `${name} looks like a secret written into the file`,
      `write \${${name}} and set it where Serin is started, or { file: PATH }`,
    );
  }
  return true;
}

function envProblem(name: string, value: EnvValue, isServed: boolean): string | undefined {
  if (!ENV_NAME.test(name)) return `${show(name)} is no name of a variable; use letters, digits and _`;
  if (isServed && name === 'PORT') return 'PORT is set by Serin: the port the process has to listen on';
  if (typeof value !== 'string') return value.file === '' || value.file.includes('\0') ? 'file is no path' : undefined;
  if (value.includes('\0')) return 'the value has a NUL byte in it';
  if (value.length > MAX_WORD_CHARS) return `the value is ${value.length} characters long, ${MAX_WORD_CHARS} are allowed`;
  // A password may well have one in it by chance.
  const where = SECRET_NAME.test(name) ? 'the value' : show(value);
  if (BROKEN_REFERENCE.test(value)) return `expected \${NAME} in ${where}; write $\${ for a literal \${`;
  return undefined;
}

/** @param name Empty where only the value can tell. */
export function looksSecret(name: string, value: string): boolean {
  if (value.trim() === '' || /^(?:true|false|[0-9]{1,6})$/.test(value)) return false;
  if (SECRET_VALUE.test(value) || URL_PASSWORD.test(value)) return true;
  return SECRET_NAME.test(name) && !value.includes('${');
}

function checkTimeout(text: string | undefined, place: Place): boolean {
  if (text === undefined) return true;
  const ms = parseDuration(text);
  if (ms !== undefined && ms >= 10 && ms <= MAX_TIMEOUT_MS) return true;
  place.error('E_DURATION', `expected a duration from 10ms to 1h, found ${show(text)}`, 'use 500ms, 30s or 5m');
  return false;
}

/** The versions of a ServiceEntry that was validated which Serin runs, by the value of their label `version`. */
export function runSpecsOf(metadata: ObjectMeta): ReadonlyMap<string, RunSpec> {
  const text = metadata.annotations?.[RUN_ANNOTATION];
  if (text === undefined) return NONE;
  const result = annotationSchema.safeParse(parseJson(text));
  return result.success ? new Map(Object.entries(result.data)) : NONE;
}

const NONE: ReadonlyMap<string, RunSpec> = new Map();

/** Tells a version that is run from every other; stable over reloads. `namespace/name` is the ServiceEntry's. */
export function runId(metadata: Pick<ObjectMeta, 'namespace' | 'name'>, version: string): string {
  return `${metadata.namespace}/${metadata.name}/${version}`;
}
