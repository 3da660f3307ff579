/**
 * Delegate VirtualServices: rules that one team writes under a match another has given it. A root's rule with `delegate` is replaced by the rules of
 * the delegate, each narrowed to the root's match (Istio pilot/pkg/model/virtualservice.go; semantics 2.1.2).
 *
 * Merging is done on a Snapshot, so that shifts and releases move weights in delegates, too. Files stay as they are.
 */
import { resolveGatewayName } from './gateway-name.ts';
import { resolveHost } from './hosts.ts';
import { copyOrigin } from './origins.ts';
import type { Destination, HttpMatchRequest, IstioHttpRoute, StringMatch, VirtualService } from './resources.ts';

/** `namespace/name` of what a root's rule delegates to. */
export function delegateName({ delegate }: IstioHttpRoute, rootNamespace: string): string {
  return `${delegate?.namespace || rootNamespace}/${delegate?.name ?? ''}`;
}

export function isDelegate({ spec }: VirtualService): boolean {
  return (spec.hosts ?? []).length === 0;
}

/** Delegates by `namespace/name`. */
export function delegatesOf(virtualServices: readonly VirtualService[]): ReadonlyMap<string, VirtualService> {
  return new Map(
    virtualServices.filter(isDelegate).map((resource) => [`${resource.metadata.namespace}/${resource.metadata.name}`, resource]),
  );
}

/** Roots with their delegates' rules in the place of those that delegate, and no delegates. A rule whose delegate is not there stays as it is. */
export function mergeDelegates(virtualServices: readonly VirtualService[]): readonly VirtualService[] {
  const delegates = delegatesOf(virtualServices);
  if (delegates.size === 0) return virtualServices;
  return virtualServices.flatMap((root): readonly VirtualService[] => {
    if (isDelegate(root)) return [];
    const { http = [] } = root.spec;
    if (http.every((rule) => rule.delegate === undefined)) return [root];
    const merged = http.flatMap((rule) => {
      const delegate = rule.delegate === undefined ? undefined : delegates.get(delegateName(rule, root.metadata.namespace));
      return delegate === undefined ? [rule] : mergedRules(rule, root.metadata.namespace, delegate);
    });
    return [copyOrigin(root, { ...root, spec: { ...root.spec, http: merged } })];
  });
}

/** Those of the delegate's rules that ask for nothing the root's match excludes. */
function mergedRules(root: IstioHttpRoute, rootNamespace: string, delegate: VirtualService): readonly IstioHttpRoute[] {
  const { namespace } = delegate.metadata;
  return (delegate.spec.http ?? []).flatMap((rule) => {
    const match = delegatedMatches(root, rootNamespace, rule, namespace);
    return match === undefined ? [] : [mergedRule(root, rule, match, namespace)];
  });
}

/** Matches of a delegate's rule under a root's; undefined when one lies outside of them, which leaves the rule out. */
export function delegatedMatches(
  root: IstioHttpRoute,
  rootNamespace: string,
  rule: IstioHttpRoute,
  namespace: string,
): readonly HttpMatchRequest[] | undefined {
  const roots = (root.match ?? []).map((match) => withFullGateways(match, rootNamespace));
  const leaves = (rule.match ?? []).map((match) => withFullGateways(match, namespace));
  return mergedMatches(roots, leaves);
}

/** The delegate's own fields win; what it leaves out is the root's. */
function mergedRule(root: IstioHttpRoute, rule: IstioHttpRoute, match: readonly HttpMatchRequest[], namespace: string): IstioHttpRoute {
  const { delegate: _delegate, match: _match, name: rootName = '', ...inherited } = root;
  const own = withFullNames(rule, namespace);
  const name = [rootName, rule.name ?? ''].filter((part) => part !== '').join('-');
  return copyOrigin(rule, {
    ...inherited,
    ...own,
    ...(name === '' ? {} : { name }),
    ...(match.length === 0 ? {} : { match }),
  });
}

