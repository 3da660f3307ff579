/**
 * Request targets (RFC 9112 §3.2) and the one normal form of a path that is both matched and forwarded (RFC 3986 §6.2.2): two readings of a
 * path are how access rules are walked around.
 */
import type { HttpError } from './http-error.ts';
import { REQUEST_ERRORS as ERRORS } from './http-error.ts';
import { isAuthorityText } from './request-head.ts';

export interface PathOptions {
  /** `//` becomes `/`. Off by default, as in Istio's BASE. */
  readonly mergeSlashes: boolean;
  /** `keep` passes `%2F` and `%5C` on as they are (Istio's BASE; npm scopes and GitLab need it), `reject` answers 400. */
  readonly escapedSlashes: 'keep' | 'reject';
}

export interface AbsoluteTarget {
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  /** Origin-form: path and query. */
  readonly rest: string;
}

/** @returns The parts of `http://authority/path?query`, or undefined for anything else (userinfo, another scheme, no host). */
export function parseAbsoluteTarget(target: string): AbsoluteTarget | undefined {
  const parts = /^(https?):\/\/([^/?]*)(.*)$/i.exec(target);
  if (parts === null) return undefined;
  const [, scheme = '', authority = '', rest = ''] = parts;
  if (!isAuthorityText(authority)) return undefined;
  return {
    scheme: scheme.toLowerCase() === 'https' ? 'https' : 'http',
    authority,
    rest: rest.startsWith('/') ? rest : `/${rest}`,
  };
}

/** Whether every `%` of a target begins a triplet, and none is `%00`. */
export function hasValidTriplets(target: string): boolean {
  return !/%(?![0-9A-Fa-f]{2})|%00/.test(target);
}

/**
 * Decodes `%XX` of unreserved characters once, writes other triplets in upper case, removes dot segments.
 *
 * @param path  Begins with `/`, no query; triplets are valid.
 * @returns     The normal form, or why there is none.
 */
export function normalizePath(path: string, options: PathOptions): string | HttpError {
  let normal = path;
  if (normal.includes('%')) {
    if (options.escapedSlashes === 'reject' && /%(?:2f|5c)/i.test(normal)) return ERRORS.pathEncodedSlash;
    normal = normal.replace(/%[0-9A-Fa-f]{2}/g, (triplet) => {
      const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16));
      return /[A-Za-z0-9\-._~]/.test(character) ? character : triplet.toUpperCase();
    });
  }
  if (normal.includes('/.')) {
    const withoutDots = removeDotSegments(normal);
    if (withoutDots.climbsAboveRoot) return ERRORS.pathAboveRoot;
    normal = withoutDots.path;
  }
  if (options.mergeSlashes && normal.includes('//')) normal = normal.replace(/\/{2,}/g, '/');
  return normal;
}

/**
 * Without `.` and `..` segments (RFC 3986 §5.2.4); empty segments stay.
 *
 * @param path  Begins with `/`.
 * @returns     The path, and whether a `..` had nothing left to remove; it goes nowhere, and the caller may refuse it.
 */
export function removeDotSegments(path: string): { readonly path: string; readonly climbsAboveRoot: boolean } {
  const kept: string[] = [];
  let climbsAboveRoot = false;
  const segments = path.slice(1).split('/');
  for (const [position, segment] of segments.entries()) {
    const isLast = position === segments.length - 1;
    if (segment !== '.' && segment !== '..') {
      kept.push(segment);
      continue;
    }
    if (segment === '..') {
      climbsAboveRoot ||= kept.length === 0;
      kept.pop();
    }
    if (isLast) kept.push('');
  }
  return { path: `/${kept.join('/')}`, climbsAboveRoot };
}
