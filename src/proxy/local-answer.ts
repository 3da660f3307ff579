import { redirectLocation } from '../routing/redirect.ts';
import type { RequestView } from '../routing/request-view.ts';
import type { RouteMatch } from '../routing/table.ts';
import type { Answer } from './answer.ts';
import { isSafeValue } from './header-lines.ts';
import type { LocalRuntime } from './route-runtime.ts';

/**
 * The answer of a route that sends nothing upstream: a redirect or a direct response.
 *
 * @param match  The one that chose the route.
 * @param lines  Of the route's response operations.
 * @returns      undefined when the request has made a Location that must not be sent.
 */
export function localAnswer(
  { action, responseOps }: LocalRuntime,
  match: RouteMatch,
  request: RequestView,
  listenerPort: number,
  lines: string,
): Answer | undefined {
  if (action.kind === 'redirect') {
    const location = redirectLocation(action, match, request, listenerPort);
    return isSafeValue(location) ? { status: action.status, fields: `location: ${location}\r\n${lines}`, body: '' } : undefined;
  }
  const body = Buffer.from(action.body.buffer, action.body.byteOffset, action.body.byteLength).latin1Slice();
  const statesType = responseOps.append.some((header) => header.name.toLowerCase() === 'content-type');
  const type = body === '' || statesType || responseOps.drop.includes('content-type') ? '' : 'content-type: text/plain\r\n';
  return { status: action.status, fields: type + lines, body };
}
