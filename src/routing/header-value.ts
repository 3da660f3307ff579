import type { HeaderValue } from './table.ts';

/**
 * Header values with Envoy's command operators: `%REQ(x-user?:authority):16%`, `%START_TIME(%s.%3f)%`, `%%` for a literal percent sign.
 *
 * Parsed once, by compile(); evaluated per request. As in Envoy's HeaderParser, an operator without a value gives nothing (not `-`, which is what access logs
 * print), and a header whose whole value comes out empty is left alone: not set, not added.
 *
 * Grammar: envoy docs configuration/advanced/substitution_formatter. The caller checks the result before it is sent (P45): values made from
 * request data cannot be trusted to be free of control characters.
 */
export interface ValueSource {
  /**
   * By lower-case name, pseudo headers (`:path` with query, `:method`, `:authority`, `:scheme`) included; of several values the first. As it stands when it is asked
   * for: of an answer's operations, as it went upstream.
   */
  requestHeader(name: string): string | undefined;
  /** By lower-case name, `:status` included; undefined while there is no response yet. */
  responseHeader(name: string): string | undefined;
  /** As received, not decoded; of several values the first. */
  queryParameter(name: string): string | undefined;
  /** Value of one of `PROPERTY_COMMANDS`; undefined when it is not known (yet). */
  property(command: PropertyCommand): string | number | undefined;
  /** When the request's first byte arrived, epoch ms. */
  readonly startTimeMs: number;
}

/** Operators without an argument that name a fact about the connection or the transaction. */
const PROPERTY_COMMANDS = [
  'BYTES_RECEIVED',
  'BYTES_SENT',
  'DOWNSTREAM_DIRECT_REMOTE_ADDRESS',
  'DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT',
  'DOWNSTREAM_DIRECT_REMOTE_PORT',
  'DOWNSTREAM_LOCAL_ADDRESS',
  'DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT',
  'DOWNSTREAM_LOCAL_PORT',
  'DOWNSTREAM_REMOTE_ADDRESS',
  'DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT',
  'DOWNSTREAM_REMOTE_PORT',
  'DURATION',
  'HOSTNAME',
  'PROTOCOL',
  'REQUESTED_SERVER_NAME',
  'RESPONSE_CODE',
  'RESPONSE_CODE_DETAILS',
  'RESPONSE_DURATION',
  'RESPONSE_FLAGS',
  'ROUTE_NAME',
  'STREAM_ID',
  'TRACE_ID',
  'UPSTREAM_CLUSTER',
  'UPSTREAM_HOST',
  'UPSTREAM_REMOTE_ADDRESS',
  'UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT',
  'UPSTREAM_REMOTE_PORT',
] as const;

export type PropertyCommand = (typeof PROPERTY_COMMANDS)[number];

const PROPERTIES: ReadonlySet<string> = new Set(PROPERTY_COMMANDS);

/** Operators with an argument in parentheses. */
const ARGUMENT_COMMANDS: ReadonlySet<string> = new Set(['REQ', 'RESP', 'QUERY_PARAM']);

/** `%NAME%`, `%NAME(argument)%`, `%NAME(argument):12%`; the argument of START_TIME may itself hold percent signs. */
const OPERATOR = /%([A-Z][A-Z0-9_]*)(?:\(([^)]*)\))?(?::([0-9]+))?%/y;

export interface ParsedHeaderValue {
  readonly value: HeaderValue['value'];
  /** Operators that Envoy knows, or does not, and Serin has no value for: they give nothing. As written, without the percent signs. */
  readonly unsupported: readonly string[];
}

/** Broken operators (`abc%123`, a lone `%`) are refused by validation; should one get here, its text is kept as it is. */
export function parseHeaderValue(text: string): ParsedHeaderValue {
  const value: HeaderValue['value'][number][] = [];
  const unsupported: string[] = [];
  let literal = '';
  for (let position = 0; position < text.length;) {
    const percent = text.indexOf('%', position);
    if (percent === -1) {
      literal += text.slice(position);
      break;
    }
    literal += text.slice(position, percent);
    if (text.startsWith('%%', percent)) {
      literal += '%';
      position = percent + 2;
      continue;
    }
    OPERATOR.lastIndex = percent;
    const operator = OPERATOR.exec(text);
    if (operator === null) {
      literal += '%';
      position = percent + 1;
      continue;
    }
    position = percent + operator[0].length;
    const command = operator[1] ?? '';
    const argument = operator[2] ?? '';
    if (!isSupported(command, argument)) unsupported.push(operator[0].slice(1, -1));
    if (literal !== '') value.push(literal);
    literal = '';
    value.push({ command, argument, ...(operator[3] === undefined ? {} : { maxLength: Number(operator[3]) }) });
  }
  if (literal !== '') value.push(literal);
  return { value, unsupported };
}

