/** What has happened since the last look, as items of news. Looks, and never hinders: nothing that decides or carries anything waits for it. */
import { type Diagnostic, formatDiagnostic } from '../../base/diagnostic.ts';
import type { NotifiedEvent } from '../../config/serin/notification-spec.ts';
import { isEjected } from '../../proxy/outlier-detection.ts';
import { approvalMessage, approvingOf } from '../../rollout/approval.ts';
import type { DecisionAction, DecisionRecord, RolloutState } from '../../rollout/state.ts';
import type { RoutingTable } from '../../routing/table.ts';
import { outlierKey, WORD } from '../../telemetry/outlier-board.ts';
import type { SharedRows } from '../../telemetry/shared-rows.ts';
import { formatAddress } from '../listen.ts';
import type { Tracked } from '../rollouts/engine.ts';

export interface News {
  readonly event: NotifiedEvent;
  readonly severity: 'info' | 'warning' | 'error';
  /** RFC 3339. */
  readonly at: string;
  /** Undefined: it belongs to none. */
  readonly namespace: string | undefined;
  /** What it is about: the name of a Rollout, an address, a version of the configuration. */
  readonly name: string;
  /** One sentence for people. */
  readonly summary: string;
  /** For programs; JSON. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** Other decisions, such as that a version runs no more, are nobody's news. */
const EVENT_OF: Readonly<Partial<Record<Exclude<DecisionAction, 'promote'>, NotifiedEvent>>> = {
  start: 'rolloutStarted',
  step: 'rolloutStep',
  skip: 'rolloutStep',
  choose: 'rolloutStep',
  resume: 'rolloutStep',
  approve: 'rolloutStep',
  drop: 'rolloutStep',
  supersede: 'rolloutStarted',
  pause: 'rolloutPaused',
  rollback: 'rolloutRolledBack',
  abort: 'rolloutRolledBack',
  undo: 'rolloutRolledBack',
};

const SEVERITY_OF: Readonly<Partial<Record<NotifiedEvent, News['severity']>>> = {
  rolloutWaiting: 'warning',
  rolloutPaused: 'warning',
  rolloutFrozen: 'warning',
  rolloutRolledBack: 'error',
  configurationRefused: 'error',
  endpointEjected: 'warning',
};

export interface Observed {
  readonly rollouts: readonly Tracked[];
  /** What the files were refused for that were read last; undefined where they are in force. */
  readonly refused: readonly Diagnostic[] | undefined;
  readonly table: RoutingTable;
  readonly outliers: Pick<SharedRows, 'find'>;
  readonly nowMs: number;
}

export class Newsroom {
  /** Revision of each rollout whose decisions have been told. */
  readonly #told = new Map<string, number>();
  /** What each rollout was last said to wait for. */
  readonly #waiting = new Map<string, string>();
  readonly #ejections = new Map<string, number>();
  #refusal: string | undefined;

  /** @param known Releases as they were before anything was decided: only what comes after is news. */
  constructor(known: readonly Tracked[]) {
    for (const { name, stored } of known) this.#told.set(name, stored.state.revision);
  }

  look(now: Observed): readonly News[] {
    return [...now.rollouts.flatMap((tracked) => this.#ofRollout(tracked, now.nowMs)), ...this.#ofReload(now), ...this.#ofEndpoints(now)];
  }

  #ofRollout(tracked: Tracked, nowMs: number): readonly News[] {
    const { name, stored } = tracked;
    const { state, records } = stored;
    const told = this.#told.get(name) ?? 0;
    this.#told.set(name, state.revision);
    // Each decision is a revision; old ones may have been dropped.
    const fresh = state.revision > told ? records.slice(-(state.revision - told)) : [];
    const decisions = fresh.flatMap((record) => {
      const event = eventOf(record, state, records);
      return event === undefined ? [] : [rolloutNews(event, tracked, record.at, record.reason, decisionDetails(record))];
    });
    const waits = waitOf(tracked);
    const key = waits && `${state.run}/${state.active?.step ?? -1}/${waits.event}`;
    const isNew = key !== undefined && this.#waiting.get(name) !== key;
    if (key === undefined) this.#waiting.delete(name);
    else this.#waiting.set(name, key);
    if (waits === undefined || !isNew) return decisions;
    return [...decisions, rolloutNews(waits.event, tracked, new Date(nowMs).toISOString(), waits.why, {})];
  }

  #ofReload({ refused, nowMs, table }: Observed): readonly News[] {
    const refusal = refused && refusalOf(refused);
    const before = this.#refusal;
    this.#refusal = refusal;
    if (refusal === before) return [];
    const common = { at: new Date(nowMs).toISOString(), namespace: undefined, name: table.version, details: { version: table.version } };
    return refusal === undefined
      ? [{ ...common, event: 'configurationAccepted', severity: 'info', summary: 'the configuration is good again and in force' }]
      : [{ ...common, event: 'configurationRefused', severity: 'error', summary: `the last good configuration stays: ${refusal}` }];
  }

