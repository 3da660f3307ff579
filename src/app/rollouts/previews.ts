/** `serin rollout preview`: a link that shows a version of a release under way to whoever has it, at any weight. */
import { join } from 'node:path';
import type { Actor } from '../../admin/access.ts';
import type { Preview, PreviewRequest } from '../../admin/api-types.ts';
import { ProblemError } from '../../admin/problem.ts';
import { PREVIEW_HEADER, PREVIEW_NAME, signPreview } from '../../config/preview.ts';
import { preview } from '../../rollout/preview.ts';
import { ensureSecret } from '../secret-file.ts';
import { StateWriteError } from '../state.ts';
import type { Rollouts, Tracked } from './engine.ts';

/** What links are signed with. Deleting the file ends all of them. @throws StateError, and fs errors */
export function ensurePreviewKey(directory: string, notice: (message: string) => void): Uint8Array {
  return Buffer.from(ensureSecret(join(directory, 'preview-key'), 'preview key', notice), 'base64url');
}

/** @throws ProblemError 409, 422, 507 */
export function issuePreview(
  rollouts: Pick<Rollouts, 'note'>,
  key: Uint8Array,
  { name, stored, situation }: Tracked,
  { to, expiresInSeconds }: PreviewRequest,
  by: Actor,
): Preview {
  const expiresAtSeconds = Math.floor(situation.nowMs / 1000) + expiresInSeconds;
  const result = preview(stored.state, situation, name, { by: by.name, to, expiresAtSeconds });
  if ('refused' in result)
    throw new ProblemError(
      result.refused === 'conflict' ? 409 : 422,
      result.refused === 'conflict' ? 'E_CONFLICT' : 'E_REQUEST_INVALID',
      result.reason,
      {
        hint: result.hint,
      },
    );
  try {
    rollouts.note(name, result.outcome, by);
  } catch (error) {
    if (!(error instanceof StateWriteError)) throw error;
    const hint = 'make space in the state directory and try again';
    throw new ProblemError(507, 'E_STATE_WRITE', error.message, { hint }, { cause: error });
  }
  const token = signPreview(key, result.grant, expiresAtSeconds);
  return {
    rollout: name,
    to: result.to,
    expiresAt: new Date(expiresAtSeconds * 1000).toISOString(),
    token,
    query: `${PREVIEW_NAME}=${token}`,
    header: `${PREVIEW_HEADER}: ${token}`,
  };
}
