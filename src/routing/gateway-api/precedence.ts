import type { ObjectMeta } from '../../config/resources.ts';
import { markUnreachable } from '../merge-routes.ts';
import type { Route, RouteMatch } from '../table.ts';
import type { RuleBody } from './rule-action.ts';

/** One match block of a rule. */
export interface RuleBlock {
  /** The same object for all blocks of a rule. */
  readonly body: RuleBody;
  readonly match: RouteMatch;
  /** What decides between blocks, the most important number first; the larger one is asked first. */
  readonly specificity: readonly number[];
}

export interface RouteBlocks {
  readonly kind: 'HTTPRoute' | 'GRPCRoute';
  readonly metadata: ObjectMeta;
  /** In the order in which they are written. */
  readonly blocks: readonly RuleBlock[];
}

/**
 * The routes of one virtual host, from the resources that are served there (semantics 2.3.1): the most specific block first, whichever resource it is of;
 * of equal ones that of the oldest resource, then of the first by namespace and name, then the first that is written. Blocks of one rule that come to stand
 * next to each other are one route.
 *
 * An HTTPRoute and a GRPCRoute are not meant to share a host; where they do (on the mesh), calls of a stated service or method are a GRPCRoute's.
 */
export function inPrecedence(resources: readonly RouteBlocks[]): readonly Route[] {
  const placed: { readonly block: RuleBlock; readonly group: number }[] = [];
  for (const { kind, blocks } of resources.length > 1 ? resources.toSorted(byAge) : resources) {
    for (const block of blocks) placed.push({ block, group: groupOf(kind, block) });
  }
  placed.sort((a, b) => a.group - b.group || bySpecificity(a.block.specificity, b.block.specificity));
  const routes: (RuleBody & { readonly matches: RouteMatch[] })[] = [];
  let last: RuleBody | undefined;
  for (const { block } of placed) {
    if (last === block.body) routes.at(-1)?.matches.push(block.match);
    else routes.push({ ...block.body, matches: [block.match] });
    last = block.body;
  }
  return markUnreachable(routes);
}

function byAge(a: Pick<RouteBlocks, 'metadata'>, b: Pick<RouteBlocks, 'metadata'>): number {
  const difference = createdMs(a.metadata) - createdMs(b.metadata);
  if (difference !== 0) return difference;
  const [first, second] = [fullName(a.metadata), fullName(b.metadata)];
  return first < second ? -1 : first > second ? 1 : 0;
}

/** What states no time is younger than everything that does. */
function createdMs({ creationTimestamp }: ObjectMeta): number {
  return creationTimestamp === undefined ? Number.MAX_SAFE_INTEGER : Date.parse(creationTimestamp);
}

function fullName({ namespace, name }: ObjectMeta): string {
  return `${namespace}/${name}`;
}

function groupOf(kind: RouteBlocks['kind'], { match }: RuleBlock): number {
  if (kind === 'HTTPRoute') return 1;
  return match.uri === undefined ? 2 : 0;
}

function bySpecificity(a: readonly number[], b: readonly number[]): number {
  for (let index = 0; index < a.length; index++) {
    const difference = (b[index] ?? 0) - (a[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
