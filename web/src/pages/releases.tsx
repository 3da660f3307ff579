/** Every release: under way first, then how the others ended. */
import type { JSX } from 'preact';
import { rollouts } from '../data/events.ts';
import { duration, percentOf100 } from '../data/format.ts';
import { href } from '../data/router.ts';
import type { Rollout } from '../data/types.ts';

const ORDER = ['Degraded', 'Paused', 'Progressing', 'Healthy'];

export function Releases(): JSX.Element {
  const all = rollouts.value;
  const sorted = [...(all?.values() ?? [])].sort(
    (a, b) =>
      Number(b.status.currentStepIndex !== undefined) - Number(a.status.currentStepIndex !== undefined) ||
      ORDER.indexOf(a.status.phase) - ORDER.indexOf(b.status.phase) ||
      a.metadata.name.localeCompare(b.metadata.name),
  );
  return (
    <>
      <header class="page">
        <h1>Releases</h1>
      </header>
      {sorted.length === 0 && (
        <p class="empty">
          {all === undefined
            ? 'Waiting for Serin…'
            : 'There is no Rollout. Write one, or start a release by hand: serin rollout start HOST --to SUBSET'}
        </p>
      )}
      <ul class="releases">
        {sorted.map((rollout) => (
          <Card key={`${rollout.metadata.namespace}/${rollout.metadata.name}`} {...rollout} />
        ))}
      </ul>
    </>
  );
}

function Card({ metadata, status }: Rollout): JSX.Element {
  const { phase, message, stable, canary, canaries = [], weights = {}, steps, currentStepIndex = -1, elapsedSeconds } = status;
  const names = canary === undefined ? canaries : [canary];
  return (
    <li>
      <a class="card" href={href('releases', metadata.namespace, metadata.name)}>
        <span class="head">
          <strong>{metadata.name}</strong>
          {metadata.namespace !== 'default' && <small>{metadata.namespace}</small>}
          <span class={`badge ${phase.toLowerCase()}`}>{phase}</span>
        </span>
        <span>
          {stable} → {names.join(', ')}
          {names.map((name) => weights[name] !== undefined && ` · ${name} ${percentOf100(weights[name])}`)}
        </span>
        {steps !== undefined && (
          <span class="progress" role="img" aria-label={`step ${currentStepIndex + 1} of ${steps.length}`}>
            {steps.map((step, index) => (
              <i key={`${index} ${step}`} class={index < currentStepIndex ? 'done' : index === currentStepIndex ? 'now' : ''} />
            ))}
          </span>
        )}
        <span class="sub">
          {elapsedSeconds !== undefined && `${duration(elapsedSeconds)} · `}
          {message}
        </span>
      </a>
    </li>
  );
}
