/** Sessions of browsers, as they go over the admin API. */
import { z } from 'zod';
import { SCOPES } from './access.ts';

/** Who comes: with a token, or with a code that somebody who has one was given for them. */
export const SessionRequest = z
  .strictObject({ token: z.string().min(1).max(512).optional(), code: z.string().min(1).max(512).optional() })
  .refine(({ token, code }) => (token === undefined) !== (code === undefined), { error: 'expected either a token or a code' })
  .meta({ id: 'SessionRequest' });
export type SessionRequest = z.infer<typeof SessionRequest>;

export const Session = z
  .object({
    /** Of the token it was opened with; `anonymous` without one, where that is allowed. */
    name: z.string(),
    scope: z.enum(SCOPES),
    /** RFC 3339; absent: as long as the token is good. */
    expiresAt: z.string().optional(),
  })
  .meta({ id: 'Session' });
export type Session = z.infer<typeof Session>;

export const LoginCode = z
  .object({
    /** Opens one session. */
    code: z.string(),
    expiresInSeconds: z.int(),
  })
  .meta({ id: 'LoginCode' });
