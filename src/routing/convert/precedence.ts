/** Which of two matches of HTTPRoutes goes first, and whether a request can fit both (semantics 2.3.1). */
import type { GatewayApiHttpMatch, GatewayApiPathMatch, GatewayApiValueMatch } from '../../config/gateway-api/types.ts';
import { fullMatch } from '../full-match.ts';
import { pathSpecificity, uriMatch } from '../gateway-api/compile-http-route.ts';
import { literalStart } from './regex-text.ts';

/** The larger number goes first, the first number that differs decides. */
function specificity({ path, method, headers = [], queryParams = [] }: GatewayApiHttpMatch): readonly number[] {
  return [...pathSpecificity(uriMatch(path ?? {})), method === undefined ? 0 : 1, headers.length, queryParams.length];
}

/** Below 0: `a` goes first. */
export function bySpecificity(a: GatewayApiHttpMatch, b: GatewayApiHttpMatch): number {
  const [first, second] = [specificity(a), specificity(b)];
  const at = first.findIndex((value, index) => value !== second[index]);
  return at === -1 ? 0 : (second[at] ?? 0) - (first[at] ?? 0);
}

/** False only where no request can fit both. Of two patterns the text they begin with is compared and no more. */
export function overlaps(a: GatewayApiHttpMatch, b: GatewayApiHttpMatch): boolean {
  if (a.method !== undefined && b.method !== undefined && a.method !== b.method) return false;
  if (!pathsOverlap(a.path ?? {}, b.path ?? {})) return false;
  return (
    conditionsOverlap(a.headers ?? [], b.headers ?? [], (name) => name.toLowerCase()) &&
    conditionsOverlap(a.queryParams ?? [], b.queryParams ?? [], (name) => name)
  );
}

function conditionsOverlap(
  a: readonly GatewayApiValueMatch[],
  b: readonly GatewayApiValueMatch[],
  spell: (name: string) => string,
): boolean {
  return a.every((one) => {
    const other = b.find(({ name }) => spell(name) === spell(one.name));
    return other === undefined || valuesOverlap(one, other);
  });
}

function valuesOverlap(a: GatewayApiValueMatch, b: GatewayApiValueMatch): boolean {
  const [aIsRegex, bIsRegex] = [a.type === 'RegularExpression', b.type === 'RegularExpression'];
  if (!aIsRegex && !bIsRegex) return a.value === b.value;
  if (!aIsRegex) return fullMatch(b.value)(a.value);
  if (!bIsRegex) return fullMatch(a.value)(b.value);
  return regexesOverlap(a.value, b.value);
}

function pathsOverlap(a: GatewayApiPathMatch, b: GatewayApiPathMatch): boolean {
  const [aType, bType] = [a.type ?? 'PathPrefix', b.type ?? 'PathPrefix'];
  const [aValue, bValue] = [a.value ?? '/', b.value ?? '/'];
  if (aType === 'Exact') {
    if (bType === 'Exact') return aValue === bValue;
    return bType === 'PathPrefix' ? isWithin(aValue, bValue) : fullMatch(bValue)(aValue);
  }
  if (bType === 'Exact') return pathsOverlap(b, a);
  if (aType === 'PathPrefix') {
    return bType === 'PathPrefix' ? isWithin(aValue, bValue) || isWithin(bValue, aValue) : prefixMeetsRegex(aValue, bValue);
  }
  return bType === 'PathPrefix' ? prefixMeetsRegex(bValue, aValue) : regexesOverlap(aValue, bValue);
}

function stem(prefix: string): string {
  return prefix.endsWith('/') ? prefix.slice(0, -1) : prefix;
}

function isWithin(path: string, prefix: string): boolean {
  const start = stem(prefix);
  return path.startsWith(start) && (path.length === start.length || path.charAt(start.length) === '/');
}

function prefixMeetsRegex(prefix: string, pattern: string): boolean {
  const { text, isWhole } = literalStart(pattern);
  if (isWhole) return isWithin(text, prefix);
  const start = stem(prefix);
  return text.length > start.length ? isWithin(text, prefix) : start.startsWith(text);
}

function regexesOverlap(a: string, b: string): boolean {
  const [first, second] = [literalStart(a), literalStart(b)];
  if (first.isWhole) return fullMatch(b)(first.text);
  if (second.isWhole) return fullMatch(a)(second.text);
  return first.text.startsWith(second.text) || second.text.startsWith(first.text);
}
