import { RE2JS } from 're2js';
import { removeDotSegments } from '../http/target.ts';
import type { ForwardAction, Rewrite, RouteMatch, UriMatch, WeightedCluster } from './table.ts';

/**
 * The path to send upstream, from the normalised path that was matched (both without query).
 *
 * Istio's `rewrite.uri` is textual (Envoy prefix_rewrite): the characters that the prefix matched are replaced and nothing is tidied, so `/` for
 * `/foo` turns `/foo/baz` into `//baz`. An exact or regex match is replaced whole; a rule without `uri` matches the prefix `/`. A Gateway API
 * path prefix is replaced by elements instead (gateway-api httproute_types.go, ReplacePrefixMatch). `uriRegexRewrite` replaces every occurrence,
 * as RE2::GlobalReplace, with `\1` for groups and `\0` for the whole.
 *
 * Gluing two harmless parts can make a dot segment (`/` + `../admin` from prefix `/foo` on `/foo../admin`), which the backend would resolve to a
 * path no rule was asked about. So dot segments of the result are resolved again here (P21; RFC 3986 5.2.4); empty segments stay.
 */
export function rewritePath(rewrite: Rewrite | undefined, match: RouteMatch, path: string): string {
  if (rewrite?.path === undefined) return path;
  return resolveDotSegments(replaced(rewrite.path, match, path));
}

/** The route's, with what the destination says for itself in its place. */
export function destinationRewrite(
  { rewrite }: Pick<ForwardAction, 'rewrite'>,
  { pathRewrite, hostRewrite }: WeightedCluster,
): Rewrite | undefined {
  if (pathRewrite === undefined && hostRewrite === undefined) return rewrite;
  return {
    ...rewrite,
    ...(pathRewrite === undefined ? {} : { path: pathRewrite }),
    ...(hostRewrite === undefined ? {} : { host: hostRewrite }),
  };
}

function replaced(rewrite: NonNullable<Rewrite['path']>, match: RouteMatch, path: string): string {
  if (rewrite.kind === 'regex') return regexReplace(rewrite.match, rewrite.rewrite, path);
  return rewrite.kind === 'full' ? rewrite.value : replacePrefix(rewrite.value, match.uri, path);
}

/** What `rewrite.uri` and `redirect.prefixRewrite` do to `path`. */
export function replacePrefix(value: string, uri: UriMatch | undefined, path: string): string {
  if (uri === undefined) return path.startsWith('/') ? value + path.slice(1) : path;
  if (uri.kind === 'exact' || uri.kind === 'regex') return value;
  if (uri.kind === 'prefix') return value + path.slice(uri.value.length);
  const rest = path.slice(uri.value.endsWith('/') ? uri.value.length - 1 : uri.value.length);
  const joined = (value.endsWith('/') && rest !== '' ? value.slice(0, -1) : value) + rest;
  return joined === '' ? '/' : joined;
}

/** Compiled substitutions by pattern; as many as the tables of a process's life name, in practice a handful. */
const compiled = new Map<string, RE2JS>();
const COMPILED_LIMIT = 1000;

function regexReplace(pattern: string, substitution: string, path: string): string {
  let regex = compiled.get(pattern);
  if (regex === undefined) {
    if (compiled.size >= COMPILED_LIMIT) compiled.clear();
    regex = RE2JS.compile(pattern);
    compiled.set(pattern, regex);
  }
  const matcher = regex.matcher(path);
  return matcher.replaceAll((...found: unknown[]) =>
    substitution.replaceAll(/\\([0-9\\])/g, (_, digit: string) => {
      if (digit === '\\') return '\\';
      const group = found[Number(digit)];
      return typeof group === 'string' && Number(digit) <= matcher.groupCount() ? group : '';
    }),
  );
}

/** Dot segments only; `//` stays, `..` at the root goes nowhere. The result starts with `/` unless it is `*`. */
export function resolveDotSegments(path: string): string {
  const absolute = path.startsWith('/') || path === '*' ? path : `/${path}`;
  return /\/\.{1,2}(?:\/|$)/.test(absolute) ? removeDotSegments(absolute).path : absolute;
}
