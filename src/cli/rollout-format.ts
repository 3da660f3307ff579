/** How `serin rollout` shows a release to people: a line in a list, a page of its status, its decisions. */
import { z } from 'zod';
import { ApiObject } from '../admin/api-types.ts';
import { printableLine } from '../app/printable.ts';
import type { Io, Style } from './io.ts';
import { formatColumns, formatTable } from './table.ts';

const Decision = z.looseObject({ at: z.string(), by: z.string(), action: z.string(), reason: z.string(), canaryPercent: z.number() });

/** As app/rollouts/view.ts makes it; what a newer Serin adds is passed through. */
export const RolloutObject = ApiObject.extend({
  status: z.looseObject({
    phase: z.enum(['Healthy', 'Progressing', 'Paused', 'Degraded']),
    message: z.string(),
    host: z.string(),
    stable: z.string(),
    canary: z.string(),
    outcome: z.string().optional(),
    run: z.number(),
    currentStepIndex: z.number().optional(),
    steps: z.array(z.string()).optional(),
    weights: z.record(z.string(), z.number()).optional(),
    cohorts: z.array(z.string()).optional(),
    analysis: z.looseObject({ metrics: z.array(z.looseObject({ sentence: z.string() })) }).optional(),
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
    ['host', status.host],
    ['versions', `${status.stable} stable, ${status.canary} canary`],
    ['weights', weightsOf(status) || 'as the files say'],
    ...(status.cohorts === undefined || status.cohorts.length === 0
      ? []
      : [['cohorts', `${status.cohorts.join(', ')} on ${status.canary}`]]),
  ]);
  const steps = (status.steps ?? []).map((title, index) => {
    const current = status.currentStepIndex ?? -1;
    const mark = index < current ? '✓' : index === current ? '▶' : ' ';
    return `  ${mark} ${index + 1}. ${printableLine(title)}\n`;
  });
  const metrics = (status.analysis?.metrics ?? []).map(({ sentence }) => `  ${printableLine(sentence)}\n`);
  return [
    `${printableLine(metadata.name)}  ${phase}  ${printableLine(status.message)}\n`,
    lines,
    ...(steps.length === 0 ? [] : ['steps\n', ...steps]),
    ...(metrics.length === 0 ? [] : ['evidence\n', ...metrics]),
  ].join('');
}

export function formatHistory({ status }: RolloutObject): string {
  return formatTable(
    ['AT', 'BY', 'ACTION', 'CANARY', 'REASON'],
    status.decisions.map(({ at, by, action, canaryPercent, reason }) => [at, by, action, `${canaryPercent} %`, reason]),
  );
}

function stepOf({ currentStepIndex, steps }: RolloutObject['status']): string {
  return steps === undefined || currentStepIndex === undefined ? '' : `${currentStepIndex + 1}/${steps.length}`;
}

function weightsOf({ weights = {} }: RolloutObject['status']): string {
  return Object.entries(weights)
    .map(([subset, percent]) => `${subset} ${percent}%`)
    .join(', ');
}
