/**
 * Keeps one mistake from hiding the others: a value whose shape is wrong is checked further without what was wrong in it. What cannot be left out
 * (a required field, an entry of a list) is stood in for.
 *
 * What that leaves out can look like a mistake of its own (a rule whose misspelt `rout` is gone does nothing), so problems at, around or below a place
 * that was already reported are dropped, and so are all warnings: a rule whose misspelt `mtach` is gone seems to match everything.
 */
import { z } from 'zod';
import { Place, Report } from '../report.ts';
import type { Path } from '../yaml-node.ts';
import { checkShape, schemaAt } from './shape.ts';

export interface Salvaged<T> {
  readonly value: T;
  /** Reports errors like the place it was made from, except at, around or below what was already reported. */
  readonly place: Place;
}

/** What is left out can bring out what it covered, a field that is required among them: three rounds are enough for every shape there is. */
const ROUNDS = 3;

/** Undefined when nothing of the value can be checked any further. */
export function salvage<T extends z.ZodType>(schema: T, value: unknown, place: Place): Salvaged<z.infer<T>> | undefined {
  const root: { value: unknown } = { value: structuredClone(value) };
  const broken: Path[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const result = schema.safeParse(root.value);
    if (result.success) return { value: result.data, place: round === 0 ? place : filtered(place, broken) };
    for (const issue of result.error.issues) {
      const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
      const places = issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...path, key]) : [path];
      for (const at of places) {
        mend(root, schema, at);
        broken.push(at);
      }
    }
  }
  return undefined;
}

/** Shape and rules of a value: the rules of what is left of it where the shape is wrong. True when the shape is right. */
export function checkAll<T extends z.ZodType>(
  schema: T,
  value: unknown,
  place: Place,
  check?: (value: z.infer<T>, place: Place) => void,
): value is z.infer<T> {
  if (checkShape(schema, value, place)) {
    check?.(value, place);
    return true;
  }
  const rest = check === undefined ? undefined : salvage(schema, value, place);
  if (rest !== undefined) check?.(rest.value, rest.place);
  return false;
}

/** Leaves out what is at `path`, or puts something of the right shape in its place where the schema wants something there. */
function mend(root: { value: unknown }, schema: z.ZodType, path: Path): void {
  const last = path.at(-1);
  let parent = root.value;
  for (const step of path.slice(0, -1)) {
    if (typeof parent !== 'object' || parent === null || !Object.hasOwn(parent, step)) return;
    parent = Reflect.get(parent, step);
  }
  if (last === undefined || typeof parent !== 'object' || parent === null) return;
  const wanted = schemaAt(schema, path);
  // An entry of a list stays, else the others would shift; of what is required, the schema without its wrapper cannot tell, but its owner can.
  const isRequired = Array.isArray(parent) || requires(schemaAt(schema, path.slice(0, -1)), String(last));
  const standIn = isRequired ? standInFor(wanted) : undefined;
  if (standIn !== undefined) Reflect.set(parent, last, standIn);
  else if (!Array.isArray(parent)) Reflect.deleteProperty(parent, last);
}

function requires(owner: z.core.$ZodType | undefined, key: string): boolean {
  return owner instanceof z.ZodObject && owner.shape[key] !== undefined && !(owner.shape[key] instanceof z.ZodExactOptional);
}

/** The least value of a shape; undefined for shapes that are never required here. */
function standInFor(schema: z.core.$ZodType | undefined): unknown {
  if (schema instanceof z.ZodString) return 'x';
  if (schema instanceof z.ZodNumber) return 1;
  if (schema instanceof z.ZodBoolean) return false;
  if (schema instanceof z.ZodEnum) return schema.options[0];
  if (schema instanceof z.ZodArray) return [];
  if (schema instanceof z.ZodRecord) return {};
  if (!(schema instanceof z.ZodObject)) return undefined;
  const required = Object.keys(schema.shape).filter((key) => requires(schema, key));
  return Object.fromEntries(required.map((key) => [key, standInFor(schemaAt(schema, [key]))]));
}

function filtered(place: Place, broken: readonly Path[]): Place {
  const base = place.path;
  let at = Place.root(
    new QuietReport(
      place.report,
      broken.map((path) => base.concat(path)),
    ),
  );
  for (const step of base) at = at.at(step);
  return at;
}

class QuietReport extends Report {
  readonly #inner: Report;
  readonly #broken: readonly Path[];

  constructor(inner: Report, broken: readonly Path[]) {
    super(inner.id, () => ({ origin: { file: '', line: 0, column: 0 }, path: [] }), []);
    this.#inner = inner;
    this.#broken = broken;
  }

  override isSound(path: Path): boolean {
    return !this.#broken.some((known) => known.length <= path.length && isOnOneWay(known, path));
  }

  override add(...problem: Parameters<Report['add']>): void {
    const [severity, path] = problem;
    if (severity === 'error' && !this.#broken.some((known) => isOnOneWay(known, path))) this.#inner.add(...problem);
  }
}

/** True when one of the two leads to or through the other. */
function isOnOneWay(a: Path, b: Path): boolean {
  const shorter = a.length < b.length ? a : b;
  return shorter.every((step, index) => step === a[index] && step === b[index]);
}
