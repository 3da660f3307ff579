import type { JSX } from 'preact';
import { dateTime, percentOf100, time } from '../data/format.ts';
import type { Decision } from '../data/types.ts';

const TONES: Readonly<Record<string, string>> = {
  rollback: 'bad',
  abort: 'bad',
  drop: 'bad',
  pause: 'warn',
  promote: 'good',
  finish: 'good',
};

/** Newest first; each with the evidence it rests on. */
export function Decisions({ decisions }: { readonly decisions: readonly Decision[] }): JSX.Element {
  if (decisions.length === 0) return <p class="sub">None yet.</p>;
  return (
    <ol class="decisions">
      {decisions.toReversed().map((decision) => (
        <Entry key={`${decision.at} ${decision.action} ${decision.step}`} {...decision} />
      ))}
    </ol>
  );
}

function Entry({ at, by, action, reason, canaryPercent, evidence, run }: Decision): JSX.Element {
  const sentences = evidence?.metrics?.map(({ name, sentence }) => ({ name, sentence })) ?? [];
  return (
    <li class={TONES[action] ?? ''}>
      <time dateTime={at} title={dateTime(at)}>
        {time(at)}
      </time>
      <div>
        <p>
          <b>{action}</b> {reason}
        </p>
        <p class="sub">
          by {by}, run {run}, {percentOf100(canaryPercent)} on the new version
        </p>
        {sentences.length > 0 && (
          <details>
            <summary>Evidence</summary>
            <ul>
              {sentences.map(({ name, sentence }) => (
                <li key={name}>{sentence}</li>
              ))}
            </ul>
          </details>
        )}
      </div>
    </li>
  );
}
