/** Every operation of the admin API, by area. */
import type { Operation } from '../operation.ts';
import { AUDIT } from './audit.ts';
import { LIVE } from './live.ts';
import { PROBES } from './probes.ts';
import { RESOURCES } from './resources.ts';
import { ROLLOUTS } from './rollouts.ts';
import { SESSION } from './session.ts';
import { SHIFTS } from './shifts.ts';
import { TOKENS } from './tokens.ts';
import { VIEWS } from './views.ts';

/** By the name the area has in the OpenAPI document. */
export const AREAS: Readonly<Record<string, readonly Operation[]>> = {
  probes: PROBES,
  configuration: VIEWS,
  live: LIVE,
  resources: RESOURCES,
  rollouts: ROLLOUTS,
  shifts: SHIFTS,
  sessions: SESSION,
  tokens: TOKENS,
  audit: AUDIT,
};

export const OPERATIONS: readonly Operation[] = Object.values(AREAS).flat();
