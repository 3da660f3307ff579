/** A Notification: who is told of what happens to releases and configuration. */
import type { EnvValue } from '../resources.ts';
import type { HttpAuth } from './metric-spec.ts';

export const NOTIFIED_EVENTS = [
  'rolloutStarted',
  'rolloutStep',
  'rolloutWaiting',
  'rolloutPaused',
  'rolloutFrozen',
  'rolloutPromoted',
  'rolloutRolledBack',
  'configurationRefused',
  'configurationAccepted',
  'endpointEjected',
] as const;
export type NotifiedEvent = (typeof NOTIFIED_EVENTS)[number];

/** Not steps and ejections, of which there can be many. */
export const USUAL_EVENTS: readonly NotifiedEvent[] = NOTIFIED_EVENTS.filter(
  (event) => event !== 'rolloutStep' && event !== 'endpointEjected',
);

export interface NotificationSpec extends HttpAuth {
  /** Text with `${NAME}` in it, or the content of a file: the address of a chat is a secret. */
  readonly url: EnvValue;
  /** Default `json`. */
  readonly format?: 'json' | 'slack';
  /** Default `USUAL_EVENTS`. */
  readonly events?: readonly NotifiedEvent[];
  /** Whose releases and endpoints; `*` is all. Default: its own. Configuration belongs to none and is always told. */
  readonly namespaces?: readonly string[];
  /** Signs the body (HMAC-SHA256), as a Rollout's webhook does. */
  readonly secret?: EnvValue;
  /** For an answer; default `10s`. */
  readonly timeout?: string;
}
