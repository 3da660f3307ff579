/** A preview link of the run under way: which version it shows, and the decision to give it out. Pure; app/rollouts/previews.ts signs it. */
import { nearest } from '../base/nearest.ts';
import { previewGrant } from '../config/preview.ts';
import { type Outcome, recorded } from './outcome.ts';
import { inRace } from './race.ts';
import type { Situation } from './situation.ts';
import type { RolloutState } from './state.ts';
import type { Refusal } from './verbs.ts';

export interface PreviewTerms {
  /** Who asks; for the record. */
  readonly by: string;
  /** Subset; default the first that is released. */
  readonly to: string | undefined;
  readonly expiresAtSeconds: number;
}

export interface IssuedPreview {
  readonly grant: string;
  readonly to: string;
  readonly outcome: Outcome;
}

/** @param name `namespace/name` */
export function preview(
  state: RolloutState,
  situation: Pick<Situation, 'nowMs'>,
  name: string,
  { by, to, expiresAtSeconds }: PreviewTerms,
): IssuedPreview | Refusal {
  const racing = inRace(state);
  const subset = to ?? racing[0];
  if (state.active === undefined || subset === undefined)
    return {
      refused: 'conflict',
      reason: 'a preview link is for a release under way, and none is',
      hint: 'start it with serin rollout start; a pause before the first weight keeps everybody else on stable',
    };
  if (!racing.includes(subset)) {
    const close = nearest(subset, racing);
    return {
      refused: 'no-change',
      reason: `${subset} is not released here, ${racing.join(', ')} ${racing.length === 1 ? 'is' : 'are'}`,
      ...(close === undefined ? {} : { hint: `did you mean ${close}?` }),
    };
  }
  const until = new Date(expiresAtSeconds * 1000).toISOString();
  const outcome = recorded(state, situation, 'preview', by, `preview link to ${subset}, valid until ${until} or the end of this run`);
  return { grant: previewGrant(name, state.run, subset), to: subset, outcome };
}
