/** The paths of one Ingress and host as rules, and the rules as HTTPRoutes of at most sixteen. */
import type { Written } from '../emit.ts';
import { head, labelOf } from '../emit.ts';
import { rulesOf, type HeaderMatch } from './canary.ts';
import type { RuleExtras } from './filters.ts';
import { GATEWAY_API } from './gateway.ts';
import type { Ingress, IngressPath } from './ingress.ts';
import { planPath, type PathMatch, type PathPlan, type RegexHost } from './paths.ts';

export type Rule = Readonly<Record<string, unknown>>;

/** Of the Gateway API. */
const MAX_RULES = 16;
/** Of one rule. */
export const MAX_MATCHES = 64;
const MAX_MATCHES_OF_ROUTE = 128;
const MAX_HOSTNAMES = 16;

export interface HostPlan {
  readonly paths: readonly IngressPath[];
  readonly extras: RuleExtras;
  /** Kept from some: no backend. */
  readonly isClosed: boolean;
  readonly regexHost: RegexHost | undefined;
  /** Paths of the host, of any Ingress, that somebody is kept out of. */
  readonly closedPaths: readonly string[];
}

/** Rules by path: those of one path stay together. */
export function rulesOfHost(ingress: Ingress, { paths, ...options }: HostPlan): readonly (readonly Rule[])[] {
  const target = ingress.annotations.text('rewrite-target');
  const appRoot = ingress.annotations.text('app-root');
  const groups = paths.map((path) => rulesOfPath(path, { ...options, target }));
  if (appRoot === undefined || options.isClosed) return groups;
  return [
    [
      {
        matches: [{ path: { type: 'Exact', value: '/' } }],
        filters: [
          { type: 'RequestRedirect', requestRedirect: { path: { type: 'ReplaceFullPath', replaceFullPath: appRoot }, statusCode: 302 } },
        ],
      },
    ],
    ...groups,
  ];
}

interface PathOptions extends Omit<HostPlan, 'paths'> {
  readonly target: string | undefined;
}

function rulesOfPath(path: IngressPath, { target, extras, isClosed, regexHost, closedPaths }: PathOptions): readonly Rule[] {
  if (isClosed) {
    const { matches } = planPath(path, undefined, regexHost);
    return [closed(matches.length > 0 ? matches : [beginningOf(path)])];
  }
  const plan = planPath(path, target, regexHost);
  const problem =
    plan.problem ??
    (coversClosed(path, plan, regexHost, closedPaths) ? 'the prefix would rank above the expression of a closed path below it' : undefined);
  if (problem !== undefined) {
    path.field
      .at('path')
      .noEquivalent(
        `${problem}; the path ${plan.matches.length === 0 ? 'is left out' : 'answers 500 instead of going elsewhere'}`,
        'a VirtualService can: rewrite: { uriRegexRewrite: { match: …, rewrite: … } }, with RE2',
      );
    return plan.matches.length === 0 ? [] : [closed(plan.matches)];
  }
  reportPath(path, plan.matches, regexHost);
  if (extras.redirect !== undefined) {
    if (extras.redirect['statusCode'] === 0) return [closed(plan.matches)];
    return [
      { matches: plan.matches.map((match) => ({ path: match })), filters: [{ type: 'RequestRedirect', requestRedirect: extras.redirect }] },
    ];
  }
  const { hostname, retry, sessionPersistence } = extras;
  const rewrite = { ...(hostname === undefined ? {} : { hostname }), ...(plan.rewrite === undefined ? {} : { path: plan.rewrite }) };
  const filters = [...extras.filters, ...(Object.keys(rewrite).length === 0 ? [] : [{ type: 'URLRewrite', urlRewrite: rewrite }])];
  return rulesOf(path).map(({ headers, backendRefs }) => ({
    matches: plan.matches.map((match) => matchOf(match, headers)),
    ...(filters.length === 0 ? {} : { filters }),
    backendRefs,
    ...(retry === undefined ? {} : { retry }),
    ...(sessionPersistence === undefined ? {} : { sessionPersistence }),
  }));
}

