/**
 * Rollouts as documents of the durable state (state.ts): one a rollout, one for the times of all of them, one a rollout for its evidence.
 *
 * 1. A rollout's document changes with every decision, and is durable before the data plane hears of it.
 * 2. Times are written once a second; after a crash at most that second is served again, never skipped.
 * 3. What cannot be read is never guessed: the rollout is unknown, its host gets what the files say, and the reason is kept for people.
 */
import { z } from 'zod';
import type { ActiveRun, DecisionRecord, RolloutState } from '../../rollout/state.ts';
import { FULL } from '../../rollout/spec.ts';
import { routeOfTarget } from '../../config/release-target.ts';
import { MAX_CANARIES, type RolloutSpec } from '../../config/serin/rollout-spec.ts';
import type { Change } from '../audit-table.ts';
import type { State } from '../state.ts';
import { upgraded } from './store-upgrade.ts';

const PREFIX = 'rollout/';
const EVIDENCE_PREFIX = 'rollout-evidence/';
const CLOCKS = 'rollout-clocks';
/** 2: a release may be of several canaries. Documents of version 1 are brought up to it when they are read (store-upgrade.ts). */
const STORE_VERSION = 2;

/** More decisions than a release has; older ones are in the audit table by action. */
const MAX_RECORDS = 200;
/** Answers to repeated requests are kept for as many requests, and for a day. */
const MAX_ANSWERS = 50;
export const ANSWER_LIFE_MS = 24 * 3_600_000;

/** A rollout somebody started by hand, for a host that has no Rollout resource. */
export interface AdHocRollout {
  readonly host: string;
  readonly stable: string;
  readonly canaries: readonly string[];
}

/** As a Rollout would say it. */
export function adHocSpec(adHoc: AdHocRollout | undefined): RolloutSpec | undefined {
  if (adHoc === undefined) return undefined;
  const { host, stable, canaries } = adHoc;
  const [canary, ...others] = canaries;
  const route = routeOfTarget(host);
  return {
    ...(route === undefined ? { host } : { route }),
    stable,
    ...(canary !== undefined && others.length === 0 ? { canary } : { canaries }),
  };
}

export interface StoredRollout {
  /** What is released, as release-target.ts has it. */
  readonly host: string;
  readonly state: RolloutState;
  readonly records: readonly DecisionRecord[];
  readonly adHoc?: AdHocRollout;
  /** Every subset that was ever of its pair: those that a release has stopped are not started again by the next one. */
  readonly released?: readonly string[];
  /** Requests that were answered, by Idempotency-Key. */
  readonly answers: readonly StoredAnswer[];
}

export interface StoredAnswer {
  readonly key: string;
  readonly atMs: number;
  readonly verb: string;
}

const weight = z.number().int().min(0).max(FULL);
const duration = z.number().min(0);
const stringMatch = z.record(z.string(), z.unknown());
const match = z.array(z.looseObject({ headers: z.record(z.string(), stringMatch) }));
const approval = z.strictObject({ by: z.array(z.string()), count: z.number().int().min(1), selfApproval: z.boolean() });
const wait = z.union([
  z.strictObject({ kind: z.enum(['time', 'bake', 'measure']), ms: duration }),
  z.strictObject({ kind: z.literal('promotion'), approval: z.exactOptional(approval) }),
  z.strictObject({ kind: z.literal('evidence'), atLeastMs: duration, timeoutMs: duration }),
]);
const step = z.strictObject({
  title: z.string(),
  set: z.exactOptional(
    z.strictObject({
      weight: z.exactOptional(weight),
      route: z.exactOptional(z.strictObject({ name: z.string(), match: z.exactOptional(match), to: z.exactOptional(z.string()) })),
      mirror: z.exactOptional(z.number().min(0).max(100)),
      mirrorTo: z.exactOptional(z.string()),
    }),
  ),
  wait: z.exactOptional(wait),
  end: z.exactOptional(z.literal('rollback')),
  choose: z.exactOptional(z.literal('proven')),
});
const assignment = z.strictObject({
  salt: z.string(),
  keys: z.array(
    z.union([
      z.strictObject({ kind: z.literal('header'), name: z.string() }),
      z.strictObject({ kind: z.literal('cookie'), name: z.string(), maxAgeSeconds: z.exactOptional(z.number()) }),
      z.strictObject({ kind: z.literal('sourceAddress') }),
    ]),
  ),
});
const analysis = z.looseObject({ rollbackRisk: z.number(), assignment: z.enum(['request', 'user']) });
const terms = z.strictObject({
  stableEndpoints: z.exactOptional(z.number().int().min(0)),
  keepMs: z.strictObject({ promoted: duration, takenBack: duration }),
  rollback: z.strictObject({ when: z.enum(['cold', 'always']), shares: z.array(weight), intervalMs: duration }),
  analysis,
  assignment: z.exactOptional(assignment),
  requires: z.exactOptional(z.record(z.string(), z.number().int().min(0))),
  fallbackOn: z.exactOptional(z.array(z.number().int().min(500).max(599))),
});
const active = z
  .strictObject({
    steps: z.array(step).min(1),
    step: z.number().int().min(-1),
    stepMs: duration,
    activeMs: duration,
    weight,
    routes: z.array(z.strictObject({ name: z.string(), match, to: z.string() })),
    mirror: z.number().min(0).max(100),
    mirrorTo: z.exactOptional(z.string()),
    assignment: z.exactOptional(assignment),
    analysis,
    onInconclusive: z.enum(['hold', 'rollback']),
    deadlineMs: z.exactOptional(duration),
    proved: z.exactOptional(z.string()),
    hold: z.exactOptional(z.strictObject({ by: z.enum(['user', 'share', 'undecided', 'choice', 'check']), message: z.string() })),
    shareAccepted: z.boolean(),
    startedBy: z.exactOptional(z.string()),
    approval: z.exactOptional(approval),
    approved: z.exactOptional(z.array(z.string())),
    back: z.exactOptional(z.strictObject({ outcome: z.enum(['rolledBack', 'aborted', 'undone']), why: z.string(), atOnce: z.boolean() })),
    round: z.exactOptional(z.number().int().min(0)),
  })
  .refine((run) => run.step < run.steps.length, { error: 'step beyond the last' });

