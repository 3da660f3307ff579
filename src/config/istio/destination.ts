/** Destinations and their weights, which http, tls and tcp rules and mirrors share. */
import { isDns1123Label } from '../names.ts';
import type { Destination } from '../resources.ts';
import { show, type Place } from '../report.ts';
import { checkHost, checkPort } from './values.ts';

/** Weights are relative; with several destinations they must not sum up to zero. */
export function checkWeights(route: readonly { readonly weight?: number }[], place: Place): void {
  let total = 0;
  let hasNegative = false;
  for (const [index, { weight = 0 }] of route.entries()) {
    if (weight < 0) {
      hasNegative = true;
      place.at(index).at('weight').error('E_WEIGHT', `weight must be >= 0, found ${weight}`);
    }
    total += weight;
  }
  if (hasNegative || route.length <= 1) return;
  if (total === 0) {
    const found = route.map(({ weight = 0 }) => weight);
    const isAbsent = route.every(({ weight }) => weight === undefined);
    place.error(
      'E_WEIGHT',
      `total destination weight = 0 (${found.join(' + ')})`,
      isAbsent ? 'give each destination a weight' : 'give one of them a weight above 0',
    );
  } else if (total > 4_294_967_295) {
    place.error('E_WEIGHT', `total destination weight is ${total}, the limit is 4294967295`);
  }
}

export function checkDestination(destination: Destination, place: Place): void {
  checkHost(destination.host, place.at('host'), false);
  if (destination.subset !== undefined && destination.subset !== '' && !isDns1123Label(destination.subset)) {
    place
      .at('subset')
      .error('E_NAME', `subset ${show(destination.subset)} is not a DNS label`, 'at most 63 lower-case letters, digits and -');
  }
  if (destination.port !== undefined) checkPort(destination.port.number ?? 0, place.at('port').at('number'));
}
