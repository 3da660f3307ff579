/** Secrets that are planted, and where they are found again. */
import { randomBytes } from 'node:crypto';

/** What each is, by itself. */
export const planted = new Map<string, string>();
/** What was shown or written, by where. */
const shown: [where: string, text: string][] = [];

/** One that YAML takes for a number. */
export function plantNumber(what: string): string {
  const value = planted.get(what) ?? `7${BigInt(`0x${randomBytes(6).toString('hex')}`)}`.slice(0, 14).padEnd(14, '3');
  planted.set(what, value);
  return value;
}

export function plant(what: string): string {
  const value = planted.get(what) ?? `zq${randomBytes(9).toString('hex')}`;
  planted.set(what, value);
  return value;
}

/** Each piece of text that gives the value away: itself, and how it looks in base64 behind 0, 1 or 2 other bytes. */
function tracesOf(value: string): readonly string[] {
  const inBase64 = [0, 1, 2].map((skipped) => {
    const text = Buffer.from(`${' '.repeat(skipped)}${value}`).toString('base64');
    // Characters at both ends hold bits of neighbours.
    return text.slice(skipped === 0 ? 0 : 4, -4);
  });
  return [value, encodeURIComponent(value), Buffer.from(value).toString('base64url').slice(0, -4), ...inBase64];
}

export function leaks(): string[] {
  const found = [...planted].flatMap(([what, value]) => {
    const traces = tracesOf(value);
    return shown.flatMap(([where, text]) => {
      const at = Math.max(...traces.map((trace) => text.indexOf(trace)));
      return at < 0 ? [] : [`${what} in ${where}: …${text.slice(Math.max(0, at - 70), at + 30)}…`];
    });
  });
  return [...new Set(found)];
}

export function show(where: string, text: string): void {
  shown.push([where, text]);
}

/** Where something was shown. */
export function places(): readonly string[] {
  return [...new Set(shown.map(([where]) => where))];
}
