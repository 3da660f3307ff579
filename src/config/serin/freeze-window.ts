/**
 * Freeze windows: when nothing may start and no weight may grow. Pure: the instant is an argument.
 *
 * Two forms: from one instant to another (RFC 3339), or on weekdays between two times of day in a time zone. `18:00` to `08:00` with `days: [fri]`
 * is Friday evening to Saturday morning; without days it is every day.
 */
import { WEEKDAYS, type FreezeWindow, type Weekday } from './rollout-spec.ts';

const INSTANT = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d:\d\d)$/;
/** `24:00` ends a whole day. */
const TIME_OF_DAY = /^(?:(?<hour>[01]\d|2[0-3]):(?<minute>[0-5]\d)|24:00)$/;
const DAY_MINUTES = 1440;

/** What is wrong with a window; undefined when nothing is. */
export function freezeProblem(window: FreezeWindow): { readonly message: string; readonly hint?: string } | undefined {
  const { from, to, days, timeZone } = window;
  const isInstants = isInstant(from) && isInstant(to);
  if (!isInstants && !(TIME_OF_DAY.test(from) && TIME_OF_DAY.test(to)))
    return {
      message: `expected two RFC 3339 times or two times of day, found ${JSON.stringify(from)} and ${JSON.stringify(to)}`,
      hint: 'from: 2026-12-24T00:00:00Z, or from: "18:00" in quotes',
    };
  if (isInstants) {
    if (Date.parse(from) >= Date.parse(to)) return { message: `from ${from} is not before to ${to}` };
    if (days !== undefined) return { message: 'days go with times of day, not with RFC 3339 times' };
    if (timeZone !== undefined) return { message: 'timeZone goes with times of day, an RFC 3339 time has its own' };
    return undefined;
  }
  if (from === to) return { message: `from and to are both ${from}` };
  if (days?.length === 0) return { message: 'days is empty', hint: `some of ${WEEKDAYS.join(', ')}` };
  if (timeZone !== undefined && !isTimeZone(timeZone))
    return { message: `unknown time zone ${JSON.stringify(timeZone)}`, hint: 'an IANA name such as Europe/Berlin' };
  return undefined;
}

/** The first window that lasts at `nowMs`, in words; undefined when there is none. The windows are valid. */
export function frozenBy(windows: readonly FreezeWindow[], nowMs: number): string | undefined {
  const found = windows.find((window) => isFrozen(window, nowMs));
  if (found === undefined) return undefined;
  const { from, to, days, timeZone = 'UTC', reason } = found;
  const when = isInstant(from) ? `until ${to}` : `${days === undefined ? 'daily' : days.join(', ')} ${from} to ${to} ${timeZone}`;
  return reason === undefined ? when : `${when} (${reason})`;
}

function isFrozen({ from, to, days = WEEKDAYS, timeZone = 'UTC' }: FreezeWindow, nowMs: number): boolean {
  if (isInstant(from)) return nowMs >= Date.parse(from) && nowMs < Date.parse(to);
  const { day, minute } = localTime(nowMs, timeZone);
  const start = minuteOfDay(from);
  const end = minuteOfDay(to);
  if (start < end) return days.includes(day) && minute >= start && minute < end;
  return (days.includes(day) && minute >= start) || (days.includes(dayBefore(day)) && minute < end);
}

function isInstant(text: string): boolean {
  return INSTANT.test(text) && Number.isFinite(Date.parse(text));
}

function minuteOfDay(text: string): number {
  const { hour = '0', minute = '0' } = TIME_OF_DAY.exec(text)?.groups ?? {};
  return (Number(hour) * 60 + Number(minute)) % DAY_MINUTES;
}

const FORMATS = new Map<string, Intl.DateTimeFormat>();

function localTime(nowMs: number, timeZone: string): { readonly day: Weekday; readonly minute: number } {
  let format = FORMATS.get(timeZone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-GB', { timeZone, weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
    FORMATS.set(timeZone, format);
  }
  const parts = new Map(format.formatToParts(nowMs).map(({ type, value }) => [type, value]));
  const name = (parts.get('weekday') ?? '').toLowerCase();
  return {
    day: WEEKDAYS.find((day) => day === name) ?? 'mon',
    minute: Number(parts.get('hour')) * 60 + Number(parts.get('minute')),
  };
}

function dayBefore(day: Weekday): Weekday {
  return WEEKDAYS[(WEEKDAYS.indexOf(day) + 6) % 7] ?? 'mon';
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-GB', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
