/**
 * Keeps one mistake from hiding the others: a value whose shape is wrong is checked further without what was wrong in it.
 *
 * What that leaves out can look like a mistake of its own (a rule whose misspelt `rout` is gone does nothing), so problems at or around a place that
 * was already reported are dropped.
 */
import type { z } from 'zod';
import { Place, Report } from '../report.ts';
import type { Path } from '../yaml-node.ts';

export interface Salvaged<T> {
  readonly value: T;
  /** Reports like the place it was made from, except at or around what was already reported. */
  readonly place: Place;
}

/** Undefined when what is wrong cannot be left out: a required field, or an entry of a list. */
export function salvage<T extends z.ZodType>(schema: T, value: unknown, place: Place): Salvaged<z.infer<T>> | undefined {
  const first = schema.safeParse(value);
  if (first.success) return { value: first.data, place };
  const copy: unknown = structuredClone(value);
  const broken: Path[] = [];
  for (const issue of first.error.issues) {
    const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) {
        remove(copy, [...path, key]);
        broken.push([...path, key]);
      }
    } else {
      remove(copy, path);
      broken.push(path);
    }
  }
  const second = schema.safeParse(copy);
  if (!second.success) return undefined;
  const base = place.path;
  return {
    value: second.data,
    place: filtered(
      place,
      broken.map((path) => base.concat(path)),
    ),
  };
}

function remove(value: unknown, path: Path): void {
  const last = path.at(-1);
  let parent = value;
  for (const step of path.slice(0, -1)) {
    if (typeof parent !== 'object' || parent === null || !Object.hasOwn(parent, step)) return;
    parent = Reflect.get(parent, step);
  }
  // An entry of a list stays: leaving it out would shift the others.
  if (last !== undefined && typeof parent === 'object' && parent !== null && !Array.isArray(parent)) Reflect.deleteProperty(parent, last);
}

function filtered(place: Place, broken: readonly Path[]): Place {
  const { report } = place;
  const quiet = new QuietReport(
    report,
    new Set(broken.flatMap((path) => path.map((_, index) => JSON.stringify(path.slice(0, index + 1))))),
  );
  let at = Place.root(quiet);
  for (const step of place.path) at = at.at(step);
  return at;
}

class QuietReport extends Report {
  readonly #inner: Report;
  readonly #known: ReadonlySet<string>;

  constructor(inner: Report, known: ReadonlySet<string>) {
    super(inner.id, () => ({ origin: { file: '', line: 0, column: 0 }, path: [] }), []);
    this.#inner = inner;
    this.#known = known;
  }

  override add(...problem: Parameters<Report['add']>): void {
    if (!this.#known.has(JSON.stringify(problem[1]))) this.#inner.add(...problem);
  }
}
