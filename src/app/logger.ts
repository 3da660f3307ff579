/**
 * The application log: pino to stderr, as JSON lines or as one plain line an event for people. (Requests are not logged here.)
 *
 * A plain line is `2026-11-22T21:35:00.123Z info  message  field=value …`; every value is made printable, so nothing a peer or a file says
 * can add a line or speak to the terminal. Fields are cut at 4 KiB.
 */
import { styleText } from 'node:util';
import { type Logger, pino, stdTimeFunctions } from 'pino';
import { printableJsonText, printableLine } from './printable.ts';

export type { Logger } from 'pino';

const MAX_FIELD_CHARS = 4096;

export type LogFormat = 'text' | 'json';

/** What is written to: `process.stderr`, or a collector in tests. */
export interface LogDestination {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export function createLogger(destination: LogDestination, format: LogFormat = 'text'): Logger {
  const options = { base: null, timestamp: stdTimeFunctions.isoTime, formatters: { level: (level: string) => ({ level }) } };
  if (format === 'json') return pino(options, { write: (line: string) => void destination.write(printableJsonText(line)) });
  return pino(options, { write: (line: string) => void destination.write(`${formatLine(line, destination.isTTY === true)}\n`) });
}

/** A logger that says nothing, for embedding. */
export function silentLogger(): Logger {
  return pino({ enabled: false });
}

type Colour = Parameters<typeof styleText>[0];
const COLOURS: Readonly<Record<string, Colour>> = { warn: 'yellow', error: 'red', fatal: 'red', debug: 'dim' };

function formatLine(line: string, isTTY: boolean): string {
  const record: unknown = JSON.parse(line);
  const { time, level, msg, ...fields } = typeof record === 'object' && record !== null ? (record as Record<string, unknown>) : {};
  const word = String(level).padEnd(5);
  const colour = COLOURS[String(level)];
  // styleText looks at NO_COLOR itself.
  const shown = isTTY && colour !== undefined ? styleText(colour, word, { stream: process.stderr }) : word;
  const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${fieldText(value)}`);
  return `${String(time)} ${shown} ${printableLine(cut(typeof msg === 'string' ? msg : ''))}${rest.length === 0 ? '' : ' '}${rest.join('')}`;
}

function fieldText(value: unknown): string {
  if (typeof value === 'string') return printableLine(cut(/^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)));
  if (typeof value === 'object' && value !== null && 'stack' in value && typeof value.stack === 'string')
    return printableLine(cut(value.stack));
  return printableLine(cut(JSON.stringify(value)));
}

function cut(text: string): string {
  return text.length > MAX_FIELD_CHARS ? `${text.slice(0, MAX_FIELD_CHARS)}…` : text;
}
