/** The rules of a DestinationRule, as Istio's ValidateDestinationRule has them. */
import { isDns1123Label } from '../names.ts';
import { show, type Place } from '../report.ts';
import type { ParsedDestinationRule } from './destination-rule-schema.ts';
import { checkTrafficPolicy } from './traffic-policy.ts';
import { checkExportTo, checkHost, checkLabels } from './values.ts';

export function checkDestinationRule(spec: ParsedDestinationRule, place: Place, namespace: string): void {
  checkHost(spec.host, place.at('host'));
  checkTrafficPolicy(spec.trafficPolicy, place.at('trafficPolicy'));
  const names = new Map<string, number>();
  for (const [index, subset] of (spec.subsets ?? []).entries()) {
    const at = place.at('subsets').at(index);
    if (!isDns1123Label(subset.name)) {
      at.at('name').error('E_NAME', `subset name ${show(subset.name)} is not a DNS label`, 'at most 63 lower-case letters, digits and -');
    }
    const earlier = names.get(subset.name);
    if (earlier === undefined) names.set(subset.name, index);
    else at.at('name').warn('W_INEFFECTIVE', `subsets[${earlier}] has the same name ${show(subset.name)}; the first one counts`);
    checkLabels(subset.labels, at.at('labels'));
    checkTrafficPolicy(subset.trafficPolicy, at.at('trafficPolicy'));
  }
  checkExportTo(spec.exportTo, place.at('exportTo'), namespace, false);
  const { workloadSelector } = spec;
  if (workloadSelector === undefined) return;
  const at = place.at('workloadSelector').at('matchLabels');
  checkSelector(workloadSelector.matchLabels, at);
}

/** Labels to select workloads by: whole keys and values, no wildcards. */
export function checkSelector(labels: Readonly<Record<string, string>> | undefined, place: Place): void {
  const entries = Object.entries(labels ?? {});
  if (entries.length === 0) place.warn('W_INEFFECTIVE', 'selector has no labels and selects every workload of the namespace');
  if (entries.length > 4096) place.error('E_RANGE', `number of labels must be <= 4096, found ${entries.length}`);
  for (const [key, value] of entries) {
    if (key === '') place.at(key).keyError('E_NAME', 'label key is empty');
    if (key.includes('*')) place.at(key).keyError('E_NAME', `label key ${show(key)} has a *; wildcards are not supported`);
    if (value.includes('*')) place.at(key).error('E_NAME', `label value ${show(value)} has a *; wildcards are not supported`);
  }
}
