/** Which version a request goes to, and by which key its endpoint is chosen: step 4 of its life. */
import { pickCluster } from '../routing/weighted-pick.ts';
import { assign } from './assignment.ts';
import type { Attempts } from './attempts.ts';
import type { DataPlaneContext } from './context.ts';
import { hashKey } from './hash-key.ts';
import type { IncomingRequest } from './incoming-request.ts';
import type { ClusterChoice, ForwardRuntime } from './route-runtime.ts';

/**
 * By the client's session; else by an independent draw, or by user where a release asks for it. Into `attempts`.
 *
 * @returns Lines for the answer of somebody who has just been given a key.
 */
export function choose(
  runtime: ForwardRuntime,
  request: IncomingRequest,
  peerAddress: string,
  context: DataPlaneContext,
  attempts: Attempts,
): string {
  const { action, choices, sessions } = runtime;
  let setCookie = '';
  let chosen: ClusterChoice | undefined;
  const seat = sessions?.find(request, context.wallMs());
  if (seat !== undefined) {
    chosen = seat.choice;
    // Nobody has drawn it, so it is no observation of a release.
    attempts.outcome.isCounted = true;
  } else if (action.clusters.length === 1) {
    chosen = choices.get(pickCluster(action, 0));
  } else if (action.assignment === undefined) {
    chosen = choices.get(pickCluster(action, context.random()));
  } else {
    const assigned = assign(action.assignment, request, peerAddress, context.random);
    chosen = choices.get(pickCluster(action, assigned.ratio));
    attempts.outcome.userHash = assigned.userHash;
    ({ setCookie } = assigned);
  }
  if (chosen === undefined) throw new Error('broken invariant: the picked cluster is one of the route');
  const isKilled = chosen.killSlot !== -1 && !context.health.isHealthy(chosen.killSlot);
  const choice = isKilled ? (chosen.fallback ?? chosen) : chosen;
  attempts.choose(choice);
  attempts.sessions = sessions;
  if (choice === seat?.choice) attempts.seat = seat;
  const { hash } = choice.cluster.cluster;
  if (hash === undefined) return setCookie;
  const keyed = hashKey(hash, request, peerAddress);
  attempts.hash = keyed.hash;
  return setCookie + keyed.setCookie;
}
