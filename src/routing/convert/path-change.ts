/** Paths that a rewrite or a redirect makes, in the Gateway API's terms. */
import type { GatewayApiPathMatch, HttpPathModifier } from '../../config/gateway-api/types.ts';
import { replacePrefix, resolveDotSegments } from '../rewrite.ts';
import type { UriMatch } from '../table.ts';

export interface PathChange {
  /** Undefined: it cannot be said beside such a match. */
  readonly modifier: HttpPathModifier | undefined;
  /** In words, where some path comes out otherwise. */
  readonly differs?: string;
}

/**
 * `rewrite.uri` and `redirect.prefixRewrite` replace characters, ReplacePrefixMatch elements (vectors A13, A15). What an exact path or a pattern matched is
 * replaced whole.
 *
 * @param match What the match has become.
 */
export function prefixChange(value: string, uri: UriMatch | undefined, match: GatewayApiPathMatch | undefined): PathChange {
  if (uri?.kind === 'exact' || uri?.kind === 'regex') return { modifier: fullPath(value) };
  if (match !== undefined && match.type !== 'PathPrefix') return { modifier: undefined };
  const prefix = uri?.value || '/';
  const modifier = { type: 'ReplacePrefixMatch', replacePrefixMatch: value } as const;
  const isSame = prefix.endsWith('/') ? value.endsWith('/') : value !== '' && !value.endsWith('/');
  if (isSame) return { modifier };
  const example = prefix.endsWith('/') ? `${prefix}x` : `${prefix}/x`;
  const [before, after] = (['prefix', 'pathPrefix'] as const).map((kind) =>
    resolveDotSegments(replacePrefix(value, { kind, value: prefix, ignoreCase: false }, example)),
  );
  return before === after ? { modifier } : { modifier, differs: `${example} becomes ${after}, not ${before}` };
}

export function fullPath(value: string): HttpPathModifier {
  return { type: 'ReplaceFullPath', replaceFullPath: value.startsWith('/') ? value : `/${value}` };
}
