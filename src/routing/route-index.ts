import { finish } from '../base/finish.ts';
import { lowerAscii, prepareConditions } from './condition.ts';
import type { Condition, ReadValue } from './condition.ts';
import { PathTrie } from './path-trie.ts';
import type { RequestView } from './request-view.ts';
import type { RouteMatch } from './table.ts';

/**
 * The match blocks of one virtual host, found instead of tried: a request's cost does not grow with the number of blocks that ask for an exact
 * path, a path prefix, or an exact header, method, authority or query value.
 *
 * Invariants:
 * 1. The answer is the first block in the user's order whose conditions all hold, exactly as a walk down the list would give. Each candidate list
 *    is in ascending position and is left as soon as it can no longer beat the best block found so far.
 * 2. Every block stands in exactly one candidate list, and a block's conditions that the list does not imply are asked of `Condition.holds`.
 * 3. Looking up allocates nothing beyond what the view allocates.
 *
 * What stays linear: blocks told apart by regular expressions, value prefixes, presence or absence only.
 */
export class RouteIndex<Hit> {
  readonly #exactCase = new PathTrie<Bucket<Hit>>(false);
  readonly #anyCase = new PathTrie<Bucket<Hit>>(true);
  #anyPath = new Candidates<Hit>([]);
  #foldsPaths = false;

  /** @param blocks  In the user's order. */
  constructor(blocks: readonly Block<Hit>[]) {
    finish(this.#prepare(blocks, blocks.length));
  }

  /** The same in steps of so many blocks. */
  static *gradually<Hit>(blocks: readonly Block<Hit>[], stepBlocks: number): Generator<undefined, RouteIndex<Hit>> {
    const index = new RouteIndex<Hit>([]);
    yield* index.#prepare(blocks, stepBlocks);
    return index;
  }

  *#prepare(blocks: readonly Block<Hit>[], stepBlocks: number): Generator<undefined, void> {
    const buckets: Bucket<Hit>[] = [];
    const elsewhere: Entry<Hit>[] = [];
    for (const [position, { match, hit }] of blocks.entries()) {
      if (position % stepBlocks === stepBlocks - 1) yield;
      const conditions = prepareConditions(match);
      const uri = match.uri;
      if (uri === undefined || uri.kind === 'regex') {
        elsewhere.push({ position, hit, tests: conditions });
        continue;
      }
      if (uri.ignoreCase) this.#foldsPaths = true;
      // `/a/` and `/a` are one element prefix.
      const key = uri.kind === 'pathPrefix' && uri.value.endsWith('/') ? uri.value.slice(0, -1) : uri.value;
      const tests = conditions.slice(1);
      const slot = uri.ignoreCase ? this.#anyCase.at(lowerAscii(key)) : this.#exactCase.at(key);
      const kind = uri.kind === 'pathPrefix' ? 'element' : uri.kind;
      let bucket = slot[kind];
      if (bucket === undefined) {
        bucket = { entries: [], candidates: undefined };
        slot[kind] = bucket;
        buckets.push(bucket);
      }
      bucket.entries.push({ position, hit, tests });
    }
    for (const [position, bucket] of buckets.entries()) {
      if (position % stepBlocks === stepBlocks - 1) yield;
      bucket.candidates = new Candidates(bucket.entries);
      bucket.entries = [];
    }
    this.#anyPath = new Candidates(elsewhere);
  }

