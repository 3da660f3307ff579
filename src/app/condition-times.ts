/**
 * Since when the conditions of the Gateway API's resources are what they are: `lastTransitionTime`, which changes with the status of a condition and with
 * nothing else. It is remembered over reloads while Serin runs, and begins anew with it.
 */
import type { Condition, GatewayApiStatus, GatewayApiStatuses, StatusReference } from '../routing/gateway-api/status.ts';

/** By `statusKey`, in the order of `conditionGroups`. */
export type ConditionTimes = ReadonlyMap<string, readonly ConditionTime[]>;

interface ConditionTime {
  /** As in `ConditionGroup`. */
  readonly about: string;
  readonly type: string;
  readonly status: Condition['status'];
  /** RFC 3339, in whole seconds as Kubernetes has it. */
  readonly since: string;
}

export interface TimedCondition extends Condition {
  readonly lastTransitionTime: string;
}

/** @param before Of what was in force until now. */
export function conditionTimes(statuses: GatewayApiStatuses, before: ConditionTimes, nowMs: number): ConditionTimes {
  const since = new Date(nowMs).toISOString().replace(/\.\d+/, '');
  const times = new Map<string, readonly ConditionTime[]>();
  for (const [key, found] of statuses) {
    const old = before.get(key) ?? [];
    const own: ConditionTime[] = [];
    for (const { about, conditions } of conditionGroups(found)) {
      for (const { type, status } of conditions) {
        const known = timeOf(old, about, type, own.length);
        own.push(known?.status === status ? known : { about, type, status, since });
      }
    }
    times.set(key, own);
  }
  return times;
}

/** @param position Where it is looked for first: most statuses have the shape they had. */
function timeOf(times: readonly ConditionTime[], about: string, type: string, position: number): ConditionTime | undefined {
  const isIt = (time: ConditionTime | undefined): boolean => time?.about === about && time.type === type;
  return isIt(times[position]) ? times[position] : times.find(isIt);
}

interface ConditionGroup {
  /** What of the resource: `listener web`, `parent Gateway default/front`; empty for all of it. */
  readonly about: string;
  readonly conditions: readonly Condition[];
}

/** In the order of the status. */
function conditionGroups(status: GatewayApiStatus): readonly ConditionGroup[] {
  return [
    ...('conditions' in status ? [{ about: '', conditions: status.conditions }] : []),
    ...('listeners' in status ? status.listeners.map(({ name, conditions }) => ({ about: `listener ${name}`, conditions })) : []),
    ...('parents' in status
      ? status.parents.map(({ parentRef, conditions }) => ({ about: `parent ${referenceText(parentRef)}`, conditions }))
      : []),
    ...('ancestors' in status
      ? status.ancestors.map(({ ancestorRef, conditions }) => ({ about: `ancestor ${referenceText(ancestorRef)}`, conditions }))
      : []),
  ];
}

/** `Gateway default/front`, `Gateway front listener web`, `Service reviews:9080`. */
function referenceText({ kind = 'Gateway', namespace, name, sectionName, port }: StatusReference): string {
  const place = `${namespace === undefined ? '' : `${namespace}/`}${name}${port === undefined ? '' : `:${port}`}`;
  return `${kind} ${place}${sectionName === undefined ? '' : ` ${sectionName}`}`;
}

/** In the order of the status, each with its time, of what `conditionTimes` has seen. */
export function timedGroups(
  key: string,
  status: GatewayApiStatus,
  times: ConditionTimes,
): readonly { readonly about: string; readonly conditions: readonly TimedCondition[] }[] {
  const own = times.get(key) ?? [];
  let position = 0;
  return conditionGroups(status).map(({ about, conditions }) => ({
    about,
    conditions: conditions.map(({ type, status: value, observedGeneration, reason, message }) => {
      const lastTransitionTime = timeOf(own, about, type, position++)?.since ?? '';
      return { type, status: value, observedGeneration, lastTransitionTime, reason, message };
    }),
  }));
}

/** The status with times in all conditions. */
export function timedStatus(key: string, status: GatewayApiStatus, times: ConditionTimes): Record<string, unknown> {
  const groups = [...timedGroups(key, status, times)];
  const next = (): readonly TimedCondition[] => groups.shift()?.conditions ?? [];
  // In the order of the groups.
  return {
    ...status,
    ...('conditions' in status ? { conditions: next() } : {}),
    ...('listeners' in status ? { listeners: status.listeners.map((listener) => ({ ...listener, conditions: next() })) } : {}),
    ...('parents' in status ? { parents: status.parents.map((parent) => ({ ...parent, conditions: next() })) } : {}),
    ...('ancestors' in status ? { ancestors: status.ancestors.map((ancestor) => ({ ...ancestor, conditions: next() })) } : {}),
  };
}
