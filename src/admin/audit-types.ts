/** The audit log as the admin API shows it. */
import { z } from 'zod';

export const AuditEntry = z
  .object({
    /** Counts up; a gap is what was dropped: the last 10,000 are kept. */
    sequence: z.int(),
    /** RFC 3339. */
    at: z.string(),
    /** Name of the token it was done with, or `engine`. */
    actor: z.string(),
    /** Address of the peer, where there was one. */
    from: z.string().optional(),
    action: z.string(),
    target: z.string(),
    /** As the actor gave it. */
    reason: z.string().optional(),
    /** `done`, or the code of the problem it was answered with. */
    result: z.string(),
    /** Of what was changed, before and after: the same twice where nothing was. */
    beforeSha256: z.string(),
    afterSha256: z.string(),
  })
  .meta({ id: 'AuditEntry' });
export type AuditEntry = z.infer<typeof AuditEntry>;

export const AuditPage = z
  .object({
    /** Newest first. */
    items: z.array(AuditEntry),
    /** For the next page; absent on the last one. */
    nextCursor: z.string().optional(),
  })
  .meta({ id: 'AuditPage' });
export type AuditPage = z.infer<typeof AuditPage>;
