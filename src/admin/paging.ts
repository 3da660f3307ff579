/**
 * Pages of long lists: `?limit=1..500&cursor=`. A cursor is the number of the last item of the page before; for clients it is opaque text, so that it can
 * become something else.
 */
import { z } from 'zod';

const MAX_LIMIT = 500;
const DEFAULT_LIMIT = 100;
/** Without leading zeros: of each cursor there is one spelling. */
const DECIMAL = /^(?:0|[1-9]\d{0,14})$/;

export const PAGE_QUERY = {
  limit: z
    .string()
    .regex(DECIMAL, { error: `is not a whole number from 1 to ${MAX_LIMIT}` })
    .transform(Number)
    .refine((limit) => limit >= 1 && limit <= MAX_LIMIT, { error: `is not from 1 to ${MAX_LIMIT}` })
    .default(DEFAULT_LIMIT)
    .meta({ description: `how many at most, 1 to ${MAX_LIMIT}; default ${DEFAULT_LIMIT}` }),
  cursor: z
    .string()
    .regex(/^c(?:0|[1-9]\d{0,14})$/, { error: 'is none that a page ended with' })
    .transform((cursor) => Number(cursor.slice(1)))
    .optional()
    .meta({ description: 'nextCursor of the page before' }),
};

export function cursorOf(sequence: number): string {
  return `c${sequence}`;
}
