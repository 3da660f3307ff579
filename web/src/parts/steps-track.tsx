import type { JSX } from 'preact';
import { duration } from '../data/format.ts';
import type { RolloutStatus } from '../data/types.ts';

/** The steps of the plan in a row: what is behind, where we are and for how long, what is to come. */
export function StepsTrack({ status }: { readonly status: RolloutStatus }): JSX.Element | null {
  const { steps, currentStepIndex = -1, stepElapsedSeconds } = status;
  if (steps === undefined) return null;
  return (
    <ol class="steps" aria-label="Steps">
      {steps.map((step, index) => {
        const state = index < currentStepIndex ? 'done' : index === currentStepIndex ? 'now' : 'ahead';
        return (
          <li key={`${index} ${step}`} class={state} aria-current={state === 'now' ? 'step' : undefined}>
            <i aria-hidden="true">{state === 'done' ? '✓' : index + 1}</i>
            <span>{step}</span>
            {state === 'now' && stepElapsedSeconds !== undefined && <small>{duration(stepElapsedSeconds)}</small>}
            <span class="visually-hidden">{state === 'done' ? 'done' : state === 'now' ? 'now' : 'to come'}</span>
          </li>
        );
      })}
    </ol>
  );
}