function isSupported(command: string, argument: string): boolean {
  if (ARGUMENT_COMMANDS.has(command)) return argument !== '';
  return command === 'START_TIME' || (argument === '' && PROPERTIES.has(command));
}

/** The text to send; empty means: leave the header alone. */
export function formatHeaderValue(value: HeaderValue['value'], source: ValueSource): string {
  const [only] = value;
  if (value.length === 1 && typeof only === 'string') return only;
  let text = '';
  for (const part of value) {
    if (typeof part === 'string') {
      text += part;
    } else {
      const found = evaluate(part.command, part.argument, source);
      text += part.maxLength === undefined ? found : found.slice(0, part.maxLength);
    }
  }
  return text;
}

function evaluate(command: string, argument: string, source: ValueSource): string {
  switch (command) {
    case 'REQ':
      return firstPresent(argument, (name) => source.requestHeader(name));
    case 'RESP':
      return firstPresent(argument, (name) => source.responseHeader(name));
    case 'QUERY_PARAM':
      return source.queryParameter(argument) ?? '';
    case 'START_TIME':
      return formatTime(source.startTimeMs, argument);
    default: {
      const value = argument === '' && isProperty(command) ? source.property(command) : undefined;
      return value === undefined ? '' : String(value);
    }
  }
}

function isProperty(command: string): command is PropertyCommand {
  return PROPERTIES.has(command);
}

/** `x-user?:authority`: the first header, or the second where the first is missing. */
function firstPresent(argument: string, read: (name: string) => string | undefined): string {
  const question = argument.indexOf('?');
  if (question === -1) return read(argument.toLowerCase()) ?? '';
  return read(argument.slice(0, question).toLowerCase()) ?? read(argument.slice(question + 1).toLowerCase()) ?? '';
}

/**
 * RFC 3339 in UTC with milliseconds by default; otherwise strftime directives, of which these are known: Y m d H M S y e j F T D R s z Z b B a A
 * u n t % and the fractions `%3f`, `%6f`, `%9f`, `%f` (Serin's clock has milliseconds; the other digits are 0).
 */
function formatTime(epochMs: number, format: string): string {
  const time = new Date(epochMs);
  if (format === '') return time.toISOString();
  return format.replaceAll(
    /%([1-9]?)([A-Za-z%])/g,
    (whole, digits: string, directive: string) => timeDirective(time, directive, digits) ?? whole,
  );
}

const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'] as const;
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const;

function timeDirective(time: Date, directive: string, digits: string): string | undefined {
  const iso = time.toISOString();
  const weekday = WEEKDAYS[time.getUTCDay()] ?? '';
  const month = MONTHS[time.getUTCMonth()] ?? '';
  switch (directive) {
    case 'Y':
      return iso.slice(0, 4);
    case 'y':
      return iso.slice(2, 4);
    case 'm':
      return iso.slice(5, 7);
    case 'd':
      return iso.slice(8, 10);
    case 'e':
      return String(time.getUTCDate()).padStart(2, ' ');
    case 'H':
      return iso.slice(11, 13);
    case 'M':
      return iso.slice(14, 16);
    case 'S':
      return iso.slice(17, 19);
    case 'F':
      return iso.slice(0, 10);
    case 'T':
      return iso.slice(11, 19);
    case 'R':
      return iso.slice(11, 16);
    case 'D':
      return `${iso.slice(5, 7)}/${iso.slice(8, 10)}/${iso.slice(2, 4)}`;
    case 'j':
      return String(Math.floor((time.getTime() - Date.UTC(time.getUTCFullYear(), 0, 1)) / 86_400_000) + 1).padStart(3, '0');
    case 's':
      return String(Math.floor(time.getTime() / 1000));
    case 'f':
      return iso
        .slice(20, 23)
        .padEnd(9, '0')
        .slice(0, digits === '' ? 9 : Number(digits));
    case 'z':
      return '+0000';
    case 'Z':
      return 'UTC';
    case 'b':
      return month.slice(0, 3);
    case 'B':
      return month;
    case 'a':
      return weekday.slice(0, 3);
    case 'A':
      return weekday;
    case 'u':
      return String(time.getUTCDay() === 0 ? 7 : time.getUTCDay());
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case '%':
      return '%';
    default:
      return undefined;
  }
}

/** Whether a part can give anything: a literal, or an operator that has a value here. */
export function hasValue(part: HeaderValue['value'][number]): boolean {
  return typeof part === 'string' || isSupported(part.command, part.argument);
}

/** The value as one would write it in a resource. */
export function headerValueText(value: HeaderValue['value']): string {
  return value
    .map((part) => {
      if (typeof part === 'string') return part.replaceAll('%', '%%');
      const argument = part.argument === '' ? '' : `(${part.argument})`;
      return `%${part.command}${argument}${part.maxLength === undefined ? '' : `:${part.maxLength}`}%`;
    })
    .join('');
}