const canaries = z.array(z.string()).min(1).max(MAX_CANARIES);
const leaver = z.strictObject({ subset: z.string(), fate: z.enum(['dropped', 'outdone']), reason: z.string(), share: weight });

const stored = z.strictObject({
  version: z.literal(STORE_VERSION),
  host: z.string(),
  state: z.strictObject({
    revision: z.number().int().min(0),
    stable: z.string(),
    canaries,
    left: z.array(leaver).max(MAX_CANARIES - 1),
    named: z.strictObject({ stable: z.string(), canaries }),
    run: z.number().int().min(0),
    epoch: z.number().int().min(0),
    outcome: z.exactOptional(z.enum(['promoted', 'rolledBack', 'aborted', 'undone', 'settled'])),
    active: z.exactOptional(active),
    terms: z.exactOptional(terms),
    keptMs: z.exactOptional(duration),
  }),
  records: z.array(z.looseObject({ at: z.string(), by: z.string(), action: z.string(), reason: z.string() })),
  released: z.exactOptional(z.array(z.string())),
  adHoc: z.exactOptional(z.strictObject({ host: z.string(), stable: z.string(), canaries })),
  answers: z.array(z.strictObject({ key: z.string(), atMs: z.number(), verb: z.string() })),
});

const clocks = z.record(z.string(), z.tuple([z.number(), z.number(), duration, duration]));

/** Held against the schema above: what passes it is what was written. */
function isStored(value: unknown): value is StoredRollout {
  return stored.safeParse(value).success;
}

export interface LoadedRollouts {
  readonly rollouts: ReadonlyMap<string, StoredRollout>;
  /** By name: why its document cannot be used. */
  readonly unreadable: ReadonlyMap<string, string>;
}

export function loadRollouts(state: State): LoadedRollouts {
  const rollouts = new Map<string, StoredRollout>();
  const unreadable = new Map<string, string>();
  const times = readClocks(state);
  for (const document of state.names(PREFIX)) {
    const name = document.slice(PREFIX.length);
    const value = upgraded(parse(state.get(document) ?? ''));
    if (isStored(value)) {
      // The version is of the document, not of what it holds.
      const { host, state: rollout, records, adHoc, released, answers } = value;
      rollouts.set(name, {
        host,
        state: withTimes(rollout, times.get(name)),
        records,
        answers,
        ...(adHoc === undefined ? {} : { adHoc }),
        ...(released === undefined ? {} : { released }),
      });
    } else {
      const [issue] = stored.safeParse(value).error?.issues ?? [];
      unreadable.set(name, `${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'no JSON'}`);
    }
  }
  return { rollouts, unreadable };
}

/** @throws StateWriteError; then nothing was written */
export function saveRollouts(state: State, changed: ReadonlyMap<string, StoredRollout>, changes: readonly Change[]): void {
  const documents = new Map(
    [...changed].map(([name, { host, state: rollout, records, adHoc, released, answers }]) => [
      PREFIX + name,
      JSON.stringify({
        version: STORE_VERSION,
        host,
        state: rollout,
        records: records.slice(-MAX_RECORDS),
        answers: answers.slice(-MAX_ANSWERS),
        ...(adHoc === undefined ? {} : { adHoc }),
        ...(released === undefined ? {} : { released }),
      }),
    ]),
  );
  state.putAll(documents, changes);
}

/** Times of the runs under way, where they are given, and evidence that has been gathered since. @param points Documents of evidence-history.ts. @throws StateWriteError */
export function saveClocks(
  state: State,
  running: ReadonlyMap<string, RolloutState> | undefined,
  evidence: ReadonlyMap<string, string>,
  points: ReadonlyMap<string, string>,
): void {
  const times: Record<string, readonly [run: number, step: number, stepMs: number, activeMs: number]> = {};
  for (const [name, { run, active: under }] of running ?? [])
    if (under !== undefined) times[name] = [run, under.step, under.stepMs, under.activeMs];
  const documents = new Map([...points, ...[...evidence].map(([name, text]) => [EVIDENCE_PREFIX + name, text] as const)]);
  if (running !== undefined) documents.set(CLOCKS, JSON.stringify(times));
  state.putAll(documents, []);
}

export function loadEvidence(state: State, name: string): string | undefined {
  return state.get(EVIDENCE_PREFIX + name);
}

function readClocks(state: State): ReadonlyMap<string, readonly [number, number, number, number]> {
  const found = clocks.safeParse(parse(state.get(CLOCKS) ?? '{}'));
  return new Map(Object.entries(found.success ? found.data : {}));
}

/** Times of another run or step are of the past. */
function withTimes(state: RolloutState, times: readonly [number, number, number, number] | undefined): RolloutState {
  const under: ActiveRun | undefined = state.active;
  if (under === undefined || times === undefined) return state;
  const [run, step, stepMs, activeMs] = times;
  if (run !== state.run || step !== under.step) return state;
  return { ...state, active: { ...under, stepMs: Math.max(stepMs, under.stepMs), activeMs: Math.max(activeMs, under.activeMs) } };
}

function parse(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}
