/** What a person can do with a release at this moment, each with a question first and a reason for the record. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Preview } from '../../../src/admin/api-types.ts';
import { post, segment } from '../data/api.ts';
import { mayOperate } from '../data/session.ts';
import type { Rollout } from '../data/types.ts';
import { ask, type Question } from './confirm.tsx';
import { dateTime } from '../data/format.ts';

type Verb = 'start' | 'promote' | 'pause' | 'resume' | 'abort' | 'retry' | 'undo';

interface Choice {
  readonly verb: Verb;
  readonly label: string;
  readonly text: string;
  readonly full?: boolean;
  readonly tone?: 'primary' | 'danger';
}

export function ReleaseButtons({ rollout }: { readonly rollout: Rollout }): JSX.Element | null {
  if (!mayOperate()) return <p class="sub">Your token may look, not move traffic.</p>;
  return (
    <div class="buttons">
      {choices(rollout).map((choice) => (
        <button key={choice.label} type="button" class={choice.tone ?? ''} onClick={() => ask(questionOf(rollout, choice))}>
          {choice.label}
        </button>
      ))}
      {rollout.status.currentStepIndex !== undefined && <PreviewButton rollout={rollout} />}
    </div>
  );
}

/** As the table of verbs in docs/rollouts.md has them. */
function choices({ status }: Rollout): Choice[] {
  const { phase, stable, outcome, steps, currentStepIndex } = status;
  const others = status.canary ?? status.canaries?.join(' and ') ?? 'the new version';
  if (currentStepIndex === undefined || steps === undefined) {
    if (phase === 'Degraded') return [{ verb: 'retry', label: 'Retry…', text: `${others} is released again from the first step.` }];
    const start: Choice = { verb: 'start', label: 'Start…', text: `${others} is released beside ${stable}, from the first step.` };
    const undo: Choice = { verb: 'undo', label: 'Undo…', text: 'Everybody goes back to the version that served before.', tone: 'danger' };
    return outcome === 'promoted' ? [undo] : [start];
  }
  const isPaused = phase === 'Paused';
  const abort: Choice = { verb: 'abort', label: 'Abort…', text: `Everybody goes back to ${stable}.`, tone: 'danger' };
  const full: Choice = {
    verb: 'promote',
    full: true,
    label: 'Promote fully…',
    text: `What is left of the steps is skipped: ${others} gets everybody.`,
  };
  const steer: Choice = isPaused
    ? { verb: 'promote', label: 'Promote…', text: 'The release goes on to its next step.', tone: 'primary' }
    : { verb: 'pause', label: 'Pause…', text: 'Weights stay as they are until somebody resumes or promotes. Guards go on watching.' };
  const resume: Choice[] = isPaused ? [{ verb: 'resume', label: 'Resume…', text: 'The release goes on from where it was held.' }] : [];
  return [steer, ...resume, full, abort];
}

function questionOf({ metadata: { namespace, name } }: Rollout, { verb, label, text, full, tone }: Choice): Question {
  const title = `${label.replace('…', '')} ${name}?`;
  return {
    title,
    text: <p>{text}</p>,
    verb: label.replace('…', ''),
    isDangerous: tone === 'danger',
    asksReason: true,
    perform: (reason) =>
      post(`/api/v1/rollouts/${segment(namespace)}/${segment(name)}/${verb}`, {
        ...(full === true ? { full } : {}),
        ...(reason === '' ? {} : { reason }),
      }),
  };
}

/** For internal users: a link with which they get the new version whatever its weight is. */
function PreviewButton({ rollout: { metadata, status } }: { readonly rollout: Rollout }): JSX.Element {
  const [preview, setPreview] = useState<Preview | undefined>(undefined);
  const [base, setBase] = useState(`http://${location.hostname}/`);
  const make = (): void =>
    ask({
      title: `Preview link for ${metadata.name}`,
      text: <p>Whoever has the link sees {status.canary ?? 'the new version'} for eight hours, also at weight 0. It is shown once.</p>,
      verb: 'Make the link',
      asksReason: false,
      perform: async () => {
        setPreview(await post<Preview>(`/api/v1/rollouts/${segment(metadata.namespace)}/${segment(metadata.name)}/preview`, {}));
      },
    });
  const link = preview === undefined ? '' : `${base}${base.includes('?') ? '&' : '?'}${preview.query}`;
  return (
    <>
      <button type="button" onClick={make}>
        Preview link…
      </button>
      {preview !== undefined && (
        <div class="preview card" role="group" aria-label="Preview link">
          <label>
            Address of the service, as users open it
            <input type="url" value={base} onInput={(event) => setBase(event.currentTarget.value)} />
          </label>
          <label>
            Link to {preview.to}, until {dateTime(preview.expiresAt)}
            <input readOnly value={link} onFocus={(event) => event.currentTarget.select()} />
          </label>
          <span class="buttons">
            <button type="button" class="primary" onClick={() => void navigator.clipboard.writeText(link)}>
              Copy
            </button>
            <button type="button" class="quiet" onClick={() => setPreview(undefined)}>
              Close
            </button>
          </span>
          <p class="sub">
            Programs send the header <code>{preview.header.split(':')[0]}</code> instead.
          </p>
        </div>
      )}
    </>
  );
}
