/** `spec.rollback` of a Rollout: what its shape cannot say. */
import { checkDuration } from '../istio/values.ts';
import type { Place } from '../report.ts';
import type { RolloutRollback } from './rollout-spec.ts';

/** As many as anybody waits for. */
const MAX_STEPS = 20;
const MIN_INTERVAL_MS = 100;

export function checkRollback({ steps, interval }: RolloutRollback, place: Place): void {
  checkDuration(interval, place.at('interval'), MIN_INTERVAL_MS);
  if (steps === undefined) return;
  const at = place.at('steps');
  if (steps.length === 0) at.error('E_CONFIG_STEPS', 'steps is empty', "stable's shares in percent, such as [10, 25, 50, 100]");
  if (steps.length > MAX_STEPS) at.error('E_CONFIG_STEPS', `${steps.length} steps, at most ${MAX_STEPS} are allowed`);
  for (const [index, share] of steps.entries()) {
    const before = steps[index - 1] ?? 0;
    if (share <= before) at.at(index).error('E_CONFIG_STEPS', `stable's share must grow: ${share} follows ${before}`);
    if (Math.abs(share * 100 - Math.round(share * 100)) > 1e-6)
      at.at(index).error('E_RANGE', `share ${share} has more than two decimals`, 'the smallest share is 0.01');
  }
}
