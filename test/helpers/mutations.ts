/** Random changes of a resource's spec: what the tests against other implementations' validation feed both sides. */
import fc from 'fast-check';

export interface Mutation {
  /** Chooses a node: how far down to go at each level. */
  readonly steps: readonly number[];
  readonly kind: 'drop' | 'replace' | 'rename' | 'add';
  readonly value: unknown;
  readonly key: string;
}

/** @param values To replace with. @param keys To add, and to rename to. */
export function mutations(values: readonly unknown[], keys: readonly string[]): fc.Arbitrary<Mutation[]> {
  const mutation = fc.record({
    steps: fc.array(fc.nat(20), { minLength: 2, maxLength: 9 }),
    kind: fc.constantFrom<Mutation['kind']>('drop', 'replace', 'replace', 'rename', 'add'),
    value: fc.constantFrom(...values),
    key: fc.constantFrom(...keys),
  });
  return fc.array(mutation, { minLength: 1, maxLength: 3 });
}

export function mutate(document: unknown, { steps, kind, value: shared, key }: Mutation): void {
  const value = structuredClone(shared);
  let parent: unknown = document;
  let at: unknown = typeof document === 'object' && document !== null ? Reflect.get(document, 'spec') : undefined;
  let last = 'spec';
  for (const step of steps) {
    if (typeof at !== 'object' || at === null) break;
    const keys = Object.keys(at);
    const next = keys[step % Math.max(1, keys.length)];
    if (next === undefined) break;
    parent = at;
    last = next;
    at = Reflect.get(at, next);
  }
  if (typeof parent !== 'object' || parent === null || last === 'spec') return;
  if (kind === 'replace') Reflect.set(parent, last, value);
  else if (kind === 'add' && typeof at === 'object' && at !== null && !Array.isArray(at)) Reflect.set(at, key, value);
  else if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else {
    Reflect.deleteProperty(parent, last);
    if (kind === 'rename') Reflect.set(parent, key, at);
  }
}
