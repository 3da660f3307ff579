/** A route by itself, whoever its parents are: where its references lead, and which of its rules can be served. */
import type { BackendObjectReference, GatewayApiRoute, HttpRouteFilter } from '../../config/gateway-api/types.ts';
import { no, type Verdict, yes } from './conditions.ts';
import { type References, resolveBackend } from './references.ts';
import { type DroppedRule, droppedRule, type Rule, unsupportedFilter } from './rules.ts';

export interface RouteFindings {
  readonly resolvedRefs: Verdict;
  /** None of its rules can be served: why the route is not accepted, wherever it would be attached. */
  readonly refused: Verdict | undefined;
  /** Some of its rules cannot be served. */
  readonly partiallyInvalid: Verdict | undefined;
  /** Some rule answers 500, or UNAVAILABLE, for what it cannot do, which takes its requests from others: it has to be there even where the route is refused. */
  readonly answersErrors: boolean;
  /** What is to be said of it, each where it stands. */
  readonly problems: readonly { readonly path: string; readonly reason: string; readonly message: string }[];
  /** Full names of the Services it sends to. */
  readonly hosts: ReadonlySet<string>;
}

type AnyFilter = Pick<HttpRouteFilter, 'requestMirror' | 'extensionRef'> & { readonly type: string };
interface WithFilters {
  readonly filters?: readonly AnyFilter[];
}

/** Of any kind of route; a TLSRoute's has no filters and no matches. */
type AnyRule = Rule & { readonly backendRefs?: readonly (BackendObjectReference & WithFilters)[] };

export function inspectRoute(route: GatewayApiRoute, references: References): RouteFindings {
  const inspection = new Inspection(route, references);
  const rules: readonly AnyRule[] = route.spec.rules ?? [];
  for (const [index, rule] of rules.entries()) inspection.rule(index, rule);
  return inspection.findings(rules.length);
}

/** Compiling regular expressions is dear, and a rule never changes. */
const verdicts = new WeakMap<Rule, DroppedRule | 'served'>();

function verdictOf(rule: Rule): DroppedRule | 'served' {
  let verdict = verdicts.get(rule);
  if (verdict === undefined) {
    verdict = droppedRule(rule) ?? 'served';
    verdicts.set(rule, verdict);
  }
  return verdict;
}

class Inspection {
  readonly #route: GatewayApiRoute;
  readonly #references: References;
  readonly #problems: { path: string; reason: string; message: string }[] = [];
  readonly #hosts = new Set<string>();
  readonly #invalid = new Map<number, { reason: string; message: string }>();
  #resolvedRefs: Verdict | undefined;
  #answersErrors = false;

  constructor(route: GatewayApiRoute, references: References) {
    this.#route = route;
    this.#references = references;
  }

  /** In words: what requests are answered with that cannot be served. */
  get #refusal(): string {
    return this.#route.kind === 'GRPCRoute' ? 'UNAVAILABLE' : '500';
  }

  rule(index: number, rule: AnyRule): void {
    const path = `spec.rules[${index}]`;
    const verdict = verdictOf(rule);
    const unsupported = unsupportedFilter(rule);
    if (verdict !== 'served') this.#drop(index, path, verdict);
    else if (unsupported !== undefined) {
      const at = `${path}.filters[${unsupported.index}]`;
      const said = { reason: unsupported.reason, message: `${unsupported.message}; its requests get ${this.#refusal}` };
      if (unsupported.reason === 'UnsupportedValue') this.#drop(index, at, said);
      else this.#unresolved(at, said.reason, said.message);
      this.#answersErrors = true;
    }
    this.#mirrors(path, rule);
    for (const [at, backendRef] of (rule.backendRefs ?? []).entries()) this.#backendOf(`${path}.backendRefs[${at}]`, backendRef);
  }

  #drop(index: number, path: string, { reason, message }: { readonly reason: string; readonly message: string }): void {
    this.#invalid.set(index, { reason, message });
    this.#problems.push({ path, reason, message });
  }

  #backendOf(path: string, ref: BackendObjectReference & WithFilters): void {
    this.#backend(path, ref);
    const unsupported = unsupportedFilter(ref);
    if (unsupported !== undefined) {
      const { index, reason, message } = unsupported;
      this.#unresolved(`${path}.filters[${index}]`, reason, `${message}; its share of the requests gets ${this.#refusal}`);
    }
    this.#mirrors(path, ref);
  }

  #mirrors(path: string, { filters = [] }: WithFilters): void {
    for (const [index, { requestMirror }] of filters.entries()) {
      if (requestMirror !== undefined) this.#backend(`${path}.filters[${index}].requestMirror.backendRef`, requestMirror.backendRef);
    }
  }

  #backend(path: string, ref: BackendObjectReference): void {
    const found = resolveBackend(this.#references, this.#route.kind, this.#route.metadata.namespace, ref);
    if (found.kind === 'service') this.#hosts.add(found.host);
    else this.#unresolved(path, found.reason, found.message);
  }

  #unresolved(path: string, reason: string, message: string): void {
    this.#problems.push({ path, reason, message });
    this.#resolvedRefs ??= no('ResolvedRefs', reason, message);
  }

  findings(rules: number): RouteFindings {
    const invalid = [...this.#invalid];
    const [first] = invalid;
    const isRefused = first !== undefined && invalid.length === rules;
    const listed = invalid.map(([index, { message }]) => `${index} (${message})`).join(', ');
    return {
      resolvedRefs: this.#resolvedRefs ?? yes('ResolvedRefs'),
      refused: isRefused ? no('Accepted', first[1].reason, first[1].message) : undefined,
      // "The message for this condition MUST start with the prefix "Dropped Rule"" (apis/v1/shared_types.go, RouteConditionPartiallyInvalid).
      partiallyInvalid:
        first === undefined || isRefused
          ? undefined
          : yes('PartiallyInvalid', first[1].reason, `Dropped Rule${invalid.length > 1 ? 's' : ''} ${listed}`),
      answersErrors: this.#answersErrors,
      problems: this.#problems,
      hosts: this.#hosts,
    };
  }
}
