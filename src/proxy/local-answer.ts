import { redirectLocation } from '../routing/redirect.ts';
import type { RequestView } from '../routing/request-view.ts';
import type { RouteMatch } from '../routing/table.ts';
import type { Answer } from './answer.ts';
import { changedFields, isSafeValue } from './header-lines.ts';
import type { LocalRuntime, SettledOps } from './route-runtime.ts';

/**
 * The answer of a route that sends nothing upstream: a redirect or a direct response.
 *
 * @param match  The one that chose the route.
 * @param ops    The route's response operations, settled.
 * @returns      undefined when the request has made a Location that must not be sent.
 */
export function localAnswer(
  { action }: LocalRuntime,
  match: RouteMatch,
  request: RequestView,
  listenerPort: number,
  ops: SettledOps,
): Answer | undefined {
  if (action.kind === 'redirect') {
    const location = redirectLocation(action, match, request, listenerPort);
    return isSafeValue(location) ? { status: action.status, fields: changedFields(`location: ${location}\r\n`, ops), body: '' } : undefined;
  }
  const body = Buffer.from(action.body.buffer, action.body.byteOffset, action.body.byteLength).latin1Slice();
  const type = body === '' || /^content-type:/im.test(ops.text) ? '' : 'content-type: text/plain\r\n';
  return { status: action.status, fields: changedFields(type, ops), body };
}
