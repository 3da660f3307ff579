import { createHash } from 'node:crypto';
import { parseDuration } from '../../base/duration.ts';
import type { SessionPersistence as WrittenSession } from '../../config/gateway-api/types.ts';
import type { RouteSource, SessionPersistence, WeightedCluster } from '../table.ts';

/**
 * Sessions of a rule (GEP-1619). A rule that names none has a name of its own, which stays while the rule has its place or its name: two rules that
 * shared one would undo each other's sessions.
 *
 * @param destinations Of the rule, those of weight 0 included.
 */
export function compileSession(
  written: WrittenSession,
  { kind, namespace, name }: RouteSource,
  rule: string,
  destinations: readonly WeightedCluster[],
): SessionPersistence {
  const { type = 'Cookie', absoluteTimeout, cookie = {}, header } = written;
  const own = `serin-session-${createHash('sha256').update(`${kind} ${namespace}/${name} ${rule}`).digest('hex').slice(0, 8)}`;
  const timeoutMs = absoluteTimeout === undefined ? undefined : parseDuration(absoluteTimeout);
  const ending = timeoutMs === undefined || timeoutMs === 0 ? {} : { absoluteTimeoutMs: timeoutMs };
  if (type === 'Header') return { key: { kind: 'header', name: header?.name ?? own }, ...ending, destinations };
  const lasts = cookie.lifetimeType === 'Permanent' && timeoutMs !== undefined;
  const attributes = `; Path=${cookie.path ?? '/'}${lasts ? `; Max-Age=${Math.ceil(timeoutMs / 1000)}` : ''}; HttpOnly`;
  return { key: { kind: 'cookie', name: cookie.name ?? own, attributes }, ...ending, destinations };
}