function matchOf(path: PathMatch, headers: readonly HeaderMatch[]): object {
  return headers.length === 0 ? { path } : { path, headers };
}

/**
 * On a host of expressions: a prefix ranks above all of them, also above those that close something and that nginx would ask first, being longer. Where
 * the beginnings of both say that no request is of both, it does not matter.
 */
function coversClosed(
  { path }: IngressPath,
  { rewrite }: PathPlan,
  regexHost: RegexHost | undefined,
  closedPaths: readonly string[],
): boolean {
  if (regexHost === undefined || rewrite?.type !== 'ReplacePrefixMatch') return false;
  const own = literalOf(path);
  return closedPaths.some((other) => {
    const head = literalOf(other);
    return other.length >= path.length && (head.startsWith(own) || own.startsWith(head));
  });
}

/** As far as it is plain letters, whatever their case; `a*` need not have an a. */
function literalOf(path: string): string {
  const [literal = ''] = /^[-A-Za-z0-9/_~]*/.exec(path) ?? [];
  return (/^[?*{]/.test(path.slice(literal.length)) ? literal.slice(0, -1) : literal).toLowerCase();
}

/** Without a backend: 500, and no other rule of the host gets these requests. */
function closed(matches: readonly PathMatch[]): Rule {
  return { matches: matches.map((path) => ({ path })) };
}

/** For an expression that RE2 cannot read: all that begins as it does. As long as it is itself, since the longest is asked first. */
function beginningOf({ path }: IngressPath): PathMatch {
  const literal = literalOf(path) || '/';
  const missing = Math.max(0, path.length - literal.length);
  return { type: 'RegularExpression', value: `(?i)(?:${literal}${'(?:)'.repeat(Math.ceil(missing / 4))}).*` };
}

function reportPath({ field, path, type }: IngressPath, matches: readonly PathMatch[], regexHost: RegexHost | undefined): void {
  const [first] = matches;
  if (first?.type !== 'PathPrefix' || path === '/') return;
  const at = field.at('path');
  if (first.value !== path && regexHost !== undefined)
    at.differs(`${first.value} is a prefix here, which ranks above the expressions of its host whatever their length`);
  else if (type === 'ImplementationSpecific' && !/[(]/.test(path))
    at.differs(
      `nginx takes ${path} as the beginning of a text, so also ${path.replace(/\/$/, '')}-more; here it is whole segments of the path`,
      'add a RegularExpression match if anything relied on it',
    );
}

export interface RouteHead {
  readonly name: string;
  readonly namespace: string | undefined;
  readonly hostnames: readonly string[];
  readonly parentRefs: readonly object[];
  readonly taken: Set<string>;
}

/** The rules of a group stay in one route. @param taken Names of routes; gets those of these. */
export function routesOf(
  groups: readonly (readonly Rule[])[],
  { name, namespace, hostnames, parentRefs, taken }: RouteHead,
): readonly Written[] {
  const chunks: Rule[][] = [];
  for (const group of groups) {
    const last = chunks.at(-1);
    if (last !== undefined && last.length + group.length <= MAX_RULES && matchesIn([...last, ...group]) <= MAX_MATCHES_OF_ROUTE)
      last.push(...group);
    else if (group.length > 0) chunks.push([...group]);
  }
  const hosts: (readonly string[])[] = [];
  for (let at = 0; at < hostnames.length; at += MAX_HOSTNAMES) hosts.push(hostnames.slice(at, at + MAX_HOSTNAMES));
  const parts = (hosts.length === 0 ? [[]] : hosts).flatMap((part) => chunks.map((rules) => ({ part, rules })));
  return parts.map(({ part, rules }, index) => ({
    ...head(GATEWAY_API, 'HTTPRoute', index === 0 ? name : labelOf(`${name}-${index + 1}`, taken), namespace),
    spec: { parentRefs, ...(part.length === 0 ? {} : { hostnames: part }), rules },
  }));
}

function matchesIn(rules: readonly Rule[]): number {
  return rules.reduce((sum, { matches }) => sum + (Array.isArray(matches) ? matches.length : 0), 0);
}