  find(request: RequestView): Hit | undefined {
    let best = walk(this.#exactCase, request, undefined);
    if (this.#foldsPaths) best = walk(this.#anyCase, request, best);
    return this.#anyPath.better(request, best)?.hit;
  }
}

interface Block<Hit> {
  readonly match: RouteMatch;
  readonly hit: Hit;
}

interface Entry<Hit> {
  readonly position: number;
  readonly hit: Hit;
  /** Conditions that the place of this entry does not imply. */
  readonly tests: readonly Condition[];
}

interface Bucket<Hit> {
  entries: Entry<Hit>[];
  candidates: Candidates<Hit> | undefined;
}

function walk<Hit>(trie: PathTrie<Bucket<Hit>>, request: RequestView, found: Entry<Hit> | undefined): Entry<Hit> | undefined {
  const path = request.path;
  let best = found;
  let position = 0;
  for (let node: typeof trie.root | undefined = trie.root; node !== undefined;) {
    if (node.prefix?.candidates !== undefined) best = node.prefix.candidates.better(request, best);
    if (node.element?.candidates !== undefined && (position === path.length || path.charCodeAt(position) === SLASH))
      best = node.element.candidates.better(request, best);
    if (position === path.length) return node.exact?.candidates === undefined ? best : node.exact.candidates.better(request, best);
    node = trie.step(node, path, position);
    if (node !== undefined) position += node.label.length;
  }
  return best;
}

const SLASH = 0x2f;

/** Below this many blocks a walk down the list is quicker than reading a value and asking a map. */
const KEYED_AT_LEAST = 8;

/** Blocks that share a path condition; the many that differ only in one exact value are found by that value. */
class Candidates<Hit> {
  readonly #first: number;
  readonly #keyed: readonly { readonly read: ReadValue; readonly byValue: ReadonlyMap<string, Candidates<Hit>> }[];
  readonly #rest: readonly Entry<Hit>[];

  constructor(entries: readonly Entry<Hit>[]) {
    this.#first = entries[0]?.position ?? Number.POSITIVE_INFINITY;
    const { keyed, rest } = entries.length < KEYED_AT_LEAST ? { keyed: [], rest: entries } : splitByKey(entries);
    this.#keyed = keyed;
    this.#rest = rest;
  }

  /** The first block here that holds, if it stands before `best`; otherwise `best`. */
  better(request: RequestView, best: Entry<Hit> | undefined): Entry<Hit> | undefined {
    if (best !== undefined && this.#first > best.position) return best;
    let better = best;
    for (const { read, byValue } of this.#keyed) {
      const value = read(request);
      if (value === undefined) continue;
      const candidates = byValue.get(value);
      if (candidates !== undefined) better = candidates.better(request, better);
    }
    for (const entry of this.#rest) {
      if (better !== undefined && entry.position > better.position) break;
      if (holdsAll(entry.tests, request)) return entry;
    }
    return better;
  }
}

function holdsAll(tests: readonly Condition[], request: RequestView): boolean {
  for (const test of tests) {
    if (!test.holds(request)) return false;
  }
  return true;
}

interface KeyedGroup<Hit> {
  readonly read: ReadValue;
  readonly byValue: Map<string, Entry<Hit>[]>;
}

/** Each entry goes under the exact value that most entries are told apart by; those without a common one stay in a list. */
function splitByKey<Hit>(entries: readonly Entry<Hit>[]): {
  readonly keyed: { readonly read: ReadValue; readonly byValue: ReadonlyMap<string, Candidates<Hit>> }[];
  readonly rest: readonly Entry<Hit>[];
} {
  const uses = new Map<string, number>();
  for (const { tests } of entries) {
    for (const { key } of tests) if (key !== undefined) uses.set(key.id, (uses.get(key.id) ?? 0) + 1);
  }
  const groups = new Map<string, KeyedGroup<Hit>>();
  const rest: Entry<Hit>[] = [];
  for (const entry of entries) {
    let chosen: Condition | undefined;
    let chosenUses = KEYED_AT_LEAST - 1;
    for (const test of entry.tests) {
      const count = test.key === undefined ? 0 : (uses.get(test.key.id) ?? 0);
      if (count > chosenUses) {
        chosen = test;
        chosenUses = count;
      }
    }
    if (chosen?.key === undefined) {
      rest.push(entry);
      continue;
    }
    const { id, value, read } = chosen.key;
    let group = groups.get(id);
    if (group === undefined) {
      group = { read, byValue: new Map() };
      groups.set(id, group);
    }
    const left = { ...entry, tests: entry.tests.filter((test) => test !== chosen) };
    const sameValue = group.byValue.get(value);
    if (sameValue === undefined) group.byValue.set(value, [left]);
    else sameValue.push(left);
  }
  const keyed = [...groups.values()].map(({ read, byValue }) => ({
    read,
    byValue: new Map([...byValue].map(([value, list]) => [value, new Candidates(list)] as const)),
  }));
  return { keyed, rest };
}
