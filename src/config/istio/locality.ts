/** localityLbSetting and zoneAwareLbSetting, as Istio's validateLocalityLbSetting has them. */
import { show, type Place } from '../report.ts';

interface LocalitySetting {
  readonly distribute?: readonly { readonly from?: string; readonly to?: Readonly<Record<string, number>> }[];
  readonly failover?: readonly { readonly from?: string; readonly to?: string }[];
  readonly failoverPriority?: readonly string[];
}

export function checkLocality(setting: LocalitySetting | undefined, place: Place, hasOutlierDetection: boolean): void {
  if (setting === undefined) return;
  const { distribute = [], failover = [], failoverPriority = [] } = setting;
  if (distribute.length > 0 && (failover.length > 0 || failoverPriority.length > 0)) {
    place.error('E_ONE_OF', 'distribute cannot be combined with failover or failoverPriority', 'keep one of them');
  }
  if ((failover.length > 0 || failoverPriority.length > 0) && !hasOutlierDetection) {
    place.error('E_LOCALITY', 'failover needs outlierDetection in the same policy', 'add outlierDetection');
  }
  const origins: string[] = [];
  for (const [index, { from = '', to = {} }] of distribute.entries()) {
    const at = place.at('distribute').at(index);
    checkLocalityName(from, at.at('from'));
    if (origins.some((other) => localitiesOverlap(other, from)))
      at.at('from').error('E_LOCALITY', `${show(from)} overlaps the from of an earlier entry`);
    origins.push(from);
    const entries = Object.entries(to);
    for (const [locality, weight] of entries) {
      checkLocalityName(locality, at.at('to').at(locality));
      if (weight < 1 || weight > 100) at.at('to').at(locality).error('E_LOCALITY', `weight must be from 1 to 100, found ${weight}`);
    }
    const total = entries.reduce((sum, [, weight]) => sum + weight, 0);
    if (total !== 100) at.at('to').error('E_LOCALITY', `weights of localities must sum up to 100, found ${total}`);
    const targets = entries.map(([locality]) => locality);
    for (const [targetIndex, target] of targets.entries()) {
      if (targets.slice(0, targetIndex).some((other) => localitiesOverlap(other, target))) {
        at.at('to')
          .at(target)
          .error('E_LOCALITY', `${show(target)} overlaps another locality`);
      }
    }
  }
  for (const [index, { from = '', to = '' }] of failover.entries()) {
    const at = place.at('failover').at(index);
    if (from === to) at.error('E_LOCALITY', `failover from ${show(from)} to itself`, 'name two regions');
    for (const [field, region] of [
      ['from', from],
      ['to', to],
    ] as const) {
      if (region.includes('*') || region.includes('/'))
        at.at(field).error('E_LOCALITY', `${show(region)} is no region`, 'name a region without * and /');
    }
  }
  for (const [index, label] of failoverPriority.entries()) {
    if (label === '') place.at('failoverPriority').at(index).error('E_LOCALITY', 'label is empty');
  }
}

function checkLocalityName(locality: string, place: Place): void {
  const parts = locality.split('/');
  const star = parts.indexOf('*');
  const isGood = locality !== '' && parts.length <= 3 && parts.every((part) => part !== '') && (star === -1 || star === parts.length - 1);
  if (!isGood)
    place.error('E_LOCALITY', `${show(locality)} is no locality`, 'write region, region/zone or region/zone/sub-zone; * at the end only');
}

/** `us-west/*` and `us-west/zone1` mean some place both. */
function localitiesOverlap(a: string, b: string): boolean {
  const left = a.split('/').filter((part) => part !== '*');
  const right = b.split('/').filter((part) => part !== '*');
  const length = Math.min(left.length, right.length);
  return left.slice(0, length).join('/') === right.slice(0, length).join('/');
}
