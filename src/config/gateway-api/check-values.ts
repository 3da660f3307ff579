/** Rules that several kinds of the Gateway API share. */
import { checkRegex } from '../istio/string-match.ts';
import { show, type Place } from '../report.ts';
import { QUALIFIED_KEY } from './fields.ts';

/** List entries that are told apart by a key (`x-kubernetes-list-type` map or set): reports every entry whose key an earlier one has. */
export function checkUnique<T>(
  items: readonly T[] | undefined,
  keyOf: (item: T) => string | number | undefined,
  place: Place,
  { what, field }: { readonly what: string; readonly field?: string },
): void {
  if (items === undefined || items.length < 2) return;
  const seen = new Map<string | number, number>();
  for (const [index, item] of items.entries()) {
    const key = keyOf(item);
    if (key === undefined) continue;
    const earlier = seen.get(key);
    if (earlier === undefined) {
      seen.set(key, index);
      continue;
    }
    const at = place.at(index);
    (field === undefined ? at : at.at(field)).error(
      'E_DUPLICATE',
      `${what} ${show(key)} is that of entry ${earlier} too`,
      'keep one of them',
    );
  }
}

/** At most `max` entries of a mapping. */
export function checkEntries(map: Readonly<Record<string, unknown>> | undefined, max: number, place: Place): void {
  const count = Object.keys(map ?? {}).length;
  if (count > max) place.error('E_RANGE', `number of entries must be <= ${max}, found ${count}`);
}

/** Keys of labels and annotations that are put on something. */
export function checkQualifiedKeys(map: Readonly<Record<string, unknown>> | undefined, place: Place): void {
  for (const key of Object.keys(map ?? {})) {
    const prefix = key.split('/', 1)[0] ?? '';
    if (QUALIFIED_KEY.test(key) && prefix.length < 253) continue;
    place
      .at(key)
      .keyError('E_NAME', `key ${show(key)} is malformed`, 'NAME or DOMAIN/NAME with at most 63 letters, digits, -, _ and . in the name');
  }
}

/**
 * Values to match on that are regular expressions: those that cannot be read are refused, although an API server takes them. A rule with one would never
 * hold, and what it is there for would be left to the next rule.
 */
export function checkPatterns(matches: readonly { readonly type?: string; readonly value: string }[] | undefined, place: Place): void {
  for (const [index, { type, value }] of (matches ?? []).entries()) {
    if (type === 'RegularExpression' && value !== '') checkRegex(value, place.at(index).at('value'));
  }
}

/** A Service has no default port: whoever sends to one says which. */
export function checkServicePort(
  {
    group = '',
    kind = 'Service',
    name,
    port,
  }: { readonly group?: string; readonly kind?: string; readonly name: string; readonly port?: number },
  place: Place,
): void {
  if (group === '' && kind === 'Service' && port === undefined)
    place.error('E_REQUIRED', `the reference to Service ${show(name)} needs a port`, 'add port: with one of the ports of the Service');
}
