/** `approval:` of a Rollout: which people have to agree before a release goes on. Its shape and its rules; rollout/approval.ts acts on it. */
import { z } from 'zod';
import { bool, optional, text } from '../istio/fields.ts';
import { type Place, show } from '../report.ts';
import { tokenNameProblem } from './token-name.ts';

export interface RolloutApproval {
  /** Names of tokens. */
  readonly by: readonly string[];
  /** How many of them have to agree; default 1. */
  readonly count?: number;
  /** Whether the one who started the release counts; default false, so that there are always two. */
  readonly selfApproval?: boolean;
}

/** More names than a person reads through. */
const MAX_APPROVERS = 50;

export const approvalSchema = z.strictObject({
  by: z.array(text).max(MAX_APPROVERS),
  count: optional(z.int().min(1)),
  selfApproval: optional(bool),
});

export function checkApproval(approval: RolloutApproval | undefined, place: Place): void {
  if (approval === undefined) return;
  const { by, count = 1 } = approval;
  if (by.length === 0) place.at('by').error('E_REQUIRED', 'by is empty', 'name the tokens of those who may approve: [ana, ben]');
  for (const [index, name] of by.entries()) {
    const at = place.at('by').at(index);
    const problem = tokenNameProblem(name);
    if (problem !== undefined) at.error('E_NAME', `${show(name)} ${problem}`);
    if (by.indexOf(name) !== index) at.error('E_DUPLICATE', `${show(name)} stands twice in by`);
  }
  if (by.length > 0 && count > by.length)
    place.at('count').error('E_RANGE', `count ${count} is more than there are names in by: ${by.length}`, 'name more, or ask for fewer');
}

/** A wait for people has no end of its own. */
export function checkPause(pause: { readonly duration?: string; readonly approval?: RolloutApproval } | undefined, place: Place): void {
  if (pause?.approval === undefined) return;
  checkApproval(pause.approval, place.at('approval'));
  if (pause.duration !== undefined)
    place.error('E_ONE_OF', 'a pause has either a duration or an approval', 'put two pauses one after the other to ask for both');
}
