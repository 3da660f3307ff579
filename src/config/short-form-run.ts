/** A version of the short form with `run:` to the `RunSpec` it stands for, and where each field of that stands. */
import { splitCommand } from './command-line.ts';
import type { EnvValue, RunSpec } from './resources.ts';
import type { Place } from './report.ts';
import type { ShortVersion } from './short-form-schema.ts';
import type { Path } from './yaml-node.ts';

/** A field of the RunSpec, and the place in the user's file it comes from. */
export type RunSource = readonly [field: Path, at: Place];

/**
 * @param healthPath Path of the service's health check: what makes an endpoint healthy makes it ready, unless the version says otherwise.
 * @returns          Undefined when the command cannot be read; why is reported.
 */
export function readRun(
  version: ShortVersion,
  place: Place,
  healthPath: string | undefined,
): { readonly spec: RunSpec; readonly sources: readonly RunSource[] } | undefined {
  const { run, env, instances, weight, ready, stopTimeout } = version;
  const command = readCommand(run, place.at('run'));
  if (command === undefined) return undefined;
  const readiness = typeof ready === 'string' ? { path: ready } : ready;
  const path = readiness?.path ?? healthPath;
  const spec: RunSpec = {
    command,
    ...(env === undefined ? {} : { env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, envValue(value)])) }),
    ...(instances === undefined ? {} : { instances }),
    ...(weight === undefined ? {} : { weight }),
    ...(path === undefined && readiness === undefined ? {} : { ready: { ...readiness, ...(path === undefined ? {} : { path }) } }),
    ...(stopTimeout === undefined ? {} : { stopTimeout }),
  };
  const sources: RunSource[] = [
    [[], place],
    [['command'], place.at('run')],
  ];
  for (const name of Object.keys(env ?? {})) sources.push([['env', name], place.at('env').at(name)]);
  for (const field of ['instances', 'weight', 'ready', 'stopTimeout'] as const) sources.push([[field], place.at(field)]);
  if (typeof ready !== 'string')
    for (const field of ['path', 'timeout'] as const) sources.push([['ready', field], place.at('ready').at(field)]);
  else sources.push([['ready', 'path'], place.at('ready')]);
  return { spec, sources };
}

function readCommand(run: unknown, place: Place): readonly string[] | undefined {
  if (Array.isArray(run) && run.length > 0 && run.every((word) => typeof word === 'string')) return run;
  if (typeof run !== 'string') {
    place.error('E_TYPE', 'expected a command: a text or a list of words', 'run: [node, reviews.js]');
    return undefined;
  }
  const split = splitCommand(run);
  if ('words' in split) return split.words;
  place.error('E_PROC_COMMAND', split.problem, split.hint);
  return undefined;
}

function envValue(value: EnvValue | number | boolean): EnvValue {
  return typeof value === 'object' ? value : String(value);
}
