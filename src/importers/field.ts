/**
 * Another tool's document, field by field, with a ledger of what became of each.
 *
 * A `Field` is asked for its value by whoever maps it (`text()`, `take()`), or told that there is nothing to map it to (`noEquivalent()`) or that it
 * says nothing about traffic (`ignore()`). Whatever nobody asked for is found by `reportUnknown()`: so no field is dropped in silence, also one that
 * a newer version of the tool has brought.
 */
import type { Diagnostic } from '../base/diagnostic.ts';
import type { Code } from '../config/codes.ts';
import { formatPath, Place, Report, show, type Locate, type ResourceId } from '../config/report.ts';

export type Fate = 'mapped' | 'no equivalent' | 'ignored';

export class Field {
  readonly #value: unknown;
  readonly #place: Place;
  readonly #fates: Map<string, Fate>;

  private constructor(value: unknown, place: Place, fates: Map<string, Fate>) {
    this.#value = value;
    this.#place = place;
    this.#fates = fates;
  }

  static root(value: unknown, id: ResourceId, locate: Locate, sink: Diagnostic[]): Field {
    return new Field(value, Place.root(new Report(id, locate, sink)), new Map());
  }

  get isThere(): boolean {
    return this.#value !== undefined && this.#value !== null;
  }

  /** Every field that something became of, by its path; one that was dealt with as a whole stands for all below it. */
  get fates(): ReadonlyMap<string, Fate> {
    return this.#fates;
  }

  at(...path: readonly (string | number)[]): Field {
    let value = this.#value;
    let place = this.#place;
    for (const step of path) {
      value = memberOf(value, step);
      place = place.at(step);
    }
    return new Field(value, place, this.#fates);
  }

  text(): string | undefined {
    return this.#scalar('a text', (value) => (typeof value === 'string' ? value : undefined));
  }

  /** Also a number or a truth value, as it is written: annotations and Kubernetes' int-or-string. */
  word(): string | undefined {
    return this.#scalar('a text', (value) =>
      typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined,
    );
  }

  number(): number | undefined {
    return this.#scalar('a number', (value) => {
      if (typeof value === 'number') return value;
      return typeof value === 'string' && /^-?\d+(?:\.\d+)?$/.test(value.trim()) ? Number(value) : undefined;
    });
  }

  flag(): boolean | undefined {
    return this.#scalar('true or false', (value) => {
      if (typeof value === 'boolean') return value;
      return value === 'true' ? true : value === 'false' ? false : undefined;
    });
  }

  /** Empty where there is none. */
  items(): readonly Field[] {
    if (!this.isThere) return this.#nothing();
    if (!Array.isArray(this.#value)) return this.#wrong('a list');
    if (this.#value.length === 0) this.#settle('mapped');
    return this.#value.map((_item, index) => this.at(index));
  }

  /** Members of a mapping. Empty where there is none. */
  entries(): readonly (readonly [string, Field])[] {
    if (!this.isThere) return this.#nothing();
    if (typeof this.#value !== 'object' || Array.isArray(this.#value)) return this.#wrong('a mapping');
    const keys = Object.keys(this.#value ?? {});
    if (keys.length === 0) this.#settle('mapped');
    return keys.map((key) => [key, this.at(key)]);
  }

  texts(): readonly string[] {
    return this.items().flatMap((item) => item.text() ?? []);
  }

  /** All of it as it stands, for what both sides write in the same words. */
  take(): unknown {
    if (this.isThere) this.#settle('mapped');
    return this.isThere ? this.#value : undefined;
  }

  /** Looks without deciding what becomes of it. */
  peek(): unknown {
    return this.#value;
  }

  ignore(): void {
    if (this.#value !== undefined) this.#settle('ignored');
  }

  /** Of a field that is there: says that it has no equivalent, and what to do instead. */
  noEquivalent(message: string, hint?: string): void {
    if (this.#value === undefined) return;
    this.#settle('no equivalent');
    this.#place.warn('W_IMPORT_NO_EQUIVALENT', message, hint);
  }

  /** Something that was imported behaves in another way. Of a field that need not be there. */
  differs(message: string, hint?: string): void {
    this.#place.warn('W_IMPORT_DIFFERS', message, hint);
  }

  /** Something that the files given do not have. */
  missing(message: string, hint?: string): void {
    this.#place.warn('W_IMPORT_REFERENCE', message, hint);
  }

  error(code: Code, message: string, hint?: string): void {
    this.#settle('no equivalent');
    this.#place.error(code, message, hint);
  }

  /** Says of every leaf that nothing became of. Of the root, once all is done. */
  reportUnknown(): void {
    this.#visit(this.#value, this.#place);
  }

  #visit(value: unknown, place: Place): void {
    if (this.#fates.has(formatPath(place.path))) return;
    if (typeof value === 'object' && value !== null && Object.keys(value).length > 0) {
      for (const key of Object.keys(value)) {
        const step = Array.isArray(value) ? Number(key) : key;
        this.#visit(memberOf(value, step), place.at(step));
      }
      return;
    }
    this.#fates.set(formatPath(place.path), 'no equivalent');
    place.warn('W_IMPORT_UNKNOWN', 'the import does not know this field and leaves it out', 'see docs/import.md for what it knows');
  }

  #scalar<T>(expected: string, read: (value: unknown) => T | undefined): T | undefined {
    if (!this.isThere) return this.#value === null ? this.#settle('ignored') : undefined;
    this.#settle('mapped');
    const value = read(this.#value);
    if (value === undefined) this.#place.error('E_TYPE', `expected ${expected}, found ${show(this.#value)}`);
    return value;
  }

  #nothing(): readonly never[] {
    if (this.#value === null) this.#settle('ignored');
    return [];
  }

  #wrong(expected: string): readonly never[] {
    this.#settle('mapped');
    this.#place.error('E_TYPE', `expected ${expected}, found ${show(this.#value)}`);
    return [];
  }

  #settle(fate: Fate): undefined {
    this.#fates.set(formatPath(this.#place.path), fate);
  }
}

function memberOf(value: unknown, step: string | number): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, step) ? Reflect.get(value, step) : undefined;
}