/** Short names are those of the delegate's own namespace. */
function withFullNames(rule: IstioHttpRoute, namespace: string): IstioHttpRoute {
  const full = (destination: Destination): Destination => ({ ...destination, host: resolveHost(destination.host, namespace) });
  const { route, mirror, mirrors } = rule;
  return {
    ...rule,
    ...(route === undefined ? {} : { route: route.map((each) => ({ ...each, destination: full(each.destination) })) }),
    ...(mirror === undefined ? {} : { mirror: full(mirror) }),
    ...(mirrors === undefined ? {} : { mirrors: mirrors.map((each) => ({ ...each, destination: full(each.destination) })) }),
  };
}

function withFullGateways(match: HttpMatchRequest, namespace: string): HttpMatchRequest {
  if (match.gateways === undefined) return match;
  return { ...match, gateways: match.gateways.map((name) => resolveGatewayName(name, namespace)) };
}

/** Every block of the delegate's under each of the root's it fits. */
function mergedMatches(roots: readonly HttpMatchRequest[], leaves: readonly HttpMatchRequest[]): readonly HttpMatchRequest[] | undefined {
  if (roots.length === 0) return leaves;
  if (leaves.length === 0) return roots;
  const merged: HttpMatchRequest[] = [];
  for (const leaf of leaves) {
    const fitting = roots.filter((root) => fits(root, leaf));
    if (fitting.length === 0) return undefined;
    merged.push(...fitting.map((root) => mergedMatch(root, leaf)));
  }
  return merged;
}

const SINGLE = ['uri', 'scheme', 'method', 'authority'] as const;
const BY_NAME = ['headers', 'withoutHeaders', 'queryParams'] as const;

function mergedMatch(root: HttpMatchRequest, leaf: HttpMatchRequest): HttpMatchRequest {
  const byName = Object.fromEntries(
    [...BY_NAME, 'sourceLabels' as const].flatMap((field) => {
      const both = { ...root[field], ...leaf[field] };
      return Object.keys(both).length === 0 ? [] : [[field, both] as const];
    }),
  );
  const name = [root.name ?? '', leaf.name ?? ''].filter((part) => part !== '').join('-');
  return { ...root, ...leaf, ...byName, ...(name === '' ? {} : { name }) };
}

/** Whether what the leaf asks for lies within what the root does, as far as both ask for the same thing. */
function fits(root: HttpMatchRequest, leaf: HttpMatchRequest): boolean {
  if (SINGLE.some((field) => !isWithin(root[field], leaf[field]))) return false;
  for (const field of BY_NAME) {
    for (const [name, match] of Object.entries(leaf[field] ?? {})) if (!isWithin(root[field]?.[name], match)) return false;
  }
  if ((root.ignoreUriCase ?? false) !== (leaf.ignoreUriCase ?? false)) return false;
  if (root.port !== undefined && root.port !== 0 && leaf.port !== undefined && leaf.port !== 0 && root.port !== leaf.port) return false;
  if ((root.sourceNamespace ?? '') !== '' && leaf.sourceNamespace !== root.sourceNamespace) return false;
  const labels = root.sourceLabels ?? {};
  if (Object.entries(leaf.sourceLabels ?? {}).some(([name, value]) => labels[name] !== undefined && labels[name] !== value)) return false;
  const gateways = root.gateways ?? [];
  return gateways.length === 0 || (leaf.gateways ?? []).every((name) => gateways.includes(name));
}

/** Patterns cannot be compared, so beside one nothing else fits. */
function isWithin(root: StringMatch | undefined, leaf: StringMatch | undefined): boolean {
  if (root === undefined || leaf === undefined) return true;
  if (root.regex !== undefined || leaf.regex !== undefined) return false;
  if (root.exact !== undefined) return leaf.exact === root.exact;
  if (root.prefix !== undefined) return (leaf.exact ?? leaf.prefix)?.startsWith(root.prefix) === true;
  // Presence on both sides.
  return leaf.exact === undefined && leaf.prefix === undefined;
}
