/** One release: where it is, what is known about the new version, what was decided and why, and the buttons that move it. */
import type { JSX } from 'preact';
import { rollouts } from '../data/events.ts';
import { duration, percentOf100 } from '../data/format.ts';
import { href } from '../data/router.ts';
import type { Analysis, Candidate, Rollout, RolloutStatus } from '../data/types.ts';
import { Decisions } from '../parts/decisions.tsx';
import { EvidenceCharts, useEvidence, WeightChart } from '../parts/evidence.tsx';
import { ReleaseButtons } from '../parts/release-buttons.tsx';
import { StepsTrack } from '../parts/steps-track.tsx';

export function Release({ namespace, name }: { readonly namespace: string; readonly name: string }): JSX.Element {
  const rollout = rollouts.value?.get(`${namespace}/${name}`);
  if (rollout === undefined) {
    return (
      <section class="empty">
        <h1>{name}</h1>
        <p>{rollouts.value === undefined ? 'Waiting for Serin…' : `There is no release ${name} in namespace ${namespace}.`}</p>
        <a href={href('releases')}>To all releases</a>
      </section>
    );
  }
  return <Shown rollout={rollout} />;
}

function Shown({ rollout }: { readonly rollout: Rollout }): JSX.Element {
  const { metadata, status } = rollout;
  const evidence = useEvidence(rollout);
  return (
    <>
      <header class="page">
        <div>
          <a class="up" href={href('releases')}>
            Releases
          </a>
          <h1>
            {metadata.name} <span class={`badge ${status.phase.toLowerCase()}`}>{status.phase}</span>
          </h1>
          <p class="sub">
            {status.stable} serves, {status.canary ?? status.canaries?.join(', ')} is released on{' '}
            {status.route === undefined ? (
              <a href={href('services', status.host)}>{status.host}</a>
            ) : (
              `${status.route.kind} ${status.route.namespace}/${status.route.name}`
            )}
            {status.elapsedSeconds !== undefined && `, for ${duration(status.elapsedSeconds)}`}
          </p>
        </div>
        <ReleaseButtons rollout={rollout} />
      </header>
      <p class={`message ${status.phase.toLowerCase()}`} aria-live="polite">
        {status.message}
      </p>
      {status.approval !== undefined && (
        <p class="message paused">
          {status.approval.approved.length} of {status.approval.needed} approvals
          {status.approval.approved.length > 0 && ` (${status.approval.approved.join(', ')})`}
          {status.approval.awaited.length > 0 && `; awaited from ${status.approval.awaited.join(', ')}`}. Promote is yours to press.
        </p>
      )}
      <StepsTrack status={status} />
      <Weights status={status} />
      <WeightChart rollout={rollout} evidence={evidence} />
      <section>
        <h2>Evidence</h2>
        {subjects(status).map(({ subset, analysis }) => (
          <EvidenceCharts key={subset} subset={subset} analysis={analysis} evidence={evidence} />
        ))}
        {subjects(status).length === 0 && <p class="sub">Nothing is compared at present.</p>}
      </section>
      {status.candidates !== undefined && <Candidates candidates={status.candidates} />}
      <Gates status={status} />
      <section>
        <h2>Decisions</h2>
        <Decisions decisions={status.decisions} />
      </section>
    </>
  );
}

function subjects(status: RolloutStatus): { readonly subset: string; readonly analysis: Analysis }[] {
  if (status.analysis !== undefined) return [{ subset: status.canary ?? 'canary', analysis: status.analysis }];
  return (status.candidates ?? []).flatMap(({ subset, analysis }) => (analysis === undefined ? [] : [{ subset, analysis }]));
}

function Weights({ status }: { readonly status: RolloutStatus }): JSX.Element | null {
  const weights = Object.entries(status.weights ?? {});
  if (weights.length === 0) return null;
  return (
    <div class="weights">
      <div class="split" role="img" aria-label={weights.map(([subset, weight]) => `${subset} ${percentOf100(weight)}`).join(', ')}>
        {weights.map(([subset, weight]) => (
          <i key={subset} class={subset === status.stable ? 'v-stable' : 'v-canary'} style={{ flexGrow: weight }} />
        ))}
      </div>
      <p class="legend">
        {weights.map(([subset, weight]) => (
          <span key={subset} class={subset === status.stable ? 'v-stable' : 'v-canary'}>
            <i aria-hidden="true" /> {subset} {percentOf100(weight)}
          </span>
        ))}
        {(status.cohorts?.length ?? 0) > 0 && <span>cohorts on the new version: {status.cohorts?.join(', ')}</span>}
        {(status.mirrorPercent ?? 0) > 0 && <span>{percentOf100(status.mirrorPercent)} mirrored</span>}
      </p>
    </div>
  );
}

function Candidates({ candidates }: { readonly candidates: readonly Candidate[] }): JSX.Element {
  return (
    <section>
      <h2>Candidates</h2>
      <ul class="tiles">
        {candidates.map(({ subset, fate, weight, reason }) => (
          <li key={subset}>
            <strong>{subset}</strong> {fate}, {percentOf100(weight)}
            {reason !== undefined && <span>{reason}</span>}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Metrics and webhooks the release waits for or is guarded by, and conditions that do not hold. */
function Gates({ status }: { readonly status: RolloutStatus }): JSX.Element | null {
  const unmet = status.conditions.filter((condition) => condition.status !== 'True');
  const { metrics = [], webhooks = [] } = status;
  if (unmet.length + metrics.length + webhooks.length === 0) return null;
  return (
    <section>
      <h2>Gates</h2>
      <ul class="tiles">
        {unmet.map(({ type, reason, message }) => (
          <Gate key={type} name={type} kind="condition" phase={reason} message={message} />
        ))}
        {metrics.map(({ name, phase, message, condition }) => (
          <Gate key={`metric ${name}`} name={name} kind={`metric ${condition}`} phase={phase} message={message} />
        ))}
        {webhooks.map(({ name, phase, message, type }) => (
          <Gate key={`webhook ${name}`} name={name} kind={`webhook ${type}`} phase={phase} message={message} />
        ))}
      </ul>
    </section>
  );
}

const TONES: Readonly<Record<string, string>> = {
  Successful: 'good',
  Passed: 'good',
  Failed: 'bad',
  Refused: 'bad',
  Error: 'warn',
  Inconclusive: 'warn',
  NotReady: 'warn',
};

interface GateProps {
  readonly name: string;
  readonly kind: string;
  readonly phase: string;
  readonly message: string;
}

function Gate({ name, kind, phase, message }: GateProps): JSX.Element {
  return (
    <li class={TONES[phase] ?? ''}>
      <strong>{name}</strong> {phase}
      <span>{kind}</span>
      <span>{message}</span>
    </li>
  );
}
