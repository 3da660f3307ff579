/**
 * Paths of ingress-nginx as path matches of an HTTPRoute, and the rewrite that goes with them.
 *
 * `Exact` and `Prefix` mean the same on both sides. Two things do not. `ImplementationSpecific` is nginx's plain prefix of letters (`/foo` takes
 * `/foobar`). And once any Ingress of a host has use-regex or rewrite-target, nginx reads every path of that host but `Exact` ones as a
 * case-insensitive regular expression that has to match at the beginning, the longest first.
 *
 * Paths without any expression in them become plain prefixes even then, because that is what they are written for, unless the host has a real
 * expression: regular expressions rank below prefixes, so there all of them have to be expressions (`hostsWithExpressions`).
 */
import { RE2JS } from 're2js';
import type { IngressPath } from './ingress.ts';

export interface PathMatch {
  readonly type: 'Exact' | 'PathPrefix' | 'RegularExpression';
  readonly value: string;
}

export type PathRewrite =
  | { readonly type: 'ReplaceFullPath'; readonly replaceFullPath: string }
  | { readonly type: 'ReplacePrefixMatch'; readonly replacePrefixMatch: string };

export interface PathPlan {
  readonly matches: readonly PathMatch[];
  readonly rewrite?: PathRewrite;
  /** Why it cannot be said; then `matches` are still those of the path. */
  readonly problem?: string;
}

const EXPRESSION = /[()[\]{}*+?|^$\\]/;
/** `/api(/|$)(.*)`, `/api/(.*)`, `/api/?(.*)`, `/(.*)`, and without the parentheses. */
const PREFIX_AND_REST = /^(?<literal>(?:\/[-A-Za-z0-9_.~%:@!,;=&']+)*)(?<gap>\(\/\|\$\)|\/\?|\/)(?<rest>\(\.\*\)|\.\*)\$?$/;

export function isExpression({ path, type }: IngressPath): boolean {
  return type !== 'Exact' && (EXPRESSION.test(path) || !isPlain(path)) && prefixOf(path) === undefined;
}

/** What the Gateway API takes as the path of an exact or a prefix match. */
function isPlain(path: string): boolean {
  return /^\/(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})*$/.test(path) && !/\/\/|\/\.\.?(?:\/|$)|%2f/i.test(path);
}

function prefixOf(path: string): { readonly literal: string; readonly rest: number } | undefined {
  const { literal = '', gap = '', rest = '' } = PREFIX_AND_REST.exec(path)?.groups ?? {};
  if (gap === '') return undefined;
  const groups = (gap.startsWith('(') ? 1 : 0) + (rest.startsWith('(') ? 1 : 0);
  return { literal: literal.replaceAll('\\', ''), rest: rest.startsWith('(') ? groups : 0 };
}

/** Of a host all of whose paths but exact ones are written as expressions. */
export interface RegexHost {
  /** nginx reads them as expressions itself, which it does without looking at case; else they are prefixes of letters. */
  readonly isOfNginx: boolean;
}

/** @param target Of rewrite-target. */
export function planPath(path: IngressPath, target: string | undefined, regexHost: RegexHost | undefined): PathPlan {
  const plan = target === undefined ? {} : planRewrite(path, target);
  const matches = matchesOf(path, plan.rewrite?.type === 'ReplacePrefixMatch' ? undefined : regexHost);
  if (matches === undefined) return { matches: [], problem: `${path.path} is no regular expression of RE2` };
  return { matches, ...plan };
}

function matchesOf({ path, type }: IngressPath, regexHost: RegexHost | undefined): readonly PathMatch[] | undefined {
  if (type === 'Exact') return [{ type: 'Exact', value: path }];
  const prefix = prefixOf(path);
  const literal = prefix === undefined ? trimmed(path) : prefix.literal || '/';
  if (regexHost === undefined && (prefix !== undefined || !EXPRESSION.test(path))) return [{ type: 'PathPrefix', value: literal }];
  const isOfNginx = regexHost?.isOfNginx ?? true;
  const asWritten = isOfNginx ? path.replace(/^\^/, '') : escaped(path);
  // The longest expression is asked first, here as in nginx: what is around them is the same for all.
  const expression = (text: string): string => `${isOfNginx ? '(?i)' : ''}(?:${text}).*`;
  if (type === 'Prefix' && !EXPRESSION.test(path) && literal !== '/') {
    return [
      { type: 'Exact', value: literal },
      { type: 'RegularExpression', value: expression(`${isOfNginx ? literal : escaped(literal)}/`) },
    ];
  }
  const value = expression(asWritten);
  return isRe2(value) ? [{ type: 'RegularExpression', value }] : undefined;
}

function planRewrite({ path, type }: IngressPath, target: string): Omit<PathPlan, 'matches'> {
  if (!target.startsWith('/') || /[?#\s]/.test(target)) return { problem: `rewrite-target ${target} is no plain path` };
  if (!target.includes('$')) return { rewrite: { type: 'ReplaceFullPath', replaceFullPath: target } };
  const prefix = type === 'Exact' ? undefined : prefixOf(path);
  const { before = '', group = '' } = /^(?<before>[^$]*)\$(?<group>\d)$/.exec(target)?.groups ?? {};
  if (prefix === undefined || prefix.rest === 0 || Number(group) !== prefix.rest)
    return { problem: `rewrite-target ${target} puts groups of ${path} together, which an HTTPRoute cannot` };
  const replacement = before === '/' ? '/' : before.replace(/\/$/, '');
  // `/(.*)` to `/$1` changes nothing.
  if (prefix.literal === '' && replacement === '/') return {};
  if (!before.endsWith('/')) return { problem: `rewrite-target ${target} joins ${before} and the rest without a /` };
  return { rewrite: { type: 'ReplacePrefixMatch', replacePrefixMatch: replacement } };
}

function trimmed(path: string): string {
  return path === '/' ? path : path.replace(/\/$/, '');
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

export function isRe2(pattern: string): boolean {
  try {
    RE2JS.compile(pattern);
    return true;
  } catch {
    return false;
  }
}