  #ofEndpoints({ table, outliers, nowMs }: Observed): readonly News[] {
    const news: News[] = [];
    for (const { name: cluster, host, subset, endpoints, outlierDetection } of table.clusters) {
      if (outlierDetection === undefined) continue;
      for (const { address, port } of endpoints) {
        const key = outlierKey(cluster, address, port);
        const row = outliers.find(key);
        const ejections = row?.[WORD.ejections] ?? 0;
        const before = this.#ejections.get(key);
        this.#ejections.set(key, ejections);
        if (row === undefined || before === undefined || ejections <= before || !isEjected(row)) continue;
        const endpoint = formatAddress({ host: address, port });
        news.push({
          event: 'endpointEjected',
          severity: 'warning',
          at: new Date(nowMs).toISOString(),
          namespace: host.split('.')[1],
          name: endpoint,
          summary: `${endpoint} of ${host}${subset === '' ? '' : `, ${subset},`} is ejected: it gets no requests for a while`,
          details: { host, subset, endpoint, ejections },
        });
      }
    }
    return news;
  }
}

function rolloutNews(event: NotifiedEvent, { name, stored }: Tracked, at: string, summary: string, more: News['details']): News {
  const [namespace = '', short = ''] = name.split('/');
  const { host, state } = stored;
  return {
    event,
    severity: SEVERITY_OF[event] ?? 'info',
    at,
    namespace,
    name: short,
    summary,
    details: { host, stable: state.stable, canaries: state.canaries, run: state.run, ...more },
  };
}

function decisionDetails({ action, by, step, canaryPercent }: DecisionRecord): News['details'] {
  return { action, by, step, canaryPercent };
}

/** The first problem, and how many more there are. */
function refusalOf(diagnostics: readonly Diagnostic[]): string {
  const [first, ...others] = diagnostics.filter(({ severity }) => severity === 'error');
  if (first === undefined) return 'see the log of serin up';
  const line = formatDiagnostic(first).split('\n', 1)[0] ?? '';
  return others.length === 0 ? line : `${line}, and ${others.length} more`;
}

function eventOf(record: DecisionRecord, state: RolloutState, records: readonly DecisionRecord[]): NotifiedEvent | undefined {
  if (record.action !== 'promote') return EVENT_OF[record.action];
  // Somebody who lets a release go on promotes it past a step; the last one promotes the version.
  const isEnd = state.active === undefined && record === records.findLast(({ action }) => action === 'promote');
  return isEnd ? 'rolloutPromoted' : 'rolloutStep';
}

/** What a release stands at that somebody, or the calendar, has to let go. */
function waitOf({ stored, situation }: Tracked): { readonly event: NotifiedEvent; readonly why: string } | undefined {
  const { active }: RolloutState = stored.state;
  if (active === undefined || active.back !== undefined) return undefined;
  if (situation.frozen !== undefined) return { event: 'rolloutFrozen', why: `frozen ${situation.frozen}` };
  if (active.hold !== undefined || active.steps[active.step]?.wait?.kind !== 'promotion') return undefined;
  const approving = approvingOf(active);
  return { event: 'rolloutWaiting', why: approving === undefined ? 'waits for serin rollout promote' : approvalMessage(approving) };
}
