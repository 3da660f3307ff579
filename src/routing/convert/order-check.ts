/**
 * The first rule in a list that holds takes a request in a VirtualService, the most specific one in HTTPRoutes. The two only disagree where a rule stands before
 * another one that is more specific, some request fits both, and they do not do the same with it: those pairs are said, and no others.
 */
import type { GatewayApiHttpMatch } from '../../config/gateway-api/types.ts';
import type { ObjectMeta, VirtualService } from '../../config/resources.ts';
import { mergeRoutes } from '../merge-routes.ts';
import type { Route, RouteMatch } from '../table.ts';
import type { Changes, Spot } from './changes.ts';
import type { ConvertedRule } from './http-rule.ts';
import { bySpecificity, overlaps } from './precedence.ts';

export interface Contender {
  /** As compiled. */
  readonly route: Route;
  readonly spot: Spot;
  readonly rules: readonly ConvertedRule[];
}

interface Entrant {
  /** Of the HTTPRoute. */
  readonly metadata: ObjectMeta;
  readonly contenders: readonly Contender[];
}

interface Block {
  readonly contender: Contender;
  readonly rule: ConvertedRule;
  readonly match: GatewayApiHttpMatch;
}

export class OrderCheck {
  readonly #changes: Changes;
  /** By what names a place and a host; entrants oldest first. */
  readonly #domains = new Map<string, Map<VirtualService, Entrant>>();
  /** Hosts with the same rules are looked at once. */
  readonly #seen = new Set<string>();
  readonly #numbers = new Map<Contender, number>();

  constructor(changes: Changes) {
    this.#changes = changes;
  }

  add(domain: string, virtualService: VirtualService, metadata: ObjectMeta, contenders: readonly Contender[]): void {
    let entrants = this.#domains.get(domain);
    if (entrants === undefined) {
      entrants = new Map();
      this.#domains.set(domain, entrants);
    }
    if (!entrants.has(virtualService)) entrants.set(virtualService, { metadata, contenders });
    for (const contender of contenders) if (!this.#numbers.has(contender)) this.#numbers.set(contender, this.#numbers.size);
  }

  check(): void {
    for (const entrants of this.#domains.values()) {
      const all = [...entrants.values()];
      const key = all.map(({ contenders }) => contenders.map((contender) => this.#numbers.get(contender)).join(' ')).join('|');
      if (this.#seen.has(key)) continue;
      this.#seen.add(key);
      this.#checkOne(all);
    }
  }

  #checkOne(entrants: readonly Entrant[]): void {
    const before = listOrder(entrants);
    const after = specificOrder(entrants);
    const place = new Map(after.map((block, index) => [block.match, index]));
    for (const [index, first] of before.entries()) {
      for (const second of before.slice(index + 1)) {
        if (first.rule === second.rule || (place.get(second.match) ?? 0) > (place.get(first.match) ?? 0)) continue;
        if (!overlaps(first.match, second.match) || doTheSame(first, second)) continue;
        const { contender } = second;
        this.#changes.order(
          first.contender.spot,
          `requests that fit ${contender.route.name} (${contender.spot.path} of ${contender.spot.namespace}/${contender.spot.name}) too go there: the more specific match counts, not the order`,
          'make the matches exclude each other',
        );
      }
    }
  }
}

/** What is put in place of a prefix depends on the prefix. */
function doTheSame(a: Block, b: Block): boolean {
  const text = JSON.stringify(a.rule.rule);
  return text === JSON.stringify(b.rule.rule) && !text.includes('"ReplacePrefixMatch"');
}

/** As Serin and Istio try them, rules that take everything behind everybody's others. */
function listOrder(entrants: readonly Entrant[]): readonly Block[] {
  const owners = new Map<RouteMatch, Contender>();
  for (const contender of entrants.flatMap(({ contenders }) => contenders)) {
    for (const match of contender.route.matches) owners.set(match, contender);
  }
  return mergeRoutes(entrants.map(({ contenders }) => contenders.map(({ route }) => route))).flatMap(({ matches }) =>
    matches.flatMap((from) => {
      const contender = owners.get(from);
      return contender === undefined ? [] : blocksOf(contender, (own) => own === from);
    }),
  );
}

/** By age, name and list where matches are equally specific. */
function specificOrder(entrants: readonly Entrant[]): readonly Block[] {
  return entrants
    .toSorted((a, b) => age(a) - age(b) || (nameOf(a) < nameOf(b) ? -1 : 1))
    .flatMap(({ contenders }) => contenders.flatMap((contender) => blocksOf(contender, () => true)))
    .toSorted((a, b) => bySpecificity(a.match, b.match));
}

function blocksOf(contender: Contender, isWanted: (from: RouteMatch) => boolean): readonly Block[] {
  return contender.rules.flatMap((rule) =>
    rule.blocks.flatMap(({ from, to }): readonly Block[] => (isWanted(from) ? [{ contender, rule, match: to }] : [])),
  );
}

function age({ metadata: { creationTimestamp } }: Entrant): number {
  return creationTimestamp === undefined ? Number.MAX_SAFE_INTEGER : Date.parse(creationTimestamp);
}

function nameOf({ metadata }: Entrant): string {
  return `${metadata.namespace}/${metadata.name}`;
}
