/** Who changed what. */
import { AuditPage } from '../audit-types.ts';
import { type Operation, operation } from '../operation.ts';
import { cursorOf, PAGE_QUERY } from '../paging.ts';

export const AUDIT: readonly Operation[] = [
  operation({
    id: 'listAudit',
    method: 'GET',
    path: '/api/v1/audit',
    summary: 'Who changed what, from where and why, and what was refused to whom',
    description: 'Every entry is on the disk before the change it tells of is answered. The last 10,000 are kept.',
    scope: 'read',
    query: PAGE_QUERY,
    problems: [],
    success: { description: 'A page of it, newest first', schema: AuditPage },
    handle: (ports, { query: { limit, cursor } }) => {
      const found = ports.audit(limit + 1, cursor);
      const items = found.slice(0, limit);
      const last = items.at(-1);
      return { items, ...(found.length > limit && last !== undefined ? { nextCursor: cursorOf(last.sequence) } : {}) };
    },
  }),
];
