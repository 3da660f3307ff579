/**
 * `serin explain`: from a URL, method and headers to the listener that would serve them and what it would do, by the routing's own code.
 *
 * Which listener: the one the URL's address is bound to, if it is; else the mesh listener if it serves the host; else a Gateway listener of
 * the URL's port that does; else any that does, first those that speak the URL's scheme. All that were considered are told.
 */
import type { ExplainRequest } from '../admin/api-types.ts';
import { ProblemError } from '../admin/problem.ts';
import { systemClock } from '../base/clock.ts';
import { nearest } from '../base/nearest.ts';
import { PREVIEW_HEADER } from '../config/preview.ts';
import { type AbsoluteTarget, hasValidTriplets, normalizePath, parseAbsoluteTarget } from '../http/target.ts';
import type { BoundListener } from '../proxy/options.ts';
import { type Explanation, explain } from '../routing/explain.ts';
import { previewUse } from '../routing/preview.ts';
import { formatExplanation } from '../routing/format-explanation.ts';
import { redactedExplanation } from '../routing/redacted.ts';
import type { RequestView } from '../routing/request-view.ts';
import { type Listener, MESH_LISTENER, type RoutingTable } from '../routing/table.ts';
import { redactTarget } from '../telemetry/redact.ts';

export interface ExplainResult {
  /** In the order in which they were asked. */
  readonly considered: readonly { readonly listener: string; readonly servesHost: boolean }[];
  readonly explanation: Explanation;
  /** The same for people. */
  readonly text: string;
}

/**
 * @param bound Where listeners are bound; empty when nothing is running.
 * @param previewKey What preview links are signed with; none is valid without
 * @throws ProblemError 404 for an unknown listener, 422 for a URL or header no request can have
 */
export function explainRequest(
  table: RoutingTable,
  bound: readonly BoundListener[],
  request: ExplainRequest,
  previewKey?: Uint8Array,
): ExplainResult {
  const { view, target } = requestView(request, previewKey);
  const names = request.listener === undefined ? candidates(table, bound, target) : [requireListener(table, request.listener)];
  const explanations = names.map((name) => explain(table, name, view));
  const servesHost = (explanation: Explanation): boolean => explanation.outcome !== 'noVirtualHost' && explanation.outcome !== 'noListener';
  const explanation = redactedExplanation(explanations.find(servesHost) ?? explanations[0] ?? explain(table, MESH_LISTENER, view));
  const considered = explanations.map((each) => ({ listener: each.listener, servesHost: servesHost(each) }));
  return { considered, explanation, text: `${consideredText(considered, explanation.listener)}${formatExplanation(explanation)}` };
}

function consideredText(considered: ExplainResult['considered'], chosen: string): string {
  if (considered.length < 2) return '';
  const words = considered.map(
    ({ listener, servesHost }) =>
      `${listener} (${listener === chosen ? 'explained here' : servesHost ? 'also serves it' : 'does not serve this host'})`,
  );
  return `listeners: ${words.join(', ')}\n\n`;
}

/** @param target Where the URL leads; a Host header may name something else. */
function candidates(table: RoutingTable, bound: readonly BoundListener[], target: AbsoluteTarget): string[] {
  const { host, port } = splitAuthority(target);
  const isHere = (address: string): boolean =>
    address === host || (host === 'localhost' && address === '127.0.0.1') || (address === '0.0.0.0' && /^127\.|^localhost$/.test(host));
  const addressed = bound.find((listener) => listener.port === port && isHere(listener.host));
  if (addressed !== undefined) return [addressed.listener];
  const isSecure = target.scheme === 'https';
  const rank = ({ name, port: declared, tls }: Listener): number =>
    name === MESH_LISTENER ? 0 : declared === port ? 1 : (tls !== undefined) === isSecure ? 2 : 3;
  return [...table.listeners].sort((a, b) => rank(a) - rank(b)).map((listener) => listener.name);
}

function splitAuthority({ authority, scheme }: AbsoluteTarget): { readonly host: string; readonly port: number } {
  const port = /:(\d+)$/.exec(authority)?.[1];
  return {
    host: authority
      .replace(/:\d+$/, '')
      .replace(/^\[|\]$/g, '')
      .toLowerCase(),
    port: port === undefined ? (scheme === 'https' ? 443 : 80) : Number(port),
  };
}

function requireListener(table: RoutingTable, name: string): string {
  const names = table.listeners.map((listener) => listener.name);
  if (names.includes(name)) return name;
  const suggestion = nearest(name, names);
  throw new ProblemError(404, 'E_NOT_FOUND', `no listener '${name}', there are ${names.join(', ')}`, {
    hint: suggestion && `did you mean ${suggestion}?`,
  });
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

function requestView(
  { url, method = 'GET', headers = [] }: ExplainRequest,
  previewKey: Uint8Array | undefined,
): {
  readonly view: RequestView;
  readonly target: AbsoluteTarget;
} {
  const invalid = (what: string): ProblemError => new ProblemError(422, 'E_REQUEST_INVALID', what);
  if (!TOKEN.test(method)) throw invalid(`the method '${method}' is not a token`);
  // A fragment stays with the client; a URL without a scheme is meant as http.
  const target = parseAbsoluteTarget((url.includes('://') ? url : `http://${url}`).replace(/#.*$/s, ''));
  if (target === undefined) throw invalid(`expected a URL as http://reviews/reviews/0, found '${redactTarget(url)}'`);
  const [rawPath, query] = splitOnce(target.rest, '?');
  if (!/^[!-~]*$/.test(target.rest) || target.rest.includes('\\') || !hasValidTriplets(target.rest))
    throw invalid(`Serin answers 400 to the path '${rawPath}'`);
  const path = normalizePath(rawPath, { mergeSlashes: false, escapedSlashes: 'keep' });
  if (typeof path !== 'string') throw invalid(`Serin answers ${path.status} to the path '${rawPath}'`);
  const byName = new Map<string, string>();
  for (const [name, value] of headers) {
    if (!TOKEN.test(name)) throw invalid(`the header name '${name}' is not a token`);
    const key = name.toLowerCase();
    const earlier = byName.get(key);
    byName.set(key, earlier === undefined ? value : `${earlier}${key === 'cookie' ? '; ' : ','}${value}`);
  }
  const authority = byName.get('host') ?? target.authority;
  const preview = previewUse({ query, header: byName.get(PREVIEW_HEADER), cookies: byName.get('cookie') }, previewKey, systemClock.nowMs());
  if (preview !== undefined) {
    setOrDelete(byName, PREVIEW_HEADER, preview.verified?.grant);
    setOrDelete(byName, 'cookie', preview.cookies);
  }
  const header = (name: string): string | undefined => (name === 'host' ? authority : byName.get(name));
  return { view: { method, scheme: target.scheme, authority, path, query: preview?.query ?? query, header }, target };
}

function setOrDelete(map: Map<string, string>, key: string, value: string | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)];
}
