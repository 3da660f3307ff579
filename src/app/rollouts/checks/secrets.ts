/** Headers and secrets of a request, read anew each time, so that a token that is rotated is used. Never kept, logged or shown. */
import { envValue, type HostEnv, type HostProblem, runDirectory } from '../../../config/run-host.ts';
import type { HttpAuth } from '../../../config/serin/metric-spec.ts';
import type { EnvValue } from '../../../config/resources.ts';

/** Where values come from: Serin's environment, and the directory of the file they are named in. */
export interface Source {
  readonly hostEnv: HostEnv;
  /** As resources have it in their origin. */
  readonly file: string;
}

/** @throws Error that says what is missing, without the value */
export function secretOf(value: EnvValue, { hostEnv, file }: Source): string {
  const problems: HostProblem[] = [];
  const text = envValue(value, runDirectory(file), hostEnv, [], problems);
  const failure = problems.find(({ severity }) => severity === 'error');
  if (failure !== undefined) throw new Error(failure.message);
  return text;
}

/** Header fields by name. @throws Error */
export function headersOf({ headers = [], bearerToken }: HttpAuth, source: Source): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const { key, value } of headers) found[key.toLowerCase()] = secretOf(value, source);
  if (bearerToken !== undefined) found['authorization'] = `Bearer ${secretOf(bearerToken, source).trim()}`;
  return found;
}
