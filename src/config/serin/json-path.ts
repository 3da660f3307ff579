/** What of a JSON answer counts: JSONPath as RFC 9535 has it; Argo Rollouts writes it in braces (`{$.data.value}`). */
import { createRequire } from 'node:module';
import type * as JsonPath from 'jsonpath-rfc9535';
import type * as JsonPathParser from 'jsonpath-rfc9535/parser';

const require = createRequire(import.meta.url);
const SINGULAR = new Set(['MemberNameShorthand', 'NameSelector', 'IndexSelector']);

function parse(path: string): JsonPathParser.JsonPathQuery {
  const parser: { readonly default: typeof JsonPathParser.default } = require('jsonpath-rfc9535/parser');
  return parser.default(bare(path));
}

function bare(path: string): string {
  const trimmed = path.trim();
  return trimmed.startsWith('{') && trimmed.endsWith('}') ? trimmed.slice(1, -1).trim() : trimmed;
}

/** What is wrong with a path; undefined when nothing is. */
export function jsonPathProblem(path: string): string | undefined {
  if (path.length > 1024) return `the path is ${path.length} characters long, 1024 are allowed`;
  try {
    parse(path);
    return undefined;
  } catch (error) {
    return `expected a JSONPath, found ${JSON.stringify(path.slice(0, 80))}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/**
 * The value a path leads to: itself where the path names one place, else a list of all that were found. Undefined where there is nothing.
 *
 * @param document Plain JSON.
 * @throws Error where the path is none
 */
export function select(document: JsonPath.JsonValue, path: string): JsonPath.JsonValue | undefined {
  const library: typeof JsonPath = require('jsonpath-rfc9535');
  const found = library.query(document, bare(path));
  const isSingular = parse(path).segments.every(({ type, node }) => {
    if (type === 'DescendantSegment') return false;
    if (node.type === 'BracketedSelection') return node.selectors.length === 1 && SINGULAR.has(node.selectors[0]?.type ?? '');
    return SINGULAR.has(node.type);
  });
  if (isSingular) return found[0];
  return found.length === 0 ? undefined : found;
}
