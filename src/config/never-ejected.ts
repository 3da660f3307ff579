/**
 * The trap of outlier detection in small services: Envoy ejects an endpoint only while 100 (ejected + 1) / endpoints is within maxEjectionPercent, whose
 * default is 10, so with fewer than ten endpoints nobody is ever ejected (semantics 2.1.9).
 */
import type { Place } from './report.ts';
import type { DestinationRule, OutlierDetectionSettings, TrafficPolicy } from './resources.ts';
import { type Service, subsetEndpoints } from './services.ts';

const DEFAULT_PERCENT = 10;

/** @param place Of the rule's spec. @param service What the rule's host is. */
export function warnNeverEjected(rule: DestinationRule, service: Service, place: Place): void {
  const { trafficPolicy, subsets = [] } = rule.spec;
  // How many instances a version has that Serin runs is not known here.
  if (service.processes.length > 0) return;
  const all = service.endpoints.length;
  for (const [at, settings] of detections(trafficPolicy, place.at('trafficPolicy'))) warn(settings, all, at);
  for (const [index, subset] of subsets.entries()) {
    const count = subsetEndpoints(service, subset).length;
    for (const [at, settings] of detections(subset.trafficPolicy, place.at('subsets').at(index).at('trafficPolicy')))
      warn(settings, count, at);
  }
}

function* detections(policy: TrafficPolicy | undefined, place: Place): Iterable<readonly [Place, OutlierDetectionSettings]> {
  if (policy?.outlierDetection !== undefined) yield [place.at('outlierDetection'), policy.outlierDetection];
  for (const [index, { outlierDetection }] of (policy?.portLevelSettings ?? []).entries())
    if (outlierDetection !== undefined) yield [place.at('portLevelSettings').at(index).at('outlierDetection'), outlierDetection];
}

function warn({ maxEjectionPercent }: OutlierDetectionSettings, endpoints: number, place: Place): void {
  const allowed = maxEjectionPercent || DEFAULT_PERCENT;
  if (endpoints === 0 || 100 / endpoints <= allowed) return;
  const stated = maxEjectionPercent ? '' : ', the default';
  place.warn(
    'W_NEVER_EJECTED',
    `nobody is ever ejected: one of ${endpoints} ${endpoints === 1 ? 'endpoint' : 'endpoints'} is more than maxEjectionPercent ${allowed}${stated}`,
    'set maxEjectionPercent: 100',
  );
}
