/**
 * Approvals: a pause that certain people have to end, each by their own `serin rollout promote`. Pure.
 *
 * 1. Who may approve is stated when the run starts and kept in its steps; nobody else ends such a pause, and `--full` does not pass it.
 * 2. Each approval is a decision of its own; they are kept in `ActiveRun.approved` until the step is left, and do not count for the next.
 * 3. Whoever started the run does not count, unless the Rollout says so: a release takes two.
 */
import type { RolloutApproval } from '../config/serin/approval.ts';
import type { PlannedStep, StepSettings } from './spec.ts';
import type { ActiveRun } from './state.ts';

/** `RolloutApproval` with everything filled in. */
export interface ApprovalRule {
  /** Names of tokens. */
  readonly by: readonly string[];
  readonly count: number;
  readonly selfApproval: boolean;
}

export function approvalRule({ by, count = 1, selfApproval = false }: RolloutApproval): ApprovalRule {
  return { by, count, selfApproval };
}

/**
 * `spec.approval`: nothing grows without it. Every pause for a person asks for it that states no approval of its own, and where a step would grow
 * with no such pause before it, one is added.
 */
export function withApprovals(steps: readonly PlannedStep[], approval: ApprovalRule | undefined): readonly PlannedStep[] {
  if (approval === undefined) return steps;
  let weight = 0;
  let mirror = 0;
  let isApproved = false;
  return steps.flatMap((step) => {
    const { set, wait } = step;
    const isGate = !isApproved && grows(set, weight, mirror);
    weight = set?.weight ?? weight;
    mirror = set?.mirror ?? mirror;
    isApproved = wait?.kind === 'promotion';
    const asked: PlannedStep = wait?.kind === 'promotion' && wait.approval === undefined ? { ...step, wait: { ...wait, approval } } : step;
    return isGate ? [{ title: `approval before ${step.title}`, wait: { kind: 'promotion', approval } }, asked] : [asked];
  });
}

function grows(set: StepSettings | undefined, weight: number, mirror: number): boolean {
  return (set?.weight ?? 0) > weight || set?.route?.match !== undefined || (set?.mirror ?? 0) > mirror;
}

/** What the present step waits for. */
export interface Approving {
  readonly rule: ApprovalRule;
  readonly approved: readonly string[];
  /** Who may still approve. */
  readonly awaited: readonly string[];
}

/** Undefined where the present step asks for no approval. */
export function approvingOf({ steps, step, approved = [], startedBy }: ActiveRun): Approving | undefined {
  const wait = steps[step]?.wait;
  if (wait?.kind !== 'promotion' || wait.approval === undefined) return undefined;
  const rule = wait.approval;
  const awaited = rule.by.filter((name) => !approved.includes(name) && (rule.selfApproval || name !== startedBy));
  return { rule, approved, awaited };
}

/** `waits for approval by ana or ben`, `1 of 2 approvals (ana), waits for ben or cleo`. */
export function approvalMessage({ rule: { count }, approved, awaited }: Approving): string {
  const whom = awaited.length === 0 ? 'nobody who may give one is left: abort it' : `waits for ${listed(awaited, 'or')}`;
  if (approved.length > 0) return `${approved.length} of ${count} approvals (${approved.join(', ')}), ${whom}`;
  if (awaited.length === 0) return `needs ${approvals(count)}, but ${whom}`;
  return count === 1 ? `waits for approval by ${listed(awaited, 'or')}` : `waits for ${count} approvals by ${listed(awaited, 'or')}`;
}

/** Why `by` cannot approve; undefined when they can, or have done so already. */
export function approvalRefusal({ rule, approved, awaited }: Approving, by: string, startedBy: string | undefined): string | undefined {
  if (awaited.includes(by) || approved.includes(by)) return undefined;
  const whom = awaited.length === 0 ? 'nobody else may' : `${listed(awaited, 'or')} may`;
  return by === startedBy && rule.by.includes(by)
    ? `${by} started this release and cannot approve it as well; ${whom}`
    : `${by} is not among those who may approve; ${whom}`;
}

/** Why `by` cannot start a run of these steps: it could never be approved. */
export function startRefusal(steps: readonly PlannedStep[], by: string): string | undefined {
  for (const { title, wait } of steps) {
    if (wait?.kind !== 'promotion' || wait.approval === undefined) continue;
    const { by: names, count, selfApproval } = wait.approval;
    if (selfApproval || !names.includes(by) || names.length > count) continue;
    return `'${title}' needs ${approvals(count)} by ${listed(names, 'and')}, and whoever starts a release cannot approve it`;
  }
  return undefined;
}

/** What `promote --full` would pass over; undefined when it passes no approval. */
export function approvalAhead({ steps, step, approval, weight }: ActiveRun, full: number): string | undefined {
  for (const [index, { title, wait }] of steps.entries())
    if (index >= step && wait?.kind === 'promotion' && wait.approval !== undefined)
      return `step ${index + 1}, ${title}, needs ${approvals(wait.approval.count)} by ${listed(wait.approval.by, 'or')}`;
  // The steps of a ramp are not known yet.
  return approval !== undefined && weight < full ? `it needs ${approvals(approval.count)} by ${listed(approval.by, 'or')}` : undefined;
}

function approvals(count: number): string {
  return count === 1 ? 'an approval' : `${count} approvals`;
}

export function listed(names: readonly string[], word: 'and' | 'or'): string {
  const last = names.at(-1) ?? '';
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} ${word} ${last}`;
}
