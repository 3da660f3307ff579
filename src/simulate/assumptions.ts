/** What the figures of a simulation rest on, in sentences: what holds for all of them, and what this Rollout makes necessary. */
import { canariesOf, type RolloutSpec } from '../config/serin/rollout-spec.ts';
import type { PlannedStep } from '../rollout/spec.ts';
import { asksOf } from './asks.ts';
import { comparesVersions, type Question, stepsAt, tickOf, type Traffic } from './question.ts';

export function assumptionsOf({ spec, traffic, users }: Question): string[] {
  const steps = stepsAt(spec, traffic);
  const waits = steps.some(({ wait }) => wait?.kind === 'promotion');
  const hasCohort = steps.some(({ set }) => set?.route?.match !== undefined);
  const tickS = tickOf(traffic);
  const [first = '', ...others] = canariesOf(spec);
  return [
    'Requests come at a steady rate, each by itself; latency is lognormal; a worse version is as bad from its first request to its last.',
    `Serin is this Rollout's plan and its analysis, looked at ${tickS < 1 ? `${1 / tickS} times a second` : tickS === 1 ? 'once a second' : `every ${tickS} s`}.`,
    ...asks(spec, steps, traffic),
    'Flagger: the example of its documentation (60 s, steps of 5 % to 50 %, 10 failed checks, success >= 99 %, p99 <= 500 ms).',
    'Argo: the example of its documentation, twice as fast (20, 40, 60, 80 %, 5 minutes each; success >= 95 % and p99 <= 500 ms every minute, more than 3 failures).',
    'Times are the median and the 90th percentile, harmed requests the mean and the 95th.',
    "Harmed requests would have gone well on stable: failures, or requests beyond stable's p99. A promoted regression harms until the time is over.",
    'Both versions are ready all the time, and nothing outside of the traffic decides.',
    ...(waits ? ['Wherever the plan waits for somebody to promote or approve, they do so at once.'] : []),
    ...(others.length === 0
      ? []
      : [
          `${first} is the version in question, ${others.join(' and ')} as good as stable; where one has to be chosen, it is the first that is left.`,
        ]),
    ...(hasCohort ? ['Nobody belongs to a cohort.'] : []),
    ...(comparesVersions(steps) ? [] : ['No step divides users between the versions, so nothing is decided by evidence.']),
    ...(spec.freeze === undefined ? [] : ['No freeze window lasts.']),
    ...(spec.assignment?.by === 'user'
      ? [`The requests are those of ${users} users, some of whom send many; users differ in nothing else.`]
      : []),
  ];
}

/** What a promotion will have proved, and what it leaves open. */
function asks(spec: RolloutSpec, steps: readonly PlannedStep[], traffic: Traffic): string[] {
  const found = asksOf(spec, steps, traffic);
  if (found.length === 0) return [];
  const parts = found.map(({ fromPercent, toPercent, rise, times, expectedMs }) => {
    const multiple = times === 1 ? '' : `, ${times} times the budget`;
    return `${fromPercent} to ${toPercent} %: ${points(rise)}${multiple}${expectedMs === 0 ? '' : ` (${about(expectedMs)} if it is good)`}`;
  });
  const isRelaxed = found.some(({ times }) => times > 1);
  return [
    `At this traffic a step is passed when failing more often by so much is ruled out: ${parts.join('; ')}.${isRelaxed ? ' Less would take longer than relax allows; smaller regressions may be promoted.' : ''}`,
  ];
}

function points(rise: number): string {
  const text = String(Number((100 * rise).toPrecision(3)));
  return text === '1' ? '1 point' : `${text} points`;
}

function about(ms: number): string {
  const minutes = ms / 60_000;
  if (minutes < 1.5) return `about ${Math.max(1, Math.round(60 * minutes))} s`;
  return minutes < 100 ? `about ${Math.round(minutes)} min` : `about ${Number((minutes / 60).toPrecision(2))} h`;
}
