/** Messages of Envoy's v3 API as plain data: the JSON form of the protos, with fields spelt as the protos spell them. */
export type Message = Readonly<Record<string, unknown>>;

export interface NamedMessage extends Message {
  readonly name: string;
}

const TYPES = 'type.googleapis.com/';

/** google.protobuf.Any. @param type  Full name, `envoy.extensions.filters.http.router.v3.Router`. */
export function any(type: string, fields: Message = {}): Message {
  return { '@type': `${TYPES}${type}`, ...fields };
}

/** google.protobuf.Duration. */
export function duration(ms: number): string {
  return `${ms / 1000}s`;
}

/** One in a million is Serin's smallest share. */
export function perMillion(numerator: number): Message {
  return { numerator, denominator: 'MILLION' };
}

/** Fields that are undefined are left out. */
export function present(fields: Message): Message {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** Undefined where it is empty, so that `present` leaves it out. */
export function nonEmpty<Item>(list: readonly Item[]): readonly Item[] | undefined {
  return list.length === 0 ? undefined : list;
}
