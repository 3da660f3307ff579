/** `serin.dev/health-check`, the annotation of a ServiceEntry that says how its endpoints are checked, as JSON (`HealthCheckSpec`). */
import { z } from 'zod';
import { parseDuration } from '../base/duration.ts';
import { parseJson } from './annotation.ts';
import { HEALTH_CHECK_ANNOTATION, type HealthCheckSpec, type ObjectMeta } from './resources.ts';
import { Place, Report, show } from './report.ts';
import { checkShape } from './istio/shape.ts';

export const healthCheckSchema = z.strictObject({
  path: z.string(),
  interval: z.exactOptional(z.string()),
  timeout: z.exactOptional(z.string()),
  unhealthyThreshold: z.exactOptional(z.int().min(1).max(1000)),
  healthyThreshold: z.exactOptional(z.int().min(1).max(1000)),
});

/** True when the annotation's text is a health check; problems are reported at `place`, which is one line of the file. */
export function checkHealthCheck(text: string, place: Place): boolean {
  const value = parseJson(text);
  if (value === undefined) {
    place.error('E_HEALTH_CHECK', 'expected JSON', 'such as {"path":"/healthz","interval":"5s"}');
    return false;
  }
  const problems: string[] = [];
  const inner = Place.root(collector(place, problems));
  const isGood = checkShape(healthCheckSchema, value, inner) && checkHealthCheckValues(value, inner);
  if (!isGood) place.error('E_HEALTH_CHECK', problems.join('; '), 'fields: path, interval, timeout, unhealthyThreshold, healthyThreshold');
  return isGood;
}

/** What the shape cannot say; used for the annotation and for `healthCheck:` of the short form. */
export function checkHealthCheckValues(spec: HealthCheckSpec, place: Place): boolean {
  let isGood = true;
  if (!/^\/[\x21-\x7e]*$/.test(spec.path) || spec.path.includes('#')) {
    isGood = false;
    place.at('path').error('E_PATH', `expected a path that begins with / and has no space or fragment, found ${show(spec.path)}`);
  }
  for (const key of ['interval', 'timeout'] as const) {
    const text = spec[key];
    if (text === undefined) continue;
    const ms = parseDuration(text);
    if (ms === undefined || ms < 10) {
      isGood = false;
      place.at(key).error('E_DURATION', `expected a duration of at least 10ms, found ${show(text)}`, 'use 500ms, 30s or 5m');
    }
  }
  return isGood;
}

/** The health check of a ServiceEntry that was validated; undefined when it has none. */
export function healthCheckOf(metadata: ObjectMeta): HealthCheckSpec | undefined {
  const text = metadata.annotations?.[HEALTH_CHECK_ANNOTATION];
  if (text === undefined) return undefined;
  const result = healthCheckSchema.safeParse(parseJson(text));
  return result.success ? result.data : undefined;
}

/** Gathers messages in place of diagnostics: everything inside an annotation has one position. */
function collector(place: Place, problems: string[]): Report {
  const report = new Report(place.report.id, (path) => ({ origin: { file: '', line: 0, column: 0 }, path }), []);
  report.add = (_severity, path, _code, message) => void problems.push(`${path.join('.')}: ${message}`);
  return report;
}
