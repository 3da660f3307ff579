/** The shifts of the overlay as a document of the durable state (state.ts): text in, checked value out. Its releases follow from the state of the rollouts. */
import { z } from 'zod';
import { MAX_WEIGHT } from '../admin/api-types.ts';
import { EMPTY_OVERLAY, type Overlay } from '../config/overlay.ts';
import type { Change } from './audit-table.ts';
import type { State } from './state.ts';

const DOCUMENT = 'overlay';

const StoredOverlay = z.strictObject({
  shifts: z.record(z.string(), z.strictObject({ weights: z.record(z.string(), z.number().int().min(0).max(MAX_WEIGHT)) })),
});

/** @returns The stored overlay, or an empty one and why what was stored cannot be used. */
export function readOverlay(state: State): { readonly overlay: Overlay; readonly problem?: string } {
  const text = state.get(DOCUMENT);
  if (text === undefined) return { overlay: EMPTY_OVERLAY };
  try {
    return { overlay: { ...EMPTY_OVERLAY, ...StoredOverlay.parse(JSON.parse(text)) } };
  } catch (error) {
    const problem = `the stored overlay cannot be used (${error instanceof Error ? error.message : String(error)}); Serin starts without what \`serin shift\` had changed`;
    return { overlay: EMPTY_OVERLAY, problem };
  }
}

/** Returns when the shifts are durable. @throws StateWriteError */
export function writeOverlay(state: State, overlay: Overlay, change: Change): void {
  state.put(DOCUMENT, JSON.stringify({ shifts: overlay.shifts }), change);
}
