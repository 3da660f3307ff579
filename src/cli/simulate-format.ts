/** How `serin simulate` shows what it found: a table for each version, false alarms in sentences, what it all rests on. */
import { printableLine } from '../app/printable.ts';
import { canariesOf } from '../config/serin/rollout-spec.ts';
import { DEFAULT_ANALYSIS } from '../rollout/analysis-spec.ts';
import { assumptionsOf } from '../simulate/assumptions.ts';
import { comparesVersions, type Question, stepsAt } from '../simulate/question.ts';
import type { DeciderFinding, Finding, Middle } from '../simulate/simulate.ts';
import type { Io } from './io.ts';
import { percentText } from './simulate-arguments.ts';
import { formatTable } from './table.ts';

/** @param origin What the plan is of, where there is no Rollout in the files. */
export function formatFindings(question: Question, findings: readonly Finding[], origin: string | undefined, io: Io): string {
  const { name, spec, traffic, runs, horizonS } = question;
  const { ratePerS, failing, p50Ms, p99Ms } = traffic;
  const steps = stepsAt(spec, traffic).map(({ title }) => title);
  return [
    `${printableLine(origin ?? `Rollout ${name}`)}: ${printableLine(canariesOf(spec).join(' and '))} beside ${printableLine(spec.stable)}\n`,
    `plan: ${printableLine(steps.join('; '))}\n`,
    `traffic: ${rateText(ratePerS)}, ${percentText(failing)} fail, p50 ${number(p50Ms)} ms, p99 ${number(p99Ms)} ms; ${runs} runs of ${span(horizonS)} at most\n`,
    ...findings.map((finding) => `\n${io.paint('bold', capital(finding.version.title))}\n${tableOf(finding)}`),
    ...findings.filter((finding) => !finding.isRegression).map((finding) => `\n${falseAlarms(finding, question)}`),
    `\nThese figures assume:\n${assumptionsOf(question)
      .map((text) => `- ${text}\n`)
      .join('')}`,
  ].join('');
}

/** For scripts: shares are fractions, times seconds, null where it never came to that. */
export function findingsObject(question: Question, findings: readonly Finding[], origin: string | undefined): object {
  const { name, spec, traffic, runs, seed, users, horizonS } = question;
  return {
    rollout: origin === undefined ? name : null,
    stable: spec.stable,
    canaries: canariesOf(spec),
    steps: stepsAt(spec, traffic).map(({ title }) => title),
    traffic: { requestsPerSecond: traffic.ratePerS, failing: traffic.failing, p50Ms: traffic.p50Ms, p99Ms: traffic.p99Ms },
    users: spec.assignment?.by === 'user' ? users : null,
    runs,
    seed,
    withinSeconds: horizonS,
    versions: findings.map(({ version, isRegression, deciders }) => ({
      title: version.title,
      isRegression,
      failing: version.failing,
      slower: version.slower,
      results: deciders.map(({ name: by, alarms, alarmInterval, ...shares }) => ({
        by,
        ...shares,
        alarm: { runs: alarms, ...alarmInterval },
      })),
    })),
    assumptions: assumptionsOf(question),
  };
}

function tableOf({ isRegression, deciders }: Finding): string {
  const extra = (['ended', 'held', 'undecided'] as const).filter((column) => deciders.some((decider) => decider[column] > 0));
  const headings = [
    '',
    'PROMOTED',
    'MEDIAN',
    'P90',
    'RULED OUT',
    'STOPPED',
    'MEDIAN',
    'P90',
    ...extra.map((column) => column.toUpperCase()),
  ];
  const rows = deciders.map((decider) => [
    decider.name,
    percentText(decider.promoted),
    ...times(decider.secondsToPromotion),
    decider.ruledOut === null ? '' : `+${percentText(decider.ruledOut)}`,
    percentText(decider.stopped),
    ...times(decider.secondsToStop),
    ...extra.map((column) => percentText(decider[column])),
    ...(isRegression ? [number(decider.harmed.mean), number(decider.harmed.p95)] : []),
  ]);
  return formatTable([...headings, ...(isRegression ? ['HARMED', 'P95'] : [])], rows);
}

function falseAlarms({ deciders }: Finding, question: Question): string {
  const { runs } = question;
  const sentences = deciders.map((decider) => {
    const { low, high } = decider.alarmInterval;
    const share = percentText(decider.alarms / runs);
    return `${decider.name} stops ${decider.name === 'Serin' ? 'or holds ' : ''}a good release in ${decider.alarms} of ${runs} runs: a false alarm has a probability of ${share} (95 % interval ${percentText(low)} to ${percentText(high)}).${promise(decider, question)}\n`;
  });
  return sentences.join('');
}

/** What the analysis guarantees, whatever the simulation shows. */
function promise({ name }: DeciderFinding, { spec, traffic }: Question): string {
  if (name !== 'Serin' || !comparesVersions(stepsAt(spec, traffic))) return '';
  return ` Its analysis promises ${percentText(spec.analysis?.rollbackRisk ?? DEFAULT_ANALYSIS.rollbackRisk)} of false rollbacks at most, by proof and not by simulation.`;
}

function times({ median, p90 }: Middle): [string, string] {
  return [median === null ? '' : span(median), p90 === null ? '' : span(p90)];
}

/** `45s`, `7m11s`, `1h`, `2h05m`. */
function span(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (hours === 0) return `${minutes}m${rest === 0 ? '' : `${pad(rest)}s`}`;
  return `${hours}h${minutes === 0 ? '' : `${pad(minutes)}m`}`;
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}

function rateText(ratePerS: number): string {
  return ratePerS >= 1 ? `${number(ratePerS)} requests/s` : `${number(3600 * ratePerS)} requests/h`;
}

/** Three figures, without an exponent. */
function number(value: number): string {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(value < 10 ? 2 : 3)));
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
