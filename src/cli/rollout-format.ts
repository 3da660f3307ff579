/** How `serin rollout` shows a release to people: a line in a list, a page of its status, its decisions. */
import { z } from 'zod';
import { ApiObject } from '../admin/api-types.ts';
import { printableLine } from '../app/printable.ts';
import type { Io, Style } from './io.ts';
import { CheckFields, formatChecks } from './rollout-checks-format.ts';
import { formatColumns, formatTable } from './table.ts';

const Decision = z.looseObject({ at: z.string(), by: z.string(), action: z.string(), reason: z.string(), canaryPercent: z.number() });

const Analysis = z.looseObject({ metrics: z.array(z.looseObject({ sentence: z.string() })) });
const Candidate = z.looseObject({
  subset: z.string(),
  fate: z.string(),
  cohorts: z.array(z.string()).optional(),
  reason: z.string().optional(),
  analysis: Analysis.optional(),
});

/** As app/rollouts/view.ts makes it; what a newer Serin adds is passed through. */
export const RolloutObject = ApiObject.extend({
  status: z.looseObject({
    phase: z.enum(['Healthy', 'Progressing', 'Paused', 'Degraded']),
    message: z.string(),
    host: z.string(),
    /** Of a route, whose Services are the versions. */
    route: z.looseObject({ kind: z.string(), namespace: z.string(), name: z.string() }).optional(),
    stable: z.string(),
    /** Of one canary; of several `candidates` has them. */
    canary: z.string().optional(),
    candidates: z.array(Candidate).optional(),
    outcome: z.string().optional(),
    run: z.number(),
    currentStepIndex: z.number().optional(),
    steps: z.array(z.string()).optional(),
    weights: z.record(z.string(), z.number()).optional(),
    cohorts: z.array(z.string()).optional(),
    approval: z.looseObject({ needed: z.number(), approved: z.array(z.string()), awaited: z.array(z.string()) }).optional(),
    analysis: Analysis.optional(),
    ...CheckFields,
    decisions: z.array(Decision),
  }),
});
export type RolloutObject = z.infer<typeof RolloutObject>;

export const RolloutList = z.object({ items: z.array(RolloutObject) });

const PHASE_STYLES: Readonly<Record<RolloutObject['status']['phase'], Style>> = {
  Healthy: 'green',
  Progressing: 'cyan',
  Paused: 'yellow',
  Degraded: 'red',
};

export function formatList(items: readonly RolloutObject[], showNamespace: boolean): string {
  const rows = items.map(({ metadata, status }) => [
    ...(showNamespace ? [metadata.namespace ?? ''] : []),
    metadata.name,
    status.phase,
    stepOf(status),
    weightsOf(status),
    status.message,
  ]);
  return formatTable([...(showNamespace ? ['NAMESPACE'] : []), 'NAME', 'PHASE', 'STEP', 'WEIGHTS', 'MESSAGE'], rows);
}

export function formatStatus({ metadata, status }: RolloutObject, io: Io): string {
  const phase = io.paint(PHASE_STYLES[status.phase], status.phase);
  const lines = formatColumns([
    targetOf(status),
    ['versions', versionsOf(status)],
    ['weights', weightsOf(status) || 'as the files say'],
    ...(status.cohorts === undefined || status.cohorts.length === 0 || status.canary === undefined
      ? []
      : [['cohorts', `${status.cohorts.join(', ')} on ${status.canary}`]]),
    ...(status.approval === undefined ? [] : [['approvals', approvalOf(status.approval)]]),
  ]);
  const steps = (status.steps ?? []).map((title, index) => {
    const current = status.currentStepIndex ?? -1;
    const mark = index < current ? '✓' : index === current ? '▶' : ' ';
    return `  ${mark} ${index + 1}. ${printableLine(title)}\n`;
  });
  const metrics = sentencesOf(status.analysis);
  const candidates = (status.candidates ?? []).flatMap(({ subset, fate, cohorts = [], reason, analysis }) => [
    `  ${printableLine(subset)}  ${FATES[fate] ?? printableLine(fate)}${cohorts.length === 0 ? '' : `, cohorts ${cohorts.join(', ')}`}${reason === undefined ? '' : `: ${printableLine(reason)}`}\n`,
    ...sentencesOf(analysis).map((line) => `  ${line}`),
  ]);
  return [
    `${printableLine(metadata.name)}  ${phase}  ${printableLine(status.message)}\n`,
    lines,
    ...(steps.length === 0 ? [] : ['steps\n', ...steps]),
    ...(candidates.length === 0 ? [] : ['candidates\n', ...candidates]),
    ...(metrics.length === 0 ? [] : ['evidence\n', ...metrics]),
    formatChecks(status),
  ].join('');
}

function targetOf({ host, route }: RolloutObject['status']): string[] {
  return route === undefined ? ['host', host] : ['route', `${route.kind} ${route.namespace}/${route.name}`];
}

/** One line, for a log. */
export function formatDecision({ at, by, action, canaryPercent, reason }: RolloutObject['status']['decisions'][number]): string {
  return `${printableLine(`${at}   ${by}   ${action}   ${canaryPercent} %   ${reason}`)}\n`;
}

export function formatHistory({ status }: RolloutObject): string {
  return formatTable(
    ['AT', 'BY', 'ACTION', 'CANARY', 'REASON'],
    status.decisions.map(({ at, by, action, canaryPercent, reason }) => [at, by, action, `${canaryPercent} %`, reason]),
  );
}

function approvalOf({ needed, approved, awaited }: NonNullable<RolloutObject['status']['approval']>): string {
  const given = approved.length === 0 ? '' : `: ${approved.join(', ')}`;
  return `${approved.length} of ${needed}${given}; awaited from ${awaited.join(', ') || 'nobody'}`;
}

const FATES: Readonly<Record<string, string>> = { inRace: 'in the race', rolledBack: 'rolled back' };

function versionsOf({ stable, canary, candidates = [] }: RolloutObject['status']): string {
  if (canary !== undefined) return `${stable} stable, ${canary} canary`;
  return `${stable} stable, ${candidates.map(({ subset }) => subset).join(' and ')} canaries`;
}

function sentencesOf(analysis: z.infer<typeof Analysis> | undefined): string[] {
  return (analysis?.metrics ?? []).map(({ sentence }) => `  ${printableLine(sentence)}\n`);
}

function stepOf({ currentStepIndex, steps }: RolloutObject['status']): string {
  return steps === undefined || currentStepIndex === undefined ? '' : `${currentStepIndex + 1}/${steps.length}`;
}

function weightsOf({ weights = {} }: RolloutObject['status']): string {
  return Object.entries(weights)
    .map(([subset, percent]) => `${subset} ${percent}%`)
    .join(', ');
}
